//! `dfu-util` against virtual cameras in virtual time. What it has in common with the real one is
//! compared in the rig; here is what the real one cannot be asked, and what must never change.

use std::fs;
use std::sync::Arc;
use std::time::Duration;

use omv_boards::{Role, State};
use omv_link::Bus;
use omv_sim::dfu::{Generation, Quirks, Wish, sample};
use omv_sim::{Camera, VirtualBus};
use omv_wire::dfu::{Suffix, request};

#[allow(dead_code)]
#[path = "../../../../omv-camera/tests/all/dfu_trouble/between.rs"]
mod between;

use super::*;
use between::{Between, Fate, Request};

/// What a run came to.
struct Ran {
    code: u8,
    out: String,
    err: String,
}

/// A camera on a bus, and a folder for files.
struct Bench {
    bus: VirtualBus,
    between: Option<Between>,
    folder: tempfile::TempDir,
}

impl Bench {
    fn new(board: &str, state: State) -> Self {
        Self::with(board, state, Quirks::default())
    }

    fn with(board: &str, state: State, quirks: Quirks) -> Self {
        let board = omv_boards::by_name(board).unwrap();
        let mut wish = Wish::of(board);
        wish.state = state;
        wish.quirks = quirks;
        let settles = wish.settles();
        let camera: Box<dyn Camera> = Box::new(wish.make().unwrap());
        let bus = VirtualBus::new("usb", vec![camera]);
        bus.pass(settles);
        Self {
            bus,
            between: None,
            folder: tempfile::tempdir().unwrap(),
        }
    }

    fn file(&self, name: &str, content: &[u8]) {
        fs::write(self.folder.path().join(name), content).unwrap();
    }

    fn back(&self, name: &str) -> Vec<u8> {
        fs::read(self.folder.path().join(name)).unwrap()
    }

    /// Runs a line; words with a dot or a slash in them that are files lie in the folder.
    fn run(&self, line: &str) -> Ran {
        let is_file = |word: &&str| {
            [".bin", ".img", ".dfu"]
                .iter()
                .any(|end| word.ends_with(end))
        };
        let word = |word: &str| match is_file(&word) {
            true => self.folder.path().join(word).to_string_lossy().into_owned(),
            false => word.to_owned(),
        };
        let line: Vec<String> = line.split(' ').map(word).collect();
        let bus: Arc<dyn Bus> = match &self.between {
            Some(between) => Arc::new(between.clone()),
            None => Arc::new(self.bus.clone()),
        };
        let (mut out, mut err) = (Vec::new(), Vec::new());
        let code = match run_on(&line, &[bus], &mut out, &mut err) {
            Ok(()) => 0,
            Err(Stop::Code(code)) => code,
            Err(other) => panic!("{other:?}"),
        };
        let (out, err) = (String::from_utf8(out), String::from_utf8(err));
        let (out, err) = (out.unwrap(), err.unwrap());
        Ran { code, out, err }
    }

    fn state(&self) -> State {
        self.bus.with(0, |camera, _| camera.status().state)
    }

    fn erased(&self) -> u64 {
        self.bus.with(0, |camera, _| camera.status().erased_sectors)
    }

    /// Every request of the DFU class meets this.
    fn misbehave(&mut self, manners: impl FnMut(&Request) -> Fate + Send + 'static) {
        self.between = Some(Between::new(&self.bus, manners));
    }
}

impl Ran {
    #[track_caller]
    fn ends(&self, code: u8, says: &str) {
        let all = format!("{}{}", self.out, self.err);
        assert_eq!(self.code, code, "{all}");
        assert!(all.contains(says), "no {says:?} in\n{all}");
    }
}

fn data(size: usize) -> Vec<u8> {
    (0..size).map(|at| (at % 251) as u8).collect()
}

/// A file with a suffix for these ids.
fn suffixed(data: &[u8], vendor: u16, product: u16) -> Vec<u8> {
    let mut file = data.to_vec();
    let suffix = Suffix {
        release: None,
        product: Some(product),
        vendor: Some(vendor),
        version: Suffix::PLAIN,
    };
    suffix.append(&mut file);
    file
}

