//! Their side: a loader's command loop over HID or UART.
//!
//! ```text
//!           command                     last byte, stop, error
//!   Idle ------------> Writing / Reading ---------------------> Idle
//! ```
//!
//! Source: answers observed by executing both loaders shipped on every RT1062, over HID; the
//! order of acknowledgements after nxp-mcuxpresso/sbl component/mcu_isp.

use std::time::Duration;

use super::codec::{Command, Response, tag};
use super::port::{COMMAND, Next, Port, Quirks, Told};
use super::{Outcome, Target, Wire, property, status};
use crate::{Input, Machine, Turn};

/// Silence of a host after which a leaving camera does not wait for an acknowledgement.
const GOODBYE: Duration = Duration::from_millis(100);

/// The part of a property's word that is looked at.
const PROPERTY: u32 = 0xFF;

/// How a camera leaves the bus.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Leave {
    /// The chip restarts.
    Reset,
    /// The chip runs something else.
    Execute {
        /// Where it starts.
        address: u32,
        /// What r0 holds.
        argument: u32,
        /// The stack pointer; 0 leaves it alone.
        stack: u32,
    },
}

#[derive(Clone, Copy)]
enum Phase {
    Idle,
    Writing { tag: u8, at: u32, left: u32 },
    Refusing { tag: u8, status: u32 },
    Reading { tag: u8, at: u32, left: u32 },
}

/// A loader that serves one host.
///
/// Its conversation is over when it leaves the bus; waits without a known end are
/// [`Duration::MAX`].
pub struct Camera<T> {
    target: T,
    port: Port,
    phase: Phase,
    busy: Duration,
    held: Option<Told>,
    leaving: Option<(Leave, Duration)>,
}

impl<T: Target> Camera<T> {
    /// A loader with the packet size of the RT1062.
    pub fn new(wire: Wire, target: T) -> Self {
        Self::with_quirks(wire, wire.packet(), Quirks::default(), target)
    }

    /// A loader of another build.
    pub fn with_quirks(wire: Wire, packet: usize, quirks: Quirks, target: T) -> Self {
        Self {
            target,
            port: Port::new(wire, packet.clamp(COMMAND, u16::MAX.into()), quirks),
            phase: Phase::Idle,
            busy: Duration::ZERO,
            held: None,
            leaving: None,
        }
    }

    /// What the loader stands on.
    pub fn target(&self) -> &T {
        &self.target
    }

    /// What the loader stands on, to be changed behind its back.
    pub fn target_mut(&mut self) -> &mut T {
        &mut self.target
    }

    /// Gives back what the loader stood on.
    pub fn into_target(self) -> T {
        self.target
    }

    /// When the device listens again; reports that come before are late, not lost.
    pub fn busy_until(&self) -> Duration {
        self.busy
    }

    fn spend(&mut self, now: Duration, outcome: Outcome) -> u32 {
        self.busy = self.busy.max(now).saturating_add(outcome.takes);
        outcome.status
    }

    fn generic(&mut self, status: u32, tag: u8) {
        self.port
            .respond(self.busy, &Response::generic(status, tag));
    }

    fn on_told(&mut self, now: Duration, told: Told) {
        self.busy = self.busy.max(now);
        let mark = self.port.mark();
        match (told, self.phase) {
            (Told::Ping, _) => {
                self.phase = Phase::Idle;
                self.held = None;
                self.port.greet();
            }
            (Told::Stop, Phase::Reading { tag, .. }) => {
                self.phase = Phase::Idle;
                self.generic(status::ABORT_DATA_PHASE, tag);
            }
            (Told::Stop, _) => {}
            // The device reads again only when its data are gone; one packet fits its buffer.
            (told, Phase::Reading { .. }) => self.held = self.held.take().or(Some(told)),
            (Told::Command(payload), Phase::Idle) => {
                self.on_command(now, &payload);
                self.port.acknowledge(mark, now, self.busy);
            }
            // The early command is lost.
            (
                Told::Command(_) | Told::Wrong,
                Phase::Writing { tag, .. } | Phase::Refusing { tag, .. },
            ) => {
                self.phase = Phase::Idle;
                self.port.stop(self.busy);
                let outcome = self.target.end_write();
                self.spend(now, outcome);
                self.generic(status::FAIL, tag);
            }
            (Told::Data(_) | Told::Wrong, Phase::Idle) => {}
            (Told::Data(_), Phase::Refusing { tag, status }) => {
                self.phase = Phase::Idle;
                self.port.stop(self.busy);
                self.generic(status, tag);
            }
            (Told::Data(bytes), Phase::Writing { tag, at, left }) => {
                self.on_data(now, (tag, at, left), &bytes);
            }
        }
    }

