//! Joins a host and a camera in virtual time, over a wire that can be spoilt.

use std::collections::VecDeque;
use std::time::Duration;

use omv_wire::{Input, Machine, Turn};

/// Which way a frame travels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    ToCamera,
    ToHost,
}

/// What happens to a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    Lose,
    Double,
    /// Inverts bit `.1` of byte `.0`.
    Flip(usize, u8),
}

/// A wire between the two ends.
#[derive(Default)]
pub struct Pair {
    /// Which frame (from 0, counted per direction) suffers what.
    faults: Vec<(Way, usize, Fault)>,
    /// Makes the wire a stream that arrives in pieces of these sizes, over and over.
    pieces: Vec<usize>,
    /// The cable is pulled when this many inputs have reached the host.
    unplug_after: Option<usize>,
    /// Frames each side sent, before anything happened to them.
    pub to_camera: Vec<Vec<u8>>,
    pub to_host: Vec<Vec<u8>>,
    /// Virtual time.
    pub now: Duration,
    /// Inputs the host got.
    pub heard: usize,
    on_way: [VecDeque<Vec<u8>>; 2],
    next_piece: usize,
}

impl Pair {
    pub fn with_fault(way: Way, nth: usize, fault: Fault) -> Self {
        Self {
            faults: vec![(way, nth, fault)],
            ..Self::default()
        }
    }

    pub fn in_pieces(pieces: Vec<usize>) -> Self {
        Self {
            pieces,
            ..Self::default()
        }
    }

    pub fn unplugged_after(inputs: usize) -> Self {
        Self {
            unplug_after: Some(inputs),
            ..Self::default()
        }
    }

    fn send(&mut self, way: Way, mut frame: Vec<u8>) {
        let log = match way {
            Way::ToCamera => &mut self.to_camera,
            Way::ToHost => &mut self.to_host,
        };
        let nth = log.len();
        log.push(frame.clone());
        let queue = &mut self.on_way[way as usize];
        let fault = self
            .faults
            .iter()
            .find(|(w, n, _)| (*w, *n) == (way, nth))
            .map(|(_, _, fault)| *fault);
        match fault {
            Some(Fault::Lose) => return,
            Some(Fault::Double) => queue.push_back(frame.clone()),
            Some(Fault::Flip(byte, bit)) => {
                let byte = byte % frame.len();
                frame[byte] ^= 1 << bit;
            }
            None => {}
        }
        queue.push_back(frame);
    }

    fn take(&mut self, way: Way) -> Option<Vec<u8>> {
        let queue = &mut self.on_way[way as usize];
        if self.pieces.is_empty() {
            return queue.pop_front();
        }
        if queue.len() > 1 {
            let all = queue.drain(..).flatten().collect();
            queue.push_back(all);
        }
        let bytes = queue.front_mut()?;
        let size = self.pieces[self.next_piece % self.pieces.len()].clamp(1, bytes.len());
        self.next_piece += 1;
        let piece = bytes.drain(..size).collect();
        if bytes.is_empty() {
            queue.pop_front();
        }
        Some(piece)
    }

    /// Runs the host to its end. Also says how the camera left, if it did.
    pub fn run<H: Machine, C: Machine>(
        &mut self,
        host: &mut H,
        camera: &mut C,
    ) -> (H::Output, Option<C::Output>) {
        let mut left = None;
        for _ in 0..1_000_000 {
            let mut camera_until = Duration::MAX;
            while left.is_none() {
                match camera.poll(self.now) {
                    Turn::Send(frame) => self.send(Way::ToHost, frame),
                    Turn::Wait { until } => {
                        camera_until = until;
                        break;
                    }
                    Turn::Done(leave) => left = Some(leave),
                }
            }
            match host.poll(self.now) {
                Turn::Done(output) => return (output, left),
                Turn::Send(frame) => self.send(Way::ToCamera, frame),
                Turn::Wait { until } => self.wait(host, until, camera_until, left.is_some()),
            }
            if let Some(bytes) = self.take(Way::ToCamera)
                && left.is_none()
            {
                camera.feed(self.now, Input::Bytes(&bytes));
            }
        }
        panic!("the conversation has no end");
    }

    fn wait<H: Machine>(
        &mut self,
        host: &mut H,
        until: Duration,
        camera_until: Duration,
        left: bool,
    ) {
        let unplugged = self.unplug_after.is_some_and(|after| self.heard >= after);
        if unplugged {
            host.feed(self.now, Input::Gone);
        } else if let Some(bytes) = self.take(Way::ToHost) {
            host.feed(self.now, Input::Bytes(&bytes));
        } else if left {
            host.feed(self.now, Input::Gone);
        } else if self.on_way[Way::ToCamera as usize].is_empty() {
            self.now = self.now.max(until.min(camera_until));
            return;
        } else {
            return;
        }
        self.heard += 1;
    }
}
