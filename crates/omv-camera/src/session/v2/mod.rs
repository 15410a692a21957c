//! A connected camera that speaks protocol v2.
//!
//! ```text
//!   turn: events -> rebooted? start over -> text? read it -> picture due? read it -> wait
//! ```
//!
//! Events are hints: what they tell of is asked for, and asked for without them now and then.
//! After a soft reboot the camera has forgotten what was agreed on, so the protocol starts over.

mod channels;
mod picture;
mod script;

use std::time::Duration;

use omv_link::{Device, Heard, Link, drive};
use omv_wire::v2::codec::{Opcode, Status};
use omv_wire::v2::host::Identity;
use omv_wire::v2::parser::Event;
use omv_wire::v2::records::{Channel, Memory, Stats};
use omv_wire::v2::session::{Answer, Request, Session, Step};
use omv_wire::v2::{Leave, channels::flag};

use super::connect::{Held, opening, trouble};
use super::info::{ChannelInfo, Profile};
use super::notice::Notice;
use super::scribe::Scribe;
use super::worker::Failed;
use super::{Options, Preview, Reliability, Talk};
use crate::Error;

/// Between two looks at what is ready, when events tell of it, too.
const POLL: Duration = Duration::from_millis(250);
/// The same, without events.
const POLL_ALONE: Duration = Duration::from_millis(20);
/// Wait for an answer of a camera that is awake. What was lost is asked for again.
const PATIENCE: Duration = Duration::from_millis(400);
/// Silence after which nothing more is on its way.
const CALM: Duration = Duration::from_millis(20);
/// The first repetition comes after half a second.
const ONE_REPEAT: Duration = Duration::from_millis(700);
/// A camera that wants its packets acknowledged repeats one for so long.
const REPEATED: Duration = Duration::from_secs(8);
/// Times a question is asked before the protocol starts over, and after.
const TRIES: u32 = 4;

/// See the head of the file.
pub(super) struct Line {
    link: Box<dyn Link>,
    session: Session,
    identity: Identity,
    scribe: Scribe,
    reliability: Reliability,
    /// A script of somebody's runs, as far as heard.
    running: bool,
    /// A soft reboot is under way: nothing may be sent before it is over.
    rebooting: Option<Duration>,
    /// It was a script sent from here that ended, so there is one even if nobody tells.
    reboot_sure: bool,
    /// The boot script may still run until then.
    booting: Option<Duration>,
    /// Times the camera may have begun anew, which gives back what was locked.
    doubts: u32,
    text_due: bool,
    picture: picture::Due,
    /// When to look what is ready, events or not.
    poll_at: Duration,
    /// A script was sent then and did not start yet.
    sent_at: Option<Duration>,
    // Last: the link needs it.
    _device: Box<dyn Device>,
}

impl Line {
    pub(super) fn begin(held: Held, scribe: Scribe, options: Options) -> Result<Self, Box<Failed>> {
        let Some(connected) = held.connected else {
            let what = "it does not speak this protocol".to_owned();
            let doing = "asked who it is".to_owned();
            return Err(Failed::new(Error::Protocol { doing, what }, scribe));
        };
        let now = held.link.now();
        let mut line = Self {
            link: held.link,
            session: connected.session,
            identity: connected.identity,
            scribe,
            reliability: options.reliability,
            running: false,
            rebooting: None,
            reboot_sure: false,
            booting: None,
            doubts: 0,
            text_due: true,
            picture: picture::Due::default(),
            poll_at: now,
            sent_at: None,
            _device: held.device,
        };
        let preview = line.scribe.preview;
        match line.set_preview(preview) {
            Ok(()) => Ok(line),
            Err(error) => Err(Failed::new(error, line.scribe)),
        }
    }

    fn gone(doing: &str) -> Error {
        Error::Gone {
            doing: doing.to_owned(),
        }
    }

    /// Takes in what comes, until `until` at the latest; whether anything came.
    fn listen(&mut self, until: Duration) -> Result<bool, Error> {
        match self.link.wait(until)? {
            Some(Heard::Bytes(bytes)) => self.session.hear(&bytes),
            Some(Heard::Gone) => return Err(Self::gone("talking to it")),
            Some(Heard::Stall) => {}
            None => return Ok(false),
        }
        Ok(true)
    }

