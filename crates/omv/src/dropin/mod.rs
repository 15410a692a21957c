//! Drop-ins for NXP's `blhost` and `sdphost` and for `dfu-util`, for scripts that call those.
//!
//! ```text
//!   omv blhost ...   or a link named blhost  -->  grammar  -->  door (port, USB, simulator)
//!                                                                |
//!                                    results, exit code  <--  blhost / sdphost
//! ```
//!
//! Options, commands, numbers, results, JSON and exit codes are those of SPSDK 3.12.0, judged by
//! running both side by side. Differences are few and meant: `sdphost` exits with 1 when the
//! device reported a failure; progress lines appear off a terminal too; a phrase that old callers
//! look for is printed when no USB device is there; and with `--json` standard output is JSON and
//! nothing else. Help is in words of our own. [`dfu_util`] is another tool with another grammar, and
//! says itself where it differs.

mod blhost;
mod devices;
mod dfu_util;
mod door;
mod files;
mod grammar;
mod print;
mod python;
#[cfg(test)]
mod recorded;
mod sdphost;
mod stop;
mod usb;

use std::ffi::OsString;
use std::path::Path;
use std::process::ExitCode;

/// A tool that is stood in for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tool {
    /// `blhost`.
    Blhost,
    /// `sdphost`.
    Sdphost,
    /// `dfu-util`.
    DfuUtil,
}

/// The tool a command line is meant for, and the words after its name: by the name the program
/// was started under, or by the first word.
pub fn meant(line: &[OsString]) -> Option<(Tool, &[OsString])> {
    let (program, rest) = line.split_first()?;
    let named = |name: &str| match name {
        "blhost" => Some(Tool::Blhost),
        "sdphost" => Some(Tool::Sdphost),
        "dfu-util" => Some(Tool::DfuUtil),
        _ => None,
    };
    let name = Path::new(program).file_name()?.to_string_lossy();
    let name = name.strip_suffix(".exe").unwrap_or(&name);
    if let Some(tool) = named(name) {
        return Some((tool, rest));
    }
    let (first, rest) = rest.split_first()?;
    Some((named(first.to_str()?)?, rest))
}

/// Runs a tool.
pub fn run(tool: Tool, line: &[OsString]) -> ExitCode {
    let words: Vec<String> = line
        .iter()
        .map(|word| word.to_string_lossy().into_owned())
        .collect();
    let done = match tool {
        Tool::Blhost => blhost::run(&words),
        Tool::Sdphost => sdphost::run(&words),
        Tool::DfuUtil => dfu_util::run(&words),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(stop) => ExitCode::from(stop.tell()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(words: &[&str]) -> Vec<OsString> {
        words.iter().map(Into::into).collect()
    }

    #[test]
    fn a_link_named_like_a_tool_is_that_tool() {
        for (words, tool, after) in [
            (vec!["/usr/bin/blhost", "-p", "x"], Tool::Blhost, 2),
            (vec!["sdphost.exe"], Tool::Sdphost, 0),
            (vec!["omv", "blhost", "--version"], Tool::Blhost, 1),
            (vec!["tools/dfu-util", "-l"], Tool::DfuUtil, 1),
        ] {
            let line = line(&words);
            let (found, rest) = meant(&line).unwrap();
            assert_eq!((found, rest.len()), (tool, after));
        }
        assert_eq!(meant(&line(&["omv", "list"])), None);
        assert_eq!(meant(&line(&["omv"])), None);
    }
}
