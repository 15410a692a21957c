//! `omv list`: what is plugged in, and what state it is in. Opens nothing.

use std::collections::BTreeMap;
use std::time::Duration;

use omv_boards::{Family, State};
use omv_camera::Found;
use omv_link::Place;
use serde::Serialize;

use crate::bench::Bench;
use crate::cli::{Common, List};
use crate::fail::Fail;
use crate::output::{Output, clean};
use crate::signals::stop_on_interrupt;

/// How often the buses are looked at while watching.
const EVERY: Duration = Duration::from_millis(50);
/// A bootloader that comes this often within [`CYCLE_SPAN`] belongs to firmware that crashes.
const CYCLE_TIMES: usize = 3;
/// See [`CYCLE_TIMES`]. One round of window, crash and reset takes 2 to 4 s.
const CYCLE_SPAN: Duration = Duration::from_secs(20);

/// One camera, as it is printed. Fields are only ever added.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
struct Row {
    /// Serial number, else place: what `--camera` takes.
    camera: String,
    serial: Option<String>,
    /// Build name of the board, if there is only one it can be.
    board: Option<String>,
    title: Option<String>,
    /// Build names of all boards it can be.
    boards: Vec<String>,
    state: State,
    /// All states it can be in: a lookup does not guess.
    states: Vec<State>,
    family: Family,
    place: String,
    node: Option<String>,
    usb: String,
    product: Option<String>,
    simulated: bool,
}

/// Runs the command.
pub fn run(common: &Common, args: &List, output: &Output) -> Result<(), Fail> {
    let stop = stop_on_interrupt();
    let bench = Bench::new(common, "omv list", stop)?;
    if args.watch {
        return watch(&bench, output);
    }
    let rows: Vec<Row> = bench.find()?.iter().map(row).collect();
    if output.json {
        return output.object(&rows);
    }
    if rows.is_empty() {
        return output.line("No camera found. Plug one in, or try a virtual one: omv sim rt1062");
    }
    table(&rows, output)
}

fn row(found: &Found) -> Row {
    let mut boards: Vec<String> = found
        .candidates
        .iter()
        .map(|candidate| candidate.board.name.clone())
        .collect();
    boards.dedup();
    let seen = &found.seen;
    // A node that the account may not open is a camera without a driver, not a broken one.
    let state = if seen.denied {
        State::NoDriver
    } else {
        found.state()
    };
    Row {
        camera: clean(&found.label()),
        serial: seen.serial.as_deref().map(clean),
        board: found.board().map(|board| board.name.clone()),
        title: found.board().map(|board| board.title.clone()),
        boards,
        state,
        states: if seen.denied {
            vec![State::NoDriver]
        } else {
            found.states()
        },
        family: state.family(),
        place: seen.place.to_string(),
        node: seen.node.clone(),
        usb: format!("{:04X}:{:04X}", seen.vid, seen.pid),
        product: seen.product.as_deref().map(clean),
        simulated: seen.simulated,
    }
}

fn table(rows: &[Row], output: &Output) -> Result<(), Fail> {
    let mut lines = vec![["CAMERA", "BOARD", "STATE", "WHERE", "USB ID"].map(str::to_owned)];
    lines.extend(rows.iter().map(cells));
    let width = |column: usize| {
        lines
            .iter()
            .map(|l| l[column].chars().count())
            .max()
            .unwrap_or(0)
    };
    let widths: Vec<usize> = (0..5).map(width).collect();
    for line in &lines {
        let padded: Vec<String> = line
            .iter()
            .zip(&widths)
            .map(|(cell, width)| format!("{cell:<width$}", width = *width))
            .collect();
        output.line(padded.join("   ").trim_end())?;
    }
    let denied = rows.iter().any(|row| row.state == State::NoDriver);
    if denied {
        output.line("")?;
        output.line("no-driver: the camera is there, but your account may not open it.")?;
    }
    Ok(())
}

fn cells(row: &Row) -> [String; 5] {
    let camera = row.serial.clone().unwrap_or_else(|| "-".to_owned());
    let board = match (&row.title, row.boards.len()) {
        (Some(title), _) => title.clone(),
        (None, count) => format!("one of {count} boards"),
    };
    let states: Vec<String> = row.states.iter().map(State::to_string).collect();
    let state = format!("{} ({})", row.family.name(), states.join(" or "));
    let place = match &row.node {
        Some(node) => format!("{} {node}", row.place),
        None => row.place.clone(),
    };
    [camera, board, state, place, row.usb.clone()]
}

/// A line for what happened on a place.
#[derive(Serialize)]
struct Change<'a> {
    event: &'static str,
    #[serde(flatten)]
    row: &'a Row,
}

fn watch(bench: &Bench, output: &Output) -> Result<(), Fail> {
    let mut known: BTreeMap<Place, (u64, Row)> = BTreeMap::new();
    let mut arrivals: BTreeMap<Place, Vec<Duration>> = BTreeMap::new();
    while !bench.stop.asked() {
        let found = bench.find()?;
        let now: BTreeMap<Place, (u64, Row)> = found
            .iter()
            .map(|one| (one.seen.place.clone(), (one.seen.visit, row(one))))
            .collect();
        for (place, (_, row)) in &known {
            if !now.contains_key(place) {
                tell(output, "left", row)?;
            }
        }
        for (place, (visit, row)) in &now {
            let event = match known.get(place) {
                None => "arrived",
                Some((before, _)) if before != visit => "changed",
                Some(_) => continue,
            };
            let mut row = row.clone();
            if is_cycling(&mut arrivals, place, &row, bench) {
                row.state = State::Cycling;
                row.family = State::Cycling.family();
            }
            tell(output, event, &row)?;
        }
        known = now;
        let Some(bus) = bench.buses.first() else {
            return Ok(());
        };
        let next = bus.now() + EVERY;
        while bus.now() < next && !bench.stop.asked() {
            bus.wait(next)?;
        }
    }
    Ok(())
}

/// A bootloader that shows up again and again on one place belongs to a firmware that crashes.
fn is_cycling(
    arrivals: &mut BTreeMap<Place, Vec<Duration>>,
    place: &Place,
    row: &Row,
    bench: &Bench,
) -> bool {
    if row.family != Family::Bootloader {
        if row.family == Family::Running {
            arrivals.remove(place);
        }
        return false;
    }
    let now = bench.buses.first().map_or(Duration::ZERO, |bus| bus.now());
    let times = arrivals.entry(place.clone()).or_default();
    times.retain(|time| now.saturating_sub(*time) < CYCLE_SPAN);
    times.push(now);
    times.len() >= CYCLE_TIMES
}

fn tell(output: &Output, event: &'static str, row: &Row) -> Result<(), Fail> {
    if output.json {
        return output.object(&Change { event, row });
    }
    let [camera, board, state, place, _] = cells(row);
    let state = if row.state == State::Cycling {
        "trouble (cycling: the firmware crashes at every start)".to_owned()
    } else {
        state
    };
    output.line(&format!("{event:<8} {place}  {board}  {camera}  {state}"))
}