    /// Asks once.
    fn ask(&mut self, request: Request) -> Result<Answer, Error> {
        let patience = match self.reliability {
            Reliability::Usb => request.patience,
            Reliability::Lossy => request.patience.max(ONE_REPEAT),
        };
        self.session.ask(
            self.link.now(),
            Request {
                patience,
                ..request
            },
        );
        loop {
            match self.session.turn(self.link.now()) {
                Step::Send(bytes) => self.link.send(&bytes)?,
                Step::Wait(until) => {
                    self.listen(until)?;
                }
                Step::Answer(answer) => return Ok(answer),
                Step::Idle => return Ok(Answer::Late),
            }
        }
    }

    /// Asks until there is an answer. A refusal because of counters or checksums means that the
    /// request was not carried out. After silence it may have been: then only what can be done
    /// twice is asked again, and if that does not help the protocol starts over.
    fn request(&mut self, request: &Request, twice: bool) -> Result<Answer, Error> {
        let (mut tries, mut repeated) = (0, false);
        while tries < 2 * TRIES {
            tries += 1;
            if tries == TRIES + 1 {
                self.start_over(false)?;
            }
            match self.ask(request.clone())? {
                Answer::Refused {
                    status: status @ (Status::SEQUENCE | Status::CHECKSUM | Status::OVERFLOW),
                    data,
                } if data.is_empty() => self.doubts += u32::from(status == Status::SEQUENCE),
                Answer::Late if twice => repeated = true,
                Answer::Late => return Err(no_answer(request.opcode)),
                Answer::TooLong | Answer::Cut(_) if twice => self.start_over(false)?,
                Answer::TooLong => {
                    self.start_over(false)?;
                    return Err(no_answer(request.opcode));
                }
                Answer::Cut(data) => {
                    self.start_over(false)?;
                    return Ok(Answer::Cut(data));
                }
                Answer::Rebooted => {
                    self.start_over(true)?;
                    if !twice {
                        return Err(no_answer(request.opcode));
                    }
                }
                answer => {
                    if repeated {
                        self.calm_down()?;
                    }
                    return Ok(answer);
                }
            }
        }
        Err(no_answer(request.opcode))
    }

    /// Waits for answers to questions that were asked once too often.
    fn calm_down(&mut self) -> Result<(), Error> {
        let quiet = |line: &Self| line.link.now() + CALM;
        let limit = self.link.now() + 10 * CALM;
        while self.link.now() < limit && self.listen(quiet(self))? {
            while let Step::Send(bytes) = self.session.turn(self.link.now()) {
                self.link.send(&bytes)?;
            }
        }
        Ok(())
    }

    /// Patience for what must not be asked twice: on a bad line the camera repeats its answer for
    /// 7.5 s.
    pub(super) fn once(&self, request: Request) -> Request {
        match self.reliability {
            Reliability::Usb => request,
            Reliability::Lossy => Request {
                patience: REPEATED,
                ..request
            },
        }
    }

    /// A question that changes nothing, with data for an answer.
    fn question(&mut self, opcode: Opcode) -> Result<Vec<u8>, Error> {
        let request = Request {
            patience: PATIENCE,
            ..Request::new(opcode)
        };
        self.data(&request)
    }

    fn data(&mut self, request: &Request) -> Result<Vec<u8>, Error> {
        match self.request(request, true)? {
            Answer::Data(data) => Ok(data),
            Answer::Refused { status, .. } => Err(refused(request.opcode, status)),
            _ => Err(no_answer(request.opcode)),
        }
    }

    /// Starts the protocol over: after a soft reboot, or when the thread was lost.
    fn start_over(&mut self, rebooted: bool) -> Result<(), Error> {
        self.doubts += 1;
        let machine = &mut opening(self.reliability);
        let connected = drive(machine, &mut *self.link)?
            .map_err(|failure| trouble(&failure, failure == omv_wire::v2::host::Failure::Gone))?;
        self.session = connected.session;
        let channels = std::mem::replace(&mut self.identity, connected.identity).channels;
        let now = self.link.now();
        {
            let mut statistics = self.scribe.shared.statistics();
            match rebooted {
                true => statistics.reboots += 1,
                false => statistics.resyncs += 1,
            }
        }
        if channels != self.identity.channels {
            self.publish_channels();
        }
        if rebooted {
            self.rebooting = None;
            self.reboot_sure = false;
            self.running = false;
            self.booting = Some(now + script::BOOT);
            if self.scribe.has_script() && !self.scribe.awaits_start() {
                self.read_text()?;
                self.scribe.ended();
            }
            self.scribe.tell(&Notice::Rebooted);
            self.set_raw()?;
        }
        self.text_due = true;
        self.picture.look();
        self.poll_at = now;
        Ok(())
    }

