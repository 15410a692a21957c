//! A camera's half of a protocol with the frames it has ready: what every personality is around.

use std::collections::VecDeque;
use std::time::Duration;

use omv_wire::{Input, Machine, Turn};

/// Frames kept ready for the host; more are made when these are taken, so that a long read costs
/// no memory.
const AHEAD: usize = 2;

/// Drives one machine as a USB device would: frames wait until the host asks for them.
pub struct Talker<M: Machine> {
    machine: M,
    ready: VecDeque<Vec<u8>>,
    wake: Duration,
    left: Option<M::Output>,
    /// How long it stays after the last frame was taken, and since when it does.
    linger: Duration,
    taken: Option<Duration>,
}

impl<M: Machine> Talker<M>
where
    M::Output: Copy,
{
    /// Starts the conversation.
    pub fn new(machine: M) -> Self {
        Self {
            machine,
            ready: VecDeque::new(),
            wake: Duration::MAX,
            left: None,
            linger: Duration::ZERO,
            taken: None,
        }
    }

    /// Stays for a while after the host has taken the last frame: what leaves at once takes that
    /// frame out of the hands of a host that is slow to look.
    pub fn lingering(self, linger: Duration) -> Self {
        Self { linger, ..self }
    }

    /// The machine.
    pub fn machine(&self) -> &M {
        &self.machine
    }

    /// Hands it what the host sent.
    pub fn feed(&mut self, now: Duration, bytes: &[u8]) {
        self.machine.feed(now, Input::Bytes(bytes));
        self.work(now);
    }

    /// The next frame for the host.
    pub fn take(&mut self, now: Duration) -> Option<Vec<u8>> {
        self.work(now);
        let frame = self.ready.pop_front()?;
        self.taken = Some(now);
        self.work(now);
        Some(frame)
    }

    /// How the conversation ended, once the host has taken the last frame and some time passed.
    pub fn left(&mut self, now: Duration) -> Option<M::Output> {
        self.work(now);
        let stays = self.taken.is_some_and(|taken| now < taken + self.linger);
        self.left.filter(|_| self.ready.is_empty() && !stays)
    }

    /// Whether it goes on.
    pub fn is_on(&self) -> bool {
        self.left.is_none()
    }

    /// When it has something to say by itself, or leaves.
    pub fn next(&self, now: Duration) -> Option<Duration> {
        let leaves = self.taken.map(|taken| taken + self.linger);
        let leaves = leaves.filter(|_| self.left.is_some() && self.ready.is_empty());
        let wakes = Some(self.wake).filter(|at| *at < Duration::MAX);
        let times = [leaves, wakes].into_iter().flatten();
        times.filter(|at| *at > now).min()
    }

    fn work(&mut self, now: Duration) {
        while self.left.is_none() && self.ready.len() < AHEAD {
            match self.machine.poll(now) {
                Turn::Send(frame) => self.ready.push_back(frame),
                Turn::Wait { until } => {
                    self.wake = until;
                    return;
                }
                Turn::Done(output) => self.left = Some(output),
            }
        }
    }
}
