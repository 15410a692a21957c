//! The `openmv` package for Python drives a camera of ours, the engine of `omv_wire::v2::camera`,
//! over a pseudo terminal. A stage of its own runs this, which installs the package.

#[path = "../acting/mod.rs"]
mod acting;

use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use acting::pty::Terminal;

/// What the driver saw, as it printed it; nothing when the package gave up.
fn driven(terminal: &Terminal, arguments: &[&str]) -> Option<String> {
    let judges = std::env::var_os("OMV_JUDGES").expect(
        "OMV_JUDGES is not set: `cargo xtask test judges conformance` fetches the judges and runs this",
    );
    let python = PathBuf::from(judges).join("openmv/bin/python");
    let driver = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/peer/driver.py");
    let mut child = Command::new(python)
        .arg(driver)
        .args([terminal.path.as_str(), "session"])
        .args(arguments)
        .stdout(Stdio::piped())
        .spawn()
        .expect("`cargo xtask test judges` installs it");
    // It has been seen to hang for ever; nothing here may.
    let limit = Instant::now() + Duration::from_secs(120);
    while child.try_wait().unwrap().is_none() {
        if Instant::now() > limit {
            child.kill().unwrap();
            child.wait().unwrap();
            return None;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    let output = child.wait_with_output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let seen = text.lines().find_map(|line| line.strip_prefix("SEEN "));
    seen.map(str::to_owned)
}

fn whole_session(arguments: &[&str]) {
    if let Err(what) = session(arguments) {
        panic!("{what}");
    }
}

/// One session from connecting to stopping, or what was missing in it.
fn session(arguments: &[&str]) -> Result<(), String> {
    let terminal = Terminal::new();
    let script = r#"script="print hello peer\\nchannel lidar\\nstream 160 120""#;
    let mut all = vec![script, "seconds=40"];
    all.extend(arguments);
    let seen = driven(&terminal, &all).ok_or("the package gave up")?;
    // Never a wrong picture, however the session goes.
    assert!(seen.contains(r#""wrong": 0"#), "{seen}");
    for part in [
        r#""frames": 20"#,
        r"hello peer\r\n",
        r#""firmware": [5, 0, 0]"#,
        r#""channel": true"#,
        r#""echo": true"#,
    ] {
        if !seen.contains(part) {
            return Err(format!("{part} is not in {seen}"));
        }
    }
    // It was told to stop, and did.
    let mut actor = terminal.actor.lock().unwrap();
    assert!(!actor.stage().is_running());
    Ok(())
}

#[test]
fn the_python_package_goes_through_a_whole_session_with_our_camera() {
    whole_session(&[]);
}

#[test]
fn the_python_package_goes_through_it_without_checksums_and_acknowledgements() {
    whole_session(&["crc=false", "ack=false", "max_payload=512"]);
}

#[test]
fn the_python_package_goes_through_it_while_it_drops_one_packet_in_twenty() {
    // Which packets it drops is chance. It mostly waits, so the sessions do that together.
    let sessions: Vec<_> = (0..4)
        .map(|_| std::thread::spawn(|| session(&["drop_rate=0.05"])))
        .collect();
    let ends = sessions.into_iter().map(|session| session.join().unwrap());
    let missing: Vec<String> = ends.filter_map(Result::err).collect();
    assert!(missing.is_empty(), "{missing:#?}");
}
