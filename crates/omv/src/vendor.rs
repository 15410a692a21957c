//! The chip makers' own programs, for the two boards whose ROM speaks to nothing else. Found on
//! this machine, never bundled; what they print is shown as it is.
//!
//! Source: openmv-ota `flash/alif.py`, `data/n6_bootloader/FlashLayout.tsv`.

use std::ffi::OsString;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use omv_boards::State;
use omv_camera::{Error, Found, Stop};
use omv_plan::{Image, Job};

/// How long one run of such a program may take.
const LIMIT: Duration = Duration::from_secs(300);
/// How often it is looked at.
const EVERY: Duration = Duration::from_millis(50);
/// Names a folder with ST's programs, as OpenMV IDE and openmv-ota take it.
const ST_FOLDER: &str = "STM32_PRG_PATH";
/// Names the folder of Alif's toolkit.
const ALIF_FOLDER: &str = "ALIF_TOOLKIT";
/// The silicon revision of every AE3.
const REVISION: &str = "B4";

/// Has the maker's program do its job.
///
/// # Errors
/// [`Error::Vendor`] when it is not installed, fails, or takes longer than five minutes.
pub fn run(job: Job, images: &[&Image], found: &Found, stop: &Stop) -> Result<(), Error> {
    let failed = |why: String| Error::Vendor {
        program: job.program().to_owned(),
        why,
    };
    let io = |error: io::Error| failed(error.to_string());
    let mut command = find(job).ok_or_else(|| failed(missing(job)))?;
    let folder = tempfile::tempdir().map_err(io)?;
    let arguments = match job {
        Job::StBootloader => st(folder.path(), images).map_err(io)?,
        Job::AlifSystem | Job::AlifBootloader => {
            let port = found.seen.node.as_deref();
            let port = port.ok_or_else(|| failed("the serial bridge has no port".into()))?;
            alif(folder.path(), images, port, part(found)).map_err(io)?
        }
    };
    command.args(arguments).current_dir(folder.path());
    // Its words belong beside ours, not among results.
    command.stdin(Stdio::null()).stdout(io::stderr());
    wait(command.spawn().map_err(io)?, stop, LIMIT).map_err(failed)
}

/// The program, or the script of that name in Alif's toolkit, ready to be given its arguments.
fn find(job: Job) -> Option<Command> {
    let name = job.program();
    let folder = match job {
        Job::StBootloader => ST_FOLDER,
        Job::AlifSystem | Job::AlifBootloader => ALIF_FOLDER,
    };
    let mut folders: Vec<PathBuf> = std::env::var_os(folder)
        .map(Into::into)
        .into_iter()
        .collect();
    folders.extend(std::env::split_paths(
        &std::env::var_os("PATH").unwrap_or_default(),
    ));
    folders.extend(usual(job));
    let native = format!("{name}{}", std::env::consts::EXE_SUFFIX);
    let one = |folder: PathBuf| {
        let (program, script) = (folder.join(&native), folder.join(format!("{name}.py")));
        if program.is_file() {
            return Some(Command::new(program));
        }
        let is_script = job != Job::StBootloader && script.is_file();
        is_script.then(|| {
            let mut python = Command::new(if cfg!(windows) { "python" } else { "python3" });
            python.arg(script);
            python
        })
    };
    folders.into_iter().find_map(one)
}

/// Where ST's installers put it.
fn usual(job: Job) -> Vec<PathBuf> {
    if job != Job::StBootloader {
        return Vec::new();
    }
    let inside = "STMicroelectronics/STM32Cube/STM32CubeProgrammer";
    let mac = "STM32CubeProgrammer.app/Contents/MacOs/bin";
    let mut folders = vec![
        PathBuf::from("/opt/st/stm32cubeprogrammer/bin"),
        PathBuf::from("/usr/local").join(inside).join("bin"),
        PathBuf::from(r"C:\Program Files").join(inside).join("bin"),
        PathBuf::from("/Applications").join(inside).join(mac),
    ];
    folders.extend(std::env::home_dir().map(|home| home.join(inside).join("bin")));
    folders
}

fn missing(job: Job) -> String {
    match job {
        Job::StBootloader => format!(
            "it is not installed; it belongs to STM32CubeProgrammer from st.com, and {ST_FOLDER} can name its folder"
        ),
        Job::AlifSystem | Job::AlifBootloader => format!(
            "it is not installed; it lies in tools/alif/toolkit of OpenMV's firmware sources, and {ALIF_FOLDER} can name that folder"
        ),
    }
}

