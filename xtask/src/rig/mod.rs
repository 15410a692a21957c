//! The rig: Debian's kernel in QEMU, so that Linux's own USB drivers meet the virtual cameras.
//!
//! ```text
//!   kernel   packages -> vmlinux, modules -> initramfs          once, kept in the target folder
//!   machine  QEMU without KVM; root = this machine's files over 9p, read-only;
//!            one folder of the target folder is writable and carries scenes in, results out
//!   attach   in the guest: plugs a camera served over USB/IP into vhci_hcd, again and again
//!   scenes   the tests: cameras, a shell script for the guest, a judge for what it left
//!   tap      what usbmon saw pass    recording   that as text, kept or compared with what was kept
//! ```
//!
//! Results are files: no file is a failure, whatever QEMU or the console say.

pub mod attach;
mod chip;
mod kernel;
mod machine;
mod recording;
mod results;
mod scenes;
mod supplies;
mod tap;

use std::fs;
use std::path::Path;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use crate::run::Shop;
use crate::work;
use machine::Machine;
use results::Results;
use scenes::{Scene, dfu};

/// Version the cameras of the tests come with, and the one that is put on them.
const OLD: &str = "4.8.0";
/// See [`OLD`].
const NEW: &str = "5.0.0";
/// Longest run of one command.
const COMMAND_LIMIT: Duration = Duration::from_secs(900);
/// Longest run of all scenes.
const SCENES_LIMIT: Duration = Duration::from_secs(440);

/// On a machine that does much else, everything may take this many times as long: `OMV_RIG_PATIENCE=4`.
fn patience() -> u32 {
    let asked = std::env::var("OMV_RIG_PATIENCE").ok();
    let asked = asked.and_then(|factor| factor.parse().ok());
    asked.unwrap_or(1).clamp(1, 20)
}

/// What `cargo xtask rig` was asked for.
#[derive(Debug, PartialEq, Eq)]
enum Asked {
    /// The tests, or those named; with another server than `omv`; making the vector files.
    Tests {
        names: Vec<String>,
        server: Option<String>,
        record: bool,
    },
    /// A command, with one camera of this model plugged in that has these options of `omv sim`.
    Command {
        model: String,
        options: String,
        command: String,
    },
}

/// Reads the words after `rig`.
fn parse(words: &[&str]) -> Result<Asked> {
    let (before, command) = match words.iter().position(|word| *word == "--") {
        Some(at) => (&words[..at], Some(words[at + 1..].join(" "))),
        None => (words, None),
    };
    let (mut options, mut names, mut server) = (String::new(), Vec::new(), None);
    let (mut record, mut model) = (false, "rt1062".to_owned());
    let mut before = before.iter();
    while let Some(word) = before.next() {
        let mut value = || before.next().with_context(|| format!("{word} what?"));
        match *word {
            "--camera" => model = (*value()?).to_owned(),
            "--firmware" | "--speed" => options += &format!("{word} {} ", machine::quote(value()?)),
            "--server" => server = Some((*value()?).to_owned()),
            "--record" => record = true,
            option if option.starts_with('-') => bail!("no option {option}"),
            name => names.push(name.to_owned()),
        }
    }
    match command {
        Some(command) if names.is_empty() && server.is_none() && !record => Ok(Asked::Command {
            model,
            options,
            command,
        }),
        None if options.is_empty() => Ok(Asked::Tests {
            names,
            server,
            record,
        }),
        _ => {
            bail!(
                "rig [TEST]... [--server PROGRAM] [--record], \
                 or rig [--camera MODEL] [--firmware V] [--speed N] -- COMMAND"
            )
        }
    }
}

/// `cargo xtask rig`: the tests, or one command whose exit code becomes ours.
///
/// # Errors
/// When a test fails, or the command could not be run.
pub fn rig(shop: &Shop, words: &[&str]) -> Result<ExitCode> {
    match parse(words)? {
        Asked::Tests {
            mut names,
            server,
            record,
        } => {
            if record && names.is_empty() {
                let makers = scenes::all().filter(|one| one.recording.is_some_and(|r| r.makes));
                names = makers.map(|one| one.name.to_owned()).collect();
            }
            let judged = scenes_of(shop, &names, server.as_deref(), record)?;
            verdict(shop, &judged).map(|()| ExitCode::SUCCESS)
        }
        Asked::Command {
            model,
            options,
            command,
        } => one_command(shop, &model, &options, &command),
    }
}

/// The stage: all tests. Those that failed are tried once more in a guest booted afresh, and it is
/// said so: seen twice in some thirty boots on a loaded machine, the guest's kernel stopped
/// enumerating altogether, and then no later test of that boot could pass.
///
/// # Errors
/// When one fails twice.
pub fn test(shop: &Shop) -> Result<()> {
    let mut judged = scenes_of(shop, &[], None, false)?;
    let red: Vec<String> = judged
        .iter()
        .filter(|one| !one.1)
        .map(|one| one.0.to_owned())
        .collect();
    if !red.is_empty() {
        println!("rig: {} failed; once more in a new boot", red.join(", "));
        judged.retain(|one| one.1);
        judged.extend(scenes_of(shop, &red, None, false)?);
    }
    verdict(shop, &judged)
}

/// Counts the tests, each by name and whether it passed, and fails if one did not.
fn verdict(shop: &Shop, judged: &[(&str, bool)]) -> Result<()> {
    for (_, passed) in judged {
        shop.count(*passed);
    }
    let red: Vec<&str> = judged
        .iter()
        .filter(|one| !one.1)
        .map(|one| one.0)
        .collect();
    if red.is_empty() {
        return Ok(());
    }
    bail!(
        "{} of the rig's tests failed: {}",
        red.len(),
        red.join(", ")
    )
}

