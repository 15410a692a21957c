//! A save that the camera does itself, on a virtual camera that executes Python. The interpreter is
//! one of the judges: `cargo xtask test judges` fetches it.

use std::iter::once;
use std::path::Path;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use omv_camera::disk::UsbDisk;
use omv_camera::files::{MemoryNotebook, SaveError, finish, leftovers, mend, save_on_camera};
use omv_camera::session::{Options, Session};
use omv_camera::{Error, find, look};
use omv_fat::{Blueprint, Form, Memory, Scheme, check, format};
use omv_link::{Bus, Function};
use omv_sim::disk::{Disks, Rules};
use omv_sim::engine::micropython::Interpreter;
use omv_sim::medium::{Faulty, Medium, MediumError, MemoryCard, Shared, Trouble};
use omv_sim::rt1062::{Quirks, Rt1062, sample};
use omv_sim::{Setup, VirtualBus};

const STAMP: u32 = 0x5A21_0000;

fn interpreter() -> Interpreter {
    static LOADED: OnceLock<Interpreter> = OnceLock::new();
    let load = || {
        let help =
            "`cargo xtask test judges` fetches it, then OMV_JUDGES names the folder target/judges";
        let folder = std::env::var_os("OMV_JUDGES").expect(help);
        Interpreter::load(&Path::new(&folder).join("micropython.wasm")).expect(help)
    };
    LOADED.get_or_init(load).clone()
}

/// A card of 4 MiB with files on it.
fn card(files: &[(&str, &[u8])]) -> Vec<u8> {
    let mut disk = Memory::new(512, vec![0; 4 << 20]);
    let wish = Blueprint {
        form: Some(Form::Fat12),
        scheme: Scheme::Mbr,
        label: "OPENMV".into(),
        serial: 3,
        files: vec![".openmv_disk".into()],
    };
    format(&mut disk, &wish).unwrap();
    for (name, content) in files {
        let change = omv_fat::store(&mut disk, name, content, STAMP).unwrap();
        change.apply(&mut disk).unwrap();
    }
    disk.bytes
}

fn camera(card: &Shared, version: &str) -> VirtualBus {
    let mut camera = Rt1062::new(&sample::firmware(version, 0x8000), Quirks::default());
    camera.set_up(Setup {
        card: Some(card.clone()),
        engine: Some(interpreter().engine()),
        ..Setup::default()
    });
    let bus = VirtualBus::new("bench", vec![Box::new(camera)]);
    bus.pass(Duration::from_secs(5));
    bus
}

fn session(bus: &VirtualBus) -> Session {
    let buses: Vec<Arc<dyn Bus>> = vec![Arc::new(bus.clone())];
    let found = find(&buses).unwrap().remove(0);
    Session::open(&look(&found, None).unwrap(), Options::default()).unwrap()
}

fn usb(bus: &VirtualBus) -> UsbDisk {
    let seen = bus.list().unwrap().remove(0);
    let mut device = bus.open(&seen).unwrap();
    UsbDisk::open(device.link(Function::Disk).unwrap()).unwrap()
}

fn script(seed: u32, size: usize) -> Vec<u8> {
    let line = |number| format!("print({seed}, {number})  # \u{fc}\n").into_bytes();
    (0..).flat_map(line).take(size).collect()
}

fn files(card: &Shared) -> Disks {
    Disks::boot(None, Some(card.clone()), Rules::Both)
}

#[test]
fn the_camera_writes_the_file_and_says_the_hash_of_what_it_reads() {
    for version in ["5.0.0", "4.5.2"] {
        let card = Shared::new(MemoryCard::of(&card(&[("main.py", b"old = 1\n")])));
        let bus = camera(&card, version);
        let content = script(1, 30_001);
        let session = session(&bus);
        let saved = save_on_camera(&session, "main.py", &content)
            .unwrap()
            .unwrap();
        let folder = if version == "5.0.0" { "/sdcard/" } else { "/" };
        assert_eq!((&*saved.folder, saved.unchanged), (folder, false));
        let again = save_on_camera(&session, "main.py", &content)
            .unwrap()
            .unwrap();
        assert!(again.unchanged);
        session.close();
        assert_eq!(files(&card).read("/sdcard/main.py").unwrap(), content);
        assert!(leftovers(&mut usb(&bus)).is_empty());
    }
}

/// Where the content lies on a good card after the camera has written it.
fn home(image: &[u8], content: &[u8]) -> u64 {
    let card = Shared::new(MemoryCard::of(image));
    let session = session(&camera(&card, "5.0.0"));
    save_on_camera(&session, "main.py", content).unwrap();
    session.close();
    let image = card.image().unwrap();
    let is_here = |block: &[u8]| block == &content[..512];
    image.chunks(512).position(is_here).unwrap() as u64
}

#[test]
fn a_card_that_keeps_other_data_is_caught_with_file_and_offset() {
    let image = card(&[("main.py", b"old = 1\n")]);
    let content = script(2, 20_000);
    // The sectors of the new file that the card does not take.
    let bad = home(&image, &content) + 7;
    let stuck = Faulty::new(
        MemoryCard::of(&image),
        Trouble::Stuck(once(bad..bad + 2).collect()),
    );
    let card = Shared::new(stuck);
    let bus = camera(&card, "5.0.0");
    let session = session(&bus);
    let ended = save_on_camera(&session, "main.py", &content);
    session.close();
    let Err(Error::Save(SaveError::Returned { file, offset })) = ended else {
        panic!("{ended:?}");
    };
    assert_eq!(file, "main.py");
    assert_eq!(offset, 7 * 512);
    assert_eq!(files(&card).read("/sdcard/main.py").unwrap(), b"old = 1\n");
}