/// The three phases of an STM32N6: a loader into RAM, the driver of the external flash, and the
/// bootloader to its beginning.
fn st(folder: &Path, images: &[&Image]) -> io::Result<Vec<OsString>> {
    let names = ["bootloader.bin", "st-loader.stm32", "st-flash.bin"];
    for (image, name) in images.iter().zip(names) {
        fs::write(folder.join(name), &image.bytes)?;
    }
    let [bootloader, loader, flash] = names;
    let table = [
        "#Opt\tId\tName\tType\tIP\tOffset\tBinary".to_owned(),
        format!("P\t0x1\tfsbl-openbl\tBinary\tnone\t0x0\t{loader}"),
        format!("P\t0x3\tfsbl-extfl\tBinary\tnone\t0x0\t{flash}"),
        format!("P\t0x4\tfsbl-app\tBinary\tnor0\t0x0000000\t{bootloader}"),
    ];
    fs::write(folder.join("FlashLayout.tsv"), table.join("\n") + "\n")?;
    let words = ["-c", "port=USB1", "-d", "FlashLayout.tsv"];
    Ok(words.map(OsString::from).to_vec())
}

/// Port, part and revision; with images also these and their addresses. Never an option that
/// erases the application area: cameras have died of it.
fn alif(folder: &Path, images: &[&Image], port: &str, part: &str) -> io::Result<Vec<OsString>> {
    let words = ["--port", port, "--cfg-part", part, "--cfg-rev", REVISION];
    let mut words: Vec<OsString> = words.map(OsString::from).to_vec();
    let mut places = Vec::new();
    for (image, name) in images.iter().zip(["bootloader.bin", "firmware_pad.toc"]) {
        fs::write(folder.join(name), &image.bytes)?;
        places.push(format!("{name} {:#010x}", image.start));
    }
    if !places.is_empty() {
        words.extend(["--pad".into(), "--images".into(), places.join(" ").into()]);
    }
    Ok(words)
}

/// The part number that goes with the serial bridge.
fn part(found: &Found) -> &str {
    let mut candidates = found.candidates.iter();
    let part = candidates.find_map(|candidate| {
        let identity = candidate.identity;
        let part = identity.part.as_deref();
        part.filter(|_| identity.state == State::SeUart)
    });
    part.unwrap_or_default()
}

fn wait(mut child: Child, stop: &Stop, limit: Duration) -> Result<(), String> {
    let end = Instant::now() + limit;
    loop {
        match child.try_wait() {
            Ok(Some(status)) if status.success() => return Ok(()),
            Ok(Some(status)) => return Err(format!("it ended with {status}")),
            Ok(None) if stop.asked() || Instant::now() >= end => {
                // Whether it could still be ended does not matter any more.
                let _ = child.kill();
                let _ = child.wait();
                return Err(if stop.asked() {
                    "it was stopped".to_owned()
                } else {
                    format!("it did not end within {} s", limit.as_secs())
                });
            }
            Ok(None) => thread::sleep(EVERY),
            Err(error) => return Err(error.to_string()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn alifs_toolkit_gets_port_part_and_addresses_and_nothing_that_erases() {
        let image = |file: &str, start: u32| Image {
            file: file.to_owned(),
            region: String::new(),
            start,
            bytes: file.as_bytes().into(),
        };
        let images = [image("boot", 0x8000_0000), image("table", 0x8057_E000)];
        let folder = tempfile::tempdir().unwrap();
        let images: Vec<&Image> = images.iter().collect();
        let words = alif(folder.path(), &images, "/dev/ttyUSB0", "AE302F80F55D5AE").unwrap();
        let wanted = [
            "--port",
            "/dev/ttyUSB0",
            "--cfg-part",
            "AE302F80F55D5AE",
            "--cfg-rev",
            "B4",
            "--pad",
            "--images",
            "bootloader.bin 0x80000000 firmware_pad.toc 0x8057e000",
        ];
        assert_eq!(words, wanted.map(OsString::from));
        let file = |name: &str| fs::read(folder.path().join(name)).unwrap();
        assert_eq!(file("bootloader.bin"), b"boot");
        assert_eq!(file("firmware_pad.toc"), b"table");
        // The update of the chip's own system has no files.
        let words = alif(folder.path(), &[], "COM3", "AE302F80F55D5LE").unwrap();
        assert!(!words.contains(&"--images".into()));
    }

    #[cfg(unix)]
    #[test]
    fn a_program_that_hangs_is_ended_at_the_limit() {
        let child = Command::new("sleep").arg("600").spawn().unwrap();
        let begun = Instant::now();
        let error = wait(child, &Stop::default(), Duration::from_secs(1)).unwrap_err();
        assert_eq!(error, "it did not end within 1 s");
        assert!(begun.elapsed() < Duration::from_secs(60));
    }
}
