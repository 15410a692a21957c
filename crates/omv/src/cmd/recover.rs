//! `omv recover`: rebuild a camera that does not start any more, through the chip's own ROM.

use std::time::Duration;

use omv_boards::{Role, State};
use omv_camera::{Error, Found, Looked, select};
use omv_plan::{Plan, Step, Wish};
use serde_json::{Value, json};

use super::{flash, region, wizard, work};
use crate::bench::Bench;
use crate::cli::{Common, Recover};
use crate::fail::Fail;
use crate::files;
use crate::output::Output;
use crate::signals::stop_on_interrupt;

/// Runs the command.
pub fn run(common: &Common, args: &Recover, output: &Output) -> Result<(), Fail> {
    let bench = Bench::new(common, "omv recover", stop_on_interrupt())?;
    let args = &match wizard::is_wanted(args, &bench, output)? {
        true => wizard::fill(args, &bench)?,
        false => args.clone(),
    };
    let options = &args.images;
    let looked = whatever_is_there(&bench, args, output)?;
    let board = looked.board;
    let simulated = looked.found.seen.simulated;

    let mut images = flash::wanted(board, options, simulated)?;
    images.extend(files::bootloader(
        board,
        options.image.as_deref(),
        simulated,
    )?);
    images.extend(files::loaders(
        board,
        options.loaders.as_deref(),
        options.force,
        simulated,
    )?);
    let wish = Wish {
        full: options.full,
        force: options.force,
        erase_disk: args.erase_disk,
        save_disk: args.erase_disk && !args.no_backup,
        burn_boot_fuse: args.burn_boot_fuse,
        new_bootloader: args.bootloader,
        through_rom: args.through_rom,
        ..work::wish(&looked)
    };
    let plan = |state| omv_plan::recover(board, state, images.clone(), &wish);
    let first = plan(looked.state)?;
    if options.dry_run {
        return work::show(&first, &looked, output);
    }
    if let Some(question) = question(&first) {
        work::consent(question, options.yes, output)?;
    }
    let backup = region::free_name(args.backup.as_deref(), "disk");
    let kept = backup.clone();
    let keep = move |_: &str| kept.clone();
    let (outcome, board) = work::execute(&bench, &plan, looked, output, &keep)?;
    let more = if wish.save_disk {
        json!({ "backup": backup })
    } else {
        Value::Null
    };
    work::conclude(&outcome, board, simulated, output, more)
}

/// What a person must agree to: whatever lies before the firmware is what a camera starts with.
fn question(plan: &Plan) -> Option<&'static str> {
    let steps = &plan.steps;
    if steps
        .iter()
        .any(|step| matches!(step, Step::BootBlock { .. }))
    {
        return Some(
            "This writes the boot block and the resident bootloader of the camera anew. Go on?",
        );
    }
    let bootloader = plan.board.role(Role::Bootloader)?;
    let writes = |step: &Step| match step {
        Step::Write { part } => plan.images[part.image].region == bootloader.name,
        step => matches!(step, Step::Vendor { .. }),
    };
    steps
        .iter()
        .any(writes)
        .then_some("This writes the bootloader of the camera anew. Go on?")
}

/// The camera in any state, or the place of one that shows nothing: the first step then asks for
/// hands.
fn whatever_is_there(bench: &Bench, args: &Recover, output: &Output) -> Result<Looked, Fail> {
    let board = work::board(args.images.board.as_deref())?;
    let found: Vec<Found> = bench.find()?;
    match select(found, bench.wanted.as_deref()) {
        // What runs is not asked anything: it will be unplugged.
        Ok(found) if !matches!(found.state(), State::Sbl | State::Flashloader) => {
            let known = board.or_else(|| found.board());
            match known {
                Some(board) => {
                    let state = found.state();
                    Ok(Looked {
                        found,
                        board,
                        state,
                        who: None,
                    })
                }
                None => flash::camera(bench, &args.images, output),
            }
        }
        Ok(_) => flash::camera(bench, &args.images, output),
        Err(Error::NoCamera | Error::NotThisOne { .. }) => {
            let mut render = crate::render::Render::new(output);
            let ask = board
                .or_else(|| omv_boards::by_name("rt1062"))
                .and_then(|board| board.identities(State::Sdp).find_map(|i| i.hands.clone()))
                .unwrap_or_default();
            render.event(omv_camera::Event::Waiting { ask });
            render.end()?;
            let wait = Duration::from_secs(args.images.wait.max(120));
            bench.camera(board, wait, &mut |_| {})
        }
        Err(other) => Err(other.into()),
    }
}
