//! Saving, erasing and restoring parts of the flash.

use crate::bench::{self, Bench, board, image, refusal, saved};
use omv_boards::State;
use omv_camera::Error;
use omv_plan::{Plan, Refusal, Step, Wish, erase_disk, restore, save};
use omv_sim::rt1062::{Quirks, sample};

const DISK: u32 = 0x6040_0000;
const DISK_SIZE: usize = 0x40_0000;

/// A running camera with something on its disk.
fn bench() -> Bench {
    let bench = Bench::running(&sample::firmware("4.8.0", 0x1_2345));
    bench.place(DISK, &b"a file system ".repeat(1000));
    bench.place(DISK + 0x3F_F800, b"the end of the disk");
    bench
}

fn run(bench: &mut Bench, plan: Plan) -> Result<(), Error> {
    let looked = bench.look()?;
    bench.run(&plan, looked).map(drop)
}

#[test]
fn a_disk_is_saved_erased_and_restored_to_the_last_byte() {
    let mut bench = bench();
    let before = bench.flash_bytes(DISK, DISK_SIZE);
    run(
        &mut bench,
        save(board(), State::Run, "disk", &Wish::default()).unwrap(),
    )
    .unwrap();
    assert_eq!(bench.erased(), 0);
    let (region, saved) = bench.kept.pop().unwrap();
    assert_eq!(region, "disk");
    assert!(saved == before);

    run(
        &mut bench,
        erase_disk(board(), State::Run, &Wish::default()).unwrap(),
    )
    .unwrap();
    assert_eq!(
        bench.erased(),
        1,
        "the first sector is enough for the firmware"
    );
    assert_eq!(bench.flash_bytes(DISK, 0x1000), [0xFF; 0x1000]);
    assert!(bench.kept.is_empty());

    let image = image("disk", saved);
    let plan = restore(board(), State::Run, image, &Wish::default()).unwrap();
    run(&mut bench, plan).unwrap();
    assert!(bench.flash_bytes(DISK, DISK_SIZE) == before);
    assert_eq!(bench.erased(), 2, "only what had changed is written back");
    assert_eq!(bench.status().state, State::Run);
}

#[test]
fn every_region_can_be_saved_and_all_but_two_restored_without_the_wire() {
    for region in ["fcb", "sbl", "firmware", "disk", "romfs"] {
        let mut bench = bench();
        let place = board().region(region).unwrap();
        let before = bench.flash_bytes(place.start, place.size as usize);
        run(
            &mut bench,
            save(board(), State::Run, region, &Wish::default()).unwrap(),
        )
        .unwrap();
        let (_, saved) = bench.kept.pop().unwrap();
        assert!(saved == before, "{region}");
        let plan = restore(board(), State::Run, image(region, saved), &Wish::default());
        match region {
            "fcb" | "sbl" => {
                let refused = plan.unwrap_err();
                assert!(
                    matches!(&refused, Refusal::NoRegion { why: Some(_), .. }),
                    "{refused}"
                );
            }
            // A blank region is no image: the one restored here has nothing in it.
            "romfs" => assert!(matches!(plan.unwrap_err(), Refusal::NotValid { .. })),
            _ => {
                run(&mut bench, plan.unwrap()).unwrap();
                assert_eq!(bench.erased(), 0, "{region} was equal");
            }
        }
    }
}

#[test]
fn a_disk_is_saved_before_it_is_erased_and_not_erased_when_it_cannot_be_kept() {
    let mut bench = bench();
    let before = bench.flash_bytes(DISK, DISK_SIZE);
    let plan = |state| erase_disk(board(), state, &saved()).unwrap();
    let steps = plan(State::Run).steps;
    let place = |wanted: fn(&Step) -> bool| steps.iter().position(wanted).unwrap();
    let saved = place(|step| matches!(step, Step::Save { .. }));
    assert!(saved < place(|step| matches!(step, Step::Blank { .. })));

    bench.keeps = false;
    let error = run(&mut bench, plan(State::Run)).unwrap_err();
    assert!(matches!(error, Error::NotKept(_)), "{error}");
    assert_eq!(bench.erased(), 0);
    assert!(bench.flash_bytes(DISK, DISK_SIZE) == before);

    // It waits in its bootloader for the next command.
    bench.keeps = true;
    run(&mut bench, plan(State::Sbl)).unwrap();
    assert!(bench.kept.pop().unwrap().1 == before);
    assert_eq!(bench.flash_bytes(DISK, 0x1000), [0xFF; 0x1000]);
}

