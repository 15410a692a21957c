//! The rig: Debian's kernel in QEMU, so that Linux's own USB drivers meet the virtual cameras.
//!
//! ```text
//!   kernel   packages -> vmlinux, modules -> initramfs          once, kept in the target folder
//!   machine  QEMU without KVM; root = this machine's files over 9p, read-only;
//!            one folder of the target folder is writable and carries scenes in, results out
//!   attach   in the guest: plugs a camera served over USB/IP into vhci_hcd, again and again
//!   guests   the machines of a run, side by side
//!   scenes   the tests: cameras, a shell script for the guest, a judge for what it left
//!   tap      what usbmon saw pass    recording   that as text, kept or compared with what was kept
//! ```
//!
//! Results are files: no file is a failure, whatever QEMU or the console say.

pub mod attach;
mod chip;
mod guests;
mod kernel;
mod machine;
mod recording;
mod results;
mod scenes;
mod supplies;
mod tap;

use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, Result, bail};

use crate::run::Shop;
use results::Results;
use scenes::Scene;

/// Version the cameras of the tests come with, and the one that is put on them.
const OLD: &str = "4.8.0";
/// See [`OLD`].
const NEW: &str = "5.0.0";
/// Longest run of one command.
const COMMAND_LIMIT: Duration = Duration::from_secs(900);
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
        } => {
            let tools = guests::Tools::build(shop, None)?;
            let machine = tools.machine(shop, "share")?;
            one_command(&machine, (&model, &options), &command)
        }
    }
}

/// One command in the guest as [`rig`] runs it, with the program as it is released, which also serves
/// the camera, and with a [steady](machine::Machine::steady) clock.
///
/// # Errors
/// When the command could not be run.
pub fn released(shop: &Shop, program: &Path, model: &str, command: &str) -> Result<ExitCode> {
    let tools = guests::Tools::build(shop, None)?.with(program);
    let machine = tools.machine(shop, "share")?.steady();
    one_command(&machine, (model, ""), command)
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

fn one_command(
    machine: &machine::Machine,
    (model, options): (&str, &str),
    command: &str,
) -> Result<ExitCode> {
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

/// Plays the tests, or those named by themselves or their family; which passed.
fn scenes_of(
    shop: &Shop,
    names: &[String],
    server: Option<&str>,
    record: bool,
) -> Result<Vec<(&'static str, bool)>> {
    for name in names {
        if !scenes::all().any(|scene| scenes::means(name, scene)) {
            let known: Vec<_> = scenes::all().map(|scene| scene.name).collect();
            bail!("no test {name}; there are {}", known.join(", "));
        }
    }
    let tools = guests::Tools::build(shop, server)?;
    let loaders = supplies::loaders(shop)?;
    let mut guests = Vec::new();
    for (share, words) in scenes::GUESTS {
        let chosen: Vec<&Scene> = scenes::all()
            .filter(|scene| words.iter().any(|word| scenes::means(word, scene)))
            .filter(|scene| match names {
                [] => !scenes::ON_DEMAND.contains(&scenes::family(scene)),
                names => names.iter().any(|name| scenes::means(name, scene)),
            })
            .collect();
        if !chosen.is_empty() {
            guests.push(tools.guest(shop, &loaders, share, chosen)?);
        }
    }
    guests::play(shop, &guests, record)
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
