//! Both ends joined by a wire on which time is a number.

use std::time::Duration;

use omv_wire::dfu::{self, Answer, Conversation, Failure, dfuse};
use omv_wire::usb::Setup;
use omv_wire::{Input, Machine, Turn};

/// A device as the wire sees it.
pub trait Device {
    fn ask(&mut self, now: Duration, setup: &Setup, data: &[u8]) -> Heard;
}

/// What a device does with a transfer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Heard {
    Answer(Answer),
    Gone,
}

impl<P: dfu::Partitions> Device for dfu::Camera<P> {
    fn ask(&mut self, now: Duration, setup: &Setup, data: &[u8]) -> Heard {
        Heard::Answer(self.request(now, setup, data).0)
    }
}

impl<M: dfuse::Memory> Device for dfuse::Camera<M> {
    fn ask(&mut self, now: Duration, setup: &Setup, data: &[u8]) -> Heard {
        Heard::Answer(self.request(now, setup, data).0)
    }
}

/// A wire, its clock, and what went over it: `bmRequestType`, `bRequest`, `wValue`, `wLength`.
pub struct Wire<D> {
    pub device: D,
    pub now: Duration,
    pub log: Vec<(u8, u8, u16, u16)>,
}

/// Transfers and waits of one conversation, at most.
const STEPS: usize = 1_000_000;

impl<D: Device> Wire<D> {
    pub fn new(device: D) -> Self {
        Self {
            device,
            now: Duration::ZERO,
            log: Vec::new(),
        }
    }

    pub fn drive<T>(&mut self, mut host: Conversation<T>) -> Result<T, Failure> {
        let mut flying: Option<(Setup, Vec<u8>)> = None;
        for _ in 0..STEPS {
            match host.poll(self.now) {
                Turn::Send(frame) => {
                    let (setup, data) = frame.split_at(Setup::LEN);
                    let setup = Setup::decode(setup).unwrap();
                    let (kind, request) = (setup.request_type, setup.request);
                    self.log.push((kind, request, setup.value, setup.length));
                    flying = Some((setup, data.to_vec()));
                }
                Turn::Wait { until } => {
                    assert!(until < Duration::MAX, "a wait without an end");
                    let Some((setup, data)) = &flying else {
                        self.now = self.now.max(until);
                        continue;
                    };
                    match self.device.ask(self.now, setup, data) {
                        Heard::Answer(Answer::Later { until: free }) => {
                            self.now = self.now.max(until.min(free));
                            continue;
                        }
                        Heard::Answer(Answer::Stall) => host.feed(self.now, Input::Stall),
                        Heard::Answer(Answer::Data(bytes)) => {
                            host.feed(self.now, Input::Bytes(&bytes));
                        }
                        Heard::Gone => host.feed(self.now, Input::Gone),
                    }
                    flying = None;
                }
                Turn::Done(result) => return result,
            }
        }
        panic!("the conversation has no end, now {:?}", self.now);
    }

    /// Takes what was logged so far.
    pub fn logged(&mut self) -> Vec<(u8, u8, u16, u16)> {
        std::mem::take(&mut self.log)
    }
}
