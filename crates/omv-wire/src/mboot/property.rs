//! Properties: what a loader can be asked about itself.
//!
//! Source: SPSDK 3.12.0, spsdk/mboot/properties.py and spsdk/apps/blhost_helper.py; values of the
//! RT1062 observed by executing both of its loaders.

/// `mark << 24 | major << 16 | minor << 8 | bugfix`; 0x4B020800 is "K2.8.0".
pub const CURRENT_VERSION: u32 = 1;
/// Bits 0x01 UART, 0x02 I2C, 0x04 SPI, 0x08 CAN, 0x10 HID, 0x20 CDC, 0x40 DFU. On the RT1062 the
/// resident bootloader says 0x10 and the flashloader 0x11: how to tell them apart.
pub const AVAILABLE_PERIPHERALS: u32 = 2;
/// Bit `tag - 1` for each command.
pub const AVAILABLE_COMMANDS: u32 = 7;
/// Whether writes are read back.
pub const VERIFY_WRITES: u32 = 10;
/// Bytes per data packet of the transport in use.
pub const MAX_PACKET_SIZE: u32 = 11;
/// Pairs of first and last address the loader keeps for itself.
pub const RESERVED_REGIONS: u32 = 12;
/// Start of RAM region `index`.
pub const RAM_START_ADDRESS: u32 = 14;
/// Bytes in RAM region `index`.
pub const RAM_SIZE: u32 = 15;
/// The chip's own number.
pub const SYSTEM_DEVICE_ID: u32 = 16;
/// 0 or 0x5AA55AA5 open; 1 or 0xC33CC33C secure.
pub const SECURITY_STATE: u32 = 17;
/// Words whose little-endian bytes are the chip's unique id.
pub const UNIQUE_DEVICE_ID: u32 = 18;
/// Like the version; 0x54010000 is "T1.0.0".
pub const TARGET_VERSION: u32 = 24;
/// Flags, start, size in KiB, page, sector and block size of the memory whose id is the index.
pub const EXTERNAL_MEMORY_ATTRIBUTES: u32 = 25;

/// What `blhost` calls a property, on the way in and on the way out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Names {
    /// The property.
    pub property: u32,
    /// What a person types; empty where only the number works.
    pub typed: &'static str,
    /// What is printed before ` = value`.
    pub printed: &'static str,
}

/// The names of a property.
#[must_use]
pub fn names(property: u32) -> Option<Names> {
    NAMES.iter().copied().find(|row| row.property == property)
}

/// The property a typed name stands for.
#[must_use]
pub fn by_name(typed: &str) -> Option<u32> {
    let mut named = NAMES.iter().filter(|row| !row.typed.is_empty());
    named.find(|row| row.typed == typed).map(|row| row.property)
}

/// All properties with a name, ascending.
pub const NAMES: &[Names] = &[
    row(0, "list-properties", "List Properties"),
    row(1, "current-version", "Current Version"),
    row(2, "available-peripherals", "Available Peripherals"),
    row(3, "flash-start-address", "Flash Start Address"),
    row(4, "flash-size-in-bytes", "Flash Size"),
    row(5, "flash-sector-size", "Flash Sector Size"),
    row(6, "flash-block-count", "Flash Block Count"),
    row(7, "available-commands", "Available Commands"),
    row(8, "check-status", "CRC Check Status"),
    row(9, "reserved", "Last Error Value"),
    row(10, "verify-writes", "Verify Writes"),
    row(11, "max-packet-size", "Max Packet Size"),
    row(12, "reserved-regions", "Reserved Regions"),
    row(13, "reserved_1", "Validate Regions"),
    row(14, "ram-start-address", "RAM Start Address"),
    row(15, "ram-size-in-bytes", "RAM Size"),
    row(16, "system-device-id", "System Device Identification"),
    row(17, "security-state", "Security State"),
    row(18, "unique-device-id", "Unique Device Identification"),
    row(19, "flash-fac-support", "Flash Fac. Support"),
    row(20, "flash-access-segment-size", "Flash Access Segment Size"),
    row(
        21,
        "flash-access-segment-count",
        "Flash Access Segment Count",
    ),
    row(22, "flash-read-margin", "Flash Read Margin"),
    row(
        23,
        "qspi/otfad-init-status",
        "QuadSPI Initialization Status",
    ),
    row(24, "target-version", "Target Version"),
    row(
        25,
        "external-memory-attributes",
        "External Memory Attributes",
    ),
    row(26, "reliable-update-status", "Reliable Update Status"),
    row(27, "flash-page-size", "Flash Page Size"),
    row(28, "irq-notify-pin", "Irq Notifier Pin"),
    row(29, "pfr-keystore-update-opt", "PFR Keystore Update Opt"),
    row(30, "byte-write-timeout-ms", "Byte Write Timeout in ms"),
    row(31, "fuse-locked-status", "Fuse Locked Status"),
    row(32, "boot-status", "Boot Status Register"),
    row(33, "loadable-fw-version", "Firmware Version"),
    row(34, "fuse-program-voltage", "Fuse Program Voltage"),
    row(
        36,
        "she-flash-partition",
        "Secure Hardware Extension: Flash Partition",
    ),
    row(37, "she-boot-mode", "Secure Hardware Extension: Boot Mode"),
    row(255, "unknown", "Unknown property"),
];

const fn row(property: u32, typed: &'static str, printed: &'static str) -> Names {
    Names {
        property,
        typed,
        printed,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_typed_name_leads_back_to_its_property() {
        for row in NAMES.iter().filter(|row| !row.typed.is_empty()) {
            assert_eq!(by_name(row.typed), Some(row.property));
            assert_eq!(names(row.property), Some(*row));
        }
    }

    #[test]
    fn an_empty_name_is_no_property() {
        assert_eq!(by_name(""), None);
    }
}
