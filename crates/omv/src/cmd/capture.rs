//! `omv capture`: pictures for training, taken by key, by time or by the script on the camera.

use std::io::{self, BufRead, IsTerminal};
use std::sync::Arc;
use std::sync::mpsc::{self, Receiver};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use omv_camera::Frame;
use omv_camera::session::{Appetite, Frames, Notice};
use serde_json::json;

use super::live::{aside, remark};
use super::seeing::{FIRST, PICTURES, Script, Seeing};
use crate::cli::{Capture, Common};
use crate::dataset::export::export;
use crate::dataset::{Added, Area, Class};
use crate::fail::Fail;
use crate::output::{Output, clean};
use crate::shot::Shot;

const LOOK: Duration = Duration::from_millis(50);
/// What a script prints to have a picture kept: `omv-capture`, and the numbers of a box if it knows one.
const WORD: &str = "omv-capture";
/// Text that may wait.
const TEXT: usize = 1 << 16;

/// When a picture is kept.
enum Trigger {
    Key(Receiver<String>),
    Every(Duration),
    Script,
}

/// Runs the command.
pub fn run(common: &Common, args: &Capture, output: &Output) -> Result<(), Fail> {
    if let Some(form) = args.export {
        let to = args.to.as_deref().unwrap_or(&args.folder);
        let done = export(&args.folder, form, to)?;
        if output.json {
            return output.result(json!({
                "pictures": done.pictures, "without_boxes": done.whole, "broken": done.broken,
            }));
        }
        let (pictures, whole, broken) = (done.pictures, done.whole, done.broken);
        output.line(&format!("{pictures} pictures in {}", to.display()))?;
        if whole > 0 {
            output.line(&format!(
                "{whole} of them have no boxes: their label is that of the whole picture"
            ))?;
        }
        if broken > 0 {
            output.line(&format!(
                "{broken} files were left out: they are no pictures"
            ))?;
        }
        return Ok(());
    }
    let label = args.label.as_deref().unwrap_or_default();
    let script = Script::read(args.script.as_deref())?;
    let alike = (!args.all).then_some(args.alike);
    let mut class = Class::open(
        &args.folder,
        label,
        alike,
        script.as_ref().map_or(PICTURES, |script| &script.bytes),
    )?;
    let trigger = match (args.on_script, args.every) {
        (true, _) => Trigger::Script,
        (false, Some(seconds)) => Trigger::Every(Duration::from_secs_f64(seconds)),
        (false, None) => {
            if io::stdin().is_terminal() {
                remark(output, "Enter keeps a picture, q and Enter ends");
            }
            Trigger::Key(keys())
        }
    };
    let appetite = Appetite {
        frames: Frames::Latest,
        text: TEXT,
    };
    let mut seeing = match (args.on_script, &script) {
        // What runs says when: it is not to be taken for one that shows nothing.
        (true, None) => Seeing::as_it_is(common, "omv capture", appetite)?,
        (_, script) => Seeing::open(common, "omv capture", script.as_ref(), appetite, output)?,
    };
    let tally = take(&mut seeing, &mut class, &trigger, args, output);
    let closed = seeing.close(output);
    let (kept, alike) = tally?;
    closed?;
    if output.json {
        return output.result(json!({ "label": label, "kept": kept, "alike": alike }));
    }
    output.line(&format!("{kept} pictures of `{label}` kept, {alike} left out because they looked like one that is there"))
}

/// Lines that are typed.
fn keys() -> Receiver<String> {
    let (sender, keys) = mpsc::channel();
    std::thread::spawn(move || {
        for line in io::stdin().lock().lines().map_while(Result::ok) {
            if sender.send(line).is_err() {
                return;
            }
        }
    });
    keys
}

/// Takes pictures until there are enough; how many were kept, and left out.
fn take(
    seeing: &mut Seeing,
    class: &mut Class,
    trigger: &Trigger,
    args: &Capture,
    output: &Output,
) -> Result<(u64, u64), Fail> {
    let camera = seeing.live.session.info().serial.unwrap_or_default();
    let pace = seeing.live.bench.pace();
    let (mut kept, mut alike) = (0, 0);
    let mut last: Option<Arc<Frame>> = None;
    let mut due = seeing.live.session.now();
    let patience = due + FIRST;
    let mut line = String::new();
    loop {
        pace.keep();
        if seeing.live.bench.stop.asked() || args.count.is_some_and(|count| kept >= count) {
            return Ok((kept, alike));
        }
        let mut wishes: Vec<Vec<Area>> = Vec::new();
        match seeing.next(LOOK)? {
            Some(Notice::Frame(frame)) => last = Some(frame),
            Some(Notice::Text(bytes)) => {
                line.push_str(&String::from_utf8_lossy(&bytes));
                while let Some(end) = line.find('\n') {
                    let whole: String = line.drain(..=end).collect();
                    if matches!(trigger, Trigger::Script) {
                        wishes.extend(wish(&whole));
                    }
                }
                if line.len() > TEXT {
                    line.clear();
                }
            }
            Some(Notice::Ended(_)) if matches!(trigger, Trigger::Script) => {
                return Ok((kept, alike));
            }
            Some(Notice::Closed) => return Ok((kept, alike)),
            Some(other) => aside(output, &other)?,
            None => {}
        }
        match trigger {
            Trigger::Key(keys) => match keys.try_recv() {
                Ok(word) if word.trim() == "q" => return Ok((kept, alike)),
                Ok(_) => wishes.push(Vec::new()),
                Err(mpsc::TryRecvError::Disconnected) => return Ok((kept, alike)),
                Err(mpsc::TryRecvError::Empty) => {}
            },
            Trigger::Every(period) if last.is_some() && seeing.live.session.now() >= due => {
                due = seeing.live.session.now() + *period;
                wishes.push(Vec::new());
            }
            _ => {}
        }
        for boxes in wishes {
            // A wish that comes before the first picture waits for it.
            let frame = match last.clone() {
                Some(frame) => frame,
                None => seeing.live.session.frame(FIRST)?,
            };
            let time = frame.time.duration_since(UNIX_EPOCH).unwrap_or_else(|_| {
                SystemTime::now()
                    .duration_since(UNIX_EPOCH)
                    .unwrap_or_default()
            });
            let added = class.add(&Shot::new(frame), time.as_secs(), &camera, boxes)?;
            match added {
                Some(Added::Kept(path)) => {
                    kept += 1;
                    if !output.json {
                        output.line(&clean(&path))?;
                    }
                }
                Some(Added::LikeOne(_)) => alike += 1,
                None => {}
            }
        }
        if last.is_none() && seeing.live.session.now() > patience {
            return Err(seeing.nothing());
        }
    }
}

/// What a line of a script wishes for: a picture, with a box or without.
fn wish(line: &str) -> Option<Vec<Area>> {
    let rest = line.trim().strip_prefix(WORD)?;
    let numbers: Option<Vec<u32>> = rest.split_whitespace().map(|n| n.parse().ok()).collect();
    match numbers?[..] {
        [] => Some(Vec::new()),
        [x, y, width, height] => Some(vec![Area {
            x,
            y,
            width,
            height,
        }]),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_script_wishes_for_a_picture_with_a_box_or_without() {
        assert_eq!(wish("omv-capture\r\n"), Some(Vec::new()));
        let area = Area {
            x: 1,
            y: 2,
            width: 30,
            height: 40,
        };
        assert_eq!(wish("omv-capture 1 2 30 40\n"), Some(vec![area]));
        for other in ["omv-capture 1 2\n", "omv-capture a\n", "captured\n", ""] {
            assert_eq!(wish(other), None, "{other}");
        }
    }
}
