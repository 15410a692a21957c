//! The chip makers' programs for N6 and AE3, played by stand-ins that write down what they were started
//! with, and then succeed, fail or hang.
#![cfg(unix)]

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::time::{Duration, Instant};

use crate::common::{Desk, Ran};

/// A program of this name in the folder `maker`: keeps its arguments, one a line, and the files of its
/// working folder, says something, then does the rest.
fn stand_in(desk: &Desk, name: &str, rest: &str) {
    let folder = desk.path("maker");
    fs::create_dir_all(&folder).expect("a folder");
    let kept = desk.path(name);
    fs::create_dir_all(&kept).expect("a folder");
    let script = format!(
        "#!/bin/sh\nprintf '%s\\n' \"$@\" >'{kept}/arguments'\ncp -- * '{kept}/' 2>/dev/null\n\
         echo 'the maker says hello'\n{rest}\n",
        kept = kept.display()
    );
    let program = folder.join(name);
    fs::write(&program, script).expect("a script");
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).expect("rights");
}

/// `omv` with the makers' programs in that folder, and none elsewhere.
fn recover(desk: &Desk, board: &str, state: &str) -> std::process::Command {
    let spec = format!("sim:{board},state={state}");
    let words = ["recover", "--json", "--yes", "--board", board, "-c", &spec];
    let mut command = desk.command(&words);
    command
        .env("STM32_PRG_PATH", desk.path("maker"))
        .env("ALIF_TOOLKIT", desk.path("maker"))
        .env("HOME", desk.path("home"))
        .env("PATH", "/usr/bin:/bin");
    command
}

fn ran(mut command: std::process::Command) -> Ran {
    Ran::of(command.output().expect("the program starts"))
}

fn arguments(desk: &Desk, name: &str) -> Vec<String> {
    let text = fs::read_to_string(desk.path(name).join("arguments"));
    let text = text.unwrap_or_else(|error| panic!("{name} was not started: {error}"));
    text.lines().map(str::to_owned).collect()
}

#[test]
fn the_n6_is_given_to_sts_program_with_a_table_of_three_phases() {
    let desk = Desk::new();
    stand_in(&desk, "STM32_Programmer_CLI", "exit 0");
    let ran = ran(recover(&desk, "n6", "st-rom"));
    assert_eq!(ran.code, Some(0), "{}\n{}", ran.out, ran.err);
    assert_eq!(ran.result()["state"], "run");
    assert!(ran.err.contains("the maker says hello"), "{}", ran.err);
    let words = ["-c", "port=USB1", "-d", "FlashLayout.tsv"];
    assert_eq!(arguments(&desk, "STM32_Programmer_CLI"), words);
    let kept = desk.path("STM32_Programmer_CLI");
    let table = fs::read_to_string(kept.join("FlashLayout.tsv")).expect("a table");
    let rows: Vec<Vec<&str>> = table.lines().map(|row| row.split('\t').collect()).collect();
    let phases: Vec<&str> = rows.iter().skip(1).map(|row| row[1]).collect();
    assert_eq!(phases, ["0x1", "0x3", "0x4"]);
    // Every file that the table names lies beside it.
    for row in rows.iter().skip(1) {
        let file = kept.join(row.last().expect("columns"));
        let size = fs::metadata(&file).map(|file| file.len());
        assert!(size.is_ok_and(|size| size > 0), "{}", file.display());
    }
}

#[test]
fn an_ae3_without_a_port_is_not_given_to_anybody() {
    let desk = Desk::new();
    for name in ["updateSystemPackage", "app-write-mram"] {
        stand_in(&desk, name, "exit 0");
    }
    // Inside one process the serial bridge has no port that another program could open.
    let ran = ran(recover(&desk, "ae3", "se-uart"));
    assert_eq!(ran.error_code(), "vendor-program", "{}", ran.out);
    assert!(ran.out.contains("no port"), "{}", ran.out);
    assert!(!desk.path("app-write-mram").join("arguments").exists());
}

#[test]
fn a_makers_program_that_fails_ends_the_recovery_with_its_own_words() {
    let desk = Desk::new();
    stand_in(
        &desk,
        "STM32_Programmer_CLI",
        "echo 'Error: no device' >&2; exit 3",
    );
    let ran = ran(recover(&desk, "n6", "st-rom"));
    assert_eq!(ran.error_code(), "vendor-program", "{}", ran.out);
    assert!(ran.err.contains("Error: no device"), "{}", ran.err);
    assert!(ran.out.contains("exit status: 3"), "{}", ran.out);
}

#[test]
fn a_makers_program_that_hangs_is_ended_by_ctrl_c() {
    let desk = Desk::new();
    stand_in(&desk, "STM32_Programmer_CLI", "exec sleep 600");
    let begun = Instant::now();
    let mut command = recover(&desk, "n6", "st-rom");
    command.stdout(std::process::Stdio::piped());
    command.stderr(std::process::Stdio::piped());
    let child = command.spawn().expect("the program starts");
    let started = desk.path("STM32_Programmer_CLI").join("arguments");
    while !started.exists() {
        assert!(begun.elapsed() < Duration::from_secs(60), "never started");
        std::thread::sleep(Duration::from_millis(20));
    }
    let interrupt = std::process::Command::new("kill")
        .args(["-INT", &child.id().to_string()])
        .status();
    assert!(interrupt.expect("kill runs").success());
    let ran = Ran::of(child.wait_with_output().expect("it ends"));
    assert!(begun.elapsed() < Duration::from_secs(90));
    assert!(
        ran.out.contains("it was stopped"),
        "{}\n{}",
        ran.out,
        ran.err
    );
}

#[test]
fn a_makers_program_that_is_not_there_is_explained_and_nothing_is_started() {
    let desk = Desk::new();
    let ran = ran(recover(&desk, "n6", "st-rom"));
    assert_eq!(ran.error_code(), "vendor-program", "{}", ran.out);
    for words in ["not installed", "STM32CubeProgrammer", "STM32_PRG_PATH"] {
        assert!(ran.out.contains(words), "no {words} in {}", ran.out);
    }
}
