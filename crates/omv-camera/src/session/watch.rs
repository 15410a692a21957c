//! Consumers of what a camera tells: each with its own bounded queue.
//!
//! ```text
//!                        +--> inbox of a page     frames: only the latest
//!  worker --Hub::tell----+--> inbox of a recorder frames: all, up to a bound
//!   never waits          +--> inbox of a console  no frames
//! ```

use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use super::mailbox::Mailbox;
use super::notice::{Dropped, Notice};

/// Notices other than text and frames a consumer may leave lying.
const OTHERS: usize = 1024;

/// Which frames a consumer wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Frames {
    /// None.
    None,
    /// The latest: one that was not taken gives way to the next, and is counted.
    Latest,
    /// All, as long as no more than this many bytes lie waiting; beyond, the new ones are left
    /// out and counted. For recorders.
    All {
        /// Bytes of frames.
        bytes: usize,
    },
}

/// What a consumer wants to hear, and how much may wait for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Appetite {
    /// Which frames.
    pub frames: Frames,
    /// Bytes of text that may lie waiting; beyond, the oldest is dropped and counted. 0: no text.
    pub text: usize,
}

impl Default for Appetite {
    /// The latest frame, 1 MiB of text.
    fn default() -> Self {
        Self {
            frames: Frames::Latest,
            text: 1 << 20,
        }
    }
}

/// A consumer of one session's notices; see [`Session::watch`](super::Session::watch).
///
/// Notices come in the order they happened. Dropping it ends the subscription; it keeps no
/// session open.
pub struct Watch {
    inbox: Arc<Inbox>,
    mailbox: Arc<Mailbox>,
}

