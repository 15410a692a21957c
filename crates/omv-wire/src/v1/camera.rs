//! The camera's side of protocol v1: an idle camera on each of the three stacks it came with.
//!
//! ```text
//!            six bytes, 30 first            bit 7 set: answer
//!   HEADER ------------------------> opcode ------------------> HEADER
//!     |                                | clear and length > 0
//!     | not 30: by stack               +---> PAYLOAD --- all consumed ---> HEADER
//!     +---> hung, ignored, dropped
//! ```
//!
//! Sources: openmv/openmv `common/usbdbg.c`, `common/tinyusb_debug.c`; openmv/micropython
//! `ports/stm32/usbd_cdc_interface.c`.

use std::collections::VecDeque;
use std::time::Duration;

use super::codec::{Arch, Command, HEADER_SIZE, Opcode, encode_version};
use crate::machine::{Input, Machine, Turn};
use crate::v2::Leave;

/// Silence in a data phase after which firmware 4.8 abandons it.
const PHASE_TIMEOUT: Duration = Duration::from_millis(1000);
/// Largest answer to `GET_STATE`.
const STATE_LIMIT: u32 = 512;
/// `SENSOR_ID` of a camera without a sensor.
const NO_SENSOR: u32 = 0xFF;

/// How the camera's USB stack hands commands on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stack {
    /// ST's: packet by packet, a header alone in its packet. The number is the endpoint's size.
    Packets(usize),
    /// TinyUSB up to firmware 4.7.0: a stream, and a header that does not begin with 0x30 is
    /// the end.
    StreamFatal,
    /// TinyUSB of firmware 4.8: a stream, bad groups of six bytes are skipped, a data phase
    /// without progress is abandoned.
    StreamForgiving,
}

/// What tells one camera from another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Personality {
    /// How it listens.
    pub stack: Stack,
    /// Its firmware; decides which commands it knows.
    pub firmware: [u8; 3],
    /// What it answers to `ARCH_STR`.
    pub arch: Arch,
    /// What it answers to `SENSOR_ID`; `None` without a sensor.
    pub sensor: Option<u32>,
    /// Whether a script, such as `main.py`, counts as running.
    pub running: bool,
}

/// A running camera without an interpreter: it takes a script and nothing comes of it.
#[derive(Clone, Debug)]
pub struct Camera {
    personality: Personality,
    /// Bytes of an unfinished header.
    header: Vec<u8>,
    /// Bytes of a data phase still to come from the host.
    phase: u32,
    progress: Duration,
    hung: bool,
    left: Option<Leave>,
    out: VecDeque<Vec<u8>>,
}

impl Camera {
    /// A camera that was just switched on.
    #[must_use]
    pub fn new(personality: Personality) -> Self {
        Self {
            personality,
            header: Vec::new(),
            phase: 0,
            progress: Duration::ZERO,
            hung: false,
            left: None,
            out: VecDeque::new(),
        }
    }

    /// Whether it was sent something that its firmware does not survive. Nothing but cutting
    /// its power helps.
    #[must_use]
    pub const fn is_hung(&self) -> bool {
        self.hung
    }

    /// Whether it waits for the rest of a data phase.
    #[must_use]
    pub const fn is_in_phase(&self) -> bool {
        self.phase > 0
    }

    fn take_packet(&mut self, packet: &[u8]) {
        let length = u32::try_from(packet.len()).unwrap_or(u32::MAX);
        if self.phase > 0 {
            self.phase = self.phase.saturating_sub(length);
        } else if let Some(header) = packet.first_chunk::<HEADER_SIZE>()
            && let Ok(command) = Command::decode(*header)
        {
            self.obey(command);
        }
    }

    fn take_stream(&mut self, now: Duration, mut bytes: &[u8]) {
        let forgiving = self.personality.stack == Stack::StreamForgiving;
        if forgiving && self.phase > 0 && now.saturating_sub(self.progress) >= PHASE_TIMEOUT {
            self.phase = 0;
        }
        while !bytes.is_empty() && !self.hung && self.left.is_none() {
            self.progress = now;
            let take = match self.phase {
                0 => HEADER_SIZE - self.header.len(),
                phase => usize::try_from(phase).unwrap_or(usize::MAX),
            };
            let (taken, rest) = bytes.split_at(take.min(bytes.len()));
            bytes = rest;
            if self.phase > 0 {
                self.phase -= u32::try_from(taken.len()).unwrap_or(self.phase);
                continue;
            }
            self.header.extend_from_slice(taken);
            if let Some(header) = self.header.first_chunk::<HEADER_SIZE>().copied() {
                self.header.clear();
                match Command::decode(header) {
                    Ok(command) => self.obey(command),
                    Err(_) => self.hung = !forgiving,
                }
            }
        }
    }

