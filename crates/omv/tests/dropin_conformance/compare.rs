//! Equal but for what is meant to differ.

use std::fmt;

use crate::scene::{Scene, Stage};
use crate::tools::{Omv, Outcome, Spsdk, Tool};

/// A difference that is meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Meant {
    Progress,
    Failure,
    Phrase,
    Json,
    Help,
    Log,
}

/// Each with its reason.
const MEANT: [(Meant, &str, &str); 6] = [
    (
        Meant::Progress,
        "progress",
        "`(1/1)NN%` appears off a terminal too: OpenMV IDE draws its bar from it, as NXP's older tool in C++ printed it",
    ),
    (
        Meant::Failure,
        "failure",
        "`sdphost` exits with 1 when the device reported a failure: callers that look at nothing else would go on after a failed upload",
    ),
    (
        Meant::Phrase,
        "phrase",
        "`cannot open USB HID device` is printed when there is none: older versions of OpenMV IDE look for it",
    ),
    (
        Meant::Json,
        "json",
        "with `-j` data go to standard error, where SPSDK puts them before the JSON and so spoils it",
    ),
    (
        Meant::Help,
        "help",
        "help is in words of our own; its usage lines, its stream and its exit code are equal",
    ),
    (
        Meant::Log,
        "log",
        "what `-v`, `-vv` and `-vvv` tell on standard error is in words of our own; warnings and errors among it are equal",
    ),
];

/// What became of one command line.
pub struct Seen {
    theirs: i64,
    ours: i64,
    /// Checksum of what the real tool prints.
    sum: u32,
    /// The meant differences, or what is wrong.
    verdict: Result<Vec<Meant>, String>,
}

/// Runs a scene with both tools.
pub fn both(scene: &Scene, json: bool, spsdk: &mut Spsdk) -> Vec<Seen> {
    let (left, right) = (scene.stage(), scene.stage());
    let mut seen = Vec::new();
    for line in &scene.lines {
        let theirs = run(spsdk, scene, &left, line, json);
        let ours = run(&mut Omv, scene, &right, line, json);
        let refused = line.starts_with("jump-address") && right.stays();
        let context = format!(
            "{} -- {line}{}",
            scene.title,
            if json { " (-j)" } else { "" }
        );
        seen.push(Seen {
            theirs: theirs.code,
            ours: ours.code,
            sum: sum(&theirs),
            verdict: judge(scene, refused, &theirs, &ours, json).map_err(|why| {
                format!(
                    "{context}: {why}\n  theirs: {}\n  ours:   {}",
                    show(&theirs),
                    show(&ours)
                )
            }),
        });
    }
    let same = (0..100).any(|_| {
        // The goodbye of a device takes its thread a moment.
        let same = left.remains() == right.remains();
        if !same {
            std::thread::sleep(std::time::Duration::from_millis(10));
        }
        same
    });
    if let Some(last) = seen.last_mut().filter(|_| !same) {
        last.verdict = Err(format!(
            "{}: flash, fuses or files differ at the end",
            scene.title
        ));
    }
    seen
}

/// FNV-1a over both streams. The devices are ours: were only the tools compared with each other,
/// a device that answers nonsense would go unnoticed.
pub fn sum(outcome: &Outcome) -> u32 {
    let bytes = outcome.out.iter().chain(&outcome.err);
    bytes.fold(0x811C_9DC5, |sum, byte| {
        (sum ^ u32::from(*byte)).wrapping_mul(0x0100_0193)
    })
}

/// An outcome in one line.
pub fn show(outcome: &Outcome) -> String {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    format!(
        "{} out {:?} err {:?}",
        outcome.code,
        text(&outcome.out),
        text(&outcome.err)
    )
}

