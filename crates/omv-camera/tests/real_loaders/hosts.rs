//! Our host on a camera whose loaders are the real ones.

use std::sync::Arc;

use omv_boards::{LoaderRole, State};
use omv_camera::{Looked, Outcome, find, look, select};
use omv_link::Bus;
use omv_plan::{Image, Plan, Wish};
use omv_sim::Hand;
use omv_sim::rt1062::chip::BOOT_FUSE;
use omv_sim::rt1062::{Quirks, Rt1062, sample};
use omv_wire::mboot::tag;

use crate::bench::{Bench, board, image};
use crate::bus::RealBus;
use crate::emulator::loader_file;

const SIZE: usize = 0x1_2345;

fn images() -> Vec<Image> {
    vec![
        image("firmware", sample::firmware("5.0.0", SIZE)),
        image("romfs", sample::romfs(0x2_2345)),
    ]
}

fn real_loaders() -> Vec<Image> {
    vec![
        loader_file(LoaderRole::Flashloader),
        loader_file(LoaderRole::Sbl),
    ]
}

fn looked(bus: &RealBus) -> Looked {
    let buses: Vec<Arc<dyn Bus>> = vec![Arc::new(bus.clone())];
    look(&select(find(&buses).unwrap(), None).unwrap(), Some(board())).unwrap()
}

fn run(bench: &mut Bench, bus: &RealBus, plan: impl FnOnce(State) -> Plan) -> Outcome {
    let looked = looked(bus);
    bench.run(&plan(looked.state), looked).unwrap()
}

/// Everything that was written is in flash, and was read back.
fn assert_written(bench: &Bench, outcome: &Outcome, images: &[Image]) {
    assert_eq!(outcome.state, State::Run);
    assert!(outcome.regions.iter().all(|region| region.verified));
    for image in images.iter().filter(|image| image.region != "ram") {
        let bytes = bench.flash_bytes(image.start, image.bytes.len());
        assert!(bytes[..] == image.bytes[..], "{}", image.region);
    }
}

#[test]
fn a_camera_is_updated_through_the_real_resident_bootloader() {
    let mut bench = Bench::running(&sample::firmware("4.8.0", SIZE + 0x800));
    let bus = RealBus::new(&bench.bus);
    let plan = |state| omv_plan::flash(board(), state, images(), &Wish::default()).unwrap();
    let outcome = run(&mut bench, &bus, plan);
    assert_written(&bench, &outcome, &images());
    assert_eq!(bench.status().firmware.as_deref(), Some("5.0.0"));

    let commands = bus.commands(State::Sbl);
    assert_eq!(commands.last(), Some(&tag::RESET));
    // The sector of the vectors comes last: after its erase only its own pages are written.
    let erases = commands.iter().filter(|t| **t == tag::FLASH_ERASE_REGION);
    assert!(erases.count() >= 3, "{commands:x?}");
    assert!(!commands.contains(&tag::FLASH_ERASE_ALL));
    assert!(!commands.contains(&tag::CONFIGURE_MEMORY));
}

#[test]
fn an_update_that_changes_nothing_writes_nothing() {
    let mut bench = Bench::running(&sample::firmware("4.8.0", SIZE));
    let bus = RealBus::new(&bench.bus);
    let plan = |state| omv_plan::flash(board(), state, images(), &Wish::default()).unwrap();
    run(&mut bench, &bus, plan);
    let before = bus.commands(State::Sbl).len();
    let outcome = run(&mut bench, &bus, plan);
    assert_written(&bench, &outcome, &images());
    assert!(!bus.commands(State::Sbl)[before..].contains(&tag::WRITE_MEMORY));
}

#[test]
fn a_camera_is_rebuilt_through_the_real_flashloader() {
    for clear_boot_fuse in [false, true] {
        let quirks = Quirks {
            clear_boot_fuse,
            ..Quirks::default()
        };
        let mut remains = Rt1062::new(&sample::firmware("4.8.0", SIZE), quirks).remains();
        // What made it fail: boot block and bootloader are no more.
        remains.parts.nor.place(0, &[0; 0x1000]);
        remains.parts.nor.place(sample::SBL, &[0x55; 0x8000]);
        let mut bench = Bench::with(Rt1062::from_remains(remains, quirks));
        bench.hands(&[Hand::Unplug, Hand::Jumper(true), Hand::Plug]);
        bench.pass(1);
        let bus = RealBus::new(&bench.bus);
        let all = [images(), real_loaders()].concat();
        let wish = Wish {
            burn_boot_fuse: true,
            ..Wish::default()
        };
        let plan = |state| omv_plan::recover(board(), state, all.clone(), &wish).unwrap();
        let outcome = run(&mut bench, &bus, plan);
        assert_written(&bench, &outcome, &all);
        assert_eq!(outcome.boot_fuse_set, Some(true));
        let block = bench.flash_bytes(0x6000_0000, 512);
        assert_eq!(block, sample::flash_configuration());
        let fuse = bench.camera(|camera| camera.chip().lock().fuses[BOOT_FUSE.0]);
        assert_eq!(fuse, BOOT_FUSE.1);

        let commands = bus.commands(State::Flashloader);
        let count = |tag| commands.iter().filter(|sent| **sent == tag).count();
        assert_eq!(count(tag::CONFIGURE_MEMORY), 2);
        assert_eq!(count(tag::FLASH_PROGRAM_ONCE), usize::from(clear_boot_fuse));
        assert_eq!(commands.last(), Some(&tag::RESET));
    }
}
