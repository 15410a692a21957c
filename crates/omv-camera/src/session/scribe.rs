//! Keeps track of the script and of the console, over reboots and reconnections, and tells.

use std::sync::Arc;

use super::Preview;
use super::notice::{Ended, Notice};
use super::traceback::{REBOOT, Tail};
use super::worker::Shared;
use crate::Frame;
use omv_wire::v1::console::{Console, Piece};

/// What a session knows besides its connection.
pub(super) struct Scribe {
    pub(super) shared: Arc<Shared>,
    tail: Tail,
    console: Console,
    /// The script that was sent, until its end is told.
    script: Option<Script>,
    /// Text of the firmware behind the script's end, held until that is told.
    behind: Vec<u8>,
    /// The beginning of a line that may become the firmware's own.
    held: Vec<u8>,
    line_start: bool,
    number: u64,
    /// What pictures are wished for, kept over reconnections.
    pub(super) preview: Preview,
}

struct Script {
    started: bool,
    /// The camera was silent when it was sent: text is its text.
    to_silence: bool,
    stopped: bool,
}

impl Scribe {
    pub(super) fn new(shared: Arc<Shared>) -> Self {
        Self {
            shared,
            tail: Tail::default(),
            console: Console::default(),
            script: None,
            behind: Vec::new(),
            held: Vec::new(),
            line_start: true,
            number: 0,
            preview: Preview::Off,
        }
    }

    pub(super) fn tell(&self, notice: &Notice) {
        self.shared.hub.tell(notice);
    }

    /// A script was sent; it starts any moment.
    pub(super) fn sent(&mut self) {
        self.send(false);
    }

    /// The same on a camera that was idle and has said all: what it says now, the script says.
    pub(super) fn sent_to_silence(&mut self) {
        self.send(true);
    }

    fn send(&mut self, to_silence: bool) {
        self.script = Some(Script {
            started: false,
            to_silence,
            stopped: false,
        });
        self.tail.clear();
    }

    /// Whether the last that was said is the prompt.
    pub(super) fn is_at_prompt(&self) -> bool {
        self.tail.ends_with(b">>> ")
    }

    /// Whether a script was sent and its end not told.
    pub(super) fn has_script(&self) -> bool {
        self.script.is_some()
    }

    /// Whether a script was sent and its start not told.
    pub(super) fn awaits_start(&self) -> bool {
        self.script.as_ref().is_some_and(|script| !script.started)
    }

    /// Something began to run.
    pub(super) fn started(&mut self) {
        self.running(true);
        match &mut self.script {
            Some(script) if !script.started => {
                script.started = true;
                self.tell(&Notice::Started);
            }
            Some(_) => {}
            None => self.tell(&Notice::Running(true)),
        }
    }

    /// The camera was told to stop what runs.
    pub(super) fn stopping(&mut self) {
        if let Some(script) = &mut self.script {
            script.stopped = true;
        }
    }

    /// What ran is over and all its text was told.
    pub(super) fn ended(&mut self) {
        let was_running = self.shared.is_running();
        self.running(false);
        match self.script.take() {
            Some(script) => {
                let held = std::mem::take(&mut self.held);
                self.say(&held);
                if !script.started {
                    self.tell(&Notice::Started);
                }
                let raised = self.tail.traceback();
                let ended = match (script.stopped, raised) {
                    (true, _) => Ended::Stopped,
                    (false, Some(traceback)) => Ended::Raised(traceback),
                    (false, None) => Ended::Finished,
                };
                self.tell(&Notice::Ended(ended));
            }
            None if was_running => self.tell(&Notice::Running(false)),
            None => {}
        }
        self.let_go();
    }

    /// The camera is gone, and what ran with it.
    pub(super) fn lost(&mut self) {
        self.running(false);
        let rest = self.console.flush();
        self.pieces(rest);
        self.let_go();
        if self.script.take().is_some() {
            self.tell(&Notice::Ended(Ended::Lost));
        }
    }

