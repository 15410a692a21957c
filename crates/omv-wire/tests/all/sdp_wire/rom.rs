//! A small RT1062 under its ROM: 128 KiB of RAM and a rule for what can be started.

use omv_wire::sdp::{Camera, Options, Target};

pub const RAM: u32 = 0x2000_0000;
const SIZE: u32 = 0x2_0000;

/// What U-Boot says to a bad vector table: failure, invalid IVT, authenticate_image.
pub const BAD_IVT: u32 = 0x3305_0A00;
/// Failure, invalid address.
pub const BAD_ADDRESS: u32 = 0x3322_0000;

pub struct Chip {
    ram: Vec<u8>,
    pub dcd: Option<(u32, u32)>,
    pub register: Option<(u32, u8, u32)>,
}

impl Chip {
    pub fn new() -> Self {
        Self {
            ram: vec![0; SIZE as usize],
            dcd: None,
            register: None,
        }
    }

    pub fn peek(&self, address: u32, size: usize) -> &[u8] {
        let at = (address - RAM) as usize;
        &self.ram[at..at + size]
    }
}

impl Target for Chip {
    fn write(&mut self, address: u32, bytes: &[u8]) -> Result<(), u32> {
        let at = address.checked_sub(RAM).ok_or(BAD_ADDRESS)? as usize;
        let place = self.ram.get_mut(at..at + bytes.len());
        place.ok_or(BAD_ADDRESS)?.copy_from_slice(bytes);
        Ok(())
    }

    fn read(&mut self, address: u32, _format: u8, size: u32) -> Vec<u8> {
        let at = address.wrapping_sub(RAM) as usize;
        let bytes = self.ram.get(at..at.saturating_add(size as usize));
        bytes.unwrap_or_default().to_vec()
    }

    fn write_register(&mut self, address: u32, format: u8, value: u32) -> Result<(), u32> {
        self.register = Some((address, format, value));
        Ok(())
    }

    fn run_dcd(&mut self, address: u32, size: u32) -> Result<(), u32> {
        self.dcd = Some((address, size));
        Ok(())
    }

    fn jump(&mut self, address: u32) -> Result<(), u32> {
        let tag = self.read(address, 32, 4);
        match tag.as_slice() {
            [0xD1, 0x00, 0x20, 0x40..=0x43] => Ok(()),
            _ => Err(BAD_IVT),
        }
    }
}

pub fn rom(options: Options) -> Camera<Chip> {
    Camera::new(options, Chip::new())
}
