//! Starting and stopping scripts.
//!
//! ```text
//!   settle: POLL --runs--> STOP --> text ... --> event: ended --> SOFT_REBOOT --> start over
//!             |                                      |
//!             +--idle--+        main.py: no reboot --+--> boot script over --> settled
//!   run: settle --> drop picture --> RESET, WRITE ... , EXEC --> event: started
//! ```
//!
//! Every end of a script that was sent is a soft reboot. `EXEC` while one runs is accepted and
//! the new script lost, so what runs is stopped first and its reboot waited for.

use std::time::Duration;

use omv_wire::v2::codec::Opcode;

use super::Line;
use crate::Error;

/// Bytes of text asked for at once: more than any camera's ring.
pub(super) const TEXT_AT_ONCE: u32 = 4096;
/// The same where bytes get lost.
pub(super) const TEXT_ON_A_BAD_LINE: u32 = 16;
/// After a soft reboot the boot script has begun by then, if there is one.
pub(super) const BOOT: Duration = Duration::from_millis(150);
/// From the end of a script to the event that tells of the reboot.
const REBOOT: Duration = Duration::from_secs(2);
/// The same, where it is unknown whose script it was: `main.py` ends without one.
const MAYBE_REBOOT: Duration = Duration::from_millis(300);
/// For everything that runs to end.
const SETTLE: Duration = Duration::from_secs(5);
/// Before what does not stop is told again.
const STOP_AGAIN: Duration = Duration::from_secs(1);
/// After this a script that was sent has started, or never will.
const START: Duration = Duration::from_secs(1);
/// Between two looks while something is waited for.
const LOOK: Duration = Duration::from_millis(20);
/// Times an upload is begun.
const UPLOADS: u32 = 5;

/// Requests of the channel `stdin`.
const STOP: u32 = 1;
const EXEC: u32 = 2;
const RESET: u32 = 3;

impl Line {
    pub(super) fn script_started(&mut self) {
        self.running = true;
        // The boot script after a reboot is nobody's business.
        if self.booting.is_none() || self.scribe.has_script() {
            self.sent_at = None;
            self.scribe.started();
        }
    }

    /// What ran is over. If it was sent by somebody, a soft reboot follows.
    pub(super) fn script_ended(&mut self) -> Result<(), Error> {
        let was_running = std::mem::replace(&mut self.running, false);
        let now = self.link.now();
        if self.scribe.awaits_start() {
            return Ok(());
        }
        if self.scribe.has_script() {
            // Its last words, before the reboot gets in the way.
            self.rebooting = Some(now + REBOOT);
            self.reboot_sure = true;
            self.read_text()?;
            // Reading may have met the reboot, which ends the script, too.
            if self.scribe.has_script() {
                self.scribe.ended();
            }
        } else if self.booting.is_some() {
            self.booting = Some(now);
            self.scribe.running(false);
        } else if was_running {
            self.text_due = true;
            self.rebooting = Some(now + MAYBE_REBOOT);
            self.scribe.ended();
        }
        Ok(())
    }

    /// A script was sent, nothing runs, and no event told of its start: then it has been over
    /// for long.
    pub(super) fn look_for_lost_start(&mut self) -> Result<(), Error> {
        let now = self.link.now();
        if self.sent_at.is_some_and(|sent| now >= sent + START) {
            self.sent_at = None;
            self.read_text()?;
            if self.scribe.has_script() {
                self.scribe.ended();
            }
        }
        Ok(())
    }

    /// Lets a moment pass, taking in what comes.
    fn idle(&mut self) -> Result<(), Error> {
        let until = self.link.now() + LOOK;
        while self.link.now() < until && self.listen(until)? {}
        self.take_events()
    }

    /// Stops whatever runs and waits until the camera is ready for a script.
    pub(super) fn settle(&mut self) -> Result<(), Error> {
        let stdin = self.channel("stdin")?.id;
        let limit = self.link.now() + SETTLE;
        let mut told: Option<Duration> = None;
        loop {
            let now = self.link.now();
            if self.rebooting.is_some_and(|end| now < end) {
                self.idle()?;
                continue;
            }
            if self.rebooting.take().is_some() && std::mem::take(&mut self.reboot_sure) {
                self.start_over(true)?;
            }
            self.poll()?;
            if self.text_due {
                self.read_text()?;
            }
            let now = self.link.now();
            if self.rebooting.is_some() {
                continue;
            }
            let booting = self.booting.is_some_and(|end| now < end);
            if !self.running && !booting {
                self.booting = None;
                return Ok(());
            }
            if now >= limit {
                return Err(Error::WillNotStop);
            }
            // A boot script is left alone for as long as it may take.
            if !booting && told.is_none_or(|told| now >= told + STOP_AGAIN) {
                self.scribe.stopping();
                self.ioctl(stdin, STOP, &[], true)?;
                told = Some(now);
            }
            self.idle()?;
        }
    }

    pub(super) fn run_script(&mut self, script: &[u8]) -> Result<(), Error> {
        let stdin = self.channel("stdin")?.id;
        self.settle()?;
        self.read_text()?;
        self.drop_picture()?;
        let empty = b"\n".as_slice();
        let script = if script.is_empty() { empty } else { script };
        for _ in 0..UPLOADS {
            match self.upload(stdin, script) {
                Ok(()) => {}
                // Nothing runs yet, so it can be begun again.
                Err(Error::NoAnswer { .. }) => continue,
                Err(error) => return Err(error),
            }
            return self.execute(stdin);
        }
        Err(super::no_answer(Opcode::CHANNEL_WRITE))
    }

    fn upload(&mut self, stdin: u8, script: &[u8]) -> Result<(), Error> {
        self.ioctl(stdin, RESET, &[], true)?;
        let size = self.write_size();
        for (index, piece) in script.chunks(size).enumerate() {
            self.write(stdin, index * size, piece)?;
        }
        Ok(())
    }

    /// Starts what was uploaded. If the answer is lost, asking again tells: a buffer that is
    /// empty was taken.
    fn execute(&mut self, stdin: u8) -> Result<(), Error> {
        self.scribe.sent();
        self.sent_at = Some(self.link.now());
        self.poll_at = self.link.now();
        let mut asked = false;
        for _ in 0..UPLOADS {
            match self.ioctl(stdin, EXEC, &[], false) {
                Ok(()) => return Ok(()),
                Err(Error::RequestRefused { .. }) if asked => return Ok(()),
                Err(Error::NoAnswer { .. }) => asked = true,
                Err(error) => {
                    self.forget_script();
                    return Err(error);
                }
            }
        }
        self.forget_script();
        Err(super::no_answer(Opcode::CHANNEL_IOCTL))
    }

    fn forget_script(&mut self) {
        self.sent_at = None;
        self.scribe.lost();
    }
}