    fn publish_channels(&mut self) {
        let channels: Vec<_> = self
            .identity
            .channels
            .iter()
            .map(ChannelInfo::from)
            .collect();
        self.scribe.shared.info().channels = channels;
        self.scribe.tell(&Notice::Channels);
    }

    fn channel(&self, name: &str) -> Result<Channel, Error> {
        let channels = &self.identity.channels;
        let found = channels.iter().find(|channel| channel.name() == name);
        found.copied().ok_or_else(|| Error::NoChannel {
            name: name.to_owned(),
            there: channels
                .iter()
                .filter(|channel| channel.flags & flag::PHYSICAL == 0)
                .map(Channel::name)
                .collect(),
        })
    }

    /// Everything the camera told unasked.
    fn take_events(&mut self) -> Result<(), Error> {
        while let Some(event) = self.session.event() {
            let named = |name: &str| {
                let channels = &self.identity.channels;
                channels
                    .iter()
                    .any(|one| one.id == event.channel && one.name() == name)
            };
            match (event.channel, event.code) {
                _ if event == Event::SOFT_REBOOT => {
                    self.start_over(true)?;
                }
                (0, Some(0 | 1)) => {
                    let list = self.question(Opcode::CHANNEL_LIST)?;
                    if let Ok(list) = Channel::decode_list(&list) {
                        self.identity.channels = list;
                        self.publish_channels();
                    }
                }
                (0, _) => {}
                (_, code) if named("stdin") => match code {
                    Some(0) => self.script_ended()?,
                    Some(1) => self.script_started(),
                    _ => {}
                },
                _ if named("stdout") => self.text_due = true,
                _ if named("stream") => self.picture.look(),
                (channel, code) => self.scribe.tell(&Notice::Event { channel, code }),
            }
        }
        Ok(())
    }

    /// Looks what is ready.
    fn poll(&mut self) -> Result<(), Error> {
        let bits = self.question(Opcode::CHANNEL_POLL)?;
        let bits = bits.first_chunk().copied().map_or(0, u32::from_le_bytes);
        let ready = |line: &Self, name: &str| {
            let channels = &line.identity.channels;
            let found = channels.iter().find(|one| one.name() == name);
            found.is_some_and(|one| bits.checked_shr(one.id.into()).unwrap_or(0) & 1 == 1)
        };
        self.take_events()?;
        let running = ready(self, "stdin");
        self.text_due |= ready(self, "stdout");
        if ready(self, "stream") {
            self.picture.look();
        }
        match (self.running, running) {
            (false, true) => self.script_started(),
            (true, false) => self.script_ended()?,
            (false, false) => self.look_for_lost_start()?,
            (true, true) => {}
        }
        let every = match self.session.caps().events {
            true => POLL,
            false => POLL_ALONE,
        };
        self.poll_at = self.link.now() + every;
        Ok(())
    }

    /// All text there is.
    fn read_text(&mut self) -> Result<(), Error> {
        self.text_due = false;
        let Ok(stdout) = self.channel("stdout") else {
            return Ok(());
        };
        // A script that prints faster than this side reads must not keep it here.
        for _ in 0..16 {
            let size = self.size(stdout.id)?;
            if size == 0 {
                return Ok(());
            }
            // The shorter an answer, the likelier it arrives.
            let most = match self.reliability {
                Reliability::Usb => script::TEXT_AT_ONCE,
                Reliability::Lossy => script::TEXT_ON_A_BAD_LINE,
            };
            let request = self.once(self.read_request(stdout.id, size.min(most)));
            match self.request(&request, false) {
                Ok(Answer::Data(text) | Answer::Refused { data: text, .. }) => {
                    if text.is_empty() {
                        return Ok(());
                    }
                    self.scribe.text(&text);
                }
                Ok(Answer::Cut(text)) => {
                    self.scribe.text(&text);
                    self.scribe.shared.statistics().text_losses += 1;
                }
                Ok(_) => return Ok(()),
                // Reading consumes: what was on its way is gone.
                Err(Error::NoAnswer { .. }) => {
                    self.scribe.shared.statistics().text_losses += 1;
                }
                Err(error) => return Err(error),
            }
        }
        self.text_due = true;
        Ok(())
    }
}

fn no_answer(opcode: Opcode) -> Error {
    Error::NoAnswer { request: opcode.0 }
}

fn refused(opcode: Opcode, status: Status) -> Error {
    Error::RequestRefused {
        request: opcode.0,
        why: status.to_string(),
    }
}

impl Talk for Line {
    fn now(&self) -> Duration {
        self.link.now()
    }