    fn on_data(&mut self, now: Duration, (tag, at, left): (u8, u32, u32), bytes: &[u8]) {
        let mark = self.port.mark();
        let wanted = usize::try_from(left).unwrap_or(usize::MAX);
        let bytes = bytes.get(..wanted).unwrap_or(bytes);
        let size = u32::try_from(bytes.len()).unwrap_or(left);
        let left = left - size.min(left);
        let (status, over) = if bytes.is_empty() {
            (status::ABORT_DATA_PHASE, true)
        } else {
            let outcome = match tag {
                tag::RECEIVE_SB_FILE => self.target.sb_file(bytes),
                _ => self.target.write(at, bytes),
            };
            let status = self.spend(now, outcome);
            (status, status != status::SUCCESS || left == 0)
        };
        if !over {
            let at = at.wrapping_add(size);
            self.phase = Phase::Writing { tag, at, left };
            self.port.acknowledge(mark, now, self.busy);
            return;
        }
        self.phase = Phase::Idle;
        // What came is finished even if no more will; a failure before that stays the answer.
        let outcome = self.target.end_write();
        let finished = self.spend(now, outcome);
        // A host that has sent its last packet, or given up, needs no telling to stop.
        if left > 0 && !bytes.is_empty() {
            self.port.stop(self.busy);
        } else {
            self.port.acknowledge(mark, now, self.busy);
        }
        let failed = status != status::SUCCESS;
        self.generic(if failed { status } else { finished }, tag);
    }

    fn on_command(&mut self, now: Duration, payload: &[u8]) {
        // Nothing at all is not even an unknown command.
        if payload.is_empty() {
            return;
        }
        let mut buffer = [0; COMMAND];
        for (to, from) in buffer.iter_mut().zip(payload) {
            *to = *from;
        }
        // The count is not looked at: a command takes as many words as it needs.
        let [_, _, _, count, ..] = &mut buffer;
        *count = 7;
        let Ok(command) = Command::decode(&buffer) else {
            return;
        };
        let (first, second, third) = (command.word(0), command.word(1), command.word(2));
        let target = &mut self.target;
        let outcome = match command.tag() {
            tag::GET_PROPERTY => return self.get_property(first & PROPERTY, second),
            tag::READ_MEMORY => return self.read_memory(first, second, third),
            tag::WRITE_MEMORY => return self.write_memory(now, first, second, third),
            tag::FLASH_READ_ONCE => {
                let answer = target.read_fuse(first, second);
                let answer = answer.as_deref().map_err(|status| *status);
                let response = Response::flash_read_once(answer);
                return self.port.respond(self.busy, &response);
            }
            tag::RECEIVE_SB_FILE if target.begin_sb_file() => {
                self.generic(status::SUCCESS, command.tag());
                return self.begin_data(now, command.tag(), 0, first);
            }
            tag::FLASH_ERASE_ALL => target.erase_all(first),
            tag::FLASH_ERASE_REGION => target.erase(first, second, third),
            tag::FILL_MEMORY => target.fill(first, second, third),
            tag::SET_PROPERTY => Outcome::now(target.set_property(first & PROPERTY, second)),
            tag::CONFIGURE_MEMORY => target.configure(first, second),
            tag::FLASH_PROGRAM_ONCE => {
                let words = command.words().get(2..).unwrap_or_default();
                target.program_fuse(first, second, words)
            }
            tag::CALL => target.call(first, second),
            tag::EXECUTE => {
                let status = target.execute(first, second, third);
                if status == status::SUCCESS {
                    let leave = Leave::Execute {
                        address: first,
                        argument: second,
                        stack: third,
                    };
                    self.leaving = Some((leave, self.busy + GOODBYE));
                }
                Outcome::now(status)
            }
            tag::RESET => {
                self.leaving = Some((Leave::Reset, self.busy + GOODBYE));
                if !self.port.quirks.answers_reset {
                    return;
                }
                Outcome::now(status::SUCCESS)
            }
            other => target.other(other, command.words()),
        };
        let status = self.spend(now, outcome);
        self.generic(status, command.tag());
    }

