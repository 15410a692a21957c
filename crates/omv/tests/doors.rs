//! What scripts and people rely on: JSON, exit codes, help, consent.

mod common;

use std::io::{ErrorKind, Read, Write};
use std::net::TcpListener;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use common::{Desk, text};
use omv_sim::rt1062::sample;

#[test]
fn one_command_flashes_a_virtual_camera_with_a_receipt_per_step() {
    let desk = Desk::new();
    let ran = desk.omv(&["flash", "-c", "sim:rt1062"]);
    assert_eq!(ran.code, Some(0), "{}", ran.err);
    for verb in [
        "reset", "hold", "compare", "erase", "write", "verify", "ask",
    ] {
        let receipt = |line: &&str| line.trim_start().starts_with(verb) && line.contains(" s");
        assert!(
            ran.err.lines().any(|line| receipt(&line)),
            "no receipt for {verb}:\n{}",
            ran.err
        );
    }
    assert!(ran.out.contains("runs firmware 5.0.0"), "{}", ran.out);
}

#[test]
fn the_result_of_a_flash_has_every_field_of_the_contract() {
    let desk = Desk::new();
    let ran = desk.omv(&["flash", "-c", "sim:rt1062", "--json"]);
    assert_eq!((ran.code, ran.err.as_str()), (Some(0), ""));
    assert_eq!(
        ran.lines().first().map(|l| l["event"].clone()),
        Some("planned".into())
    );
    let result = ran.result();
    assert_eq!(result["ok"], true);
    for field in ["camera", "board", "state", "firmware", "millis", "regions"] {
        assert!(!result[field].is_null(), "{field} is missing: {result}");
    }
    let fields = [
        "name",
        "bytes",
        "erased_bytes",
        "written_bytes",
        "skipped_bytes",
        "verified",
        "sha256",
    ];
    for field in fields {
        assert!(
            !result["regions"][0][field].is_null(),
            "{field} is missing: {result}"
        );
    }
}

#[test]
fn a_second_flash_of_the_same_image_erases_nothing() {
    let desk = Desk::new();
    let camera = ["-c", "sim:rt1062@camera.img", "--json"];
    let flash: Vec<&str> = ["flash"].iter().chain(&camera).copied().collect();
    assert_eq!(desk.omv(&flash).code, Some(0));
    let again = desk.omv(&flash).result();
    let region = &again["regions"][0];
    assert_eq!(
        (&region["erased_bytes"], &region["written_bytes"]),
        (&0.into(), &0.into())
    );
    assert_eq!(region["skipped_bytes"], region["bytes"]);
    assert_eq!(region["verified"], true);
}

#[test]
fn a_dry_run_prints_the_plan_that_runs_and_touches_nothing() {
    let desk = Desk::new();
    let dry = desk.omv(&[
        "flash",
        "-c",
        "sim:rt1062@camera.img",
        "--dry-run",
        "--json",
    ]);
    let wet = desk.omv(&["flash", "-c", "sim:rt1062", "--json"]);
    let plan = |lines: &[serde_json::Value]| {
        lines
            .iter()
            .find(|line| line["event"] == "planned")
            .map(|line| line["steps"].clone())
    };
    assert!(plan(&dry.lines()).is_some());
    assert_eq!(
        plan(&dry.lines()),
        plan(&wet.lines()),
        "the dry run is the truth"
    );
    let info = desk
        .omv(&["info", "-c", "sim:rt1062@camera.img", "--json"])
        .result();
    assert_eq!(info["firmware"], "4.8.0", "nothing was written");
    let text = desk.omv(&["flash", "-c", "sim:rt1062", "-n"]);
    assert!(
        text.out
            .contains("blhost -u 0x15A2,0x0073 -- flash-erase-region 0x60040000")
    );
    let text = desk.omv(&["recover", "-c", "sim:rt1062", "-n"]);
    assert!(
        text.out
            .contains("sdphost -u 0x1FC9,0x0135 -- write-file 0x20001c00")
    );
    assert!(
        !text.out.contains("efuse-program-once"),
        "no fuse without its own consent"
    );
}