/// A DfuSe file with these elements for alternate 0.
fn dfuse_file(elements: &[(u32, &[u8])]) -> Vec<u8> {
    use omv_wire::dfu::dfuse::{Element, File, Target};
    let elements = elements.iter().map(|(address, data)| Element {
        address: *address,
        data,
    });
    let target = Target {
        alternate: 0,
        name: Some("ST...".into()),
        elements: elements.collect(),
    };
    let suffix = Suffix {
        release: None,
        product: Some(0xDF11),
        vendor: Some(0x0483),
        version: Suffix::DFUSE,
    };
    let file = File {
        suffix,
        targets: vec![target],
        counts_suffix: false,
    };
    file.write().unwrap()
}

#[test]
fn the_list_has_the_last_alternate_first() {
    let bench = Bench::new("OPENMV4", State::Dfu);
    let ran = bench.run("-l");
    let names: Vec<&str> = ran
        .out
        .lines()
        .filter(|line| line.starts_with("Found DFU: [37c5:9204] ver="))
        .filter_map(|line| line.split("name=\"").nth(1)?.split('"').next())
        .collect();
    assert_eq!(names, ["ROMFS0", "FIRMWARE", "FILESYSTEM", "BOOTLOADER"]);
    assert!(ran.out.contains("path=\"1\", alt=3,"), "{}", ran.out);
}

#[test]
fn a_partition_is_written_read_back_and_left() {
    let bench = Bench::new("OPENMV4", State::Dfu);
    bench.file("romfs.img", &data(10_000));
    let ran = bench.run("-d ,37c5:9204 -a ROMFS0 -D romfs.img");
    ran.ends(
        0,
        "\nDownload done.\nDFU state(7) = dfuMANIFEST, status(0) = ",
    );
    ran.ends(
        0,
        "DFU state(2) = dfuIDLE, status(0) = No error condition is present\nDone!\n",
    );
    ran.ends(0, "dfu-util: Warning: Invalid DFU suffix signature\n");
    let ran = bench.run("-d ,37c5:9204 -a 3 -U back.bin");
    // The bootloader ends every upload with four zeros of its own.
    ran.ends(0, "Received a total of 131076 bytes");
    assert_eq!(bench.back("back.bin")[..10_000], data(10_000));
    let ran = bench.run("-d ,37c5:9204 -a 3 -R -D romfs.img");
    ran.ends(251, "Resetting USB to switch back to Run-Time mode");
    bench.bus.pass(Duration::from_secs(5));
    assert_eq!(bench.state(), State::Run);
}

#[test]
fn exit_codes_are_those_of_the_real_one() {
    let bench = Bench::new("OPENMV4", State::Dfu);
    bench.file("some.bin", &data(5000));
    bench.file("large.bin", &data(131_073));
    for (line, code, says) in [
        ("-V", 0, "dfu-util 0.11\n"),
        ("--list", 0, "Found DFU"),
        ("--li", 0, "Found DFU"),
        ("-R", 64, "You need to specify one of -D or -U"),
        ("--nonsense", 64, "unrecognized option '--nonsense'"),
        ("-x", 64, "invalid option -- 'x'"),
        ("-D", 64, "option requires an argument -- 'D'"),
        ("-l extra", 64, "Error: Unexpected argument: extra"),
        ("-t many -l", 64, "argument of --transfer-size"),
        ("-D missing.bin", 66, "Could not open file"),
        (
            "-D some.bin",
            74,
            "More than one DFU capable USB device found!",
        ),
        (
            "-d ,37c5:9205 -a 2 -D some.bin",
            74,
            "No DFU capable USB device available",
        ),
        (
            "-S 123 -a 2 -D some.bin",
            74,
            "No DFU capable USB device available",
        ),
        (
            "-p 1-9 -a 2 -D some.bin",
            74,
            "No DFU capable USB device available",
        ),
        ("-a 1 -U some.bin", 73, "for writing"),
        (
            "-a BOOTLOADER -D some.bin",
            74,
            "status(3) = Device is unable to write memory",
        ),
        ("-a 3 -D large.bin", 74, "status(8) = Cannot program memory"),
        (
            "-a 3 -s 0x08000000 -D some.bin",
            74,
            "Failed to parse memory layout",
        ),
        ("-a 3 -vt16 -U back.bin", 0, "Adjusted transfer size to 64"),
    ] {
        bench.run(line).ends(code, says);
    }
}

