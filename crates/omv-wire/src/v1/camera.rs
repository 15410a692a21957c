//! The camera's side of protocol v1, on each of the three stacks it came with.
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
use super::desk::{Desk, Idle};
use crate::machine::{Input, Machine, Turn};
use crate::v2::Leave;

/// Silence in a data phase after which firmware 4.8 abandons it.
const PHASE_TIMEOUT: Duration = Duration::from_millis(1000);
/// Largest answer to `GET_STATE`.
const STATE_LIMIT: u32 = 512;
/// Where its text begins.
const STATE_TEXT: usize = 16;
/// Most bytes of a data phase that are kept: a script's.
const PHASE_LIMIT: usize = 1 << 20;
/// Most bytes of one answer: a frame's.
const ANSWER_LIMIT: u32 = 1 << 22;
/// Most bytes handed out at once; a picture takes several.
const FRAME: usize = 0x4000;
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
    /// Whether a script, such as `main.py`, counts as running on a camera without an interpreter.
    pub running: bool,
}

/// A running camera. Without a [`Desk`] of its own it takes a script and nothing comes of it.
#[derive(Clone, Debug)]
pub struct Camera<D = Idle> {
    personality: Personality,
    desk: D,
    /// Bytes of an unfinished header.
    header: Vec<u8>,
    /// Bytes of a data phase still to come from the host, what it is for, and what came of it.
    phase: u32,
    opcode: Opcode,
    payload: Vec<u8>,
    progress: Duration,
    hung: bool,
    left: Option<Leave>,
    out: VecDeque<Vec<u8>>,
}

impl Camera<Idle> {
    /// A camera without an interpreter that was just switched on.
    #[must_use]
    pub fn new(personality: Personality) -> Self {
        let desk = Idle {
            running: personality.running,
            sensor: personality.sensor,
        };
        Self::with(personality, desk)
    }
}

impl<D: Desk> Camera<D> {
    /// A camera that was just switched on, with what stands behind its commands.
    #[must_use]
    pub fn with(personality: Personality, desk: D) -> Self {
        Self {
            personality,
            desk,
            header: Vec::new(),
            phase: 0,
            opcode: Opcode::SCRIPT_STOP,
            payload: Vec::new(),
            progress: Duration::ZERO,
            hung: false,
            left: None,
            out: VecDeque::new(),
        }
    }

    /// What stands behind its commands.
    pub fn desk_mut(&mut self) -> &mut D {
        &mut self.desk
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
        if self.phase > 0 {
            self.take_payload(packet);
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
                self.take_payload(taken);
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

    /// A piece of a data phase; the last one carries the command out.
    fn take_payload(&mut self, bytes: &[u8]) {
        let room = PHASE_LIMIT.saturating_sub(self.payload.len());
        self.payload.extend(bytes.iter().take(room));
        let length = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
        self.phase = self.phase.saturating_sub(length);
        if self.phase > 0 {
            return;
        }
        let payload = std::mem::take(&mut self.payload);
        match self.opcode {
            Opcode::SCRIPT_EXEC => self.desk.execute(&payload),
            Opcode::FB_ENABLE => {
                let on = payload.iter().any(|byte| *byte != 0);
                self.desk.enable(on);
            }
            _ => {}
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
            Opcode::SCRIPT_STOP => self.desk.stop(),
            _ => {}
        }
        if opcode.is_answered() {
            if known && length > 0 {
                let answer = self.answer(opcode, length);
                self.out.extend(answer.chunks(FRAME).map(<[u8]>::to_vec));
            }
            return;
        }
        // Up to 4.7.0 what nobody reads stays in the FIFO and is taken for the next header.
        // So does a script for a camera that already runs one.
        let read = known && !(opcode == Opcode::SCRIPT_EXEC && self.desk.is_running());
        if read || self.personality.stack != Stack::StreamFatal {
            self.phase = length;
            self.payload.clear();
            // What nobody reads is taken in and dropped.
            self.opcode = if read { opcode } else { Opcode::TX_INPUT };
        }
    }

    fn answer(&mut self, opcode: Opcode, length: u32) -> Vec<u8> {
        let firmware = self.personality.firmware;
        match opcode {
            Opcode::FW_VERSION => encode_version(firmware).to_vec(),
            Opcode::ARCH_STR => self.personality.arch.encode().to_vec(),
            Opcode::SCRIPT_RUNNING => {
                let running = u32::from(self.desk.is_running());
                self.desk.asked_running();
                running.to_le_bytes().to_vec()
            }
            Opcode::TX_BUF_LEN => self.desk.text_size().to_le_bytes().to_vec(),
            Opcode::TX_BUF => self.desk.text(length),
            Opcode::SENSOR_ID => {
                let sensor = self.desk.sensor().unwrap_or(NO_SENSOR);
                sensor.to_le_bytes().to_vec()
            }
            Opcode::FRAME_SIZE => {
                let sizes = self.desk.take_frame().unwrap_or_default();
                sizes.iter().flat_map(|word| word.to_le_bytes()).collect()
            }
            Opcode::FRAME_DUMP => {
                let mut bytes = self.desk.frame();
                // What is asked for beyond the frame is whatever lies behind it.
                bytes.resize(length.min(ANSWER_LIMIT) as usize, 0);
                self.desk.release_frame();
                bytes
            }
            Opcode::PROFILE_SIZE => vec![0; 12],
            Opcode::GET_STATE => {
                let fixed = firmware <= [4, 6, 0];
                self.state(if fixed { 64 } else { length.min(STATE_LIMIT) } as usize)
            }
            _ => Vec::new(),
        }
    }

    /// `flags u32 | width u32 | height u32 | size u32 | text, ends with 0`.
    fn state(&mut self, size: usize) -> Vec<u8> {
        let frame = self.desk.take_frame();
        let running = self.desk.is_running();
        let flags = u32::from(running)
            | u32::from(self.desk.text_size() > 0) << 1
            | u32::from(frame.is_some()) << 2;
        let words = [flags].into_iter().chain(frame.unwrap_or_default());
        let mut state: Vec<u8> = words.flat_map(u32::to_le_bytes).collect();
        let room = size.saturating_sub(STATE_TEXT + 1);
        state.extend(self.desk.text(u32::try_from(room).unwrap_or(0)));
        state.resize(size, 0);
        state
    }
}

impl<D: Desk> Machine for Camera<D> {
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
