//! What a terminal can do: it is asked, and what it does not answer it cannot do.

use std::io::{self, IsTerminal, Read, Write};
use std::sync::mpsc::{self, Receiver};
use std::time::{Duration, Instant};

use crossterm::terminal;

use super::Way;

/// A picture for kitty that is not shown, the size of a cell in pixels, and what kind of terminal
/// it is: all but dead ones answer the last.
const QUESTIONS: &[u8] = b"\x1b_Gi=31,s=1,v=1,a=q,t=d,f=24;AAAA\x1b\\\x1b[16t\x1b[c";
/// How long an answer may take; over a slow line it takes a while.
const PATIENCE: Duration = Duration::from_millis(400);
/// More than any terminal answers, bytes.
const LONGEST: usize = 4096;
/// A cell where nothing says how large it is, pixels.
const CELL: (usize, usize) = (8, 16);

/// A terminal that shows pictures: its screen is ours until this is dropped.
pub struct Terminal {
    /// The way it draws.
    pub way: Way,
    /// Whether it knows more than 256 colours.
    pub true_colour: bool,
    /// Width and height of a character, pixels.
    pub cell: (usize, usize),
}

/// Keys that are pressed.
pub struct Keys {
    bytes: Receiver<u8>,
}

impl Keys {
    /// The key that was pressed, if one was.
    pub fn pressed(&self) -> Option<u8> {
        self.bytes.try_recv().ok()
    }
}

impl Terminal {
    /// Takes over the terminal, and asks what it can do.
    ///
    /// # Errors
    /// When input or output are no terminal.
    pub fn open(wanted: Option<Way>) -> io::Result<(Self, Keys)> {
        if !(io::stdout().is_terminal() && io::stdin().is_terminal()) {
            return Err(io::Error::new(
                io::ErrorKind::Unsupported,
                "this is no terminal",
            ));
        }
        terminal::enable_raw_mode()?;
        let (sender, bytes) = mpsc::channel();
        std::thread::spawn(move || {
            for byte in io::stdin().lock().bytes().map_while(Result::ok) {
                if sender.send(byte).is_err() {
                    return;
                }
            }
        });
        let mut answer = Vec::new();
        let mut out = io::stdout();
        out.write_all(QUESTIONS)?;
        out.flush()?;
        let until = Instant::now() + PATIENCE;
        while !is_whole(&answer) && answer.len() < LONGEST {
            let left = until.saturating_duration_since(Instant::now());
            match bytes.recv_timeout(left) {
                Ok(byte) => answer.push(byte),
                Err(_) => break,
            }
        }
        let mut this = Self::read(&answer);
        this.way = wanted.unwrap_or(this.way);
        this.true_colour = says_true_colour() || this.way == Way::Kitty;
        // A screen of its own, without cursor.
        out.write_all(b"\x1b[?1049h\x1b[?25l\x1b[2J")?;
        out.flush()?;
        Ok((this, Keys { bytes }))
    }

    /// Reads what a terminal answered.
    fn read(answer: &[u8]) -> Self {
        let text = String::from_utf8_lossy(answer);
        let kitty = text.contains("\x1b_Gi=31;OK");
        let kind = text
            .rsplit("\x1b[?")
            .next()
            .and_then(|rest| rest.split_once('c'));
        let sixel = kind.is_some_and(|(numbers, _)| numbers.split(';').skip(1).any(|n| n == "4"));
        let cell = text.split("\x1b[6;").nth(1).and_then(|rest| {
            let (numbers, _) = rest.split_once('t')?;
            let (height, width) = numbers.split_once(';')?;
            Some((width.parse().ok()?, height.parse().ok()?))
        });
        Self {
            way: match (kitty, sixel) {
                (true, _) => Way::Kitty,
                (false, true) => Way::Sixel,
                (false, false) => Way::Blocks,
            },
            true_colour: false,
            cell: cell
                .filter(|(w, h)| (1..200).contains(w) && (1..200).contains(h))
                .unwrap_or(CELL),
        }
    }

    /// Columns and rows, as they are now.
    pub fn size(&self) -> (usize, usize) {
        let (columns, rows) = terminal::size().unwrap_or((80, 24));
        (
            usize::from(columns).clamp(1, 1000),
            usize::from(rows).clamp(2, 1000),
        )
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        let mut out = io::stdout();
        if self.way == Way::Kitty {
            let _ = out.write_all(b"\x1b_Ga=d,d=I,i=1,q=2\x1b\\");
        }
        let _ = out.write_all(b"\x1b[?2026l\x1b[0m\x1b[?25h\x1b[?1049l");
        let _ = out.flush();
        let _ = terminal::disable_raw_mode();
    }
}

/// Whether the last answer is there.
fn is_whole(answer: &[u8]) -> bool {
    let text = String::from_utf8_lossy(answer);
    text.rsplit_once("\x1b[?")
        .is_some_and(|(_, kind)| kind.contains('c'))
}

/// Terminals cannot be asked for this; those that know it say it in this variable.
fn says_true_colour() -> bool {
    let says = std::env::var("COLORTERM").unwrap_or_default();
    says == "truecolor" || says == "24bit"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_decide_how_pictures_are_drawn() {
        // kitty 0.26, xterm with sixel, tmux without: as these programs document their answers.
        let kitty = Terminal::read(b"\x1b_Gi=31;OK\x1b\\\x1b[6;20;10t\x1b[?62;c");
        assert_eq!((kitty.way, kitty.cell), (Way::Kitty, (10, 20)));
        let xterm = Terminal::read(b"\x1b[6;13;6t\x1b[?64;1;2;4;6;22c");
        assert_eq!((xterm.way, xterm.cell), (Way::Sixel, (6, 13)));
        let tmux = Terminal::read(b"\x1b[?1;2c");
        assert_eq!((tmux.way, tmux.cell), (Way::Blocks, CELL));
        for silent in [&b""[..], b"\x1b[?4", b"\x1b[6;0;0t\x1b[?4c", b"c4\xff"] {
            let terminal = Terminal::read(silent);
            assert_eq!((terminal.way, terminal.cell), (Way::Blocks, CELL));
        }
    }

    #[test]
    fn the_wait_ends_with_the_answer_that_every_terminal_gives() {
        assert!(!is_whole(b"\x1b_Gi=31;OK\x1b\\\x1b[?62"));
        assert!(is_whole(b"\x1b_Gi=31;OK\x1b\\\x1b[?62;c"));
    }
}
