//! The report behind this project, replayed: a script on the card of an RT1062 whose firmware
//! hides the card's errors, over mass storage as a computer uses it.

use std::sync::Arc;
use std::time::Duration;

use omv_camera::disk::{Blocks, Defect, Mode, UsbDisk, test};
use omv_camera::files::{MemoryNotebook, SaveError, save};
use omv_camera::{Generation, find, look, reset};
use omv_fat::{Blueprint, Form, Memory, Scheme, format};
use omv_link::{Bus, Function};
use omv_sim::medium::{Faulty, Medium, MemoryCard, Shared, Trouble};
use omv_sim::rt1062::{Quirks, Rt1062, sample};
use omv_sim::{Setup, VirtualBus};
use omv_wire::v2::Leave;

const STAMP: u32 = 0x5A21_0000;

/// A formatted card of 8 MiB with an old script, made before anything was wrong with it.
fn card() -> Vec<u8> {
    let mut disk = Memory::new(512, vec![0; 8 << 20]);
    let wish = Blueprint {
        form: Some(Form::Fat12),
        scheme: Scheme::Mbr,
        label: "OPENMV".into(),
        serial: 3,
        files: vec![".openmv_disk".into()],
    };
    format(&mut disk, &wish).unwrap();
    disk.bytes
}

/// An RT1062 with this card in it, started.
fn camera(card: &Shared, version: &str) -> VirtualBus {
    let mut camera = Rt1062::new(&sample::firmware(version, 0x8000), Quirks::default());
    camera.set_up(Setup {
        card: Some(card.clone()),
        formats: true,
        ..Setup::default()
    });
    let bus = VirtualBus::new("bench", vec![Box::new(camera)]);
    bus.pass(Duration::from_secs(5));
    bus
}

fn disk(bus: &VirtualBus) -> UsbDisk {
    let seen = bus.list().unwrap().remove(0);
    let mut device = bus.open(&seen).unwrap();
    UsbDisk::open(device.link(Function::Disk).unwrap()).unwrap()
}

fn script(lines: usize) -> Vec<u8> {
    let line = |number| format!("# omv-sim: print line {number}\n").into_bytes();
    (0..lines).flat_map(line).collect()
}

#[test]
fn the_camera_shows_its_card_and_without_one_its_internal_disk() {
    let inserted = Shared::new(MemoryCard::of(&card()));
    let shown = disk(&camera(&inserted, "5.0.0"));
    assert_eq!((shown.block_size(), shown.blocks()), (512, 16_384));
    let blank = Shared::new(MemoryCard::blank(16_384));
    let shown = disk(&camera(&blank, "5.0.0"));
    assert_eq!((shown.block_size(), shown.blocks()), (4096, 1024));
}

#[test]
fn a_card_that_fails_silently_is_caught_by_the_save_with_file_and_offset() {
    for version in ["5.0.0", "4.8.0"] {
        let image = card();
        let dying = Faulty::new(
            MemoryCard::of(&image),
            Trouble::Fails(vec![150..153, 400..16_384]),
        );
        let medium = Shared::new(dying);
        let bus = camera(&medium, version);
        let mut disk = disk(&bus);
        let content = script(9000);
        let mut notebook = MemoryNotebook::default();
        let ended = save(&mut disk, &mut notebook, "main.py", &content, STAMP);
        let Err(SaveError::Returned { file, offset }) = &ended else {
            panic!("{version}: {ended:?}");
        };
        assert_eq!(file, "main.py");
        assert!(*offset < content.len() as u64);
        let told = ended.unwrap_err();
        assert!(told.to_string().contains("other data than was written"));
        assert!(told.help().contains("Do not trust this card"));
    }
}

#[test]
fn with_a_good_card_the_same_script_is_there_after_a_reset() {
    let medium = Shared::new(MemoryCard::of(&card()));
    let bus = camera(&medium, "5.0.0");
    let content = script(900);
    let mut notebook = MemoryNotebook::default();
    save(&mut disk(&bus), &mut notebook, "main.py", &content, STAMP).unwrap();
    let buses: Vec<Arc<dyn Bus>> = vec![Arc::new(bus.clone())];
    let found = find(&buses).unwrap().remove(0);
    let looked = look(&found, None).unwrap();
    assert_eq!(looked.who.unwrap().generation, Generation::V2);
    reset(&found, Generation::V2, Leave::Reset).unwrap();
    bus.pass(Duration::from_secs(5));
    let saved = save(&mut disk(&bus), &mut notebook, "main.py", &content, STAMP).unwrap();
    assert!(saved.unchanged);
}

#[test]
fn a_full_test_through_the_camera_names_the_card_and_the_blocks() {
    let dying = Faulty::new(
        MemoryCard::of(&card()),
        Trouble::Fails(vec![150..153, 9000..9001]),
    );
    let bus = camera(&Shared::new(dying), "5.0.0");
    let said = test(&mut disk(&bus), Mode::Full, 77, &mut |_| {}).unwrap();
    assert_eq!(said.verdict(), Some(Defect::Silent));
    let ranges: Vec<_> = said.findings[0]
        .ranges
        .iter()
        .map(|range| (range.first, range.count))
        .collect();
    assert_eq!(ranges, [(150, 3), (9000, 1)]);
}

#[test]
fn an_ejected_disk_is_refused_until_it_is_loaded_and_the_camera_goes_on_using_it() {
    let medium = Shared::new(MemoryCard::of(&card()));
    let bus = camera(&medium, "5.0.0");
    let mut shown = disk(&bus);
    shown.eject(true).unwrap();
    let mut block = vec![0; 512];
    assert!(shown.read(0, &mut block).is_err());
    assert!(medium.clone().read(0, &mut block).is_ok());
    shown.eject(false).unwrap();
    assert!(shown.read(0, &mut block).is_ok());
}
