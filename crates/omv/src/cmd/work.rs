//! What every command that changes a camera does the same way: show the plan, ask for consent,
//! run it, say what came of it.

use std::io::{self, IsTerminal, Write};
use std::path::PathBuf;

use omv_boards::{Board, State};
use omv_camera::{Context, Error, Event, Found, Looked, Outcome, Who, run};
use omv_plan::{Plan, Refusal, Step, Wish};
use serde_json::{Value, json};

use super::wizard;
use crate::bench::Bench;
use crate::fail::Fail;
use crate::output::{Output, clean, size};
use crate::render::{Render, dry_run};
use crate::{signals, vendor};

/// How often a camera may turn out to be other than thought: once for its bootloader, once for
/// its pace, and once for its bootloader again, when it was started anew.
const SURPRISES: usize = 3;

/// What a plan should know of the camera it is for.
pub fn wish(looked: &Looked) -> Wish {
    Wish {
        firmware: looked.firmware().and_then(|version| version.parse().ok()),
        ..Wish::default()
    }
}

/// Prints the plan instead of running it.
pub fn show(plan: &Plan, looked: &Looked, output: &Output) -> Result<(), Fail> {
    let steps = plan.describe();
    if output.json {
        let warnings = plan.warnings.clone();
        output.object(&Event::Planned { steps, warnings })?;
        return output.result(json!({
            "camera": looked.found.label(),
            "board": looked.board.name,
            "state": looked.state,
            "firmware": looked.firmware(),
            "dry_run": true,
        }));
    }
    output.line(&headline(looked))?;
    dry_run(output, &steps, &plan.warnings)
}

/// Runs a plan to its end. `again` plans anew for another state: which bootloader a camera has
/// shows only when it is entered. `keep` says where to put a region that is read.
pub fn execute(
    bench: &Bench,
    again: &dyn Fn(State) -> Result<Plan, Refusal>,
    looked: Looked,
    output: &Output,
    keep: &dyn Fn(&str) -> PathBuf,
) -> Result<(Outcome, &'static Board), Fail> {
    let plan = again(looked.state)?;
    if !output.json {
        eprintln!("{}", headline(&looked));
    }
    let board = looked.board;
    let first = looked.found.clone();
    let mut render = Render::new(output);
    let mut done = once(bench, &plan, looked.found, looked.who, &mut render, keep);
    let mut careful = false;
    for _ in 0..SURPRISES {
        let (state, text) = match &done {
            Err(Error::OtherBootloader { instead, .. }) => {
                let text = format!("it has another bootloader, `{instead}`: planning anew");
                (*instead, text)
            }
            // One that could not follow has to be started again by hand.
            Err(Error::TooFast { .. }) if !careful => {
                careful = true;
                let text = "it could not follow: once more, slowly".to_owned();
                (State::Silent, text)
            }
            _ => break,
        };
        render.event(Event::Note { text });
        let now = bench.find()?.into_iter();
        let found = now.rev().find(|found| found.seen.place == first.seen.place);
        done = match again(state) {
            Ok(plan) => {
                let plan = Plan { careful, ..plan };
                let found = found.unwrap_or_else(|| first.clone());
                once(bench, &plan, found, None, &mut render, keep)
            }
            Err(refusal) => Err(refusal.into()),
        };
    }
    render.end()?;
    bench.keep()?;
    Ok((done?, board))
}

/// Runs one plan.
fn once(
    bench: &Bench,
    plan: &Plan,
    found: Found,
    who: Option<Who>,
    render: &mut Render<'_>,
    keep: &dyn Fn(&str) -> PathBuf,
) -> Result<Outcome, Error> {
    run(
        plan,
        Context {
            found,
            who,
            tell: &mut |event| {
                let hands = hands_of(plan, &event);
                render.event(event);
                if let Some(expect) = hands {
                    render.draw(&wizard::drawing(plan.board, expect));
                    bench.hands(expect);
                }
            },
            keep: &mut |region, bytes| write_new(&keep(region), bytes),
            vendor: &mut |job, images, found| vendor::run(job, images, found, &bench.stop),
            stop: bench.stop.clone(),
        },
    )
}

