//! Steps that move the camera from state to state.

use std::sync::Arc;
use std::time::Duration;

use omv_boards::{Mboot, State};
use omv_link::{Function, LinkError, drive};
use omv_wire::sdp::{Exchange, Failure, Request, Setup, Wire};
use omv_wire::v2;

use omv_plan::Knock;

use super::Runner;
use crate::look::{ask, reset, touch, version};
use crate::programmer::{self, Programmer};
use crate::wait::{Awaited, Waited, snapshot, wait_for};
use crate::{Error, Event, Found, Loader};

/// How often the bootloader may come back before the firmware counts as crashing: once is the
/// normal start.
const CRASHES: u32 = 3;

/// Cameras of one model have either of these bootloaders, and only entering one tells which.
fn is_old_pair(one: State, other: State) -> bool {
    matches!(
        (one, other),
        (State::Dfu, State::LegacyBl) | (State::LegacyBl, State::Dfu)
    )
}

impl Runner<'_, '_> {
    pub(super) fn facts(&self) -> Result<&'static Mboot, Error> {
        self.plan.board.mboot.as_ref().ok_or(Error::NoCamera)
    }

    pub(super) fn programmer(&mut self) -> Result<&mut dyn Programmer, Error> {
        let doing = "talking to its bootloader".to_owned();
        match &mut self.programmer {
            Some(programmer) => Ok(&mut **programmer),
            None => Err(Error::Gone { doing }),
        }
    }

    /// The bootloader of the RT1062, for the steps that only it has.
    pub(super) fn loader(&mut self) -> Result<&mut Loader, Error> {
        let doing = "talking to its bootloader".to_owned();
        let loader = self.programmer()?.as_loader();
        loader.ok_or(Error::Gone { doing })
    }

    /// Running firmware into the bootloader.
    pub(super) fn enter(
        &mut self,
        by: Knock,
        expect: &[State],
        limit: Duration,
    ) -> Result<(), Error> {
        if by == Knock::Command {
            return self.send_away(v2::Leave::Bootloader, expect, limit);
        }
        let before = snapshot(&self.context.found.bus)?;
        touch(&self.context.found)?;
        let found = self.await_state(expect, limit, before, |_| {})?;
        let state = found.state_of(self.plan.board, expect);
        self.arrived(found, state);
        Ok(())
    }

    /// Running firmware through a restart.
    pub(super) fn restart(&mut self, limit: Duration) -> Result<(), Error> {
        self.send_away(v2::Leave::Reset, &[State::Run], limit)
    }

    fn send_away(
        &mut self,
        leave: v2::Leave,
        expect: &[State],
        limit: Duration,
    ) -> Result<(), Error> {
        let generation = match &self.context.who {
            Some(who) => who.generation,
            None => ask(&self.context.found)?.generation,
        };
        // Armed before the trigger is pulled: the bootloader leaves again after 1.5 s.
        let before = snapshot(&self.context.found.bus)?;
        reset(&self.context.found, generation, leave)?;
        let found = self.await_state(expect, limit, before, |_| {})?;
        let state = found.state_of(self.plan.board, expect);
        self.arrived(found, state);
        Ok(())
    }

    /// A person's hands, or the camera's own next start.
    pub(super) fn hands(
        &mut self,
        ask: &str,
        expect: &[State],
        limit: Duration,
    ) -> Result<(), Error> {
        match (expect, self.state, self.boot_fuse) {
            // It came up by itself: there was no wire.
            ([State::Run], State::Run, _) => return Ok(()),
            // No hands can help: the chip would start in its ROM again.
            ([State::Run], _, Some(false)) => return Err(Error::BootFuseClear),
            _ => {}
        }
        (self.context.tell)(Event::Hands {
            step: self.step,
            ask: ask.to_owned(),
        });
        let bus = Arc::clone(&self.context.found.bus);
        let place = self.context.found.seen.place.clone();
        // What is there already counts: the person may have been faster.
        let elsewhere = snapshot(&bus)?
            .into_iter()
            .filter(|(other, _)| *other != place);
        let awaited = Awaited {
            board: self.plan.board,
            states: expect,
            place: Some(&place),
            may_move: true,
            before: elsewhere.collect(),
        };
        let at_first = self.context.found.seen.visit;
        let (tell, stop) = (&mut self.context.tell, &self.context.stop);
        let mut instead = None;
        let waited = wait_for(&bus, &awaited, limit, stop, |other| {
            if other.seen.visit != at_first {
                instead = Some(other.state());
                (tell)(Event::State {
                    place: other.seen.place.to_string(),
                    state: instead,
                });
            }
        })?;
        match waited {
            Waited::Here(found) => {
                let state = found.state_of(self.plan.board, expect);
                self.arrived(found, state);
                Ok(())
            }
            Waited::Other(_) | Waited::Nothing => Err(match (instead, expect) {
                // Somebody did something, and it came back as something else.
                (Some(instead), [expected, ..]) => Error::NotThere {
                    expected: *expected,
                    seconds: limit.as_secs(),
                    instead: format!("it came as `{instead}` instead"),
                },
                _ => Error::NoHands {
                    ask: ask.to_owned(),
                    seconds: limit.as_secs(),
                },
            }),
        }
    }

    /// The first word to a bootloader.
    pub(super) fn hold(&mut self, expect: State) -> Result<(), Error> {
        let plan = self.plan;
        let found = &self.context.found;
        // A bootloader that the plan was not made for, but another one would be.
        if self.state != expect
            && found.may_be(plan.board, &[self.state])
            && is_old_pair(self.state, expect)
        {
            let instead = self.state;
            return Err(Error::OtherBootloader {
                expected: expect,
                instead,
            });
        }
        let needs = plan.regions_from(self.step);
        let (programmer, state) =
            programmer::open(found, plan.board, expect, &needs, plan.careful)?;
        if state != expect {
            let instead = format!("it is `{state}`");
            return Err(Error::NotThere {
                expected: expect,
                seconds: 0,
                instead,
            });
        }
        self.programmer = Some(programmer);
        self.state = state;
        Ok(())
    }

    /// A program into RAM, through the ROM.
    pub(super) fn load(&mut self, image: usize) -> Result<(), Error> {
        let image = &self.plan.images[image];
        let (address, data) = (image.start, Arc::clone(&image.bytes));
        let doing = "take a program into RAM";
        self.rom(Request::WriteFile { address, data }, doing)
    }

    /// Start the program in RAM and wait for it.
    pub(super) fn jump(&mut self, start: u32, expect: State, limit: Duration) -> Result<(), Error> {
        let before = snapshot(&self.context.found.bus)?;
        self.rom(
            Request::JumpAddress { address: start },
            "start the program in RAM",
        )?;
        let found = self.await_state(&[expect], limit, before, |_| {})?;
        self.arrived(found, expect);
        Ok(())
    }

    fn rom(&mut self, request: Request, doing: &str) -> Result<(), Error> {
        let mut device = self.context.found.bus.open(&self.context.found.seen)?;
        let mut link = device.link(Function::Hid)?;
        let mut exchange = Exchange::new(Setup::new(Wire::HID), request);
        match drive(&mut exchange, &mut *link)? {
            Ok(answer) if answer.done => Ok(()),
            Ok(_) => Err(Error::Rom {
                doing: doing.to_owned(),
            }),
            Err(Failure::Locked { .. }) => Err(Error::Locked),
            Err(Failure::Gone) => Err(Error::Gone {
                doing: format!("asked to {doing}"),
            }),
            Err(failure) => Err(Error::Protocol {
                doing: format!("asked to {doing}"),
                what: failure.to_string(),
            }),
        }
    }

    /// Reset, and watch what the camera becomes.
    pub(super) fn leave(
        &mut self,
        expect: State,
        limit: Duration,
    ) -> Result<Option<String>, Error> {
        let before = snapshot(&self.context.found.bus)?;
        if let Some(programmer) = self.programmer.take() {
            match programmer.leave() {
                Ok(()) | Err(Error::Gone { .. } | Error::Link(LinkError::Gone)) => {}
                Err(other) => return Err(other),
            }
        }
        // A camera that should stay in its ROM because of the wire may also have lost the wire.
        let states = if expect == State::Sdp {
            vec![State::Sdp, State::Run]
        } else {
            vec![expect]
        };
        let (board, left) = (self.plan.board, self.state);
        let mut bootloaders = 0;
        let found = self.await_state(&states, limit, before, |other| {
            bootloaders += u32::from(other.may_be(board, &[left]));
        });
        let found = match found {
            Err(Error::NotThere { .. }) if bootloaders >= CRASHES => {
                return Err(Error::Cycling { times: bootloaders });
            }
            other => other?,
        };
        let state = found.state_of(board, &states);
        self.arrived(found, state);
        Ok((state == State::Sdp).then(|| "the wire keeps it in its ROM".to_owned()))
    }

    /// Who runs there now.
    pub(super) fn ask(&mut self) -> Result<String, Error> {
        let who = ask(&self.context.found)?;
        let told = format!("firmware {}", version(&who));
        self.context.who = Some(who);
        Ok(told)
    }

    fn arrived(&mut self, found: Found, state: State) {
        self.programmer = None;
        let place = found.seen.place.to_string();
        (self.context.tell)(Event::State {
            place,
            state: Some(state),
        });
        self.context.found = found;
        self.state = state;
        self.context.who = None;
    }

    /// Waits for the camera on its place, enumerated anew.
    fn await_state(
        &mut self,
        states: &[State],
        limit: Duration,
        before: Vec<(omv_link::Place, u64)>,
        other: impl FnMut(&Found),
    ) -> Result<Found, Error> {
        let bus = Arc::clone(&self.context.found.bus);
        let place = self.context.found.seen.place.clone();
        let awaited = Awaited {
            board: self.plan.board,
            states,
            place: Some(&place),
            may_move: false,
            before,
        };
        let instead = match wait_for(&bus, &awaited, limit, &self.context.stop, other)? {
            Waited::Here(found) => return Ok(found),
            Waited::Other(found) => format!("it is `{}` instead", found.state()),
            Waited::Nothing => "nothing is there".to_owned(),
        };
        let expected = states.first().copied().unwrap_or(State::Run);
        Err(Error::NotThere {
            expected,
            seconds: limit.as_secs(),
            instead,
        })
    }
}