#[test]
fn a_damaged_file_and_one_for_another_device_write_nothing() {
    let bench = Bench::new("OPENMV4", State::Dfu);
    let good = suffixed(&data(6000), 0x37C5, 0x9204);
    let mut damaged = good.clone();
    damaged[100] ^= 1;
    bench.file("damaged.dfu", &damaged);
    bench.file("other.dfu", &suffixed(&data(6000), 0x0483, 0xDF11));
    bench.file("good.dfu", &good);
    let before = bench.erased();
    bench
        .run("-a 3 -D damaged.dfu")
        .ends(65, "CRC does not match");
    bench
        .run("-a 3 -D other.dfu")
        .ends(64, "File ID 0483:df11 does not match device");
    assert_eq!(bench.erased(), before);
    bench.run("-a 3 -D good.dfu").ends(0, "Done!");
    bench.run("-a 3 -U back.bin").ends(0, "Received");
    let back = bench.back("back.bin");
    assert_eq!(back[..6000], data(6000));
    // The suffix is not for the device. The rest of the last word is filled with zeros.
    assert!(back[6000..6016].iter().all(|byte| [0, 0xFF].contains(byte)));
}

#[test]
fn the_rom_is_written_by_address_and_by_file() {
    let bench = Bench::new("OPENMV4", State::StRom);
    let board = omv_boards::by_name("OPENMV4").unwrap();
    let image = sample::bootloader(board, Generation::of_release("5.0.0".parse().unwrap()));
    bench.file("boot.bin", &image);
    let ran = bench.run("-d ,0483:df11 -a 0 -s 0x08000000 -D boot.bin");
    ran.ends(0, "Downloading element to address = 0x08000000, size = ");
    ran.ends(0, "DfuSe interface name: \"Internal Flash   \"");
    ran.ends(0, "Erase    done.\n");
    ran.ends(0, "File downloaded successfully");
    let size = image.len();
    bench
        .run(&format!("-a 0 -s 0x08000000:{size} -U back.bin"))
        .ends(0, "Upload done.");
    assert!(bench.back("back.bin") == image);
    bench.file(
        "two.dfu",
        &dfuse_file(&[(0x0804_0000, &data(3000)), (0x0806_0000, &data(70))]),
    );
    let ran = bench.run("-a 0 -D two.dfu");
    ran.ends(0, "Parsing element 2, address = 0x08060000, size = 70");
    ran.ends(0, "Done parsing DfuSe file");
    bench
        .run("-a 0 -s 0x08060000:70 -U second.bin")
        .ends(0, "Upload done.");
    assert_eq!(bench.back("second.bin"), data(70));
    for (line, code, says) in [
        ("-a 0 -D boot.bin", 64, "--dfuse-address"),
        ("-a 0 -s 0x08000000 -D two.dfu", 64, "This is a DfuSe file"),
        ("-a 0 -s 0x07000000 -D boot.bin", 64, "is not writeable"),
        ("-a 0 -s 0x081FF000 -D boot.bin", 64, "is not writeable"),
        (
            "-a 0 -s 0x08:mass-erase -D boot.bin",
            64,
            "can only be used with force",
        ),
        ("-a 0 -s :unprotect", 64, "can only be used with force"),
        (
            "-a 0 -s 12monkeys -D boot.bin",
            64,
            "Invalid dfuse address: 12monkeys",
        ),
        (
            "-a 0 -s 0x08000000:bogus -D boot.bin",
            64,
            "Invalid dfuse modifier: bogus",
        ),
        ("-a 0 -s 0x07000000:16 -U no.bin", 64, "is not readable"),
        (
            "-a 0 -t 512 -s 0x08000000:2000 -U small.bin",
            0,
            "Overriding",
        ),
        ("-a 0 -s :mass:fo", 0, "DfuSe command mode"),
    ] {
        bench.run(line).ends(code, says);
    }
    assert!(bench.back("small.bin") == image[..2000]);
}

