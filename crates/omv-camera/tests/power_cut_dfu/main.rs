//! The power fails at every moment of what is done over DFU, through a chip's ROM or through the
//! old serial bootloader; the owner gives the same command again.
//!
//! Each operation of each board is cut in virtual time at the end of every step and inside every step,
//! half of the cuts with cells left in between. Every camera must run again, with every byte of its flash
//! as an uncut run leaves it. `OMV_MATRIX=ci` makes 500 cuts of each board, shared by what can be done to it,
//! `long` ten times as many of each operation, and without it a few, for a look in passing. The table is printed with `--nocapture`;
//! `docs/power-cuts.md` explains it.

// The workbench is shared with the table of all boards, which uses more of it.
#[allow(dead_code)]
#[path = "../all/every_board/bench.rs"]
mod bench;
mod job;
mod owner;

use std::time::Instant;

use bench::BOARDS;
use job::Job;
use omv_boards::Board;
use owner::{Case, Cut, suffer};

/// Threads: the machines that run this have two cores.
const THREADS: usize = 2;

#[test]
fn a_camera_whose_power_fails_at_any_moment_runs_again_after_the_same_command() {
    let size = std::env::var("OMV_MATRIX");
    let count = |job: &Job| match size.as_deref() {
        Ok("long") => 5000,
        Ok("ci") => 500_usize.div_ceil(operations(job.board)).max(200),
        Err(_) => 25,
        Ok(other) => panic!("OMV_MATRIX is `ci` or `long`, not `{other}`"),
    };
    println!(
        "{:<30} {:>6} {:>6} {:>6} {:>6} {:>8} {:>6} {:>6} {:>9} {:>8}",
        "operation", "cuts", "torn", "wire", "half", "arrived", "stuck", "tries", "longest", "wall"
    );
    let mut stuck = Vec::new();
    for job in jobs() {
        let begun = Instant::now();
        let cuts = job.moments(count(&job));
        assert!(cuts.len() >= count(&job));
        let cases = all(&job, &cuts);
        let count = |so: &dyn Fn(&Case) -> bool| cases.iter().filter(|case| so(case)).count();
        let longest = cases.iter().map(|case| case.took).max().unwrap_or_default();
        println!(
            "{:<30} {:>6} {:>6} {:>6} {:>6} {:>8} {:>6} {:>6} {:>7.1} s {:>6.1} s",
            job.name,
            cases.len(),
            count(&|case| case.cut.torn),
            count(&|case| case.wire),
            count(&|case| case.half_written),
            count(&|case| case.stuck.is_none()),
            count(&|case| case.stuck.is_some()),
            cases
                .iter()
                .map(|case| case.failures.len() + 1)
                .max()
                .unwrap_or_default(),
            longest.as_secs_f64(),
            begun.elapsed().as_secs_f64(),
        );
        let left = cases.into_iter().filter(|case| case.stuck.is_some());
        stuck.extend(left.take(3).map(|case| (job.name.clone(), case)));
    }
    assert!(stuck.is_empty(), "{stuck:#?}");
}

/// Every board over its bootloader; those with a ROM that is spoken to, through that; those that
/// had the serial bootloader, through that one.
fn jobs() -> impl Iterator<Item = Job> {
    let boards = || BOARDS.into_iter().map(bench::board);
    let flash = boards().map(Job::flash);
    let roms = boards().filter(|board| has_rom(board)).map(Job::recover);
    let old = boards().filter(|board| board.legacy.is_some());
    flash.chain(roms).chain(old.map(Job::legacy))
}

/// Arduino's boards have a ROM too; what their bootloader is made of is Arduino's own business.
fn has_rom(board: &Board) -> bool {
    board.st_rom.is_some() && board.mcuboot.is_none()
}

/// How many of them there are of a board.
fn operations(board: &Board) -> usize {
    1 + usize::from(has_rom(board)) + usize::from(board.legacy.is_some())
}

fn all(job: &Job, cuts: &[Cut]) -> Vec<Case> {
    let share = |thread: usize| {
        let own = cuts.iter().skip(thread).step_by(THREADS);
        own.map(|cut| suffer(job, *cut)).collect::<Vec<Case>>()
    };
    let share = &share;
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..THREADS)
            .map(|thread| scope.spawn(move || share(thread)))
            .collect();
        let done = threads.into_iter().map(|thread| thread.join());
        done.flat_map(|cases| cases.expect("no case panics"))
            .collect()
    })
}