#[test]
fn what_can_lose_data_needs_a_yes_and_the_fuse_needs_more() {
    let desk = Desk::new();
    for args in [&["erase", "disk"][..], &["recover"]] {
        let mut all = args.to_vec();
        all.extend(["-c", "sim:rt1062", "--json"]);
        let ran = desk.omv(&all);
        assert_eq!(
            (ran.code, ran.error_code().as_str()),
            (Some(8), "needs-hands")
        );
        let help = ran.result()["error"]["help"]
            .as_str()
            .unwrap_or_default()
            .to_owned();
        assert!(
            help.contains("--yes"),
            "says the command that would do it: {help}"
        );
    }
    let plan = |args: &[&str]| desk.omv(args).out;
    let burns = |out: &str| out.contains("\"risk\":\"forever\"");
    let base = [
        "recover",
        "-c",
        "sim:rt1062",
        "--yes",
        "--dry-run",
        "--json",
    ];
    assert!(!burns(&plan(&base)), "--yes never covers a fuse");
    let consent: Vec<&str> = base.into_iter().chain(["--burn-boot-fuse"]).collect();
    assert!(burns(&plan(&consent)));
}

#[test]
fn a_disk_is_saved_before_it_is_erased_and_can_be_put_back() {
    let desk = Desk::new();
    let camera = "sim:rt1062@camera.img";
    let args = ["backup", "disk", "-c", camera, "-o", "new.img", "--json"];
    assert_eq!(desk.omv(&args).code, Some(0));
    let formatted = std::fs::read(desk.path("new.img")).unwrap();
    assert_eq!(formatted.len(), 0x40_0000);
    // A disk the firmware mounts: marked in the code of its boot sector, full to its end.
    let mut image = formatted.clone();
    image[200..204].copy_from_slice(b"mark");
    for (at, byte) in image.iter_mut().enumerate().skip(0x1_0000) {
        *byte = (at >> 8) as u8;
    }
    let disk = desk.write("disk.img", &image);
    let args = ["restore", "-c", camera, "--yes", "--json", text(&disk)];
    assert_eq!(desk.omv(&args).code, Some(0));
    let ran = desk.omv(&[
        "erase",
        "disk",
        "-c",
        camera,
        "--yes",
        "--json",
        "--backup",
        "saved.img",
    ]);
    assert_eq!(ran.code, Some(0), "{}", ran.out);
    assert!(
        std::fs::read(desk.path("saved.img")).unwrap() == image,
        "saved what was there"
    );
    let now = desk.omv(&["backup", "disk", "-c", camera, "-o", "now.img", "--json"]);
    assert_eq!(now.code, Some(0), "{}", now.out);
    let now = std::fs::read(desk.path("now.img")).unwrap();
    // The firmware found no disk when it started, and formatted it anew; the rest is as it was.
    image[..0x1_0000].copy_from_slice(&formatted[..0x1_0000]);
    let differs = now.iter().zip(&image).position(|(now, meant)| now != meant);
    assert_eq!((now.len(), differs), (image.len(), None));
    let again = desk.omv(&["backup", "disk", "-c", camera, "-o", "now.img", "--json"]);
    assert_eq!(
        (again.code, again.error_code().as_str()),
        (Some(2), "usage"),
        "never overwritten"
    );
    let args = ["restore", "-c", camera, "--yes", "--json", "saved.img"];
    assert_eq!(desk.omv(&args).code, Some(0));
    let back = desk.omv(&["backup", "disk", "-c", camera, "-o", "back.img", "--json"]);
    assert_eq!(back.code, Some(0), "{}", back.out);
    let saved = std::fs::read(desk.path("saved.img")).unwrap();
    assert!(
        std::fs::read(desk.path("back.img")).unwrap() == saved,
        "put back"
    );
}

