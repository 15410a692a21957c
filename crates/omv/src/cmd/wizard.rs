//! What `omv recover` asks a person with a dead camera: one question at a time, none that the
//! program can answer itself.

use std::io::{self, IsTerminal, Write};
use std::path::{Path, PathBuf};

use omv_boards::{Board, Colour, Family, Life, State};
use omv_camera::{Error, Found, look, select};
use omv_plan::{Refusal, Wish};

use crate::bench::Bench;
use crate::cli::Recover;
use crate::fail::Fail;
use crate::files;
use crate::output::{Output, clean};

/// Answers that make no sense before the person is left alone.
const TRIES: u32 = 5;

/// Whether there is somebody to ask, and something to ask for.
pub fn is_wanted(args: &Recover, bench: &Bench, output: &Output) -> Result<bool, Fail> {
    let somebody = !output.json && io::stdin().is_terminal() && io::stderr().is_terminal();
    if !somebody || args.images.image.is_some() || args.images.dry_run {
        return Ok(false);
    }
    // A virtual camera has a sample, and everything else about it is known.
    let found = select(bench.find()?, bench.wanted.as_deref());
    Ok(!found.is_ok_and(|found| found.seen.simulated))
}

/// Asks for what is not known yet.
pub fn fill(args: &Recover, bench: &Bench) -> Result<Recover, Fail> {
    let mut args = args.clone();
    let found = bench.find()?;
    let one = select(found.clone(), bench.wanted.as_deref()).ok();
    say(&sentence(&found, one.as_ref()));
    let board = match super::work::board(args.images.board.as_deref())? {
        Some(board) => board,
        None => board(one.as_ref())?,
    };
    args.images.board = Some(board.name.clone());
    if one.is_none() {
        lights(board)?;
    }
    args.images.image = Some(firmware(board, one.as_ref().map(Found::state))?);
    if args.images.loaders.is_none() {
        args.images.loaders = loaders(board)?;
    }
    Ok(args)
}

/// Two pins and the wire between them, for the states that need one.
pub fn drawing(board: &Board, expect: &[State]) -> Vec<String> {
    let mut identities = board.seen.iter();
    let wire = identities.find_map(|identity| {
        let wanted = expect.contains(&identity.state);
        identity.wire.as_ref().filter(|_| wanted)
    });
    let Some([from, to]) = wire else {
        return Vec::new();
    };
    let width = from.len().max(3);
    vec![
        String::new(),
        format!("{from:>width$} (o)------wire------(o) {to}"),
        format!("{:>width$} (o)  never here", "GND"),
        String::new(),
    ]
}

/// What there is, in one sentence.
fn sentence(found: &[Found], one: Option<&Found>) -> String {
    let Some(one) = one else {
        return match found.len() {
            0 => "Nothing on USB looks like a camera.".into(),
            count => format!("{count} devices on USB may be the camera; unplug the others."),
        };
    };
    let name = one.board().map_or("A camera", |board| &board.title);
    let label = clean(&one.label());
    match one.state().family() {
        Family::Running => format!("{name} ({label}) is there, and its firmware runs."),
        Family::Bootloader => format!("{name} ({label}) waits in its bootloader."),
        Family::Recovery => format!("{name} ({label}) waits in its chip's ROM."),
        Family::Trouble => format!("{name} ({label}) is there and cannot be opened."),
    }
}

/// Which board it is: the one that is there, or the one the person names. A chip's ROM is asked for the
/// map of its flash first, which leaves one board or a few, and firmware for its name.
fn board(found: Option<&Found>) -> Result<&'static Board, Fail> {
    if let Some(board) = found.and_then(Found::board) {
        return Ok(board);
    }
    let knows = |found: &&Found| matches!(found.state(), State::StRom | State::Run);
    let asked = found.filter(knows);
    let mut boards: Vec<&'static Board> = match (asked.map(|found| look(found, None)), found) {
        (Some(Ok(looked)), _) => {
            let title = &looked.board.title;
            say(&match looked.state {
                State::StRom => format!("Only the {title} has such a chip."),
                _ => format!("It says that it is an {title}."),
            });
            return Ok(looked.board);
        }
        (Some(Err(Error::WhichBoard { boards, .. })), _) if !boards.is_empty() => {
            let all = omv_boards::all().iter();
            all.filter(|board| boards.contains(&board.title)).collect()
        }
        (why, Some(found)) => {
            if let Some(Err(error)) = why {
                say(&format!(
                    "It does not say which it is: {}.",
                    clean(&error.to_string())
                ));
            }
            found.candidates.iter().map(|one| one.board).collect()
        }
        (_, None) => omv_boards::all().iter().collect(),
    };
    boards.retain(|board| board.life == Life::Current);
    boards.dedup_by_key(|board| &board.name);
    boards.sort_by_key(|board| !board.title.starts_with("OpenMV"));
    for (number, board) in boards.iter().enumerate() {
        say(&format!("  {:>2}  {}", number + 1, board.title));
    }
    for _ in 0..TRIES {
        let answer = ask("Which board is it? The name is printed on it [number or name]:")?;
        let number: Option<usize> = answer.parse().ok();
        let chosen = match number {
            Some(number) => boards.get(number.wrapping_sub(1)).copied(),
            None => omv_boards::by_name(&answer),
        };
        match chosen {
            Some(board) => return Ok(board),
            None => say(&format!("There is no board `{}`.", clean(&answer))),
        }
    }
    Err(Fail::Declined)
}

