//! The lines of `sdphost` that scripts read. They are interface facts, spelled exactly as the
//! tool prints them.
//!
//! Source: SPSDK 3.12.0, spsdk/apps/sdphost.py, spsdk/sdp/commands.py.

use omv_wire::sdp::{DONE, FILE_WRITTEN, HAB_CLOSED, HAB_OPEN, HAB_SUCCESS, WRITTEN};
use serde_json::{Value, json};

/// What `--version` prints.
pub const VERSION: &str = "sdphost, version 3.12.0";
/// What NXP's older tool in C++ says when no device is there.
pub const NO_HID: &str = "cannot open USB HID device";
/// The tool's own code for a locked chip, which it shows after a refused file.
pub const LOCKED: u32 = 2;

/// `1450735702 (0x56787856) Hab Is Disabled (Unlocked)`; 0 and nothing have no name.
pub fn code(code: Option<u32>) -> String {
    let Some(code) = code.filter(|code| *code != 0) else {
        return "UNKNOWN ERROR".to_owned();
    };
    let text = match code {
        WRITTEN => "Write Data Success",
        FILE_WRITTEN => "Write File Success",
        DONE => "Skip DCD Header Success",
        HAB_CLOSED => "HAB Is Enabled (Locked)",
        HAB_OPEN => "Hab Is Disabled (Unlocked)",
        HAB_SUCCESS => "HAB Success",
        other if other == DONE.swap_bytes() => "Baudrate Setup Success",
        _ => "NO DESCRIPTION",
    };
    format!("{code} ({code:#x}) {text}")
}

/// The first line of each result.
pub fn hab(word: u32) -> String {
    format!("Status (HAB mode) = {}.", code(Some(word)))
}

/// The line of a status.
pub fn response(status: Option<u32>) -> String {
    format!("Response status = {}.", code(status))
}

/// The line after the rate was changed.
pub fn truth(done: bool) -> String {
    let text = if done {
        "True (0x1) NO DESCRIPTION"
    } else {
        "UNKNOWN ERROR"
    };
    format!("Response status = {text}.")
}

/// A result as an object, for `--json`.
pub fn object(command: &str, hab: u32, response: Vec<Value>) -> Value {
    let status = json!({ "description": code(Some(hab)), "value": hab });
    json!({ "command": command, "response": response, "status": status })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_read_as_the_tool_prints_them() {
        let open = "Status (HAB mode) = 1450735702 (0x56787856) Hab Is Disabled (Unlocked).";
        assert_eq!(hab(HAB_OPEN), open);
        assert_eq!(hab(LOCKED), "Status (HAB mode) = 2 (0x2) NO DESCRIPTION.");
        let written = "Response status = 2290649224 (0x88888888) Write File Success.";
        assert_eq!(response(Some(FILE_WRITTEN)), written);
        assert_eq!(response(None), "Response status = UNKNOWN ERROR.");
    }
}