#[test]
fn the_real_loader_files_recover_a_camera() {
    let judges = std::env::var_os("OMV_JUDGES").expect(
        "OMV_JUDGES is not set: `cargo xtask test judges unit` fetches the package openmv-ota and runs this",
    );
    let wheel = std::fs::read_dir(&judges)
        .expect("the folder of the judges")
        .flatten()
        .map(|entry| entry.path())
        .find(|path| path.to_string_lossy().contains("openmv_ota-1.0.7"))
        .expect("the wheel of openmv-ota 1.0.7");
    let desk = Desk::new();
    let camera = "sim:rt1062@camera.img";
    let args = [
        "recover",
        "-c",
        camera,
        "--yes",
        "--json",
        "--loaders",
        text(&wheel),
    ];
    let ran = desk.omv(&args);
    assert_eq!(ran.code, Some(0), "{}\n{}", ran.out, ran.err);
    let result = ran.result();
    let sbl = result["regions"]
        .as_array()
        .unwrap()
        .iter()
        .find(|r| r["name"] == "sbl")
        .unwrap();
    let known = "05dd3bcf200eed56783a19f926e26c4e376bcb09ac5318748fcb7d1d943949f3";
    assert_eq!(
        (&sbl["sha256"], &sbl["verified"]),
        (&known.into(), &true.into())
    );
    // The camera now boots through the real bootloader's image, and is found as before.
    let info = desk.omv(&["info", "-c", camera, "--json"]).result();
    assert_eq!(info["firmware"], "5.0.0");
}

#[test]
fn a_folder_and_both_layouts_of_release_zips_are_understood() {
    let desk = Desk::new();
    let (firmware, romfs) = (sample::firmware("4.9.9", 0x9000), sample::romfs(0x2000));
    let all = common::zip(&[
        ("firmware_v4.9.9/OPENMV4/firmware.bin", b"another board's"),
        ("firmware_v4.9.9/OPENMV_RT1060/firmware.bin", &firmware),
        ("firmware_v4.9.9/OPENMV_RT1060/romfs0.img", &romfs),
    ]);
    let one = common::zip(&[("firmware.bin", &firmware), ("romfs0.img", &romfs)]);
    std::fs::create_dir(desk.path("release")).unwrap();
    std::fs::write(desk.path("release/firmware.bin"), &firmware).unwrap();
    std::fs::write(desk.path("release/romfs0.img"), &romfs).unwrap();
    desk.write("all.zip", &all);
    desk.write("one.zip", &one);
    for source in ["all.zip", "one.zip", "release"] {
        let ran = desk.omv(&["flash", "-c", "sim:rt1062", "--json", source]);
        assert_eq!(ran.code, Some(0), "{source}: {}", ran.out);
        let result = ran.result();
        assert_eq!(result["firmware"], "4.9.9", "{source}");
        let regions = result["regions"].as_array().unwrap();
        assert_eq!(regions.len(), 2, "{source}: firmware and ROMFS");
        assert!(
            regions.iter().all(|region| region["verified"] == true),
            "{source}"
        );
    }
    let romfs_only = desk.omv(&["flash", "-c", "sim:rt1062", "--json", "release/romfs0.img"]);
    assert_eq!(romfs_only.result()["regions"][0]["name"], "romfs");
    assert_eq!(romfs_only.result()["firmware"], "4.8.0");
}

#[test]
fn every_example_in_the_help_is_a_command_line_that_parses() {
    let desk = Desk::new();
    let commands = [
        "list",
        "info",
        "flash",
        "recover",
        "backup",
        "restore",
        "erase",
        "reset",
        "sim",
        "completions",
        "man",
    ];
    let main = desk.omv(&["--help"]);
    for command in commands {
        assert!(
            main.out.contains(&format!("  {command}")),
            "{command} is not in the main help"
        );
        let help = desk.omv(&[command, "--help"]);
        let examples: Vec<&str> = help
            .out
            .lines()
            .filter_map(|line| line.trim().strip_prefix("omv "))
            .collect();
        assert!(!examples.is_empty(), "{command} has no example");
        for example in examples {
            let words = example.split(" > ").next().unwrap_or(example);
            // Asking for help makes the parser look at the words and nothing run.
            let mut args: Vec<&str> = words.split_whitespace().collect();
            args.push("--help");
            assert_eq!(
                desk.omv(&args).code,
                Some(0),
                "does not parse: omv {example}"
            );
        }
    }
}

#[test]
fn completions_and_manual_pages_come_out_of_the_program() {
    let desk = Desk::new();
    for shell in ["bash", "zsh", "fish", "powershell"] {
        let ran = desk.omv(&["completions", shell]);
        assert!(
            ran.code == Some(0) && ran.out.contains("recover"),
            "{shell}"
        );
    }
    assert_eq!(desk.omv(&["man", "pages"]).code, Some(0));
    let page = std::fs::read_to_string(desk.path("pages/omv-flash.1")).unwrap();
    assert!(page.contains("dry\\-run"), "the page has the options");
}

