//! OpenMV's serial bootloader, which came with firmware up to 4.5.9.
//!
//! It shows itself as a serial port for a second or two after each reset and writes firmware
//! that is sent to it in small packets. Nothing can be read back, nothing carries a checksum, and
//! most commands have no answer: a host that wants to know whether the camera keeps up sends a
//! question after a command and waits for that to be answered.
//!
//! ```text
//! host                                        camera
//! 01 00 CD AB                    -------->             START, within a second
//!                                <--------  03 00 CD AB   version 3
//! 10 00 CD AB                    -------->             QUERY
//!                                <--------  01 00 00 00  02 00 00 00  0F 00 00 00
//! 04 00 CD AB 02 00 00 00        -------->             ERASE sector 2; silent for a second
//! 08 00 CD AB, 60 bytes          -------->             WRITE, from the firmware's start on
//! ...
//! 02 00 CD AB                    -------->             RESET: rest of the buffer, then start
//! ```
//!
//! A command is the first word of a USB packet and everything up to the packet's end. Two
//! commands in one packet lose the second, a command in two packets is garbage: one frame sent
//! here is one packet.
//!
//! Sources: openmv/openmv `src/bootloader/src/usbd_cdc_interface.c`, tags v1.4 to v4.5.9 (there
//! `src/omv/ports/stm32/boot/src`); openmv/qt-creator `openmvpluginserialport.cpp`,
//! `openmvpluginio.cpp`.

mod camera;
mod codec;
mod host;

pub use camera::{Camera, Flash, Personality};
pub use codec::{Blocks, Command, Layout, START_WORD, Version};
pub use host::{Failure, Greet, Greeting, Job, Pace, Update};
