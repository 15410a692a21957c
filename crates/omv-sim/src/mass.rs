//! The disk of running firmware on USB: mass storage over the medium that the camera shows.

use std::time::Duration;

use omv_boards::Board;
use omv_wire::msc::{Camera, Capacity, Identity, Personality, Stack, Storage, StorageError, Take};
use omv_wire::usb::{Setup, request};

use crate::medium::{Medium, MediumError, Shared};

/// Interfaces and endpoints of a firmware's console and disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Places {
    /// First of the console's two interfaces.
    pub console: u8,
    /// Endpoint of its notifications.
    pub notify: u8,
    /// Endpoint of its data, both ways.
    pub data: u8,
    /// The disk's interface.
    pub disk: u8,
    /// Its endpoint, both ways.
    pub blocks: u8,
}

/// Sources: openmv/micropython shared/tinyusb/mp_usbd_descriptor.h; ports/stm32/usbdev/class/src/
/// usbd_cdc_msc_hid.c.
impl Places {
    const TINY: Self = Self {
        console: 0,
        notify: 1,
        data: 2,
        disk: 2,
        blocks: 3,
    };
    const ST: Self = Self {
        console: 1,
        notify: 2,
        data: 3,
        disk: 0,
        blocks: 1,
    };

    /// Those of a USB stack: ST's, or else `TinyUSB`.
    pub fn of(st: bool) -> Self {
        if st { Self::ST } else { Self::TINY }
    }
}

/// The disk.
pub struct Mass {
    camera: Camera,
    slot: Slot,
    interface: u8,
    /// Until when the medium is busy with what it was told.
    busy: Duration,
    /// When what the medium holds back goes to it.
    settles: Duration,
}

/// The medium, if there is one.
struct Slot {
    medium: Option<Shared>,
    written: bool,
}

impl Mass {
    /// The disk of a board's firmware; `medium` is what it shows.
    pub fn new(board: &Board, st: bool, medium: Option<Shared>) -> Self {
        // Sources: openmv/micropython ports/mimxrt/msc_disk.c, ports/stm32/usbd_msc_interface.c.
        let (vendor, product, revision) = match st {
            true => (*b"MicroPy ", *b"pyboard Flash   ", *b"1.00"),
            false => (*b"Micropy\0", *b"Mass Storage\0\0\0\0", *b"1.0\0"),
        };
        let personality = Personality {
            identity: Identity {
                removable: true,
                vendor,
                product,
                revision,
            },
            stack: if st { Stack::St } else { Stack::Tiny },
            hides_errors: board.mcu.starts_with("MIMXRT"),
        };
        Self {
            camera: Camera::new(personality),
            slot: Slot {
                medium,
                written: false,
            },
            interface: Places::of(st).disk,
            busy: Duration::ZERO,
            settles: Duration::MAX,
        }
    }

    /// A request to its interface; the outer `None` is one that is not for it.
    pub fn control(&mut self, setup: &Setup) -> Option<Option<Vec<u8>>> {
        if setup.index & 0xFF != u16::from(self.interface) {
            return None;
        }
        match (setup.request_type, setup.request) {
            (0xA1, request::GET_MAX_LUN) => Some(Some(vec![0])),
            (0x21, request::MASS_STORAGE_RESET) => {
                self.camera.reset();
                Some(Some(Vec::new()))
            }
            _ => None,
        }
    }

    /// The host cleared the halt of the IN endpoint.
    pub fn clear_halt(&mut self) {
        self.camera.clear_halt();
    }

    /// Whether it takes data.
    pub fn accepts(&self, now: Duration) -> bool {
        self.busy <= now
    }

    /// When it goes on by itself.
    pub fn next(&self) -> Duration {
        self.settles.min(match self.busy {
            Duration::ZERO => Duration::MAX,
            busy => busy,
        })
    }

    /// Does what is due.
    pub fn step(&mut self, now: Duration) {
        if self.busy <= now {
            self.busy = Duration::ZERO;
        }
        if self.settles <= now {
            self.settles = Duration::MAX;
            self.slot.flush(now);
        }
    }

    /// One OUT transfer.
    pub fn out(&mut self, now: Duration, bytes: &[u8]) {
        self.camera.out(now, &mut self.slot, bytes);
        self.after(now);
    }

    /// What the IN endpoint has.
    pub fn take(&mut self, now: Duration, limit: usize) -> Take {
        if !self.accepts(now) {
            return Take::Nothing;
        }
        let taken = self.camera.take(now, &mut self.slot, limit);
        self.after(now);
        taken
    }

    /// Takes into account how long the medium is busy, and what it holds back.
    fn after(&mut self, now: Duration) {
        let Some(medium) = &mut self.slot.medium else {
            return;
        };
        let busy = medium.busy();
        if !busy.is_zero() {
            self.busy = now + busy;
        }
        if std::mem::take(&mut self.slot.written)
            && let Some(delay) = medium.holds_back()
        {
            self.settles = now + delay;
        }
    }
}

impl Storage for Slot {
    fn capacity(&self) -> Option<Capacity> {
        let medium = self.medium.as_ref()?;
        Some(Capacity {
            blocks: medium.blocks(),
            block_size: medium.block_size() as u32,
        })
    }

    fn read(&mut self, _now: Duration, block: u32, into: &mut [u8]) -> Result<(), StorageError> {
        let medium = self.medium.as_mut().ok_or(StorageError::Absent)?;
        medium.read(block.into(), into).map_err(failed)
    }

    fn write(&mut self, _now: Duration, block: u32, from: &[u8]) -> Result<(), StorageError> {
        self.written = true;
        let medium = self.medium.as_mut().ok_or(StorageError::Absent)?;
        medium.write(block.into(), from).map_err(failed)
    }

    fn flush(&mut self, _now: Duration) {
        if let Some(medium) = &mut self.medium {
            // The command has no answer of its own for a medium that fails here.
            let _ = medium.sync();
        }
    }

    fn is_protected(&self) -> bool {
        self.medium.as_ref().is_some_and(Medium::is_protected)
    }
}

fn failed(error: MediumError) -> StorageError {
    match error {
        MediumError::Outside(_) => StorageError::OutOfRange,
        _ => StorageError::Failed,
    }
}