#[test]
fn a_card_that_fails_under_the_camera_is_told_with_the_cameras_own_error() {
    let image = card(&[("main.py", b"old = 1\n")]);
    let content = script(2, 20_000);
    let bad = home(&image, &content) + 7;
    let dying = Faulty::new(
        MemoryCard::of(&image),
        Trouble::Fails(once(bad..8000).collect()),
    );
    let card = Shared::new(dying);
    let bus = camera(&card, "5.0.0");
    let session = session(&bus);
    let ended = save_on_camera(&session, "main.py", &content);
    session.close();
    let Err(Error::Save(error @ SaveError::OnCamera { errno: 5, .. })) = ended else {
        panic!("{ended:?}");
    };
    assert!(error.to_string().contains("EIO"), "{error}");
    assert!(error.help().contains("Do not trust this card"));
    assert_eq!(files(&card).read("/sdcard/main.py").unwrap(), b"old = 1\n");
}

/// A card that loses power after so many sectors, or fails for so many and goes on.
struct Cut {
    card: MemoryCard,
    left: Arc<AtomicI64>,
    fails: i64,
}

impl Medium for Cut {
    fn block_size(&self) -> usize {
        self.card.block_size()
    }

    fn blocks(&self) -> u64 {
        self.card.blocks()
    }

    fn read(&mut self, block: u64, into: &mut [u8]) -> Result<(), MediumError> {
        self.card.read(block, into)
    }

    fn write(&mut self, block: u64, bytes: &[u8]) -> Result<(), MediumError> {
        for (number, part) in (block..).zip(bytes.chunks(512)) {
            let left = self.left.fetch_sub(1, Ordering::Relaxed);
            if left <= 0 && left > -self.fails {
                return Err(MediumError::Unwritable(number));
            }
            self.card.write(number, part)?;
        }
        Ok(())
    }
}

#[test]
fn a_cut_at_any_sector_of_a_save_by_the_camera_leaves_the_old_file_or_the_new_one() {
    let (old, other) = (script(3, 900), script(4, 5000));
    let new = script(5, 1500);
    let image = card(&[("main.py", &old), ("log.txt", &other)]);
    let (mut olds, mut news, mut absent) = (0, 0, 0);
    for cut in 0.. {
        let left = Arc::new(AtomicI64::new(cut));
        let card = Shared::new(Cut {
            card: MemoryCard::of(&image),
            left: left.clone(),
            fails: i64::MAX,
        });
        let bus = camera(&card, "5.0.0");
        let session = session(&bus);
        let done = save_on_camera(&session, "main.py", &new);
        session.close();
        // Power is back: the card takes writes, and the next command looks at it over USB.
        let whole = left.load(Ordering::Relaxed) > 0;
        let after = Shared::new(MemoryCard::of(&card.image().unwrap()));
        absent += u32::from(files(&after).read("/sdcard/main.py").is_err());
        let bus = camera(&after, "5.0.0");
        let mut disk = usb(&bus);
        let mut notebook = MemoryNotebook::default();
        mend(&mut disk, &mut notebook).unwrap();
        finish(&mut disk, &mut notebook, STAMP).unwrap();
        assert!(leftovers(&mut disk).is_empty(), "cut {cut}");
        let disks = files(&after);
        let now = disks.read("/sdcard/main.py").unwrap_or_default();
        assert!(now == old || now == new, "cut {cut}: {} bytes", now.len());
        assert_eq!(disks.read("/sdcard/log.txt").unwrap(), other, "cut {cut}");
        let mut disk = Memory::new(512, after.image().unwrap());
        let report = check(&mut disk, &omv_fat::Options::default());
        let shared = report.has(omv_fat::Kind::CrossLink);
        assert!(!shared, "cut {cut}");
        match now == new {
            true => news += 1,
            false => olds += 1,
        }
        if whole {
            assert!(done.is_ok() && now == new);
            break;
        }
    }
    println!(
        "{olds} cuts left the old file, {news} the new one; the name was absent {absent} times"
    );
    assert!(olds > 5 && news > 0 && absent > 0);
}

#[test]
fn a_card_that_fails_once_and_goes_on_keeps_the_old_file_or_the_new_one() {
    let (old, new) = (script(3, 900), script(5, 1500));
    let image = card(&[("main.py", &old)]);
    let mut failed = 0;
    for cut in 0.. {
        let left = Arc::new(AtomicI64::new(cut));
        let card = Shared::new(Cut {
            card: MemoryCard::of(&image),
            left: left.clone(),
            fails: 1,
        });
        let bus = camera(&card, "5.0.0");
        let session = session(&bus);
        let done = save_on_camera(&session, "main.py", &new);
        session.close();
        failed += u32::from(done.is_err());
        let mut disk = usb(&bus);
        let mut notebook = MemoryNotebook::default();
        mend(&mut disk, &mut notebook).unwrap();
        finish(&mut disk, &mut notebook, STAMP).unwrap();
        drop(disk);
        let now = files(&card).read("/sdcard/main.py").unwrap_or_default();
        assert!(now == old || now == new, "write {cut}: {} bytes", now.len());
        if left.load(Ordering::Relaxed) > 0 {
            break;
        }
    }
    assert!(failed > 5, "{failed}");
}
