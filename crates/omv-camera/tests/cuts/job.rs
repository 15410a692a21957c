//! The operations that are cut, and the cameras they are done to.

use omv_boards::State;
use omv_camera::{Error, Outcome};
use omv_plan::{Image, Order, Risk, Wish};
use omv_sim::nor::{Nor, SECTOR};
use omv_sim::rt1062::{Quirks, Remains, Rt1062, sample};

use crate::bench::{Bench, board, image, loaders};

/// Where the parts of the flash begin, from its start.
const DISK: usize = 0x40_0000;
/// The last sector of the disk.
const DISK_END: usize = 0x7F_F000;
/// How long a camera lives before somebody flashes it, seconds: it runs by then.
const SETTLED: u64 = 4;

/// Bytes of an image set.
#[derive(Clone, Copy)]
pub struct Size {
    pub firmware: usize,
    pub romfs: usize,
}

/// One operation on one camera.
pub struct Job {
    pub name: &'static str,
    pub wish: Wish,
    /// Firmware and ROM file system.
    pub images: Vec<Image>,
    /// The camera as it is at the start.
    pub before: Remains,
    /// All of its flash as it must be at the end.
    pub after: Nor,
}

impl Job {
    /// An update of a healthy camera in this order.
    pub fn flash(name: &'static str, order: Order, size: Size) -> Self {
        let before = camera(size);
        Self::new(name, order, size, before)
    }

    /// The rebuilding of a camera that has lost boot block, bootloader and vectors.
    pub fn recover(name: &'static str, size: Size) -> Self {
        let mut before = camera(size);
        let nor = &mut before.parts.nor;
        nor.place(0, &[0xFF; SECTOR]);
        nor.place(sample::SBL, &[0x5A; 3 * SECTOR]);
        nor.place(sample::FIRMWARE + sample::VECTORS, &[0xFF; SECTOR]);
        before.jumper = true;
        Self::new(name, Order::Safe, size, before)
    }

    fn new(name: &'static str, order: Order, size: Size, before: Remains) -> Self {
        let firmware = sample::firmware("5.0.0", size.firmware);
        let romfs = sample::romfs(size.romfs);
        let mut after = before.parts.nor.clone();
        place(&mut after, 0, &sample::flash_configuration());
        place(&mut after, sample::SBL, &sample::sbl());
        place(&mut after, sample::FIRMWARE, &firmware);
        place(&mut after, sample::ROMFS, &romfs);
        let images = vec![image("firmware", firmware), image("romfs", romfs)];
        let wish = Wish {
            order,
            ..Wish::default()
        };
        Self {
            name,
            wish,
            images,
            before,
            after,
        }
    }

    /// The camera at the start of the operation.
    pub fn bench(&self, torn: bool) -> Bench {
        let quirks = Quirks {
            torn,
            ..Quirks::default()
        };
        let bench = Bench::with(Rt1062::from_remains(self.before.clone(), quirks));
        bench.pass(SETTLED);
        bench
    }
}

/// Looks, plans what fits the state the camera is in, and runs it.
pub fn attempt(bench: &mut Bench, job: &Job) -> Result<Outcome, Error> {
    let looked = bench.look()?;
    let plan = match looked.state {
        State::Sdp | State::Flashloader => {
            let images = [job.images.clone(), loaders()].concat();
            omv_plan::recover(board(), looked.state, images, &job.wish)?
        }
        state => omv_plan::flash(board(), state, job.images.clone(), &job.wish)?,
    };
    assert!(plan.risk() < Risk::Forever, "a repair needs no consent");
    bench.run(&plan, looked)
}

/// A healthy camera with older files on it, longer than the new ones, and a disk with something
/// on it.
fn camera(size: Size) -> Remains {
    let firmware = sample::firmware("4.8.0", size.firmware + 2 * SECTOR);
    let mut remains = Rt1062::new(&firmware, Quirks::default()).remains();
    let nor = &mut remains.parts.nor;
    nor.place(sample::ROMFS, &vec![0xA7; size.romfs + SECTOR]);
    nor.place(DISK, &b"user's photographs ".repeat(700));
    nor.place(DISK_END, b"the last sector of the disk");
    remains
}

/// A file as it is in flash: in whole sectors, the rest of the last one blank.
fn place(nor: &mut Nor, offset: usize, bytes: &[u8]) {
    let mut padded = bytes.to_vec();
    padded.resize(bytes.len().next_multiple_of(SECTOR), 0xFF);
    nor.place(offset, &padded);
}
