//! The serial download protocol of the chip's ROM: codec, our side, and the ROM's.
//!
//! The first byte sets the stage: bit 0 is the wire (clear: HID, set: UART), the others choose
//! the request of the host, or the options of the ROM. A [`script`](crate::script) follows.

use omv_wire::sdp::hab::Event;
use omv_wire::sdp::hid::Report;
use omv_wire::sdp::{Camera, Command, Exchange, Format, Options, Request, Setup, Target, Wire};

use crate::script::{Limits, Script, Stage};

const LIMITS: Limits = Limits {
    frames: 256,
    frame: 1100,
};
const START: u32 = 0x2000_1C00;

/// Command blocks, reports and status words.
pub fn codec(bytes: &[u8]) {
    if let Ok(command) = Command::decode(bytes) {
        assert_eq!(Command::decode(&command.encode()), Ok(command));
    }
    if let Some(word) = bytes.first_chunk() {
        let word = u32::from_be_bytes(*word);
        let event = Event::new(word);
        assert_eq!(event.word(), word);
        let _ = (
            event.status_text(),
            event.reason_text(),
            event.context_text(),
        );
    }
    let _ = Report::decode(bytes);
}

/// One request to a ROM that says anything.
pub fn host(bytes: &[u8]) {
    let Some((&choice, script)) = bytes.split_first() else {
        return;
    };
    let wire = if choice & 1 == 0 {
        Wire::HID
    } else {
        Wire::Uart
    };
    let address = START;
    let data = || vec![0xC3; 3000].into();
    let request = match choice >> 1 & 7 {
        0 => Request::ErrorStatus,
        1 => Request::ReadRegister {
            address,
            format: Format::Word,
            count: 300,
        },
        2 => Request::WriteRegister {
            address,
            format: Format::Byte,
            value: 1,
        },
        3 => Request::WriteFile {
            address,
            data: data(),
        },
        4 => Request::DcdWrite {
            address,
            data: data(),
        },
        5 => Request::SkipDcd,
        6 => Request::JumpAddress { address },
        _ => Request::SetBaudrate { baud: 115_200 },
    };
    let mut stage = Stage::new(Exchange::new(Setup::new(wire), request), LIMITS);
    stage.play(Script::new(script));
    stage.must_end();
}

/// A ROM to which a host says anything.
pub fn camera(bytes: &[u8]) {
    let Some((&choice, script)) = bytes.split_first() else {
        return;
    };
    let options = Options {
        uart: choice & 1 != 0,
        locked: choice & 2 != 0,
        done_swapped: choice & 4 == 0,
        ..Options::default()
    };
    // Four gigabytes may be asked for: they are read a report at a time, by whoever wants them.
    let mut stage = Stage::new(Camera::new(options, Ram), LIMITS).patient();
    stage.play(Script::new(script));
}

/// Memory that takes everything and holds zeros.
struct Ram;

impl Target for Ram {
    fn write(&mut self, _address: u32, _bytes: &[u8]) -> Result<(), u32> {
        Ok(())
    }

    fn read(&mut self, _address: u32, _format: u8, size: u32) -> Vec<u8> {
        assert!(size <= 64, "{size} bytes at once");
        vec![0; size as usize]
    }

    fn write_register(&mut self, address: u32, _format: u8, _value: u32) -> Result<(), u32> {
        if address & 3 == 0 {
            Ok(())
        } else {
            Err(0x3318_C000)
        }
    }

    fn run_dcd(&mut self, _address: u32, _size: u32) -> Result<(), u32> {
        Ok(())
    }

    fn jump(&mut self, address: u32) -> Result<(), u32> {
        if address == START {
            Ok(())
        } else {
            Err(0x3318_C000)
        }
    }
}