    fn knows(&self, opcode: Opcode) -> bool {
        let firmware = self.personality.firmware;
        match opcode {
            Opcode::FW_VERSION
            | Opcode::FRAME_SIZE
            | Opcode::FRAME_DUMP
            | Opcode::SCRIPT_EXEC
            | Opcode::SCRIPT_STOP
            | Opcode::SCRIPT_RUNNING
            | Opcode::SYS_RESET
            | Opcode::FB_ENABLE
            | Opcode::TX_BUF_LEN
            | Opcode::TX_BUF => true,
            Opcode::ARCH_STR => firmware >= [1, 7, 0],
            Opcode::SENSOR_ID => firmware >= [3, 5, 3],
            Opcode::SYS_RESET_TO_BL => firmware >= [3, 8, 0],
            Opcode::SET_TIME => (4, 3) <= (firmware[0], firmware[1]) && firmware < [4, 8, 0],
            Opcode::GET_STATE => firmware >= [4, 5, 6],
            Opcode::TEMPLATE_SAVE | Opcode::DESCRIPTOR_SAVE | Opcode::ATTR_WRITE => {
                firmware < [4, 8, 0]
            }
            Opcode::PROFILE_SIZE
            | Opcode::PROFILE_DUMP
            | Opcode::PROFILE_MODE
            | Opcode::PROFILE_EVENT
            | Opcode::PROFILE_RESET => firmware >= [4, 8, 0],
            _ => false,
        }
    }

    fn obey(&mut self, command: Command) {
        let Command { opcode, length } = command;
        let known = self.knows(opcode);
        match opcode {
            Opcode::SYS_RESET => self.left = Some(Leave::Reset),
            Opcode::SYS_RESET_TO_BL if known => self.left = Some(Leave::Bootloader),
            Opcode::SCRIPT_STOP => self.personality.running = false,
            _ => {}
        }
        if opcode.is_answered() {
            if known && length > 0 {
                let answer = self.answer(opcode, length);
                self.out.extend((!answer.is_empty()).then_some(answer));
            }
            return;
        }
        // Up to 4.7.0 what nobody reads stays in the FIFO and is taken for the next header.
        // So does a script for a camera that already runs one.
        let read = known && !(opcode == Opcode::SCRIPT_EXEC && self.personality.running);
        if read || self.personality.stack != Stack::StreamFatal {
            self.phase = length;
        }
    }

    /// The answer of a camera that has no frame and no text.
    fn answer(&self, opcode: Opcode, length: u32) -> Vec<u8> {
        let personality = &self.personality;
        match opcode {
            Opcode::FW_VERSION => encode_version(personality.firmware).to_vec(),
            Opcode::ARCH_STR => personality.arch.encode().to_vec(),
            Opcode::SCRIPT_RUNNING => u32::from(personality.running).to_le_bytes().to_vec(),
            Opcode::TX_BUF_LEN => vec![0; 4],
            Opcode::SENSOR_ID => personality
                .sensor
                .unwrap_or(NO_SENSOR)
                .to_le_bytes()
                .to_vec(),
            Opcode::FRAME_SIZE | Opcode::PROFILE_SIZE => vec![0; 12],
            Opcode::GET_STATE => {
                let fixed = personality.firmware <= [4, 6, 0];
                let size = if fixed { 64 } else { length.min(STATE_LIMIT) };
                let mut state = vec![0; size as usize];
                if let Some(flags) = state.first_mut() {
                    *flags = u8::from(personality.running);
                }
                state
            }
            _ => Vec::new(),
        }
    }
}

impl Machine for Camera {
    type Output = Leave;

    /// One call is one write of the host, which ST's stack sees as packets of its own.
    fn feed(&mut self, now: Duration, input: Input<'_>) {
        let Input::Bytes(bytes) = input else {
            return;
        };
        match self.personality.stack {
            Stack::Packets(size) => {
                for packet in bytes.chunks(size.max(HEADER_SIZE)) {
                    if self.left.is_none() {
                        self.take_packet(packet);
                    }
                }
            }
            Stack::StreamFatal | Stack::StreamForgiving => self.take_stream(now, bytes),
        }
    }

    fn poll(&mut self, _now: Duration) -> Turn<Leave> {
        match (self.out.pop_front(), self.left) {
            (Some(bytes), _) => Turn::Send(bytes),
            (None, Some(leave)) => Turn::Done(leave),
            (None, None) => Turn::Wait {
                until: Duration::MAX,
            },
        }
    }
}