impl Watch {
    /// The next notice, if one comes within `limit` on the camera's clock. In virtual time that
    /// clock only runs while somebody waits here or for the answer to a call.
    pub fn next(&self, limit: Duration) -> Option<Notice> {
        let mut state = self.inbox.lock();
        let until = state.clock.saturating_add(limit);
        if let Some(notice) = state.take() {
            return Some(notice);
        }
        loop {
            if let Some(notice) = state.take() {
                return Some(notice);
            }
            if state.closed || state.clock >= until {
                return None;
            }
            state.waiting_until = Some(state.waiting_until.map_or(until, |other| other.min(until)));
            self.mailbox.nudge();
            state = self
                .inbox
                .changed
                .wait(state)
                .unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// The next notice, if there is one already. Does not wait.
    pub fn try_next(&self) -> Option<Notice> {
        self.inbox.lock().take()
    }

    /// Whether the session is over and everything was taken.
    pub fn is_closed(&self) -> bool {
        let state = self.inbox.lock();
        state.closed && state.queue.is_empty()
    }

    /// All this consumer did not get because it was too slow, since it began.
    pub fn dropped(&self) -> Dropped {
        self.inbox.lock().total
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.inbox.lock().closed = true;
    }
}

struct Inbox {
    state: Mutex<State>,
    changed: Condvar,
}

struct State {
    appetite: Appetite,
    queue: VecDeque<Notice>,
    text: usize,
    frames: usize,
    frame_bytes: usize,
    others: usize,
    /// Not told yet.
    missing: Dropped,
    total: Dropped,
    clock: Duration,
    waiting_until: Option<Duration>,
    closed: bool,
}

impl Inbox {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn take(&mut self) -> Option<Notice> {
        if self.missing.any() {
            return Some(Notice::Dropped(std::mem::take(&mut self.missing)));
        }
        let notice = self.queue.pop_front()?;
        self.forget(&notice);
        Some(notice)
    }

    fn forget(&mut self, notice: &Notice) {
        match notice {
            Notice::Text(text) => self.text -= text.len(),
            Notice::Frame(frame) => {
                self.frames -= 1;
                self.frame_bytes -= frame.data.len();
            }
            _ => self.others -= 1,
        }
    }

    fn miss(&mut self, add: Dropped) {
        for sum in [&mut self.missing, &mut self.total] {
            sum.text_bytes += add.text_bytes;
            sum.frames += add.frames;
            sum.others += add.others;
        }
    }

    /// Whether something was taken in or lost.
    fn add(&mut self, notice: &Notice) -> bool {
        match notice {
            Notice::Text(text) => self.add_text(text),
            Notice::Frame(frame) => {
                match self.appetite.frames {
                    Frames::None => return false,
                    Frames::Latest => self.drop_frames(),
                    Frames::All { bytes } => {
                        if self.frame_bytes + frame.data.len() > bytes {
                            self.miss(Dropped {
                                frames: 1,
                                ..Dropped::default()
                            });
                            return true;
                        }
                    }
                }
                self.frames += 1;
                self.frame_bytes += frame.data.len();
                self.queue.push_back(notice.clone());
                true
            }
            _ => {
                if self.others >= OTHERS {
                    self.miss(Dropped {
                        others: 1,
                        ..Dropped::default()
                    });
                } else {
                    self.others += 1;
                    self.queue.push_back(notice.clone());
                }
                true
            }
        }
    }

    fn add_text(&mut self, text: &Arc<[u8]>) -> bool {
        let limit = self.appetite.text;
        if limit == 0 || text.is_empty() {
            return false;
        }
        self.text += text.len();
        self.queue.push_back(Notice::Text(Arc::clone(text)));
        let mut gone = 0;
        // The newest stays, even if it alone is over the limit: a camera's ring bounds it.
        while self.text > limit {
            let oldest = self
                .queue
                .iter()
                .position(|notice| matches!(notice, Notice::Text(_)));
            let oldest = oldest.filter(|at| at + 1 < self.queue.len());
            let Some(Notice::Text(old)) = oldest.and_then(|at| self.queue.remove(at)) else {
                break;
            };
            self.text -= old.len();
            gone += old.len();
        }
        if gone > 0 {
            self.miss(Dropped {
                text_bytes: gone as u64,
                ..Dropped::default()
            });
        }
        true
    }

    fn drop_frames(&mut self) {
        while self.frames > 0 {
            let oldest = self
                .queue
                .iter()
                .position(|notice| matches!(notice, Notice::Frame(_)));
            let Some(old) = oldest.and_then(|at| self.queue.remove(at)) else {
                return;
            };
            self.forget(&old);
            self.miss(Dropped {
                frames: 1,
                ..Dropped::default()
            });
        }
    }
}

/// The worker's side: everyone who listens.
#[derive(Default)]
pub(super) struct Hub {
    inboxes: Mutex<Listeners>,
}

#[derive(Default)]
struct Listeners {
    list: Vec<Weak<Inbox>>,
    clock: Duration,
    closed: bool,
}

impl Hub {
    fn lock(&self) -> MutexGuard<'_, Listeners> {
        self.inboxes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn watch(&self, appetite: Appetite, mailbox: &Arc<Mailbox>) -> Watch {
        let mut listeners = self.lock();
        let inbox = Arc::new(Inbox {
            state: Mutex::new(State {
                appetite,
                queue: VecDeque::new(),
                text: 0,
                frames: 0,
                frame_bytes: 0,
                others: 0,
                missing: Dropped::default(),
                total: Dropped::default(),
                clock: listeners.clock,
                waiting_until: None,
                closed: listeners.closed,
            }),
            changed: Condvar::new(),
        });
        listeners.list.push(Arc::downgrade(&inbox));
        Watch {
            inbox,
            mailbox: Arc::clone(mailbox),
        }
    }

    /// Tells everyone. Never waits for anyone but a consumer that is just taking one out.
    pub(super) fn tell(&self, notice: &Notice) {
        self.each(|state| state.add(notice));
    }

    /// Lets the consumers' clocks move on.
    pub(super) fn tick(&self, now: Duration) {
        self.lock().clock = now;
        self.each(|state| {
            state.clock = now;
            state.waiting_until.is_some_and(|until| until <= now)
        });
    }

    pub(super) fn now(&self) -> Duration {
        self.lock().clock
    }

    /// Whether anyone waits for anything right now.
    pub(super) fn is_waited_on(&self) -> bool {
        let waits = |inbox: &Weak<Inbox>| {
            inbox
                .upgrade()
                .is_some_and(|inbox| inbox.lock().waiting_until.is_some())
        };
        self.lock().list.iter().any(waits)
    }

    /// Whether anyone wants frames.
    pub(super) fn wants_frames(&self) -> bool {
        let wants = |inbox: &Weak<Inbox>| {
            inbox
                .upgrade()
                .is_some_and(|inbox| inbox.lock().appetite.frames != Frames::None)
        };
        self.lock().list.iter().any(wants)
    }

    pub(super) fn close(&self) {
        self.tell(&Notice::Closed);
        self.lock().closed = true;
        self.each(|state| {
            state.closed = true;
            true
        });
    }

    /// Does something with every inbox and wakes those for which it says so.
    fn each(&self, mut act: impl FnMut(&mut State) -> bool) {
        self.lock().list.retain(|inbox| {
            let Some(inbox) = inbox.upgrade() else {
                return false;
            };
            let mut state = inbox.lock();
            if act(&mut state) {
                state.waiting_until = None;
                drop(state);
                inbox.changed.notify_all();
            }
            true
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Frame, PixelFormat};

    const SECOND: Duration = Duration::from_secs(1);

    fn frame(number: u64) -> Notice {
        Notice::Frame(Arc::new(Frame::new(
            number,
            10,
            10,
            PixelFormat::Grayscale,
            vec![0; 100],
        )))
    }

    fn text(text: &str) -> Notice {
        Notice::Text(text.as_bytes().into())
    }

    fn hub() -> (Hub, Arc<Mailbox>) {
        (Hub::default(), Arc::new(Mailbox::default()))
    }

    #[test]
    fn a_slow_viewer_gets_the_latest_frame_and_is_told_what_it_missed() {
        let (hub, mailbox) = hub();
        let watch = hub.watch(Appetite::default(), &mailbox);
        for number in 1..=5 {
            hub.tell(&frame(number));
        }
        let Some(Notice::Dropped(dropped)) = watch.next(SECOND) else {
            panic!("nothing was missed");
        };
        assert_eq!(dropped.frames, 4);
        let Some(Notice::Frame(last)) = watch.next(SECOND) else {
            panic!("no frame");
        };
        assert_eq!(last.number, 5);
        assert!(watch.try_next().is_none());
    }

    #[test]
    fn a_recorder_gets_every_frame_up_to_its_bound() {
        let (hub, mailbox) = hub();
        let appetite = Appetite {
            frames: Frames::All { bytes: 350 },
            text: 0,
        };
        let watch = hub.watch(appetite, &mailbox);
        for number in 1..=5 {
            hub.tell(&frame(number));
            hub.tell(&text("not for a recorder"));
        }
        assert!(matches!(
            watch.try_next(),
            Some(Notice::Dropped(Dropped {
                frames: 2,
                text_bytes: 0,
                ..
            }))
        ));
        for number in 1..=3 {
            assert!(matches!(watch.try_next(), Some(Notice::Frame(f)) if f.number == number));
        }
        assert!(watch.try_next().is_none());
        hub.tell(&frame(6));
        assert!(matches!(watch.try_next(), Some(Notice::Frame(f)) if f.number == 6));
    }

    #[test]
    fn text_beyond_the_bound_loses_its_oldest_part_and_the_count_is_exact() {
        let (hub, mailbox) = hub();
        let watch = hub.watch(
            Appetite {
                frames: Frames::None,
                text: 10,
            },
            &mailbox,
        );
        for part in ["aaaa", "bbbb", "cccc", "dddd"] {
            hub.tell(&text(part));
            hub.tell(&frame(1));
        }
        assert!(matches!(
            watch.try_next(),
            Some(Notice::Dropped(Dropped {
                text_bytes: 8,
                frames: 0,
                ..
            }))
        ));
        let rest: Vec<u8> = std::iter::from_fn(|| watch.try_next())
            .flat_map(|notice| match notice {
                Notice::Text(text) => text.to_vec(),
                other => panic!("{other:?}"),
            })
            .collect();
        assert_eq!(rest, b"ccccdddd");
        assert_eq!(watch.dropped().text_bytes, 8);
    }

    #[test]
    fn a_wait_ends_on_the_cameras_clock_or_with_the_session() {
        let (hub, mailbox) = hub();
        let watch = hub.watch(Appetite::default(), &mailbox);
        std::thread::scope(|scope| {
            let waiting = scope.spawn(|| watch.next(SECOND));
            let mut now = Duration::ZERO;
            while !waiting.is_finished() {
                now += SECOND;
                hub.tick(now);
            }
            assert!(waiting.join().unwrap().is_none());
        });
        hub.close();
        assert!(matches!(watch.next(SECOND), Some(Notice::Closed)));
        assert!(watch.next(SECOND).is_none() && watch.is_closed());
    }
}