    pub(super) fn running(&self, running: bool) {
        self.shared.set_running(running);
    }

    /// The console printed this.
    pub(super) fn text(&mut self, bytes: &[u8]) {
        let pieces = self.console.feed(bytes);
        self.pieces(pieces);
    }

    fn pieces(&mut self, pieces: Vec<Piece>) {
        for piece in pieces {
            match piece {
                Piece::Text(text) => self.script_text(&text),
                Piece::Image(data) => self.printed_image(data),
                Piece::TooLarge => self.tell(&Notice::FrameTooLarge),
                Piece::SaveFrame => self.tell(&Notice::SaveFrame),
            }
        }
    }

    /// Parts what the script prints from what the firmware says behind it.
    fn script_text(&mut self, text: &[u8]) {
        let speaks = |script: &Script| script.to_silence && !script.started;
        if !text.is_empty() && self.script.as_ref().is_some_and(speaks) {
            self.started();
        }
        if !self.behind.is_empty() {
            self.behind.extend_from_slice(text);
            return;
        }
        let mut all = std::mem::take(&mut self.held);
        all.extend_from_slice(text);
        if self.script.is_some() {
            if let Some(cut) = reboot_line(&all, self.line_start) {
                self.behind = all.split_off(cut);
            } else {
                // A line that may become the firmware's own waits for its rest.
                let line = all
                    .iter()
                    .rposition(|byte| *byte == b'\n')
                    .map_or(0, |at| at + 1);
                let fresh = line > 0 || self.line_start;
                let rest = all.get(line..).unwrap_or_default();
                if fresh && !rest.is_empty() && REBOOT.as_bytes().starts_with(rest) {
                    self.held = all.split_off(line);
                }
            }
        }
        self.say(&all);
    }

    /// What was held back, when nothing will follow that belongs to it.
    fn let_go(&mut self) {
        for text in [
            std::mem::take(&mut self.held),
            std::mem::take(&mut self.behind),
        ] {
            self.say(&text);
        }
    }

    fn say(&mut self, text: &[u8]) {
        if let Some(last) = text.last() {
            self.line_start = *last == b'\n';
            self.tail.add(text);
            self.shared.statistics().text_bytes += text.len() as u64;
            self.tell(&Notice::Text(text.into()));
        }
    }

    /// A picture that came through the console, as firmware before 4.8 sends those too large for
    /// its buffer. Its size stands inside it.
    fn printed_image(&mut self, data: Vec<u8>) {
        let format = match data.starts_with(b"\x89PNG") {
            true => crate::PixelFormat::Png,
            false => crate::PixelFormat::Jpeg,
        };
        let probe = Frame::new(0, 1, 1, format, data);
        let Ok(rgb) = probe.to_rgb() else {
            self.corrupt();
            return;
        };
        self.frame(Frame {
            width: rgb.width,
            height: rgb.height,
            ..probe
        });
    }

    /// A picture came. One that cannot be whole is counted and left out.
    pub(super) fn frame(&mut self, mut frame: Frame) {
        if frame.check().is_err() {
            self.corrupt();
            return;
        }
        self.number += 1;
        frame.number = self.number;
        frame.time = std::time::SystemTime::now();
        {
            let mut statistics = self.shared.statistics();
            statistics.frames += 1;
            statistics.frame_bytes += frame.data.len() as u64;
        }
        self.tell(&Notice::Frame(Arc::new(frame)));
    }

    pub(super) fn corrupt(&self) {
        self.shared.statistics().corrupt_frames += 1;
    }
}

/// Where the firmware's own line begins, if it does at the start of a line.
fn reboot_line(text: &[u8], line_start: bool) -> Option<usize> {
    let word = REBOOT.as_bytes();
    text.windows(word.len())
        .enumerate()
        .filter(|(_, window)| *window == word)
        .map(|(at, _)| at)
        .find(|at| match at.checked_sub(1) {
            Some(before) => text.get(before) == Some(&b'\n'),
            None => line_start,
        })
}