#[test]
fn a_small_transfer_size_does_not_leave_holes() {
    let bench = Bench::new("OPENMV2", State::StRom);
    bench.file("some.bin", &data(9000));
    bench
        .run("-a 0 -t 512 -s 0x08010000 -D some.bin")
        .ends(0, "successfully");
    bench
        .run("-a 0 -s 0x08010000:9000 -U back.bin")
        .ends(0, "done");
    assert!(bench.back("back.bin") == data(9000));
}

#[test]
fn revision_v_is_written_past_the_first_megabyte_and_revision_y_is_not_kicked() {
    for (revision_y, kicks) in [(false, 1), (true, 0)] {
        let quirks = Quirks {
            revision_y,
            ..Quirks::default()
        };
        let mut bench = Bench::with("OPENMV4P", State::StRom, quirks);
        bench.misbehave(|_| Fate::Pass);
        bench.file("some.bin", &data(0x2_1000));
        let ran = bench.run("-a 0 -s 0x080E0000 -D some.bin");
        ran.ends(0, "File downloaded successfully");
        let said = ran
            .err
            .matches("never reports that it erased 0x08100000")
            .count();
        assert_eq!(said, kicks, "{}", ran.err);
        let between = bench.between.as_ref().unwrap();
        assert_eq!(between.count(request::CLRSTATUS), 2 * kicks);
        bench
            .run("-a 0 -s 0x080E0000:0x21000 -U back.bin")
            .ends(0, "done");
        assert!(bench.back("back.bin") == data(0x2_1000));
    }
}

#[test]
fn a_rom_that_refuses_the_kick_is_waited_for_and_given_up_with_a_word() {
    let mut bench = Bench::new("OPENMV4P", State::StRom);
    bench.misbehave(|request| match request.is(request::CLRSTATUS) {
        true => Fate::Stall,
        false => Fate::Pass,
    });
    bench.file("some.bin", &data(4000));
    let begun = bench.bus.now();
    let ran = bench.run("-a 0 -s 0x08100000 -D some.bin");
    ran.ends(74, "waited in vain for erasing a page");
    ran.ends(74, "Error during special command \"ERASE_PAGE\" get_status");
    let took = bench.bus.now() - begun;
    assert!(
        took > Duration::from_secs(15) && took < Duration::from_secs(60),
        "{took:?}"
    );
}