    fn turn(&mut self, until: Duration) -> Result<(), Error> {
        self.take_events()?;
        let now = self.link.now();
        if self.rebooting.is_some_and(|end| end <= now) {
            // The event got lost, or there was none: a look tells.
            self.rebooting = None;
            self.poll_at = now;
            if std::mem::take(&mut self.reboot_sure) {
                return self.start_over(true);
            }
        }
        if self.rebooting.is_none() {
            if self.text_due {
                return self.read_text();
            }
            let wanted =
                self.scribe.preview != Preview::Off && self.scribe.shared.hub.wants_frames();
            if wanted && self.picture.is_due(now) {
                return self.read_picture();
            }
            if self.poll_at <= now {
                return self.poll();
            }
            if wanted {
                return self
                    .listen(until.min(self.poll_at).min(self.picture.next()))
                    .map(drop);
            }
        }
        self.listen(until.min(self.poll_at.max(now))).map(drop)
    }

    fn run(&mut self, script: &[u8]) -> Result<(), Error> {
        self.run_script(script)
    }

    fn stop(&mut self) -> Result<(), Error> {
        self.settle()
    }

    fn input(&mut self, bytes: &[u8]) -> Result<(), Error> {
        match self.channel("input") {
            Ok(_) => self.write_channel("input", bytes),
            Err(_) => Err(Error::NotInFirmware {
                what: "keys for a script",
            }),
        }
    }

    fn preview(&mut self, preview: Preview) -> Result<(), Error> {
        self.set_preview(preview)
    }

    fn sensor(&mut self, id: u32) -> Result<(), Error> {
        if self.identity.version.protocol < [1, 0, 1] {
            return Err(Error::NotInFirmware {
                what: "the choice of a sensor",
            });
        }
        self.channel_ioctl("stream", picture::SOURCE, &id.to_le_bytes())
    }

    fn channel_read(&mut self, name: &str, limit: usize) -> Result<Vec<u8>, Error> {
        self.read_channel(name, limit)
    }

    fn channel_write(&mut self, name: &str, bytes: &[u8]) -> Result<(), Error> {
        self.write_channel(name, bytes)
    }

    fn channel_ioctl(&mut self, name: &str, request: u32, args: &[u8]) -> Result<(), Error> {
        let channel = self.channel(name)?;
        self.ioctl(channel.id, request, args, false)
    }

    fn statistics(&mut self) -> Result<Stats, Error> {
        let data = self.question(Opcode::STATS)?;
        Stats::decode(&data).map_err(|source| malformed(Opcode::STATS, &source))
    }

    fn memory(&mut self) -> Result<Vec<Memory>, Error> {
        match self.question(Opcode::SYS_MEMORY) {
            Ok(data) => Memory::decode_list(&data).map_err(|s| malformed(Opcode::SYS_MEMORY, &s)),
            Err(Error::RequestRefused { .. }) => Err(Error::NotInFirmware {
                what: "memory statistics",
            }),
            Err(error) => Err(error),
        }
    }

    fn profile(&mut self) -> Result<Profile, Error> {
        self.read_profile()
    }

    fn profile_mode(&mut self, exclusive: bool) -> Result<(), Error> {
        self.profile_ioctl(0, &u32::from(exclusive).to_le_bytes())
    }

    fn profile_event(&mut self, counter: u32, event: u32) -> Result<(), Error> {
        let args = [counter.to_le_bytes(), event.to_le_bytes()].concat();
        self.profile_ioctl(1, &args)
    }

    fn profile_reset(&mut self) -> Result<(), Error> {
        self.profile_ioctl(2, &[])
    }

    fn leave(&mut self, leave: Leave) -> Result<(), Error> {
        let opcode = match leave {
            Leave::Reset => Opcode::SYS_RESET,
            Leave::Bootloader => Opcode::SYS_BOOT,
        };
        let patience = Duration::from_millis(300);
        match self.ask(Request {
            patience,
            ..Request::new(opcode)
        }) {
            // Silence is the answer of a camera that goes; the link may tell of its going, too.
            Ok(Answer::Refused { status, .. }) => Err(refused(opcode, status)),
            Ok(_) | Err(Error::Gone { .. } | Error::Link(_)) => Ok(()),
            Err(error) => Err(error),
        }
    }

    fn finish(self: Box<Self>) -> Scribe {
        self.scribe
    }
}

fn malformed(opcode: Opcode, source: &omv_wire::Malformed) -> Error {
    Error::RequestRefused {
        request: opcode.0,
        why: format!("its answer is malformed: {source}"),
    }
}
