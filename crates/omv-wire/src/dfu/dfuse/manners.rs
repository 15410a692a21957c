//! Where DfuSe devices differ.

use std::time::Duration;

use super::command;
use crate::dfu::Functional;

/// `bwPollTimeout` that a device asks for before each kind of work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CommandPolls {
    /// Setting the address pointer.
    pub set_address: Duration,
    /// Writing a block.
    pub write: Duration,
    /// Erasing a page.
    pub erase: Duration,
    /// Erasing everything. The STM32F405 says 100 ms and takes up to 32 s.
    pub erase_all: Duration,
    /// Leaving.
    pub manifest: Duration,
}

/// What a device says to the host while it works.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WhileBusy {
    /// Nothing: every transfer waits until the work is over.
    Waits,
    /// GETSTATUS is answered with `dfuDNBUSY`, all else is refused.
    Answers,
    /// Everything is refused. The STM32L4 does that.
    Refuses,
}

/// What CLRSTATUS does when there is no error to clear.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Elsewhere {
    /// Makes one: `dfuERROR`, `errUNKNOWN`. This ends an erase that never does.
    Fails,
    /// Is refused. The STM32C5 does that.
    Refused,
    /// Leads to `dfuIDLE`.
    Clears,
}

/// How a device leaves after the empty DNLOAD and its GETSTATUS.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Departure {
    /// It answers `dfuMANIFEST`, then starts the program at the address pointer.
    Starts,
    /// It is gone before it answers, so the host sees an error after a perfect write.
    Vanishes,
    /// It answers, leaves the bus, and starts nothing. Seen with revision V of the STM32H74x.
    Hangs,
    /// It answers, and resets after this time.
    Resets(Duration),
}

/// Everything in which one DfuSe device differs from another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Manners {
    /// The functional descriptor; blocks are at most its transfer size.
    pub functional: Functional,
    /// The commands there are, as UPLOAD of block 0 lists them.
    pub commands: Vec<u8>,
    /// Times asked for.
    pub polls: CommandPolls,
    /// What is said while work is under way.
    pub while_busy: WhileBusy,
    /// CLRSTATUS without an error.
    pub clear_elsewhere: Elsewhere,
    /// How it leaves.
    pub departure: Departure,
    /// Erases of pages from this address on never report their end.
    pub stuck_from: Option<u32>,
    /// Addresses are compared with the layouts. Where they are not, any pointer is taken, reading
    /// outside gives zeros, and only writing and erasing there fails.
    pub checks_addresses: bool,
    /// A failure is reported with `dfuERROR`. Where it is not, the device says `dfuDNBUSY` for
    /// ever after.
    pub reports_failures: bool,
    /// It can erase everything at once.
    pub erases_all: bool,
    /// A command it does not know is an error. Where it is not, it is answered as if it were done.
    pub refuses_unknown: bool,
}

impl Manners {
    /// The ROM of the STM32F4 and F7.
    ///
    /// Source: AN3156; STMicroelectronics AN2606; fwupd issue 2696 (times of the F7).
    #[must_use]
    pub fn rom() -> Self {
        Self {
            functional: Functional {
                attributes: 0x0B,
                detach_timeout: 255,
                transfer_size: 2048,
                version: Functional::DFUSE,
            },
            commands: vec![
                command::GET_COMMANDS,
                command::SET_ADDRESS,
                command::ERASE,
                command::READ_UNPROTECT,
            ],
            polls: CommandPolls {
                set_address: Duration::from_millis(10),
                write: Duration::from_millis(10),
                erase: Duration::from_millis(1000),
                erase_all: Duration::from_millis(100),
                manifest: Duration::ZERO,
            },
            while_busy: WhileBusy::Waits,
            clear_elsewhere: Elsewhere::Fails,
            departure: Departure::Starts,
            stuck_from: None,
            checks_addresses: true,
            reports_failures: true,
            erases_all: true,
            refuses_unknown: true,
        }
    }

    /// The ROM of the STM32H743, H747 and H750, revision Y: smaller blocks.
    #[must_use]
    pub fn rom_h7() -> Self {
        let mut manners = Self::rom();
        manners.functional.transfer_size = 1024;
        manners
    }

    /// The same ROM as revision V carries it (version 9.0): an erase in the second bank happens
    /// but never ends, and leaving ends in a loop.
    ///
    /// Source: dfu-util ticket 88; betaflight/betaflight-configurator pull requests 1861, 5348.
    #[must_use]
    pub fn rom_h7_revision_v() -> Self {
        Self {
            stuck_from: Some(0x0810_0000),
            departure: Departure::Hangs,
            ..Self::rom_h7()
        }
    }

    /// Arduino's bootloader on Portenta, Giga and Nicla. It tells no failure of its external
    /// flash, but hangs in `dfuDNBUSY`; failures of the internal flash, which is written by another
    /// thread, leave no trace at all (a [`Memory`](super::Memory) that always succeeds).
    ///
    /// Source: arduino/mcuboot-arduino-stm32h7 app/dfu.
    #[must_use]
    pub fn arduino() -> Self {
        let mut manners = Self {
            commands: vec![command::GET_COMMANDS, command::SET_ADDRESS, command::ERASE],
            polls: CommandPolls {
                set_address: Duration::ZERO,
                write: Duration::ZERO,
                erase: Duration::ZERO,
                erase_all: Duration::ZERO,
                manifest: Duration::from_millis(1),
            },
            departure: Departure::Resets(Duration::from_millis(200)),
            checks_addresses: false,
            reports_failures: false,
            erases_all: false,
            refuses_unknown: false,
            ..Self::rom()
        };
        manners.functional.transfer_size = 4096;
        manners
    }
}
