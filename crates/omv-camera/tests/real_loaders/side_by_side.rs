//! The same reports to the real loader and to the virtual camera, and what each answers.

use std::time::Duration;

use omv_boards::State;
use omv_link::{Device, Function, Heard, Link};
use omv_plan::Wish;
use omv_sim::rt1062::{Quirks, Rt1062, sample};

use crate::bench::{Bench, loaders};
use crate::emulator::{Doing, Emulator};

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
    let mut plan = omv_plan::recover(
        crate::bench::board(),
        State::Sdp,
        loaders(),
        &Wish::default(),
    )
    .unwrap();
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
