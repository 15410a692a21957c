//! `omv run`: a script runs on the camera, and what it prints comes here.

use std::fs;
use std::io::{self, IsTerminal, Read};
use std::path::Path;
use std::sync::mpsc::{self, Receiver};
use std::time::{Duration, Instant, SystemTime};

use omv_boards::State;
use omv_camera::Error;
use omv_camera::session::{Appetite, Ended, Frames, MAX_SCRIPT, Notice, Options, Session, Watch};
use serde_json::json;

use super::live::{Live, aside, print, remark};
use crate::cli::{Common, Run};
use crate::fail::Fail;
use crate::output::{Output, clean};
use crate::serve::ended_fields;
use crate::text::Cleaner;

/// How often it is looked for Ctrl-C, keys and a saved file.
const LOOK: Duration = Duration::from_millis(50);
/// How long a script that was stopped may take to say its last words.
const LAST_WORDS: Duration = Duration::from_secs(2);
/// How long a camera that left may take to be back: its bootloader's window and the start behind it.
const RETURNS: Duration = Duration::from_secs(8);
/// Bytes of text that may wait for a slow terminal.
const WAITING: usize = 1 << 20;
/// What a script read from stdin is called.
const STDIN: &str = "<stdin>";

/// A script and where it is from.
struct Script {
    bytes: Vec<u8>,
    /// Its name in tracebacks.
    name: String,
    /// Lines put before it.
    shift: u32,
}

/// Why the text stopped.
enum Over {
    Ended(Ended),
    /// By Ctrl-C.
    Interrupted,
    /// The time was over.
    Late,
    /// The file was saved.
    Saved,
    /// The camera was closed.
    Closed,
}

/// Runs the command.
pub fn run(common: &Common, args: &Run, output: &Output) -> Result<(), Fail> {
    if args.watch && args.script == Path::new("-") {
        return Err(Fail::Usage {
            what: "standard input is not saved again".into(),
            help: "Name the file of the script, or leave `--watch` out.".into(),
        });
    }
    // Looked at before it is read: what is saved meanwhile is seen later.
    let mut saved = args.watch.then(|| saved(&args.script));
    let mut script = read(args)?;
    let live = Live::open(common, "omv run", Options::default())?;
    let session = &live.session;
    let watch = session.watch_with(Appetite {
        frames: Frames::None,
        text: WAITING,
    });
    let keys = keys(args);
    loop {
        let begun = Instant::now();
        session.run(&script.bytes)?;
        let mut runner = Runner {
            session,
            watch: &watch,
            output,
            args,
            script: &script,
            keys: keys.as_ref(),
            begun,
        };
        let over = match runner.follow(&live, saved.as_ref()) {
            // Nobody reads the text any more: nobody will stop it later.
            Err(Fail::BrokenPipe) => {
                let _ = session.stop();
                return Err(Fail::BrokenPipe);
            }
            other => other?,
        };
        let took = begun.elapsed();
        let next = match &over {
            Over::Saved => again(&live, args, output, &mut saved, None),
            Over::Ended(_) if args.watch => again(&live, args, output, &mut saved, Some("")),
            Over::Late if args.watch => {
                let why = "its time was over and it was stopped; ";
                again(&live, args, output, &mut saved, Some(why))
            }
            _ => None,
        };
        match next {
            Some(next) => script = next,
            None => {
                if let Over::Ended(Ended::Lost) = over {
                    let now = whereabouts(&live, &watch, output)?;
                    live.close()?;
                    return Err(Fail::Left { now });
                }
                live.close()?;
                return conclude(over, args, took, output);
            }
        }
        remark(output, "saved: running it again");
    }
}

/// The script as it was saved; `why` is said and waited for, or it has been saved already. None when
/// somebody stops it.
fn again(
    live: &Live,
    args: &Run,
    output: &Output,
    saved: &mut Option<Option<SystemTime>>,
    why: Option<&str>,
) -> Option<Script> {
    let name = clean(&args.script.display().to_string());
    let mut why = why.map(str::to_owned);
    loop {
        if let Some(why) = why {
            remark(output, &format!("{why}waiting until {name} is saved"));
            if !wait_until_saved(live, &args.script, saved) {
                return None;
            }
        }
        // Half a file, or none: editors write as they like.
        *saved = Some(self::saved(&args.script));
        match read(args) {
            Ok(script) => return Some(script),
            Err(fail) => why = Some(format!("{}; ", clean(&fail.message()))),
        }
    }
}

