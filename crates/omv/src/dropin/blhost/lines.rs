//! The lines of `blhost` that scripts read. They are interface facts, spelled exactly as the tool
//! prints them, odd ones included.
//!
//! Source: SPSDK 3.12.0, spsdk/apps/blhost_helper.py `display_output`, spsdk/apps/blhost.py,
//! spsdk/mboot/{mcuboot,properties,memories,error_codes}.py.

use omv_wire::mboot::status;
use serde_json::{Value, json};

/// What `--version` prints.
pub const VERSION: &str = "blhost, version 3.12.0";
/// What NXP's older tool in C++ says when no device is there, and older versions of OpenMV IDE
/// look for.
pub const NO_HID: &str = "cannot open USB HID device";
/// Said when a memory id is given that makes no difference.
pub const NOTE_MEMORY: &str =
    "Note: memoryId is not required when accessing mapped external memory";
/// Said when the device ends the data phase.
pub const ABORTED: &str = "RX: Mboot: Data aborted by sender";
/// Said when data or the last response do not come.
pub const SILENT: &str = "RX: No Response, Timeout Error !";
/// Said when a reset is not answered.
pub const RESET_SILENT: &str = "Did not receive response from reset command, ignoring it";
/// Said when the device does not tell its packet size.
pub const NO_PACKET_SIZE: &str = "CMD: Unable to get MAX PACKET SIZE, using: 32";
/// Instead of the attributes of a memory that is not set up.
pub const NOT_CONFIGURED: &str = "Not Configured";

/// What get-families says when it is not told a command.
pub const NO_COMMAND_NAMED: &str =
    "Missing option '-c'/'--cmd-name' with this possible options: [get-property, set-property]";

/// One word of a response.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Word {
    /// A number.
    Number(u64),
    /// Whether it worked.
    Truth(bool),
    /// Nothing came.
    Nothing,
}

impl Word {
    fn json(self) -> Value {
        match self {
            Self::Number(number) => json!(number),
            Self::Truth(truth) => json!(truth),
            Self::Nothing => Value::Null,
        }
    }
}

/// `0 (0x0) Success.`
pub fn status(code: u32) -> String {
    match status::text(code) {
        Some(text) => format!("{code} ({code:#x}) {text}."),
        None => format!("{code} ({code:#x}) Unknown error code ({code})."),
    }
}

/// The lines of a result in plain text.
pub fn plain(code: u32, words: &[Word], extra: Option<&str>) -> String {
    let mut text = format!("Response status = {}", status(code));
    let said = words.iter().filter(|word| **word != Word::Nothing);
    for (at, word) in said.enumerate() {
        let (shown, number) = match word {
            Word::Number(number) => (number.to_string(), *number),
            Word::Truth(true) => ("True".to_owned(), 1),
            _ => ("False".to_owned(), 0),
        };
        text.push_str(&format!(
            "\nResponse word {} = {shown} ({number:#x})",
            at + 1
        ));
    }
    if let Some(extra) = extra.filter(|extra| !extra.is_empty()) {
        text.push('\n');
        text.push_str(extra);
    }
    text
}

/// A result as an object, for `--json`.
pub fn object(command: &str, code: u32, words: &[Word]) -> Value {
    let words: Vec<Value> = words.iter().map(|word| word.json()).collect();
    let status = json!({ "description": status(code), "value": code });
    json!({ "command": command, "response": words, "status": status })
}

/// The last line of a read.
pub fn read_of(came: usize, wanted: i128) -> String {
    format!("Read {came} of {wanted} bytes.")
}

/// `0x00000000 - 0x0001FFFF; Total Size: 128.0 kiB`
pub fn region(start: u32, end: u32) -> String {
    let size = i64::from(end) - i64::from(start) + 1;
    let size = short_size(size as f64);
    format!("0x{start:08X} - 0x{end:08X}; Total Size: {size}")
}

/// A region of internal memory in the list of memories.
pub fn numbered_region(index: u32, start: u32, size: u32) -> String {
    let end = start.wrapping_add(size).wrapping_sub(1);
    format!("    Region {index}: {}", region(start, end))
}

/// An external memory in the list of memories; the values are those of property 25.
pub fn external(values: &[u32]) -> String {
    let [flags, start, kib, page, sector, block] = six(values);
    if flags == 0 {
        return NOT_CONFIGURED.to_owned();
    }
    let mut text = format!("Start Address = 0x{start:08X}  ");
    if flags & 2 != 0 && kib != 0 {
        let size = short_size(f64::from(kib) * 1024.0);
        text.push_str(&format!("Total Size = {size}  "));
    }
    let or_none = |bit: u32, value: u32| match flags & bit {
        0 => "None".to_owned(),
        _ => value.to_string(),
    };
    let (page, sector) = (or_none(4, page), or_none(8, sector));
    text.push_str(&format!("Page Size = {page}  Sector Size = {sector}  "));
    if flags & 16 != 0 && block != 0 {
        text.push_str(&format!("Block Size = {block} "));
    }
    text
}

/// The six words of property 25; what is missing is 0.
pub fn six(values: &[u32]) -> [u32; 6] {
    std::array::from_fn(|at| values.get(at).copied().unwrap_or(0))
}

/// A size as the list of memories shows it: numbers below 1024, negative ones among them, in
/// bytes.
pub fn short_size(bytes: f64) -> String {
    scaled(bytes, |value| value < 1024.0)
}

/// A size as the properties show it.
pub fn size(bytes: f64) -> String {
    scaled(bytes, |value| value.abs() < 1024.0)
}

fn scaled(bytes: f64, fits: impl Fn(f64) -> bool) -> String {
    let mut value = bytes;
    let mut unit = "B";
    for next in ["B", "kiB", "MiB", "GiB", "TiB", "PiB"] {
        unit = next;
        if fits(value) {
            break;
        }
        value /= 1024.0;
    }
    match unit {
        "B" => format!("{} B", value as i64),
        _ => format!("{value:.1} {unit}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_read_as_the_tool_prints_them() {
        let words = [Word::Number(31320), Word::Nothing, Word::Truth(false)];
        let text = "Response status = 10203 (0x27db) Memory Cumulative Write.\n\
                    Response word 1 = 31320 (0x7a58)\n\
                    Response word 2 = False (0x0)";
        assert_eq!(plain(10203, &words, None), text);
        assert_eq!(status(77777), "77777 (0x12fd1) Unknown error code (77777).");
        let object = object("get-property", 0, &[Word::Number(1258424320)]).to_string();
        let expected = "{\"command\":\"get-property\",\"response\":[1258424320],\
                        \"status\":{\"description\":\"0 (0x0) Success.\",\"value\":0}}";
        assert_eq!(object, expected);
    }

    #[test]
    fn a_region_that_ends_before_it_begins_has_a_negative_size() {
        let odd = "0x60000000 - 0x20008FFF; Total Size: -1073704960 B";
        assert_eq!(region(0x6000_0000, 0x2000_8FFF), odd);
        let even = "0x20208000 - 0x2020D1FF; Total Size: 20.5 kiB";
        assert_eq!(region(0x2020_8000, 0x2020_D1FF), even);
    }
}