/// What the lights of a camera that shows nothing on USB say, and what to try first.
fn lights(board: &Board) -> Result<(), Fail> {
    let lit = board
        .leds(State::Silent)
        .filter(|led| led.colour != Colour::Off);
    if let Some(led) = lit.into_iter().next() {
        let answer = ask("Is there a light on the camera? [y/n]:")?;
        if answer.to_ascii_lowercase().starts_with('y') {
            say(&format!("If it is {}: {}", led.looks, led.means));
        }
    }
    for advice in board.advice(State::Silent) {
        say(advice);
    }
    Ok(())
}

/// The file to write: that of an installed OpenMV IDE, or what the person names.
fn firmware(board: &'static Board, state: Option<State>) -> Result<PathBuf, Fail> {
    let installed = files::installed(board);
    let question = match &installed {
        Some(folder) => format!(
            "Which firmware? Press Enter for {}, or name a release zip, folder or firmware.bin:",
            folder.display()
        ),
        None => format!(
            "Which firmware? Name the release zip or folder for the {} (github.com/openmv/openmv/releases):",
            board.title
        ),
    };
    for _ in 0..TRIES {
        let answer = ask(&question)?;
        let path = match (answer.is_empty(), &installed) {
            (true, Some(folder)) => folder.clone(),
            (true, None) => continue,
            // What is dragged into a terminal comes in quotes.
            (false, _) => PathBuf::from(answer.trim_matches(['"', '\''])),
        };
        match usable(board, state, &path) {
            Ok(()) => return Ok(path),
            Err(fail) => say(&format!("{}. {}", clean(&fail.message()), fail.help())),
        }
    }
    Err(Fail::Declined)
}

/// Whether a rebuilding could be planned with what is there: a camera that waits in its bootloader needs
/// less than one that shows nothing. Loaders are asked for by themselves.
fn usable(board: &'static Board, state: Option<State>, path: &Path) -> Result<(), Fail> {
    if !path.exists() {
        let missing = io::Error::new(io::ErrorKind::NotFound, "there is no such file");
        return Err(Fail::file(path, "reading", missing));
    }
    let mut images = files::images(board, path, None)?;
    images.extend(files::bootloader(board, Some(path), false)?);
    let resort = || omv_plan::last_resort(board).map_or(State::StRom, |(state, _)| state);
    let state = state.unwrap_or_else(resort);
    match omv_plan::recover(board, state, images, &Wish::default()) {
        Ok(_) | Err(Refusal::NoLoader { .. }) => Ok(()),
        Err(refusal) => Err(refusal.into()),
    }
}

/// Where the loader programs lie that a rebuilding of this board needs, if nobody knows it yet.
fn loaders(board: &Board) -> Result<Option<PathBuf>, Fail> {
    let missing = match files::loaders(board, None, false, false) {
        Ok(_) => return Ok(None),
        Err(fail) => fail,
    };
    say(&format!(
        "{}. {}",
        clean(&missing.message()),
        missing.help()
    ));
    for _ in 0..TRIES {
        let answer = ask("Where are they? Name the folder, or the file openmv_ota-*.whl:")?;
        let path = PathBuf::from(answer.trim_matches(['"', '\'']));
        match files::loaders(board, Some(&path), false, false) {
            Ok(_) => return Ok(Some(path)),
            Err(fail) => say(&format!("{}. {}", clean(&fail.message()), fail.help())),
        }
    }
    Err(Fail::Declined)
}

fn say(text: &str) {
    eprintln!("{text}");
}

/// One line from the person; the end of the input means no.
fn ask(question: &str) -> Result<String, Fail> {
    eprint!("{question} ");
    // A prompt that cannot be shown is still answered by whoever types.
    let _ = io::stderr().flush();
    match crate::signals::answer() {
        Ok(Some(answer)) => Ok(answer),
        Ok(None) | Err(_) => Err(Fail::Declined),
    }
}