#[test]
fn every_wait_for_a_hostile_device_has_an_end() {
    fn report(poll: u32, state: u8) -> Vec<u8> {
        let [p0, p1, p2, _] = poll.to_le_bytes();
        vec![0, p0, p1, p2, state, 0]
    }
    type Manners = fn(&Request) -> Fate;
    let cases: [(&str, Manners, &str, u8, &str); 8] = [
        (
            "refuses everything",
            |_| Fate::Stall,
            "-a 3 -D some.bin",
            74,
            "No DFU capable",
        ),
        (
            "refuses to work",
            |request| match request.setup.request_type & 0x60 {
                0x20 => Fate::Stall,
                _ => Fate::Pass,
            },
            "-a 3 -D some.bin",
            74,
            "LIBUSB_ERROR_PIPE",
        ),
        (
            "is silent",
            |request| match request.setup.request_type & 0x60 {
                0x20 => Fate::Silence,
                _ => Fate::Pass,
            },
            "-a 3 -D some.bin",
            74,
            "LIBUSB_ERROR_TIMEOUT",
        ),
        (
            "asks for four hours",
            |request| match request.is(request::GETSTATUS) {
                true => Fate::Say(report(4 * 3_600_000, 2)),
                false => Fate::Pass,
            },
            "-a 3 -D some.bin",
            74,
            "ms of silence",
        ),
        (
            "is busy for ever",
            |request| match (request.is(request::GETSTATUS), request.is(request::DNLOAD)) {
                (true, _) => Fate::Say(report(1000, 4)),
                (_, true) => Fate::Say(Vec::new()),
                _ => Fate::Pass,
            },
            "-a 3 -D some.bin",
            74,
            "waited in vain",
        ),
        (
            "is in a state there is not",
            |request| match request.is(request::GETSTATUS) {
                true => Fate::Say(report(0, 77)),
                false => Fate::Pass,
            },
            "-a 3 -D some.bin",
            74,
            "error get_status",
        ),
        (
            "is never ready",
            |request| match request.is(request::GETSTATUS) {
                true => Fate::Say(report(0, 10)),
                false => Fate::Say(Vec::new()),
            },
            "-a 3 -D some.bin",
            74,
            "",
        ),
        (
            "uploads for ever",
            |request| match request.is(request::UPLOAD) {
                true => Fate::Say(vec![7; request.setup.length.into()]),
                false => Fate::Pass,
            },
            "-a 3 -t 64 -U endless.bin",
            74,
            "The device never ends",
        ),
    ];
    for (what, manners, line, code, says) in cases {
        let mut bench = Bench::new("OPENMV4", State::Dfu);
        bench.file("some.bin", &data(5000));
        bench.misbehave(manners);
        let before = bench.bus.now();
        let ran = bench.run(line);
        let all = format!("{}{}", ran.out, ran.err);
        assert!(all.contains(says), "{what}: {all}");
        assert!([code, 76].contains(&ran.code), "{what}: {} {all}", ran.code);
        let took = bench.bus.now() - before;
        assert!(took < Duration::from_secs(120), "{what}: {took:?}");
    }
}

#[test]
fn waiting_for_a_device_ends_too() {
    let bench = Bench::new("OPENMV4", State::Run);
    bench.file("some.bin", &data(100));
    let begun = bench.bus.now();
    let ran = bench.run("-w -d ,37c5:9204 -a 2 -D some.bin");
    ran.ends(74, "Gave up waiting after 600 seconds");
    assert!(bench.bus.now() - begun >= LONGEST_WAIT);
}

#[test]
fn a_camera_that_appears_is_waited_for_and_written() {
    let bench = Bench::new("OPENMV4", State::Dfu);
    bench.file("some.bin", &data(100));
    bench.bus.with(0, |camera, now| {
        camera.hand(now, omv_sim::Hand::Unplug);
        camera.hand(now, omv_sim::Hand::Plug);
    });
    let ran = bench.run("-w -d ,37c5:9204 -a ROMFS0 -D some.bin");
    ran.ends(0, "Waiting for device, exit with ctrl-C\n");
}

#[test]
fn a_device_without_a_driver_is_named_with_the_error_scripts_look_for() {
    let bench = Bench::new("OPENMV3", State::NoDriver);
    let ran = bench.run("-l");
    let has_it = |line: &str| {
        line.starts_with("dfu-util: Cannot open DFU device 37c5:9203 found on devnum ")
            && line.ends_with("(LIBUSB_ERROR_ACCESS)")
    };
    assert!(ran.err.lines().any(has_it), "{}{}", ran.out, ran.err);
    assert_eq!(ran.code, 0);
}

#[test]
fn a_reset_device_starts_its_firmware_whatever_its_bootloader() {
    for board in ["OPENMV2", "OPENMV3", "OPENMVPT", "OPENMV_N6", "OPENMV_AE3"] {
        let bench = Bench::new(board, State::Dfu);
        let firmware = omv_boards::by_name(board)
            .unwrap()
            .role(Role::Firmware)
            .unwrap();
        let name = &firmware.alternate.as_ref().unwrap().name;
        bench
            .run(&format!("-e -a {name}"))
            .ends(0, "Device ID 37c5:");
        bench.bus.pass(Duration::from_secs(5));
        assert_eq!(bench.state(), State::Run, "{board}");
    }
}