/// What a camera that left while a script ran is now; none when it stays away.
fn whereabouts(live: &Live, watch: &Watch, output: &Output) -> Result<Option<State>, Fail> {
    let until = live.session.now() + RETURNS;
    while live.session.now() < until && !live.bench.stop.asked() {
        match watch.next(LOOK) {
            Some(Notice::Connected) => return Ok(Some(State::Run)),
            Some(other) => aside(output, &other)?,
            None => {}
        }
    }
    let place = live.session.info().place;
    let mut found = live.bench.find()?.into_iter();
    let there = found.find(|one| one.seen.place == place);
    Ok(there.map(|one| one.state()))
}

fn conclude(over: Over, args: &Run, took: Duration, output: &Output) -> Result<(), Fail> {
    let millis = took.as_millis() as u64;
    match over {
        Over::Ended(Ended::Raised(traceback)) => Err(Fail::raised(&traceback)),
        Over::Ended(Ended::Finished | Ended::Stopped) if output.json => {
            output.result(json!({ "how": "finished", "millis": millis }))
        }
        Over::Ended(Ended::Finished | Ended::Stopped) => Ok(()),
        // One that was saved ends here when somebody stopped the wait for a script.
        Over::Interrupted | Over::Saved => Err(Error::Stopped {
            doing: "running the script".into(),
            state: "the camera is ready".into(),
        }
        .into()),
        Over::Late => Err(Fail::Late {
            seconds: args.timeout.unwrap_or_default(),
        }),
        Over::Ended(_) | Over::Closed => Err(Fail::Left { now: None }),
    }
}

/// One run of a script.
struct Runner<'a> {
    session: &'a Session,
    watch: &'a Watch,
    output: &'a Output,
    args: &'a Run,
    script: &'a Script,
    keys: Option<&'a Receiver<Vec<u8>>>,
    begun: Instant,
}

impl Runner<'_> {
    /// Shows what the script says until it is over.
    fn follow(&mut self, live: &Live, saved: Option<&Option<SystemTime>>) -> Result<Over, Fail> {
        let mut cleaner = Cleaner::of_script(&self.script.name, self.script.shift);
        let mut started = false;
        // Why it was stopped, and until when its end is waited for.
        let mut stopped: Option<(Over, Instant)> = None;
        let pace = live.bench.pace();
        loop {
            pace.keep();
            let notice = self.watch.next(LOOK);
            let idle = notice.is_none();
            match notice {
                // Text from before belongs to what ran before.
                Some(Notice::Text(bytes)) if started => self.show(&cleaner.push(&bytes))?,
                Some(Notice::Started) => started = true,
                Some(Notice::Ended(ended)) if started => {
                    self.show(&cleaner.finish())?;
                    return Ok(match stopped {
                        Some((why, _)) => why,
                        None => self.ended(ended)?,
                    });
                }
                Some(Notice::Closed) => return Ok(Over::Closed),
                Some(other) => aside(self.output, &other)?,
                None => {}
            }
            if let Some((_, until)) = &stopped {
                if idle && Instant::now() > *until {
                    return Ok(stopped.map_or(Over::Closed, |(why, _)| why));
                }
                continue;
            }
            self.type_keys()?;
            let late = self
                .args
                .timeout
                .is_some_and(|limit| self.begun.elapsed().as_secs_f64() > limit);
            let why = if live.bench.stop.asked() {
                Some(Over::Interrupted)
            } else if late {
                Some(Over::Late)
            } else if saved.is_some_and(|before| self::saved(&self.args.script) != *before) {
                Some(Over::Saved)
            } else {
                None
            };
            if let Some(why) = why {
                self.session.stop()?;
                stopped = Some((why, Instant::now() + LAST_WORDS));
            }
        }
    }

    fn show(&self, text: &str) -> Result<(), Fail> {
        match (text.is_empty(), self.output.json) {
            (true, _) => Ok(()),
            (false, true) => self
                .output
                .object(&json!({ "event": "text", "text": text })),
            (false, false) => print(text),
        }
    }

    fn ended(&self, ended: Ended) -> Result<Over, Fail> {
        if self.output.json {
            let mut fields = ended_fields(&ended);
            if let Some(line) = fields.pointer_mut("/raised/line")
                && let Some(number) = line.as_u64()
            {
                *line = number.saturating_sub(self.script.shift.into()).into();
            }
            let event =
                json!({ "event": "ended", "how": fields["how"], "raised": fields["raised"] });
            self.output.object(&event)?;
        }
        Ok(Over::Ended(ended))
    }

    fn type_keys(&mut self) -> Result<(), Fail> {
        let Some(typed) = self.keys.and_then(|keys| keys.try_recv().ok()) else {
            return Ok(());
        };
        match self.session.input(&typed) {
            Err(error @ Error::NotInFirmware { .. }) => {
                // Said once; there will be more keys.
                self.keys = None;
                remark(self.output, &format!("{error}. {}", error.help()));
                Ok(())
            }
            other => Ok(other?),
        }
    }
}

