//! What `get-property` says about a value.
//!
//! Source: SPSDK 3.12.0, spsdk/mboot/properties.py, spsdk/mboot/commands.py.

use omv_wire::mboot::property;

use super::lines::{region, six, size};
use crate::dropin::python::int;

/// The number that stands for a property without one.
pub const UNKNOWN: i128 = 255;

/// Other names a property is known by, with its number.
const LABELS: [(&str, i128); 38] = [
    ("ListProperties", 0),
    ("CurrentVersion", 1),
    ("AvailablePeripherals", 2),
    ("FlashStartAddress", 3),
    ("FlashSize", 4),
    ("FlashSectorSize", 5),
    ("FlashBlockCount", 6),
    ("AvailableCommands", 7),
    ("CrcCheckStatus", 8),
    ("LastError", 9),
    ("VerifyWrites", 10),
    ("MaxPacketSize", 11),
    ("ReservedRegions", 12),
    ("ValidateRegions", 13),
    ("RamStartAddress", 14),
    ("RamSize", 15),
    ("SystemDeviceIdent", 16),
    ("FlashSecurityState", 17),
    ("UniqueDeviceIdent", 18),
    ("FlashFacSupport", 19),
    ("FlashAccessSegmentSize", 20),
    ("FlashAccessSegmentCount", 21),
    ("FlashReadMargin", 22),
    ("QspiInitStatus", 23),
    ("TargetVersion", 24),
    ("ExternalMemoryAttributes", 25),
    ("ReliableUpdateStatus", 26),
    ("FlashPageSize", 27),
    ("IrqNotifierPin", 28),
    ("PfrKeystoreUpdateOpt", 29),
    ("ByteWriteTimeoutMs", 30),
    ("FuseLockedStatus", 31),
    ("BootStatusRegister", 32),
    ("FirmwareVersion", 33),
    ("FuseProgramVoltage", 34),
    ("SheFlashPartition", 36),
    ("SheBootMode", 37),
    ("Unknown", UNKNOWN),
];

/// Bits of property 2.
const PERIPHERALS: [(u32, &str); 8] = [
    (0x01, "UART"),
    (0x02, "I2C-Slave"),
    (0x04, "SPI-Slave"),
    (0x08, "CAN"),
    (0x10, "USB-HID"),
    (0x20, "USB-CDC"),
    (0x40, "USB-DFU"),
    (0x80, "LIN"),
];

/// Commands by tag, from 1 on.
const COMMANDS: [&str; 25] = [
    "FlashEraseAll",
    "FlashEraseRegion",
    "ReadMemory",
    "WriteMemory",
    "FillMemory",
    "FlashSecurityDisable",
    "GetProperty",
    "ReceiveSBFile",
    "Execute",
    "Call",
    "Reset",
    "SetProperty",
    "FlashEraseAllUnsecure",
    "FlashProgramOnce",
    "FlashReadOnce",
    "FlashReadResource",
    "ConfigureMemory",
    "ReliableUpdate",
    "GenerateKeyBlob",
    "ProgramFuse",
    "KeyProvisioning",
    "TrustProvisioning",
    "ReadFuse",
    "UpdateLifeCycle",
    "EleMessage",
];

/// What a command is called; its tag where it has no name.
pub fn command(tag: u8) -> String {
    let at = usize::from(tag).checked_sub(1);
    match at.and_then(|at| COMMANDS.get(at)) {
        Some(name) => (*name).to_owned(),
        None => format!("{tag:#04x}"),
    }
}

/// Names of the statuses that are values of properties: of the checksum of an application, of
/// QuadSPI and OTFAD, of a reliable update.
const STATUSES: [(u32, &str); 44] = [
    (0, "Success"),
    (1, "Fail"),
    (2, "ReadOnly"),
    (3, "OutOfRange"),
    (4, "InvalidArgument"),
    (5, "TimeoutError"),
    (6, "NoTransferInProgress"),
    (400, "QspiFlashSizeError"),
    (401, "QspiFlashAlignmentError"),
    (402, "QspiFlashAddressError"),
    (403, "QspiFlashCommandFailure"),
    (404, "QspiFlashUnknownProperty"),
    (405, "QspiNotConfigured"),
    (406, "QspiCommandNotSupported"),
    (407, "QspiCommandTimeout"),
    (408, "QspiWriteFailure"),
    (500, "OtfadSecurityViolation"),
    (501, "OtfadLogicallyDisabled"),
    (502, "OtfadInvalidKey"),
    (503, "OtfadInvalidKeyBlob"),
    (10000, "UnknownCommand"),
    (10001, "SecurityViolation"),
    (10002, "AbortDataPhase"),
    (10003, "PingError"),
    (10004, "NoResponse"),
    (10200, "MemoryRangeInvalid"),
    (10203, "MemoryCumulativeWrite"),
    (10300, "UnknownProperty"),
    (10301, "ReadOnlyProperty"),
    (10400, "AppCrcCheckPassed"),
    (10401, "AppCrcCheckFailed"),
    (10402, "AppCrcCheckInactive"),
    (10403, "AppCrcCheckInvalid"),
    (10404, "AppCrcCheckOutOfRange"),
    (10600, "ReliableUpdateSuccess"),
    (10601, "ReliableUpdateFail"),
    (10602, "ReliableUpdateInactive"),
    (10603, "ReliableUpdateBackupApplicationInvalid"),
    (10604, "ReliableUpdateStillInMainApplication"),
    (10605, "ReliableUpdateSwapSystemNotReady"),
    (10606, "ReliableUpdateBackupBootloaderNotReady"),
    (10607, "ReliableUpdateSwapIndicatorAddressInvalid"),
    (10608, "ReliableUpdateSwapSystemNotAvailable"),
    (10609, "ReliableUpdateSwapTest"),
];