fn one_command(shop: &Shop, model: &str, options: &str, command: &str) -> Result<ExitCode> {
    let machine = prepare(shop, None)?;
    let script = format!(
        "board 0 rig {} {options}\nnode /dev/ttyACM0\nexec bash -c {} 2>&1\n",
        machine::quote(model),
        machine::quote(command)
    );
    machine.scene("command", COMMAND_LIMIT.as_secs(), &script)?;
    let echo = machine.scene_folder("command").join("scene.out");
    machine.boot(COMMAND_LIMIT + Duration::from_secs(30), Some(&echo))?;
    let results = Results::of(&machine.scene_folder("command"))?;
    results.no_failure()?;
    eprintln!("in the guest: {} ms", results.millis);
    Ok(ExitCode::from(u8::try_from(results.code).unwrap_or(1)))
}

/// Plays the tests, or those named, in one boot; which passed.
fn scenes_of(
    shop: &Shop,
    names: &[String],
    server: Option<&str>,
    record: bool,
) -> Result<Vec<(&'static str, bool)>> {
    for name in names {
        if name != "dfu" && scenes::all().all(|scene| scene.name != name) {
            let known: Vec<_> = scenes::all().map(|scene| scene.name).collect();
            bail!("no test {name}; there are {}", known.join(", "));
        }
    }
    let machine = prepare(shop, server)?;
    // Those with DFU take as long again as all others: they run when they are asked for.
    let is_asked = |scene: &&Scene| names.iter().any(|name| name == scene.name);
    let is_usual = |scene: &&Scene| dfu::SCENES.iter().all(|one| one.name != scene.name);
    let is_chosen = |scene: &&Scene| match names {
        [] => is_usual(scene),
        [family] if family == "dfu" => !is_usual(scene),
        _ => is_asked(scene),
    };
    let chosen = scenes::all().filter(is_chosen);
    supplies::firmware(shop, machine.share())?;
    let loaders = supplies::loaders(shop)?;
    if scenes::spsdk::SCENES.iter().any(|scene| is_chosen(&scene)) {
        supplies::tools(shop, machine.share(), &loaders)?;
    }
    if dfu::SCENES.iter().any(|scene| is_chosen(&scene)) {
        supplies::dfu(shop, machine.share())?;
        fs::create_dir_all(machine.share().join("home"))?;
    }
    for scene in chosen.clone() {
        let script = format!(
            "old={OLD} new={NEW} loaders={} spsdk={} ota={}\n{}",
            machine::quote(&loaders.to_string_lossy()),
            machine::quote(&supplies::spsdk(shop).to_string_lossy()),
            machine::quote(&supplies::ota(shop).to_string_lossy()),
            scene.script
        );
        machine.scene(scene.name, scene.limit * u64::from(patience()), &script)?;
    }
    let begun = Instant::now();
    let ended = machine.boot(SCENES_LIMIT * patience(), None);
    println!(
        "rig: {:.1} s from power-on to power-off",
        begun.elapsed().as_secs_f64()
    );
    if let Ok(booted) = fs::read_to_string(machine.share().join("booted")) {
        println!(
            "rig: the guest had booted {} s after power-on",
            booted.trim()
        );
    }
    let mut all = Vec::new();
    for scene in chosen {
        let judged = Results::of(&machine.scene_folder(scene.name)).and_then(|results| {
            results.no_failure()?;
            results.ended_well()?;
            results.calm_kernel()?;
            (scene.judge)(&results)?;
            if let Some(recording) = &scene.recording {
                recording::judge(&shop.root, &results, recording, record)?;
            }
            Ok(results.millis)
        });
        all.push((scene.name, judged.is_ok()));
        match judged {
            Ok(millis) => println!(
                "rig {:<16} ok      {:>6.1} s",
                scene.name,
                millis as f64 / 1000.0
            ),
            Err(error) => println!("rig {:<16} FAILED  {error:#}", scene.name),
        }
    }
    match ended {
        // Whatever stopped the guest also left some test without a result.
        Err(error) if all.iter().any(|one| !one.1) => {
            println!("rig: {error:#}; see {}", machine.share().display());
        }
        other => other?,
    }
    Ok(all)
}

/// Packages, kernel, programs, an empty share.
fn prepare(shop: &Shop, server: Option<&str>) -> Result<Machine> {
    let kernel = kernel::ready(shop)?;
    let built = work::programs(shop)?;
    let machine = Machine::new(shop, kernel)?;
    machine.program(shop, &built.join("omv"), "omv")?;
    machine.program(shop, &built.join("xtask"), "attach")?;
    match server {
        None => machine.program(shop, &built.join("omv"), "serve")?,
        Some(other) => machine.program(shop, Path::new(other), "serve")?,
    }
    Ok(machine)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_after_two_dashes_are_the_command_and_options_before_are_the_cameras() {
        let words = ["--camera", "h7", "--firmware", "5.0.0", "--", "lsusb", "-v"];
        let (model, options) = ("h7".to_owned(), "--firmware '5.0.0' ".to_owned());
        let command = "lsusb -v".to_owned();
        assert_eq!(
            parse(&words).unwrap(),
            Asked::Command {
                model,
                options,
                command
            }
        );
        assert!(parse(&["--speed"]).is_err());
        assert!(parse(&["--camera"]).is_err());
        assert!(parse(&["--speed", "2"]).is_err());
        let names = vec!["flash".to_owned()];
        assert_eq!(
            parse(&["flash"]).unwrap(),
            Asked::Tests {
                names,
                server: None,
                record: false
            }
        );
    }
}