/// Runs one line of a scene, and takes out of the output what differs from run to run.
pub fn run(tool: &mut dyn Tool, scene: &Scene, stage: &Stage, line: &str, json: bool) -> Outcome {
    let mut words: Vec<String> = Vec::new();
    let line = match line.strip_prefix('!') {
        Some(line) => line.to_owned(),
        None => format!("-p {{PORT}} {line}"),
    };
    if json {
        words.push("-j".to_owned());
    }
    words.extend(split(&line.replace("{PORT}", stage.port())));
    let folder = stage.folder();
    let mut outcome = tool.run(&scene.tool, &words, &folder);
    for bytes in [&mut outcome.out, &mut outcome.err] {
        let text = String::from_utf8(std::mem::take(bytes)).expect("text");
        let text = text
            .replace(stage.port(), "PORT")
            .replace(folder.to_str().unwrap(), "FOLDER");
        *bytes = without_log(&without_times(&text)).into_bytes();
    }
    outcome
}

/// Words of a line; double quotes hold one together.
fn split(line: &str) -> Vec<String> {
    let mut words = Vec::new();
    for (at, part) in line.split('"').enumerate() {
        if at % 2 == 1 {
            words.push(part.to_owned());
        } else {
            words.extend(part.split_whitespace().map(str::to_owned));
        }
    }
    words
}

/// Log lines say how long the tool had been running; that is taken out.
fn without_times(text: &str) -> String {
    const TIME: &str = "ms since start";
    let mut clean = String::new();
    for part in text.split_inclusive(TIME) {
        match part.strip_suffix(TIME) {
            Some(before) => {
                clean.push_str(before.trim_end_matches(|c: char| c.is_ascii_digit()));
                clean.push_str(TIME);
            }
            None => clean.push_str(part),
        }
    }
    clean
}

/// Stands for all lines of a log below warnings.
const LOG: &str = "(log)\n";

fn without_log(text: &str) -> String {
    let of_log = |line: &&str| {
        let mut levels = ["INFO:", "DEBUG:", "TRACE:"].iter();
        levels.any(|level| line.starts_with(level))
    };
    let (log, rest): (Vec<&str>, Vec<&str>) = text.split_inclusive('\n').partition(of_log);
    let mark = if log.is_empty() { "" } else { LOG };
    format!("{mark}{}", rest.concat())
}

fn judge(
    scene: &Scene,
    refused: bool,
    theirs: &Outcome,
    ours: &Outcome,
    json: bool,
) -> Result<Vec<Meant>, String> {
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    let (their_out, mut their_err) = (text(&theirs.out), text(&theirs.err));
    let (mut our_out, mut our_err) = (text(&ours.out), text(&ours.err));
    let mut meant = Vec::new();
    while let Some((before, rest)) = our_out.split_once("\r(1/1)") {
        let (_, after) = rest.split_once('\n').ok_or("progress without an end")?;
        our_out = format!("{before}{after}");
        meant.push(Meant::Progress);
    }
    meant.dedup();
    if their_err.contains("for given interface 'usb'") && our_out == "cannot open USB HID device\n"
    {
        our_out.clear();
        meant.push(Meant::Phrase);
    }
    if their_err.starts_with(LOG) && our_err.starts_with(LOG) {
        their_err.replace_range(..LOG.len(), "");
        our_err.replace_range(..LOG.len(), "");
        meant.push(Meant::Log);
    }
    let mut their_out = their_out;
    if json {
        let (data, objects) = apart(&their_out);
        if !data.is_empty() && our_err.starts_with(&data) {
            our_err.replace_range(..data.len(), "");
            their_out = objects;
            meant.push(Meant::Json);
        }
    }
    let failed = scene.tool == "sdphost" && (theirs.code, ours.code) == (0, 1);
    if failed && (says_failure(&their_out) || refused) {
        meant.push(Meant::Failure);
    } else if theirs.code != ours.code {
        return Err("the exit code differs".to_owned());
    }
    for (theirs, ours, stream) in [
        (&their_out, &our_out, "output"),
        (&their_err, &our_err, "error output"),
    ] {
        let is_help = theirs.contains("\nOptions:\n");
        if is_help && !ours.is_empty() {
            let usage = ours
                .split(
                    "

",
                )
                .next()
                .unwrap_or_default();
            if usage.starts_with("Usage: ") && !theirs.contains(usage) {
                return Err(format!("the usage in the {stream} differs"));
            }
            meant.push(Meant::Help);
        } else if theirs != ours {
            return Err(format!("the {stream} differs"));
        }
    }
    Ok(meant)
}