/// The number of a property given by number or name.
pub fn number(text: &str) -> i128 {
    if let Some(number) = plain_number(text) {
        return number;
    }
    let label = LABELS.iter().find(|(label, _)| *label == text);
    match (property::by_name(text), label) {
        (Some(number), _) => number.into(),
        (None, Some((_, number))) => *number,
        (None, None) => UNKNOWN,
    }
}

/// All properties, for whoever asks for property 0.
pub fn list() -> String {
    let mut text = "Properties, by number or name:".to_owned();
    for row in property::NAMES {
        text.push_str(&format!(
            "\n  {:<5}{:<30}{}",
            row.property, row.typed, row.printed
        ));
    }
    text
}

/// A number in the tool's second grammar: no sign, a suffix as in C, leading zeros allowed.
pub fn plain_number(text: &str) -> Option<i128> {
    let text = text.trim().to_lowercase();
    let digits = text.trim_end_matches(['u', 'l']);
    if text.len() - digits.len() > 3 || digits.is_empty() {
        return None;
    }
    let (digits, base) = match digits.get(..2) {
        Some("0x") => (&digits[2..], 16),
        Some("0o") => (&digits[2..], 8),
        Some("0b") if digits.len() > 2 => (&digits[2..], 2),
        _ => (digits, 10),
    };
    let plain = digits.chars().all(|c| c.is_ascii_hexdigit() || c == '_');
    plain.then(|| int(digits, base)).flatten()
}

/// The line, or lines, after the words of a property; nothing where there is no value.
pub fn text(number: u32, values: &[u32]) -> Option<String> {
    let first = *values.first()?;
    let names = property::names(number);
    let printed = names.map_or("Unknown property", |names| names.printed);
    if number == 37 {
        return Some(boot_mode(first));
    }
    if number == property::RESERVED_REGIONS {
        let pairs = values.chunks_exact(2).filter(|pair| pair[1] != 0);
        let lines = pairs
            .enumerate()
            .map(|(at, pair)| format!("\n    Region {at}: {}", region(pair[0], pair[1])));
        let lines: String = lines.collect();
        let lines = if lines.is_empty() { "\n" } else { &lines };
        return Some(format!("{printed} ={lines}"));
    }
    Some(format!("{printed} = {}", value(number, first, values)))
}

fn value(number: u32, first: u32, values: &[u32]) -> String {
    let one_of = |yes: &str, no: &str| if first == 1 { yes } else { no }.to_owned();
    match number {
        1 | 24 => version(first),
        2 => {
            let named = PERIPHERALS.iter().filter(|(bit, _)| first & bit != 0);
            named.map(|(_, name)| *name).collect::<Vec<_>>().join(", ")
        }
        3 | 14 | 16 => format!("0x{first:08X}"),
        4 | 5 | 11 | 15 | 20 | 27 => size(first.into()),
        7 => {
            let named = COMMANDS
                .iter()
                .enumerate()
                .filter(|(at, _)| first >> at & 1 != 0);
            let named: Vec<String> = named.map(|(_, name)| format!("'{name}'")).collect();
            format!("[{}]", named.join(", "))
        }
        8 => status(first, "Unknown CRC Status code"),
        9 | 23 | 26 => status(first, "Unknown Error"),
        10 | 13 | 19 => one_of("ON", "OFF"),
        17 => if matches!(first, 0 | 0x5AA5_5AA5) {
            "UNSECURE"
        } else {
            "SECURE"
        }
        .to_owned(),
        18 => {
            let bytes = values.iter().flat_map(|word| word.to_le_bytes());
            bytes.map(|byte| format!("{byte:02x}")).collect()
        }
        21 | 32 | 33 => first.cast_signed().to_string(),
        22 => named(first, &["NORMAL", "USER", "FACTORY"], "Unknown Margin"),
        25 => attributes(values),
        28 => {
            let state = if first >> 31 == 1 {
                "enabled"
            } else {
                "disabled"
            };
            format!(
                "IRQ Port[{}], Pin[{}] is {state}",
                first >> 8 & 0xFF,
                first & 0xFF
            )
        }
        29 => named(first, &["KEY_PROVISIONING", "WRITE_MEMORY"], "Unknown"),
        6 | 30 => first.to_string(),
        31 => locks(values),
        34 => one_of("Over Drive Voltage (2.5 V)", "Normal Voltage (1.8 V)"),
        36 => {
            let keys = [
                "0 Keys, CSEc disabled",
                "max 5 Key",
                "max 10 Keys",
                "max 20 Keys",
            ];
            let sizes = ["64kB", "48kB", "32kB", "0kB"];
            let (keys, size) = (keys[(first & 3) as usize], sizes[(first >> 8 & 3) as usize]);
            format!("{size} EEPROM with {keys}")
        }
        _ => {
            let all: Vec<String> = values.iter().map(|word| format!("0x{word:08X}")).collect();
            format!("[{}]", all.join(", "))
        }
    }
}

