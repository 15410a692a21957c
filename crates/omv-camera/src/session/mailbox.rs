//! Where a session's thread is asked for things.

use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::Talk;

/// One thing to do with the camera. Says whether the connection was found lost.
pub(super) type Job = Box<dyn FnOnce(&mut dyn Talk) -> bool + Send>;

/// Jobs, and a bell for the thread while it rests.
#[derive(Default)]
pub(super) struct Mailbox {
    inside: Mutex<Inside>,
    changed: Condvar,
}

#[derive(Default)]
struct Inside {
    jobs: VecDeque<Job>,
    /// Somebody began to wait since the thread last rested.
    nudged: bool,
    /// Handles of the session.
    handles: usize,
    /// The thread is over: nobody will do a job any more.
    ended: bool,
}

impl Mailbox {
    fn lock(&self) -> MutexGuard<'_, Inside> {
        self.inside.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether the job was taken in; the thread may be over.
    pub(super) fn put(&self, job: Job) -> bool {
        let mut inside = self.lock();
        if !inside.ended {
            inside.jobs.push_back(job);
        }
        self.changed.notify_all();
        !inside.ended
    }

    pub(super) fn take(&self) -> Option<Job> {
        self.lock().jobs.pop_front()
    }

    /// Whether the last handle is gone and all it asked for was taken.
    pub(super) fn is_closed(&self) -> bool {
        let inside = self.lock();
        inside.handles == 0 && inside.jobs.is_empty()
    }

    pub(super) fn add_handle(&self) {
        self.lock().handles += 1;
    }

    pub(super) fn drop_handle(&self) {
        self.lock().handles -= 1;
        self.changed.notify_all();
    }

    /// The thread is over: returns what it leaves undone.
    pub(super) fn end(&self) -> VecDeque<Job> {
        let mut inside = self.lock();
        inside.ended = true;
        std::mem::take(&mut inside.jobs)
    }

    /// Wakes the thread if it rests.
    pub(super) fn nudge(&self) {
        self.lock().nudged = true;
        self.changed.notify_all();
    }

    /// Rests until there is a job or a nudge; at most for a while.
    pub(super) fn rest(&self) {
        let mut inside = self.lock();
        if !inside.nudged && inside.jobs.is_empty() && inside.handles > 0 {
            let limit = Duration::from_millis(100);
            let rested = self.changed.wait_timeout(inside, limit);
            inside = rested.unwrap_or_else(PoisonError::into_inner).0;
        }
        inside.nudged = false;
    }

    /// Whether there is a job, or nobody who could bring one.
    pub(super) fn has_work(&self) -> bool {
        let inside = self.lock();
        !inside.jobs.is_empty() || inside.handles == 0
    }
}
