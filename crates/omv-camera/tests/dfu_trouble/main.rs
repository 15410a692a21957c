//! Cameras with DFU, and those before it, in trouble: what goes wrong, how long it takes until
//! that is known, what the owner is told, and that the same command ends well afterwards.

// The workbench is shared with the table of all boards, which uses more of it.
#[allow(dead_code)]
#[path = "../every_board/bench.rs"]
mod bench;
mod between;
mod hostile;
mod legacy;
mod rom;
mod several;
mod stop;

use std::time::Duration;

use bench::{Bench, release};
use omv_boards::{Role, State};
use omv_camera::{Error, Outcome, Stop};
use omv_link::Bus as _;
use omv_plan::{Image, Wish};
use omv_sim::dfu;

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