fn version(value: u32) -> String {
    let [mark, major, minor, fixation] = value.to_be_bytes();
    let mark = if mark.is_ascii_uppercase() {
        char::from(mark).to_string()
    } else {
        String::new()
    };
    format!("{mark}{major}.{minor}.{fixation}")
}

fn named(value: u32, names: &[&str], otherwise: &str) -> String {
    let name = usize::try_from(value).ok().and_then(|at| names.get(at));
    name.map_or_else(
        || format!("{otherwise}: {value}"),
        |name| (*name).to_owned(),
    )
}

fn status(value: u32, otherwise: &str) -> String {
    let known = STATUSES.iter().find(|(code, _)| *code == value);
    known.map_or_else(
        || format!("{otherwise}: {value}"),
        |(_, name)| (*name).to_owned(),
    )
}

fn attributes(values: &[u32]) -> String {
    let [flags, start, kib, page, sector, block] = six(values);
    let mut parts = Vec::new();
    if flags & 1 != 0 {
        parts.push(format!("Start Address: 0x{start:08X}"));
    }
    if flags & 2 != 0 {
        let total = size(f64::from(kib) * 1024.0);
        parts.push(format!("Total Size:    {total}"));
    }
    for (bit, name, value) in [
        (4, "Page Size:     ", page),
        (8, "Sector Size:   ", sector),
        (16, "Block Size:    ", block),
    ] {
        if flags & bit != 0 {
            parts.push(format!("{name}{}", size(value.into())));
        }
    }
    parts.join(", ")
}

fn locks(values: &[u32]) -> String {
    let mut text = "\r\n".to_owned();
    let mut index = 0;
    for (at, value) in values.iter().enumerate() {
        text.push_str(&format!(
            "OTP Controller Program Locked Status {at} Register: \r\n"
        ));
        // The upper half of the first word means something else.
        let bits = if at == 0 { 16 } else { 32 };
        for bit in 0..bits {
            let state = if value >> bit & 1 == 1 {
                "LOCKED"
            } else {
                "UNLOCKED"
            };
            text.push_str(&format!("  FUSE{index:03}: {state}\r\n"));
            index += 1;
        }
    }
    text
}

fn boot_mode(value: u32) -> String {
    let modes = ["Strict Boot", "Serial Boot", "Parallel Boot", "Undefined"];
    let mode = value >> 30;
    let bits = value & 0x3FFF_FFFF;
    let digits = format!("{bits:x}");
    let groups: Vec<&str> = digits
        .as_bytes()
        .rchunks(4)
        .rev()
        .filter_map(|group| std::str::from_utf8(group).ok())
        .collect();
    format!(
        "SHE Boot Mode: {} ({mode})\nSHE Boot Size: {} (0x{})",
        modes[mode as usize],
        size((bits / 8).into()),
        groups.join("_")
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn properties_go_by_number_and_by_either_name() {
        for (given, wanted) in [
            ("1", 1),
            ("0x0B", 11),
            ("010", 10),
            ("12ul", 12),
            ("current-version", 1),
            ("RamSize", 15),
            ("1f", UNKNOWN),
            ("-1", UNKNOWN),
            ("verify-erase", UNKNOWN),
            ("", UNKNOWN),
        ] {
            assert_eq!(number(given), wanted, "{given}");
        }
    }

    #[test]
    fn values_read_as_the_tool_prints_them() {
        for (number, values, wanted) in [
            (1, vec![0x4B02_0800], "Current Version = K2.8.0"),
            (2, vec![0x11], "Available Peripherals = UART, USB-HID"),
            (10, vec![1], "Verify Writes = ON"),
            (11, vec![0x3F4], "Max Packet Size = 1012 B"),
            (15, vec![0x2_0000], "RAM Size = 128.0 kiB"),
            (17, vec![0], "Security State = UNSECURE"),
            (
                18,
                vec![0x1122_3344, 0x5566_7788],
                "Unique Device Identification = 4433221188776655",
            ),
            (
                28,
                vec![0x8000_0203],
                "Irq Notifier Pin = IRQ Port[2], Pin[3] is enabled",
            ),
            (
                99,
                vec![7, 8],
                "Unknown property = [0x00000007, 0x00000008]",
            ),
        ] {
            assert_eq!(text(number, &values).as_deref(), Some(wanted));
        }
        assert_eq!(text(1, &[]), None);
    }

    #[test]
    fn no_answer_of_a_device_is_too_strange_to_print() {
        for number in (0..64).chain([255, u32::MAX]) {
            for values in [vec![0], vec![u32::MAX], vec![u32::MAX; 7], vec![0; 3]] {
                assert!(text(number, &values).is_some());
            }
        }
    }
}
