//! One board, several serial numbers: how each state renders the chip's unique id.

use serde::{Deserialize, Serialize};

/// How a USB serial number follows from the unique id.
///
/// The id is 12 bytes, three little-endian words w0, w1, w2, in the order of memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SerialFormula {
    /// `%08X%08X%08X` of w2, w1, w0: the board id of the architecture string, and the serial of
    /// OpenMV's DFU bootloader. Source: openmv/openmv `boot/src/ports/stm32/stm32_port.c`.
    BoardId,
    /// The STM32 firmware's 12 digits, a lossy mix: bytes 11, 10 + 2, 9, 8 + 0, 7 and 6.
    /// A sum that carries prints three digits, so there are up to 14. Source: micropython
    /// `ports/stm32/usbd_desc.c`.
    StUsb,
    /// The ROM of F4 and F7 chips: w0 + w2 in 8 digits, then the upper half of w1 in 4. Equal to
    /// [`SerialFormula::StUsb`] for most chips. Source: libopencm3 issue 760.
    StRom,
    /// `%08X%08X%08X` of w0, w1, w2: Arduino's MCUboot.
    /// Source: openmv/openmv-ota `src/openmv_ota/flash/arduino.py`.
    ArduinoDfu,
    /// All 12 bytes in the order of memory, lower-case hex: TinyUSB firmware of the N6.
    /// Source: micropython `shared/tinyusb/mp_usbd.c` (`mp_usbd_hex_str`).
    MemoryOrder24,
    /// The first 8 bytes in the order of memory, lower-case hex. On the RT1062 these are the fuse
    /// words CFG0 and CFG1, which its board id does not contain side by side.
    /// Source: micropython `shared/tinyusb/mp_usbd.c` (`mp_usbd_hex_str`).
    MemoryOrder16,
    /// The chip's identity and revision, equal on every board of that revision.
    ChipRevision,
    /// A number that stands for the bootloader, not for the board.
    Fixed,
    /// From a unique id only the board's own firmware can read.
    Opaque,
    /// No serial number at all: only the USB port tells two boards apart.
    Absent,
}

impl SerialFormula {
    /// The serial a chip with this unique id shows, `uid` in the order of memory; none where the
    /// serial does not follow from it.
    #[must_use]
    pub fn render(self, uid: &[u8; 12]) -> Option<String> {
        let [a0, a1, a2, a3, b0, b1, b2, b3, c0, c1, c2, c3] = *uid;
        let w0 = u32::from_le_bytes([a0, a1, a2, a3]);
        let w1 = u32::from_le_bytes([b0, b1, b2, b3]);
        let w2 = u32::from_le_bytes([c0, c1, c2, c3]);
        match self {
            Self::BoardId => Some(format!("{w2:08X}{w1:08X}{w0:08X}")),
            Self::StUsb => {
                let high = u16::from(c2) + u16::from(a2);
                let low = u16::from(c0) + u16::from(a0);
                Some(format!(
                    "{c3:02X}{high:02X}{c1:02X}{low:02X}{b3:02X}{b2:02X}"
                ))
            }
            Self::StRom => Some(format!("{:08X}{:04X}", w0.wrapping_add(w2), w1 >> 16)),
            Self::ArduinoDfu => Some(format!("{w0:08X}{w1:08X}{w2:08X}")),
            Self::MemoryOrder24 => Some(lower_hex(uid)),
            Self::MemoryOrder16 => Some(lower_hex(&[a0, a1, a2, a3, b0, b1, b2, b3])),
            Self::ChipRevision | Self::Fixed | Self::Opaque | Self::Absent => None,
        }
    }

    /// The unique id back from a complete serial, in the order of memory; none for a text of
    /// another form and for formulas that lose bits.
    #[must_use]
    pub fn recover(self, serial: &str) -> Option<[u8; 12]> {
        let bytes = twelve_bytes(serial)?;
        let [a0, a1, a2, a3, b0, b1, b2, b3, c0, c1, c2, c3] = bytes;
        match self {
            Self::BoardId => Some([c3, c2, c1, c0, b3, b2, b1, b0, a3, a2, a1, a0]),
            Self::ArduinoDfu => Some([a3, a2, a1, a0, b3, b2, b1, b0, c3, c2, c1, c0]),
            Self::MemoryOrder24 => Some(bytes),
            _ => None,
        }
    }
}

/// The serial the running firmware of an Arduino STM32 board will show, from the serial of its
/// bootloader; none for a text that is not 24 hex digits. The other direction does not exist.
///
/// Source: openmv/openmv-ota `src/openmv_ota/flash/arduino.py`.
#[must_use]
pub fn run_serial_from_arduino_dfu(serial: &str) -> Option<String> {
    SerialFormula::StUsb.render(&SerialFormula::ArduinoDfu.recover(serial)?)
}

fn lower_hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn twelve_bytes(hex: &str) -> Option<[u8; 12]> {
    let digits: Option<Vec<u8>> = hex
        .chars()
        .map(|digit| {
            digit
                .to_digit(16)
                .and_then(|value| u8::try_from(value).ok())
        })
        .collect();
    let digits: [u8; 24] = digits?.try_into().ok()?;
    let mut bytes = [0; 12];
    for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
        *byte = pair.iter().fold(0, |high, digit| high << 4 | digit);
    }
    Some(bytes)
}
