//! The power fails at every moment of an operation, and the owner flashes again.

mod bench;
mod cuts;

use cuts::{Job, Line, Size, all, measure, moments, suffer, suffer_twice};
use omv_plan::Order;

const SMALL: Size = Size {
    firmware: 0xF123,
    romfs: 0x3456,
};

#[test]
fn a_camera_whose_power_fails_at_any_moment_runs_again_after_flashing_again() {
    println!("{}", Line::heading());
    for job in [
        Job::flash("A flash, vectors last", Order::Safe, SMALL),
        Job::recover("B recover", SMALL),
        Job::flash("C flash, all erased first", Order::EraseFirst, SMALL),
        Job::flash("D flash, parked", Order::Park, SMALL),
    ] {
        let spans = measure(&job);
        for s in &spans {
            println!(
                "  {:?} {:?} {:?}",
                s.start,
                s.end,
                std::mem::discriminant(&s.step)
            );
        }
        let cuts = moments(&spans, 2000, 1);
        let line = all(job.name, &cuts, |cut| suffer(&job, cut));
        println!("{line}");
        for c in line.stuck().iter().take(3) {
            println!("{c:?}");
        }
        let longest = spans.last().unwrap().end - spans[0].start;
        let line = all("twice", &cuts[..200], |cut| {
            suffer_twice(&job, cut, longest)
        });
        println!("{line}");
    }
}
