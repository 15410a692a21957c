//! Cameras with DFU, and those before it, in trouble: what goes wrong, how long it takes until
//! that is known, what the owner is told, and that the same command ends well afterwards.

mod between;
mod hostile;
mod legacy;
mod rom;
mod several;
mod stop;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use crate::every_board::bench::{self, Bench, release};
use omv_boards::{Role, State};
use omv_camera::{Context, Error, Outcome, Stop, find, look, run, select};
use omv_link::Bus;
use omv_link::record::Recorder;
use omv_plan::{Image, Wish};
use omv_sim::dfu;

/// Where a record goes.
#[derive(Clone, Default)]
struct Shared(Arc<Mutex<Vec<u8>>>);

impl std::io::Write for Shared {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// A camera of a board in a state, with the firmware it was sold with.
fn camera(name: &str, state: State) -> Bench {
    Bench::new(wish(name, state))
}

fn wish(name: &str, state: State) -> dfu::Wish {
    dfu::Wish {
        state,
        ..dfu::Wish::of(bench::board(name))
    }
}

/// The files of a release that go to these roles.
fn files(bench: &Bench, roles: &[Role]) -> Vec<Image> {
    let mut images = release(bench.board, "5.0.0");
    images.retain(|image| {
        let region = bench.board.region(&image.region);
        region.is_some_and(|region| roles.contains(&region.role))
    });
    images
}

impl Bench {
    fn flash(&mut self, images: &[Image], wish: &Wish) -> Result<Outcome, Error> {
        let (board, looked) = (self.board, self.meet()?);
        let wish = Wish {
            firmware: looked.firmware().and_then(|version| version.parse().ok()),
            ..wish.clone()
        };
        self.run(looked, &|state| {
            omv_plan::flash(board, state, images.to_vec(), &wish)
        })
    }

    fn recover(&mut self, images: &[Image], wish: &Wish) -> Result<Outcome, Error> {
        let (board, looked) = (self.board, self.meet()?);
        self.run(looked, &|state| {
            omv_plan::recover(board, state, images.to_vec(), wish)
        })
    }

    /// Whether the flash holds these images.
    fn holds(&self, images: &[Image]) -> bool {
        images
            .iter()
            .all(|image| self.bytes(&image.region, image.bytes.len()) == *image.bytes)
    }

    /// Everything in its flash.
    fn flash_bytes(&self) -> Vec<u8> {
        self.camera(|camera| {
            let parts = camera.chip().lock();
            parts.nor.read(0, parts.nor.size())
        })
    }

    /// Nobody stops anything, and nothing happens to the camera, from now on.
    fn calm(&mut self) {
        self.stop = Stop::default();
        self.when = Box::new(|_, _, _| {});
    }

    /// The same flash, with all that passes over the bus written down.
    fn recorded(&mut self, images: &[Image]) -> String {
        let record = Shared::default();
        let recorder = Recorder::new(record.clone(), Default::default());
        let bus = recorder.bus(Box::new(self.bus.clone()));
        let buses: Vec<Arc<dyn Bus>> = vec![Arc::new(bus)];
        let found = select(find(&buses).unwrap(), None).unwrap();
        let looked = look(&found, Some(self.board)).unwrap();
        let images = images.to_vec();
        let plan = omv_plan::flash(self.board, looked.state, images, &Wish::default()).unwrap();
        let context = Context {
            found: looked.found,
            who: None,
            tell: &mut |_| {},
            keep: &mut |_, _| Ok(()),
            vendor: &mut |_, _, _| Ok(()),
            stop: Stop::default(),
        };
        run(&plan, context).unwrap();
        String::from_utf8(record.0.lock().unwrap().clone()).unwrap()
    }

    fn now(&self) -> Duration {
        self.bus.now()
    }

    fn pass(&self, seconds: u64) {
        self.bus.pass(Duration::from_secs(seconds));
    }

    /// Takes the cable out and puts it in again.
    fn replug(&self) {
        self.bus.with(0, |camera, now| {
            camera.hand(now, omv_sim::Hand::Unplug);
            camera.hand(now, omv_sim::Hand::Plug);
        });
    }
}

/// Linux asks a device that it is given back for its first alternate, and waits five seconds for
/// one on its way out to answer.
#[test]
fn nothing_is_left_for_the_system_to_ask_of_a_bootloader_that_leaves() {
    let mut bench = camera("OPENMV4", State::Dfu);
    let firmware = files(&bench, &[Role::Firmware]);
    let record = bench.recorded(&firmware);
    // SET_INTERFACE, or DETACH.
    let asked = |line: &&str| line.contains(" > 010b") || line.contains(" > 2100");
    let asked: Vec<&str> = record.lines().filter(asked).collect();
    let [.., chosen, last, detach] = asked[..] else {
        panic!("{asked:?}");
    };
    assert!(chosen.ends_with(" > 010b020000000000"), "{chosen}");
    assert!(last.ends_with(" > 010b000000000000"), "{last}");
    assert!(detach.ends_with(" > 2100e80300000000"), "{detach}");
}
