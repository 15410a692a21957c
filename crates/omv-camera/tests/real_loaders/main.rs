//! The loaders shipped on every RT1062, executed in an emulator, as judge of our host and of our
//! virtual camera.

#[path = "../bench/mod.rs"]
mod bench;
mod emulator;
mod reports;
mod side_by_side;

use omv_boards::State;
use side_by_side::Player;

#[test]
fn explore() {
    for which in [State::Sbl, State::Flashloader] {
        let (mut real, mut virtually) = side_by_side::pair(which);
        let cases = reports::all(which);
        println!("{which:?}: {} cases", cases.len());
        for case in cases {
            for (at, out) in case.out.iter().enumerate() {
                let theirs = real.say(out);
                let ours = virtually.say(out);
                if theirs != ours {
                    if let (Some(a), Some(b)) = (theirs.reports.first(), ours.reports.first()) { let at: Vec<_> = (0..a.len().min(b.len())).filter(|at| a[*at] != b[*at]).map(|at| (at, a[at], b[at])).collect(); println!("{} differ, {:x?}", at.len(), &at[..at.len().min(8)]); }
                    let show = |said: &side_by_side::Said| said.reports.iter().map(|report| { let mut text = String::new(); for b in report.iter().take(36) { text += &format!("{b:02x}"); } format!("{text}({})", report.len()) }).collect::<Vec<_>>().join(" ") + if said.left { " LEFT" } else { "" };
                    println!("{which:?} {} [{at}]\n  real {}\n  ours {}", case.name, show(&theirs), show(&ours));
                }
            }
        }
        let theirs = real.0.flash();
        let ours = virtually.bench.flash_bytes(0x6000_0000, 0x100_0000);
        for sector in 0..4096 { let at = sector * 4096; if theirs[at..][..4096] != ours[at..][..4096] { println!("sector {at:x} differs"); } }
        let fuses = virtually.bench.camera(|camera| camera.chip().lock().fuses);
        println!("fuses {}", fuses == real.0.fuses());
    }
}
