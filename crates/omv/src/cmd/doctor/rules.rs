//! The udev rules: printed, or installed with consent.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use omv_camera::doctor::udev;
use omv_link::native::health::{Platform, Roots, host};
use serde_json::json;

use super::write_whole;
use crate::cmd::work::consent;
use crate::fail::Fail;
use crate::output::Output;

/// What makes udev use new rules, on what is plugged in as well.
const RELOAD: [&[&str]; 2] = [&["control", "--reload"], &["trigger"]];
/// Where udevadm lies. A search along PATH would run whatever is there as root.
const UDEVADM: [&str; 2] = ["/usr/bin/udevadm", "/bin/udevadm"];
/// How long udevadm may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// Prints the file.
pub fn print(output: &Output) -> Result<(), Fail> {
    let text = udev::text();
    if output.json {
        return output.result(json!({ "file": udev::FILE, "text": text }));
    }
    output.line(text.trim_end())
}

/// Installs the file, if there is consent and this process may. `real`: on this very system.
pub fn install(roots: &Roots, real: bool, yes: bool, output: &Output) -> Result<(), Fail> {
    if Platform::here() != Platform::Linux {
        return Err(Fail::Usage {
            what: "udev rules are for Linux".into(),
            help: "Other systems need none; `omv doctor` tells what they need.".into(),
        });
    }
    let path = roots.rules_folder().join(udev::FILE);
    let text = udev::text();
    let same = fs::read(&path).is_ok_and(|there| there == text.as_bytes());
    if !same {
        if real && !host(roots).root {
            return Err(Fail::NeedsHands {
                question: format!("only root may write {}", path.display()),
                command: "sudo omv doctor --install-rules --yes".into(),
            });
        }
        let question = format!("Write {}?", path.display());
        consent(&question, yes, output)?;
        write(&path, &text)?;
    }
    // Applied even where the file is there already: that is the usual reason for asking again.
    let applied = real && reload();
    if output.json {
        return output.result(json!({
            "path": path.display().to_string(),
            "written": !same,
            "applied": applied,
        }));
    }
    let done = if same { "is there already" } else { "written" };
    output.line(&format!("{} {done}.", path.display()))?;
    if applied {
        return output.line("udev has read it. If a camera is still denied, plug it in again.");
    }
    output.line("Now run: udevadm control --reload && udevadm trigger")?;
    output.line("Then unplug the camera and plug it in again.")
}

fn write(path: &Path, text: &str) -> Result<(), Fail> {
    let failed = |error| Fail::file(path, "writing", error);
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder).map_err(failed)?;
    }
    write_whole(path, text.as_bytes()).map_err(failed)?;
    // Whatever the umask of a root shell says: udev and everybody may read rules.
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        fs::set_permissions(path, fs::Permissions::from_mode(0o644)).map_err(failed)?;
    }
    Ok(())
}

/// Makes udev use the rules; says whether it did.
fn reload() -> bool {
    let Some(udevadm) = UDEVADM.iter().find(|path| Path::new(path).exists()) else {
        return false;
    };
    RELOAD
        .iter()
        .all(|words| succeeds(Command::new(udevadm).args(*words)))
}

fn succeeds(command: &mut Command) -> bool {
    let quiet = command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    let Ok(mut child) = quiet.spawn() else {
        return false;
    };
    let end = Instant::now() + PATIENCE;
    loop {
        match child.try_wait() {
            Ok(Some(status)) => return status.success(),
            Ok(None) if Instant::now() < end => std::thread::sleep(Duration::from_millis(20)),
            _ => {
                let _ = child.kill();
                let _ = child.wait();
                return false;
            }
        }
    }
}