#[test]
fn a_closed_pipe_ends_the_program_quietly() {
    let desk = Desk::new();
    let mut child = desk
        .command(&["completions", "bash"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let mut err = String::new();
    child
        .stderr
        .take()
        .unwrap()
        .read_to_string(&mut err)
        .unwrap();
    assert_eq!((child.wait().unwrap().code(), err.as_str()), (Some(0), ""));
}

#[test]
fn a_server_that_talks_nonsense_is_an_error_within_seconds() {
    let desk = Desk::new();
    let cases = [
        (&b"HTTP/1.1 200 OK\r\n\r\n"[..], 6, "bad-peer"),
        (&[0xFF; 4096], 6, "bad-peer"),
        (&[0x01, 0x11, 0x00, 0x05], 1, "io"),
        (b"", 1, "io"),
    ];
    for (answer, exit, code) in cases {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let answer = answer.to_vec();
        std::thread::spawn(move || {
            for stream in listener.incoming().take(8) {
                let Ok(mut stream) = stream else { return };
                let _ = stream.write_all(&answer);
                std::thread::sleep(Duration::from_secs(5));
            }
        });
        let began = Instant::now();
        let ran = desk.omv(&["list", "--json", "--usbip", &address]);
        assert!(began.elapsed() < Duration::from_secs(5), "bounded");
        assert_eq!(
            (ran.code, ran.error_code().as_str()),
            (Some(exit), code),
            "{}",
            ran.out
        );
    }
}

#[test]
fn nobody_listening_is_an_empty_list() {
    let desk = Desk::new();
    let ran = desk.omv(&["list", "--json", "--usbip", "127.0.0.1:1"]);
    assert_eq!((ran.code, ran.out.trim()), (Some(0), "[]"));
    let ran = desk.omv(&["flash", "--json", "--wait", "0"]);
    assert_eq!(
        (ran.code, ran.error_code().as_str()),
        (Some(3), "no-camera")
    );
}

#[cfg(unix)]
#[test]
fn a_user_without_rights_is_told_so_and_not_panicked_at() {
    use std::os::unix::fs::PermissionsExt;
    use std::os::unix::process::CommandExt;

    let id = Command::new("id").arg("-u").output().unwrap();
    let root = String::from_utf8_lossy(&id.stdout).trim() == "0";
    let desk = Desk::new();
    let file = desk.write("firmware.bin", &sample::firmware("5.0.0", 0x9000));
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o000)).unwrap();
    std::fs::set_permissions(desk.folder.path(), std::fs::Permissions::from_mode(0o755)).unwrap();
    // The test may run as root, to whom nothing is denied: become nobody then.
    let program = desk.path("omv");
    std::fs::copy(env!("CARGO_BIN_EXE_omv"), &program).unwrap();
    let run = |args: &[&str]| {
        let mut command = Command::new(&program);
        command
            .args(args)
            .current_dir(desk.folder.path())
            .env("XDG_RUNTIME_DIR", desk.folder.path())
            .stdin(Stdio::null());
        if root {
            command.uid(65534).gid(65534);
        }
        // While another test forks, its child may hold the copy open for writing for a moment.
        let until = Instant::now() + Duration::from_secs(10);
        loop {
            match command.output() {
                Err(error) if error.kind() == ErrorKind::ExecutableFileBusy => {
                    assert!(Instant::now() < until, "{error}");
                    std::thread::sleep(Duration::from_millis(20));
                }
                other => return other.unwrap(),
            }
        }
    };
    let ran = run(&["flash", "-c", "sim:rt1062", "--json", text(&file)]);
    let out = String::from_utf8_lossy(&ran.stdout).into_owned();
    assert_eq!(ran.status.code(), Some(9), "{out}");
    assert!(
        out.contains("\"code\":\"file\"") && out.contains("Permission denied"),
        "{out}"
    );
    // A runtime folder that belongs to somebody else is not trusted; a list still works.
    let list = run(&["list", "--json"]);
    assert_eq!(
        list.status.code(),
        Some(0),
        "{}",
        String::from_utf8_lossy(&list.stderr)
    );
}
