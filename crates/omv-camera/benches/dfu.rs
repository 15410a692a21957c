//! How long a flash through OpenMV's DFU bootloader takes on the camera's own clock, beside what
//! the device itself needs: erasing, programming, and the bytes on a full-speed bus.
//!
//! Everything here is virtual time, so the figures are the same on every machine. What the model of
//! the device leaves out is left out on both sides: ratios mean something, seconds are those of data
//! sheets. The comparison with dfu-util in real time is in the rig.

use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use omv_boards::{Board, MemoryKind, State};
use omv_camera::{Context, Outcome, Stop, find, look, run, select};
use omv_link::Bus;
use omv_plan::{Image, Wish};
use omv_sim::dfu::{self, sample};
use omv_sim::{Camera, VirtualBus};

/// An H7's whole partition: 13 sectors.
const SIZE: usize = 1_703_936;

fn main() -> ExitCode {
    let board = omv_boards::by_name("h7").expect("the H7 has a board file");
    let image = sample::firmware(board, "5.0.0", SIZE);
    let mut changed = image.clone();
    for byte in &mut changed[0x9_0000..0x9_0010] {
        *byte ^= 0xFF;
    }
    let bench = Bench::new(board);
    let bound = dfu::Needs::of(board, SIZE as u32);
    let bound = bound.expect("an H7 is flashed like that").all();
    let (full, erased) = bench.flash(board, &image, &Wish::default());
    let (same, erased_same) = bench.flash(board, &image, &Wish::default());
    // The seal of the sample does not fit any more: the camera would not start.
    let (part, erased_part) = bench.flash(board, &changed, &forced());

    println!("H7, {SIZE} bytes, write and verify, on the camera's clock");
    println!(
        "{:<34} {:>8} {:>8} {:>7} {:>8}",
        "", "seconds", "ratio", "goal", "sectors"
    );
    let mut met = true;
    let mut line = |name: &str, took: Duration, beside: Duration, goal: f64, sectors: u64| {
        let ratio = took.as_secs_f64() / beside.as_secs_f64();
        met &= ratio <= goal;
        println!(
            "{name:<34} {:>8.2} {ratio:>8.3} {goal:>7} {sectors:>8}",
            took.as_secs_f64()
        );
    };
    line("what the device needs", bound, bound, 1.0, 13);
    line("all of it (beside the device)", full, bound, 1.05, erased);
    line("the same again (beside all)", same, full, 0.15, erased_same);
    line(
        "16 bytes changed (beside all)",
        part,
        full,
        0.3,
        erased_part,
    );
    if met {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

fn forced() -> Wish {
    Wish {
        force: true,
        ..Wish::default()
    }
}

struct Bench(VirtualBus);

impl Bench {
    /// A camera that waits in its bootloader.
    fn new(board: &'static Board) -> Self {
        let wish = dfu::Wish {
            state: State::Dfu,
            ..dfu::Wish::of(board)
        };
        let settles = wish.settles();
        let camera = wish.make().expect("there is such a camera");
        let bus = VirtualBus::new("bench", vec![Box::new(camera) as Box<dyn Camera>]);
        bus.pass(settles);
        Self(bus)
    }

    /// Writes and verifies; the time from the first step to the last byte compared, and the sectors
    /// that were erased for it.
    fn flash(&self, board: &'static Board, image: &[u8], wish: &Wish) -> (Duration, u64) {
        let erased = || self.0.with(0, |camera, _| camera.status().erased_sectors);
        let before = erased();
        let buses: Vec<Arc<dyn Bus>> = vec![Arc::new(self.0.clone())];
        let found = select(find(&buses).expect("a bus"), None).expect("a camera");
        let looked = look(&found, Some(board)).expect("it can be looked at");
        let region = board.region("firmware").expect("a firmware region");
        let image = Image {
            file: "firmware.bin".into(),
            region: region.name.clone(),
            start: region.start,
            bytes: image.into(),
        };
        let mut plan = omv_plan::flash(board, looked.state, vec![image], wish).expect("a plan");
        // It stays in its bootloader for the next one.
        let working = |step: &omv_plan::Step| {
            !matches!(step, omv_plan::Step::Leave { .. } | omv_plan::Step::Ask)
        };
        plan.steps.retain(working);
        let outcome: Outcome = run(
            &plan,
            Context {
                found: looked.found,
                who: looked.who,
                tell: &mut |_| {},
                keep: &mut |_, _| Ok(()),
                vendor: &mut |_, _, _| Ok(()),
                stop: Stop::default(),
            },
        )
        .expect("it is flashed");
        assert!(outcome.regions.iter().all(|region| region.verified));
        // Counted in units of the model's flash.
        let unit = u64::from(
            board
                .sectors(MemoryKind::Internal, region.span())
                .next()
                .map_or(1, |s| s.size()),
        );
        let sectors = (erased() - before) * omv_sim::nor::SECTOR as u64 / unit;
        (outcome.took, sectors)
    }
}