#[test]
fn a_rebuilding_that_erases_the_disk_saves_it_first() {
    let mut bench = Bench::in_rom(&sample::firmware("4.8.0", 0x1_2345), Quirks::default());
    bench.place(DISK, b"a file system");
    let before = bench.flash_bytes(DISK, DISK_SIZE);
    let wish = Wish {
        erase_disk: true,
        save_disk: true,
        ..Wish::default()
    };
    let firmware = sample::firmware("5.0.0", 0x1_2345);
    bench
        .recover(vec![image("firmware", firmware)], &wish)
        .unwrap();
    assert!(bench.kept.pop().unwrap().1 == before);
    assert_eq!(bench.flash_bytes(DISK, 0x1000), [0xFF; 0x1000]);
}

#[test]
fn an_update_that_erases_the_disk_saves_it_first() {
    let mut bench = bench();
    let before = bench.flash_bytes(DISK, DISK_SIZE);
    let wish = Wish {
        erase_disk: true,
        save_disk: true,
        ..Wish::default()
    };
    let firmware = sample::firmware("5.0.0", 0x1_2345);
    bench
        .flash(vec![image("firmware", firmware)], &wish)
        .unwrap();
    assert!(bench.kept.pop().unwrap().1 == before);
    assert_eq!(bench.flash_bytes(DISK, 0x1000), [0xFF; 0x1000]);
}

#[test]
fn a_region_is_saved_through_the_flashloader_while_the_wire_is_set() {
    let mut bench = Bench::in_rom(&sample::firmware("4.8.0", 0x1_2345), Quirks::default());
    bench.place(DISK, b"a file system");
    let looked = bench.look().unwrap();
    let images = bench::loaders();
    let mut plan = omv_plan::recover(board(), State::Sdp, images, &Wish::default()).unwrap();
    plan.steps.truncate(3);
    bench.run(&plan, looked).unwrap();

    let plan = save(board(), State::Flashloader, "disk", &Wish::default()).unwrap();
    run(&mut bench, plan).unwrap();
    assert!(bench.kept.pop().unwrap().1.starts_with(b"a file system"));
    let status = bench.status();
    assert_eq!((status.state, status.jumper), (State::Run, false));
}

#[test]
fn a_disk_whose_cells_stay_is_not_called_blank() {
    let mut bench = bench();
    bench.camera(|camera| {
        let mut parts = camera.chip().lock();
        let worn = omv_sim::nor::Worn::Stuck;
        parts
            .nor
            .wear_out((DISK - 0x6000_0000) as usize + 77, worn, 1);
    });
    let plan = erase_disk(board(), State::Run, &Wish::default()).unwrap();
    let error = run(&mut bench, plan).unwrap_err();
    assert!(
        matches!(error, Error::Status { status: 20106, .. }),
        "{error}"
    );
}

#[test]
fn a_rom_cannot_do_what_its_loader_does() {
    let refused = save(board(), State::Sdp, "disk", &Wish::default()).unwrap_err();
    assert!(matches!(refused, Refusal::WrongState { state: State::Sdp }));
    let mut bench = Bench::in_rom(&sample::firmware("4.8.0", 0x1_2345), Quirks::default());
    let error = bench.flash(vec![], &Wish::default()).unwrap_err();
    assert!(matches!(refusal(error), Refusal::NoLoader { .. }));
}