/// What hands are asked for by an event, if any.
fn hands_of<'p>(plan: &'p Plan, event: &Event) -> Option<&'p [State]> {
    let Event::Hands { step, .. } = event else {
        return None;
    };
    match plan.steps.get(*step)? {
        Step::Hands { expect, .. } => Some(expect),
        _ => None,
    }
}

/// Says what a camera is now, and what was done to it.
pub fn conclude(
    outcome: &Outcome,
    board: &Board,
    simulated: bool,
    output: &Output,
    more: Value,
) -> Result<(), Fail> {
    let firmware = outcome.firmware();
    if output.json {
        let mut fields = json!({
            "camera": outcome.label,
            "place": outcome.place,
            "board": board.name,
            "state": outcome.state,
            "firmware": firmware,
            "millis": outcome.took.as_millis() as u64,
            "simulated": simulated,
            "boot_fuse_set": outcome.boot_fuse_set,
            "regions": outcome.regions,
        });
        if let (Some(fields), Value::Object(more)) = (fields.as_object_mut(), more) {
            fields.extend(more);
        }
        return output.result(fields);
    }
    for region in &outcome.regions {
        let proof = if region.verified {
            "verified"
        } else {
            "not verified"
        };
        output.line(&format!(
            "{:<10} {}  {proof}; {} written, {} were equal",
            region.name,
            size(region.bytes),
            size(region.written_bytes),
            size(region.skipped_bytes),
        ))?;
    }
    if outcome.boot_fuse_set == Some(false) {
        output.line(
            "The boot fuse of this camera is clear: without it the chip starts in its ROM at every \
             power-up. `omv recover --burn-boot-fuse` sets it, for ever.",
        )?;
    }
    let clock = if simulated { " (a virtual camera)" } else { "" };
    let took = outcome.took.as_secs_f64();
    let now = match firmware {
        Some(version) => format!("runs firmware {version}"),
        None => format!("is in state `{}`", outcome.state),
    };
    let label = clean(&outcome.label);
    output.line(&format!(
        "{} {label} {now}. Took {took:.1} s{clock}.",
        board.title
    ))
}

/// Asks a person, or refuses where nobody can answer.
pub fn consent(question: &str, yes: bool, output: &Output) -> Result<(), Fail> {
    if yes {
        return Ok(());
    }
    if output.json || !io::stdin().is_terminal() {
        let command: Vec<String> = std::env::args().collect();
        let (question, command) = (question.to_owned(), format!("{} --yes", command.join(" ")));
        return Err(Fail::NeedsHands { question, command });
    }
    eprint!("{question} [y/N] ");
    // A prompt that cannot be shown is still answered by whoever types.
    let _ = io::stderr().flush();
    let answer = signals::answer().ok().flatten().unwrap_or_default();
    match answer.to_ascii_lowercase().as_str() {
        "y" | "yes" => Ok(()),
        _ => Err(Fail::Declined),
    }
}

/// Writes a file whole or not at all; one that is there already is never replaced.
fn write_new(path: &std::path::Path, bytes: &[u8]) -> io::Result<()> {
    if path.exists() {
        let text = format!("{} exists already", path.display());
        return Err(io::Error::new(io::ErrorKind::AlreadyExists, text));
    }
    let part = path.with_extension("part");
    std::fs::write(&part, bytes).and_then(|()| std::fs::File::open(&part)?.sync_all())?;
    std::fs::rename(&part, path).inspect_err(|_| {
        let _ = std::fs::remove_file(&part);
    })
}

fn headline(looked: &Looked) -> String {
    let label = clean(&looked.found.label());
    let state = match looked.firmware() {
        Some(version) => format!("running {version}"),
        None => format!("in state `{}`", looked.state),
    };
    format!("{} {label}, {state}", looked.board.title)
}

/// The board a person names.
pub fn board(name: Option<&str>) -> Result<Option<&'static Board>, Fail> {
    let Some(name) = name else { return Ok(None) };
    match omv_boards::by_name(name) {
        Some(board) => Ok(Some(board)),
        None => {
            let names: Vec<&str> = omv_boards::all()
                .iter()
                .map(|board| board.name.as_str())
                .collect();
            Err(Fail::Usage {
                what: format!("no board is called `{name}`"),
                help: format!("The names are: {}", names.join(", ")),
            })
        }
    }
}
