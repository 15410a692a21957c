//! The same reports to the real loader and to the virtual camera, and what each answers.

use std::time::Duration;

use omv_boards::State;
use omv_link::{Device, Function, Heard, Link};
use omv_plan::Wish;
use omv_sim::rt1062::chip::{FLASH, FLASH_SIZE};
use omv_sim::rt1062::{Quirks, Rt1062, sample};
use omv_wire::mboot::tag;

use crate::bench::{Bench, board, loaders};
use crate::emulator::{Doing, Emulator};
use crate::random;
use crate::reports::{self, Case, command};

/// Longer than a camera is busy with anything.
const LONG: Duration = Duration::from_secs(3600);
/// When the host reaches the loader, after power came.
const SOON: Duration = Duration::from_millis(200);

/// What came of one report: the answers in full, with whatever lies behind their length, and
/// whether the loader left.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Said {
    pub reports: Vec<Vec<u8>>,
    pub left: bool,
}

/// Whoever takes reports.
pub trait Player {
    fn say(&mut self, report: &[u8]) -> Said;
}

/// The real loader.
pub struct Real(pub Emulator);

/// The virtual camera, reached as our host reaches it.
pub struct Virtual {
    pub bench: Bench,
    link: Box<dyn Link>,
    _device: Box<dyn Device>,
}

/// Both, on equal chips, in one state.
pub fn pair(which: State) -> (Real, Virtual) {
    let firmware = sample::firmware("4.8.0", 0x9000);
    let bench = match which {
        State::Sbl => {
            let bench = Bench::with(Rt1062::new(&firmware, Quirks::default()));
            bench.bus.pass(SOON);
            bench
        }
        _ => in_flashloader(&firmware),
    };
    let mut emulator = Emulator::new();
    bench.camera(|camera| emulator.take_parts(camera.chip()));
    let found = bench.found().unwrap();
    let mut device = found.bus.open(&found.seen).unwrap();
    let link = device.link(Function::Hid).unwrap();
    greet(&mut emulator, which);
    let virtually = Virtual {
        bench,
        link,
        _device: device,
    };
    (Real(emulator), virtually)
}

/// Power comes, and the host is there.
pub fn greet(emulator: &mut Emulator, which: State) {
    assert_eq!(emulator.start(which).doing, Doing::Waits);
    assert_eq!(emulator.run(SOON).doing, Doing::Waits);
    assert_eq!(emulator.configure().doing, Doing::Waits);
}

/// A camera whose ROM has just started the made-up flashloader.
fn in_flashloader(firmware: &[u8]) -> Bench {
    let mut bench = Bench::in_rom(firmware, Quirks::default());
    let looked = bench.look().unwrap();
    let wish = Wish::default();
    let mut plan = omv_plan::recover(board(), State::Sdp, loaders(), &wish).unwrap();
    // Up to the greeting of the flashloader.
    plan.steps.truncate(3);
    bench.run(&plan, looked).unwrap();
    bench.events.clear();
    bench
}

impl Player for Real {
    fn say(&mut self, report: &[u8]) -> Said {
        let answer = self.0.out(report);
        Said {
            reports: answer.reports,
            left: match answer.doing {
                Doing::Waits | Doing::Deaf => false,
                Doing::Jumped { .. } | Doing::Reset => true,
                Doing::Crashed(how) => panic!("the loader crashed: {how}"),
            },
        }
    }
}

impl Player for Virtual {
    fn say(&mut self, report: &[u8]) -> Said {
        let mut said = Said {
            reports: Vec::new(),
            left: false,
        };
        if self.link.send(report).is_err() {
            return said;
        }
        loop {
            match self.link.wait(self.link.now() + LONG).unwrap() {
                Some(Heard::Bytes(report)) => said.reports.push(report),
                Some(Heard::Stall) => panic!("an endpoint stalled"),
                Some(Heard::Gone) => {
                    said.left = true;
                    return said;
                }
                None => return said,
            }
        }
    }
}

/// Says every case to both and fails with all differences.
fn compare(which: State, cases: &[Case]) -> (Real, Virtual) {
    let (mut real, mut virtually) = pair(which);
    let mut differences = Vec::new();
    for case in cases {
        for (at, out) in case.out.iter().enumerate() {
            let (theirs, ours) = (real.say(out), virtually.say(out));
            if theirs != ours {
                let name = &case.name;
                let (theirs, ours) = (show(&theirs), show(&ours));
                let out = &out[..out.len().min(24)];
                let line = format!("{name} [{at}] {out:02x?}\n  real {theirs}\n  ours {ours}");
                differences.push(line);
            }
        }
    }
    let count = differences.len();
    differences.truncate(20);
    let shown = differences.join("\n");
    assert!(count == 0, "{which:?}: {count} differences\n{shown}");
    (real, virtually)
}

/// The first bytes of each report.
fn show(said: &Said) -> String {
    let report = |report: &Vec<u8>| format!("{:02x?}", &report[..report.len().min(24)]);
    let reports: Vec<_> = said.reports.iter().map(report).collect();
    let left = if said.left { " and leaves" } else { "" };
    format!("{}{left}", reports.join(" "))
}

fn assert_equal_parts(real: &mut Real, virtually: &Virtual) {
    let flash = virtually.bench.flash_bytes(FLASH, FLASH_SIZE as usize);
    assert!(real.0.flash() == flash, "the flash differs at the end");
    let fuses = virtually.bench.camera(|camera| camera.chip().lock().fuses);
    assert_eq!(real.0.fuses(), fuses);
}

#[test]
fn both_answer_the_whole_list_report_for_report() {
    let sizes = [State::Sbl, State::Flashloader].map(|which| {
        let cases = reports::all(which);
        let (mut real, virtually) = compare(which, &cases);
        assert_equal_parts(&mut real, &virtually);
        cases.len()
    });
    let page = include_str!("../../../../docs/conformance.md");
    let words: Vec<_> = page.split_ascii_whitespace().collect();
    let [resident, flashloader] = sizes;
    let told = format!(
        "{resident} conversations with the resident bootloader and {flashloader} with the flashloader"
    );
    assert!(
        words.join(" ").contains(&told),
        "the page does not say: {told}"
    );
}

#[test]
fn both_answer_random_conversations_report_for_report() {
    for which in [State::Sbl, State::Flashloader] {
        for seed in 0..2 {
            let (mut real, virtually) = compare(which, &random::cases(which, seed, 250));
            assert_equal_parts(&mut real, &virtually);
        }
    }
}

#[test]
fn both_leave_when_they_are_told_to() {
    let execute = |address, stack| command(tag::EXECUTE, 0, &[address, 0, stack]);
    for which in [State::Sbl, State::Flashloader] {
        for goodbye in [
            command(tag::RESET, 0, &[]),
            command(tag::RESET, 0, &[0xEB10_0000]),
            execute(0x3001, 0),
            execute(0x3000, 0x2002_0000),
            execute(0x2022_0001, 0x202C_0000),
        ] {
            let (mut real, mut virtually) = pair(which);
            let (theirs, ours) = (real.say(&goodbye), virtually.say(&goodbye));
            assert!(theirs.left);
            assert_eq!(theirs, ours, "{which:?} {goodbye:x?}");
        }
    }
}