    fn get_property(&mut self, tag: u32, index: u32) {
        let answer = if tag == property::MAX_PACKET_SIZE {
            Ok(vec![u32::try_from(self.port.packet()).unwrap_or(u32::MAX)])
        } else {
            self.target.get_property(tag, index)
        };
        let answer = answer.as_deref().map_err(|status| *status);
        self.port
            .respond(self.busy, &Response::get_property(answer));
    }

    fn read_memory(&mut self, start: u32, size: u32, memory: u32) {
        let allowed = self.target.begin_read(start, size, memory);
        // The length is announced before anything is looked at, so the status is 0 always.
        let response = Response::read_memory(status::SUCCESS, size);
        self.port.respond(self.busy, &response);
        match allowed {
            Err(status) => {
                self.port.data(self.busy, &[]);
                self.generic(status, tag::READ_MEMORY);
            }
            Ok(()) if size == 0 => self.generic(status::SUCCESS, tag::READ_MEMORY),
            Ok(()) => {
                self.phase = Phase::Reading {
                    tag: tag::READ_MEMORY,
                    at: start,
                    left: size,
                };
            }
        }
    }

    fn write_memory(&mut self, now: Duration, start: u32, size: u32, memory: u32) {
        let tag = tag::WRITE_MEMORY;
        self.generic(status::SUCCESS, tag);
        match self.target.begin_write(start, size, memory) {
            Err(status) => {
                let waits = self.port.wire() == Wire::Uart && !self.port.quirks.stops_at_once;
                if waits && size > 0 {
                    self.phase = Phase::Refusing { tag, status };
                    return;
                }
                if !waits {
                    self.port.stop(self.busy);
                }
                self.generic(status, tag);
            }
            Ok(()) => self.begin_data(now, tag, start, size),
        }
    }

    /// Takes data from here on, if there are any.
    fn begin_data(&mut self, now: Duration, tag: u8, at: u32, left: u32) {
        if left > 0 {
            self.phase = Phase::Writing { tag, at, left };
            return;
        }
        let outcome = self.target.end_write();
        let status = self.spend(now, outcome);
        self.generic(status, tag);
    }

    /// Says the next packet of a read, made only now: a read may be larger than memory here.
    fn read_on(&mut self, tag: u8, at: u32, left: u32) {
        let size = left.min(u32::try_from(self.port.packet()).unwrap_or(left));
        let wanted = usize::try_from(size).unwrap_or(usize::MAX);
        let status = match self.target.read(at, size) {
            Ok(bytes) if bytes.len() == wanted => {
                self.port.data(self.busy, &bytes);
                let (at, left) = (at.wrapping_add(size), left - size);
                if left > 0 {
                    self.phase = Phase::Reading { tag, at, left };
                    return;
                }
                status::SUCCESS
            }
            Ok(_) => status::MEMORY_READ_FAILED,
            Err(status) => status,
        };
        self.phase = Phase::Idle;
        if status != status::SUCCESS {
            self.port.data(self.busy, &[]);
        }
        self.generic(status, tag);
    }
}

impl<T: Target> Machine for Camera<T> {
    type Output = Leave;

    fn feed(&mut self, now: Duration, input: Input<'_>) {
        let Input::Bytes(bytes) = input else {
            return;
        };
        for told in self.port.feed(now, bytes) {
            if self.leaving.is_none() && !self.port.is_full() {
                self.on_told(now, told);
            }
        }
    }

    fn poll(&mut self, now: Duration) -> Turn<Leave> {
        loop {
            match (self.port.next(now), self.leaving) {
                (Next::Send(frame), _) => return Turn::Send(frame),
                (Next::Later(until), _) => return Turn::Wait { until },
                (Next::Unacknowledged, Some((_, until))) if now < until => {
                    return Turn::Wait { until };
                }
                (_, Some((leave, _))) => return Turn::Done(leave),
                (Next::Unacknowledged, None) => break,
                (Next::Free, None) => {}
            }
            if let Phase::Reading { tag, at, left } = self.phase {
                self.read_on(tag, at, left);
            } else if let Some(told) = self.held.take() {
                self.on_told(now, told);
            } else {
                break;
            }
        }
        Turn::Wait {
            until: Duration::MAX,
        }
    }
}