/// Lines of data, and the JSON they stand between.
fn apart(out: &str) -> (String, String) {
    let is_json = |line: &&str| line.starts_with(['{', '}', ' ']);
    let (json, data): (Vec<&str>, Vec<&str>) = out.split_inclusive('\n').partition(is_json);
    (data.concat(), json.concat())
}

/// Whether a result of `sdphost` is none of success.
fn says_failure(out: &str) -> bool {
    let locked = [
        "HAB Is Enabled",
        "\"value\": 305411090",
        "\"value\": 2\n",
        "(0x2) NO DESCRIPTION",
    ];
    // As the simulator's chip says that an address is none: HAB failure, invalid address.
    let nowhere = out.contains("\n      857866240\n");
    let refused = out.contains("Response status = ") && !out.contains("Success");
    refused || nowhere || locked.iter().any(|mark| out.contains(mark))
}

/// The rows of the document, and what is wrong with them.
#[derive(Default)]
pub struct Table {
    text: String,
    counts: [(String, usize); 2],
    /// Differences that are not meant.
    pub failures: Vec<String>,
}

impl Table {
    /// Adds the rows of a scene.
    pub fn add(&mut self, scene: &Scene, plain: &[Seen], json: &[Seen]) {
        self.text
            .push_str(&format!("\n## {}: {}\n\n", scene.tool, scene.title));
        self.text.push_str(
            "| Command line | SPSDK | ours | text | JSON | sum |\n|---|---|---|---|---|---|\n",
        );
        for ((line, plain), json) in scene.lines.iter().zip(plain).zip(json) {
            let shown = match line.strip_prefix('!') {
                Some(line) => line.to_owned(),
                None => format!("-p PORT {line}"),
            };
            let shown = shown.replace("{PORT}", "PORT").replace('|', "\\|");
            self.text.push_str(&format!(
                "| `{} {shown}` | {} | {} | {} | {} | {:08x} |\n",
                scene.tool,
                plain.theirs,
                plain.ours,
                plain.word(),
                json.word(),
                plain.sum
            ));
            for one in [plain, json] {
                self.failures.extend(one.verdict.as_ref().err().cloned());
            }
            let at = usize::from(scene.tool == "sdphost");
            self.counts[at].0.clone_from(&scene.tool);
            self.counts[at].1 += 1;
        }
    }

    /// There are enough lines to speak of conformance.
    pub fn check_counts(&self) {
        assert!(self.counts[0].1 >= 60, "{:?}", self.counts);
        assert!(self.counts[1].1 >= 15, "{:?}", self.counts);
    }
}

impl Seen {
    fn word(&self) -> String {
        let Ok(meant) = &self.verdict else {
            return "**differs**".to_owned();
        };
        let name = |one: &Meant| {
            MEANT
                .iter()
                .find(|row| row.0 == *one)
                .map_or("", |row| row.1)
        };
        match meant.as_slice() {
            [] => "equal".to_owned(),
            some => {
                let names: Vec<_> = some.iter().map(name).collect();
                format!("equal but for {}", names.join(", "))
            }
        }
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "# `omv blhost` and `omv sdphost` beside SPSDK 3.12.0\n")?;
        writeln!(
            f,
            "Made by `cargo xtask test conformance`, which runs each command line with the real tool and with\n\
             ours, on virtual cameras that are equal, and compares exit code, standard output, standard error,\n\
             and at the end flash, fuses and files. It fails when this page does not say what it sees.\n\
             {} lines of `blhost`, {} of `sdphost`, each in plain text and with `-j`.\n",
            self.counts[0].1, self.counts[1].1
        )?;
        writeln!(
            f,
            "The columns SPSDK and ours are exit codes. The sum is of what SPSDK prints in plain text: it\n\
             changes when a virtual camera answers otherwise than before.\n\n\
             What is meant to differ:\n"
        )?;
        for (_, name, reason) in MEANT {
            writeln!(f, "* **{name}**: {reason}.")?;
        }
        writeln!(
            f,
            "\nNot compared: milliseconds in log lines, names of ports and folders."
        )?;
        f.write_str(&self.text)
    }
}