/// Reads the script, and puts a line before it that sets its arguments, if there are any.
fn read(args: &Run) -> Result<Script, Fail> {
    let stdin = args.script == Path::new("-");
    let mut bytes = Vec::new();
    // One byte more than may be, so that more is seen.
    let limit = MAX_SCRIPT as u64 + 1;
    let done = match stdin {
        true => io::stdin().lock().take(limit).read_to_end(&mut bytes),
        false => {
            fs::File::open(&args.script).and_then(|file| file.take(limit).read_to_end(&mut bytes))
        }
    };
    done.map_err(|error| Fail::file(&args.script, "reading", error))?;
    if bytes.len() > MAX_SCRIPT {
        return Err(Error::ScriptTooLarge {
            size: bytes.len(),
            limit: MAX_SCRIPT,
        }
        .into());
    }
    if let Err(error) = std::str::from_utf8(&bytes) {
        return Err(Error::ScriptNotText {
            at: error.valid_up_to(),
        }
        .into());
    }
    let name = if stdin {
        STDIN.to_owned()
    } else {
        args.script.display().to_string()
    };
    if args.args.is_empty() {
        return Ok(Script {
            bytes,
            name,
            shift: 0,
        });
    }
    let words = std::iter::once(&name).chain(&args.args);
    let words: Vec<_> = words.map(|word| python_string(word)).collect();
    let mut whole = format!("import sys; sys.argv[:] = [{}]\n", words.join(", ")).into_bytes();
    whole.extend_from_slice(&bytes);
    Ok(Script {
        bytes: whole,
        name,
        shift: 1,
    })
}

/// A word as MicroPython reads it.
fn python_string(word: &str) -> String {
    let mut text = String::from("'");
    for c in word.chars() {
        match c {
            '\'' | '\\' => text.extend(['\\', c]),
            c if c.is_control() => text.push_str(&format!("\\x{:02x}", u32::from(c))),
            c => text.push(c),
        }
    }
    text.push('\'');
    text
}

/// When a file was last changed.
fn saved(path: &Path) -> Option<SystemTime> {
    fs::metadata(path).and_then(|about| about.modified()).ok()
}

/// Waits until it is another time; `false` when somebody stops it.
fn wait_until_saved(live: &Live, path: &Path, before: &mut Option<Option<SystemTime>>) -> bool {
    let before = before.flatten();
    while !live.bench.stop.asked() {
        // An editor may have moved the old one away and not written the new one yet.
        let now = saved(path);
        if now.is_some() && now != before {
            return true;
        }
        std::thread::sleep(LOOK);
    }
    false
}

/// Lines that are typed, as they come; none when the script itself comes from there.
fn keys(args: &Run) -> Option<Receiver<Vec<u8>>> {
    if args.script == Path::new("-") || !io::stdin().is_terminal() {
        return None;
    }
    let (sender, keys) = mpsc::channel();
    std::thread::spawn(move || {
        let mut line = String::new();
        while io::stdin().read_line(&mut line).is_ok_and(|read| read > 0) {
            if sender.send(std::mem::take(&mut line).into_bytes()).is_err() {
                return;
            }
        }
    });
    Some(keys)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arguments_are_python_strings_whatever_is_in_them() {
        assert_eq!(python_string("it's"), r"'it\'s'");
        assert_eq!(python_string("a\\\n\u{7}é"), "'a\\\\\\x0a\\x07é'");
    }
}
