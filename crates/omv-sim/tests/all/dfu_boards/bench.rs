//! A camera on a port, and a host that sends one request at a time.

use std::time::Duration;

use omv_boards::{Board, State};
use omv_sim::dfu::{DfuCamera, Wish};
use omv_sim::{Hand, Port, Status};
use omv_wire::dfu::{Report, request};
use omv_wire::usb::{Setup, Urb, UrbStatus};

pub const MS: Duration = Duration::from_millis(1);

/// The boards there are virtual cameras of.
pub const BOARDS: [&str; 10] = [
    "OPENMV2",
    "OPENMV3",
    "OPENMV4",
    "OPENMV4P",
    "OPENMVPT",
    "OPENMV_N6",
    "OPENMV_AE3",
    "ARDUINO_PORTENTA_H7",
    "ARDUINO_GIGA",
    "ARDUINO_NICLA_VISION",
];

pub fn board(name: &str) -> &'static Board {
    omv_boards::by_name(name).unwrap()
}

/// A wish for a board in a state.
pub fn wish(name: &str, state: State) -> Wish {
    Wish {
        state,
        ..Wish::of(board(name))
    }
}

pub struct Bench {
    pub port: Port,
    ticket: u64,
}

/// How a request ended.
#[derive(Debug, PartialEq)]
pub enum Said {
    Bytes(Vec<u8>),
    Stall,
    Gone,
    Nothing,
}

impl Bench {
    pub fn new(camera: DfuCamera) -> Self {
        Self {
            port: Port::new(Box::new(camera)),
            ticket: 0,
        }
    }

    pub fn of(name: &str, state: State) -> Self {
        Self::new(wish(name, state).make().unwrap())
    }

    pub fn camera(&mut self) -> &mut DfuCamera {
        let camera = self.port.camera_mut().as_any();
        camera.downcast_mut().unwrap()
    }

    /// Lets time pass up to a moment.
    pub fn at(&mut self, millis: u64) -> Status {
        self.port.advance(Duration::from_millis(millis));
        self.port.camera().status()
    }

    pub fn pass(&mut self, time: Duration) -> Status {
        let until = self.port.now() + time;
        self.port.advance(until);
        self.port.camera().status()
    }

    pub fn state(&mut self) -> State {
        self.port.camera().status().state
    }

    pub fn hand(&mut self, hand: Hand) {
        let now = self.port.now();
        self.port.camera_mut().hand(now, hand);
    }

    /// Passes time in small steps until the camera is in a state; panics after a minute and a
    /// half.
    pub fn until(&mut self, state: State) {
        let end = self.port.now() + 90_000 * MS;
        while self.state() != state || self.port.camera_mut().face().is_none() {
            assert!(
                self.port.now() < end,
                "never in {state}: {:?}",
                self.port.camera().status()
            );
            self.pass(5 * MS);
        }
    }

    /// The id it shows, if any.
    pub fn id(&mut self) -> Option<(u16, u16)> {
        let device = self.port.camera_mut().face()?.device();
        Some((device.vendor, device.product))
    }

    /// Names of the DFU alternates.
    pub fn alternates(&mut self) -> Vec<String> {
        let face = self.port.camera_mut().face().unwrap();
        (4..).map_while(|index| face.string(index)).collect()
    }

    /// One control transfer, with this long for it.
    pub fn transfer(&mut self, setup: Setup, data: &[u8], limit: Duration) -> Said {
        self.ticket += 1;
        let ticket = self.ticket;
        let visit = self.port.camera().visit();
        self.port.take_done();
        self.port
            .submit(visit, ticket, Urb::control(setup, data.to_vec()));
        let end = self.port.now() + limit;
        loop {
            for (done, completion) in self.port.take_done() {
                if done == ticket {
                    return match completion.status {
                        UrbStatus::Ok => Said::Bytes(completion.data),
                        UrbStatus::Stall => Said::Stall,
                        _ => Said::Gone,
                    };
                }
            }
            if self.port.now() >= end {
                self.port.unlink(ticket);
                return Said::Nothing;
            }
            let next = self.port.next_event().unwrap_or(end).min(end);
            self.port.advance(next);
        }
    }

    /// A class request to interface 0.
    pub fn out(&mut self, request: u8, value: u16, data: &[u8]) -> Said {
        let setup = Setup {
            request_type: 0x21,
            request,
            value,
            index: 0,
            length: data.len() as u16,
        };
        self.transfer(setup, data, 20_000 * MS)
    }

    pub fn ask(&mut self, request: u8, value: u16, length: u16) -> Said {
        let setup = Setup {
            request_type: 0xA1,
            request,
            value,
            index: 0,
            length,
        };
        self.transfer(setup, &[], 20_000 * MS)
    }

    pub fn report(&mut self) -> Report {
        match self.ask(request::GETSTATUS, 0, 6) {
            Said::Bytes(bytes) => Report::decode(&bytes).unwrap(),
            other => panic!("GETSTATUS: {other:?}"),
        }
    }

    pub fn alternate(&mut self, number: u16) {
        let setup = Setup {
            request_type: 0x01,
            request: 0x0B,
            value: number,
            index: 0,
            length: 0,
        };
        assert_eq!(
            self.transfer(setup, &[], 1000 * MS),
            Said::Bytes(Vec::new())
        );
    }

    /// Writes one block as a host does; gives the status it ended with.
    pub fn write(&mut self, block: u16, data: &[u8]) -> Report {
        assert_eq!(
            self.out(request::DNLOAD, block, data),
            Said::Bytes(Vec::new())
        );
        self.report();
        self.report()
    }

    pub fn read(&mut self, block: u16, length: u16) -> Vec<u8> {
        match self.ask(request::UPLOAD, block, length) {
            Said::Bytes(bytes) => bytes,
            other => panic!("UPLOAD: {other:?}"),
        }
    }
}
