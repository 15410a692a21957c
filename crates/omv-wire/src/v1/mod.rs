//! Protocol v1 (`USBDBG`): how firmware up to 4.8.1 talks while it runs.
//!
//! The camera speaks it on its serial port while that is open at 921600 or 12000000 baud.
//! No checksum, no counter, no acknowledgement: a header of six bytes, then as many bytes as it
//! says, towards the host if bit 7 of the opcode is set. One command at a time.
//!
//! ```text
//! host                                          camera
//! 30 80 0C 00 00 00              ------------>              FW_VERSION, 12 bytes please
//!                                <------------  04 00 00 00 05 00 00 00 09 00 00 00
//! 30 83 40 00 00 00              ------------>              ARCH_STR, 64 bytes please
//!                                <------------  "OMV4 H7 1024 [H7:003B0022...]" NUL, anything
//! 30 0C 00 00 00 00              ------------>              SYS_RESET; it leaves the bus
//! ```
//!
//! Two things can go wrong for good, and shape everything here. On boards with the TinyUSB
//! stack and firmware up to 4.7.0 a header that does not begin with 0x30 **hangs the camera
//! until it loses power**. On boards with ST's stack a header must be alone in its USB packet:
//! what follows it there is dropped.
//!
//! Sources: openmv/openmv tags v3.5.2 to v4.8.1, `usbdbg.c`, `usbdbg.h`, `tinyusb_debug.c`;
//! openmv/micropython `ports/stm32/usbd_cdc_interface.c`; openmv/openmv `tools/pyopenmv.py`.

pub mod camera;
pub mod codec;
pub mod console;
pub mod desk;
pub mod host;
pub mod state;

/// Text from a camera, up to its first NUL, as printable ASCII; every other byte becomes U+FFFD.
pub(crate) fn printable(bytes: &[u8]) -> String {
    bytes
        .iter()
        .take_while(|byte| **byte != 0)
        .map(|byte| match byte {
            0x20..=0x7E => char::from(*byte),
            _ => char::REPLACEMENT_CHARACTER,
        })
        .collect()
}
