//! What is written down is readable, leaves out what it should, and plays back.

use std::io::{self, Write};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use crate::common::{MS, Timetable, bytes};
use omv_link::record::{Options, Recorder};
use omv_link::replay::Replay;
use omv_link::{Bus, Device, Function, Heard, Link, LinkError, Place, Seen};
use proptest::prelude::*;

const CONSOLE: Function = Function::Console { baud: 921_600 };

/// A file in memory.
#[derive(Clone, Default)]
struct Paper(Arc<Mutex<Vec<u8>>>);

impl Paper {
    fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }
}

impl Write for Paper {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// What a test does with a link: send, or wait until a time.
enum Act {
    Send(Vec<u8>),
    Wait(Duration),
}

/// The outcome of one act.
type Outcome = Result<Option<Heard>, String>;

fn act(link: &mut dyn Link, acts: &[Act]) -> Vec<Outcome> {
    acts.iter()
        .map(|act| match act {
            Act::Send(frame) => link.send(frame).map(|()| None),
            Act::Wait(until) => link.wait(*until),
        })
        .map(|outcome| outcome.map_err(|error| error.to_string()))
        .collect()
}

fn replay_error(text: &str, link: u32) -> String {
    Replay::parse(text, link).unwrap_err().to_string()
}

#[test]
fn a_record_reads_as_promised() {
    let paper = Paper::default();
    let recorder = Recorder::new(paper.clone(), Options::default());
    let (link, _) = Timetable::open([
        (1500 * MS, bytes(b">>> ")),
        (1501 * MS, bytes(&[])),
        (2000 * MS, Heard::Stall),
        (61_000 * MS, Heard::Gone),
    ]);
    let mut link = recorder.link(link, CONSOLE);
    link.send(&[0, 0x0A, 0xFF]).unwrap();
    while link.wait(100_000 * MS).unwrap() != Some(Heard::Gone) {}
    link.send(&[1]).unwrap_err();
    let (other, _) = Timetable::open([]);
    recorder.link(other, Function::Hid).send(&[3]).unwrap();
    recorder.finish().unwrap();
    assert_eq!(
        paper.text(),
        "# omv record 1\n\
         0.000000 1 console:921600 > 000aff\n\
         1.500000 1 console:921600 < 3e3e3e20\n\
         1.501000 1 console:921600 < -\n\
         2.000000 1 console:921600 ! stall\n\
         61.000000 1 console:921600 ! gone\n\
         61.000000 1 console:921600 ! gone\n\
         0.000000 2 hid > 03\n"
    );
    assert_eq!(
        Replay::links(&paper.text()).unwrap(),
        [(1, CONSOLE), (2, Function::Hid)]
    );
}

#[test]
fn a_conversation_plays_back_to_the_same_outcomes_at_the_same_times() {
    let speaks = [
        (40 * MS, bytes(b"banner")),
        (700 * MS, bytes(&[9; 300])),
        (120_000 * MS, Heard::Stall),
        (120_001 * MS, Heard::Gone),
    ];
    let acts = [
        Act::Wait(100 * MS),
        Act::Send(b"ask".to_vec()),
        Act::Wait(500 * MS),
        Act::Send(b"ask".to_vec()),
        Act::Wait(1000 * MS),
        Act::Send(vec![7; 200]),
        Act::Wait(200_000 * MS),
        Act::Wait(200_000 * MS),
        Act::Send(b"lost".to_vec()),
        Act::Wait(200_000 * MS),
    ];
    let paper = Paper::default();
    let (link, _) = Timetable::open(speaks);
    let mut recorded = Recorder::new(paper.clone(), Options::default()).link(link, CONSOLE);
    let first = act(&mut recorded, &acts);

    let mut replayed = Replay::parse(&paper.text(), 1).unwrap();
    assert_eq!(act(&mut replayed, &acts), first);
    assert_eq!(replayed.now(), 120_001 * MS);
    assert!(replayed.is_finished());

    // A device that left stays away, also after the last line.
    let until = replayed.now() + MS;
    assert_eq!(replayed.wait(until).unwrap(), Some(Heard::Gone));
    assert!(matches!(replayed.send(&[1]), Err(LinkError::Gone)));
}

#[test]
fn a_replay_refuses_what_was_not_sent_and_names_the_line() {
    let text = "# omv record 1\n0.000000 1 hid > 0102\n0.100000 1 hid < 03\n";
    let mut replay = Replay::parse(text, 1).unwrap();
    let error = replay.send(&[1, 3]).unwrap_err().to_string();
    assert_eq!(
        error,
        "replaying line 2 of a record: another frame was sent then"
    );
    assert!(!replay.is_finished());
    replay.send(&[1, 2]).unwrap();
    let error = replay.send(&[1, 2]).unwrap_err().to_string();
    assert!(error.starts_with("replaying line 3 of a record: something was heard"));
    assert_eq!(replay.wait(90 * MS).unwrap(), Some(bytes(&[3])));
    let error = replay.send(&[1, 2]).unwrap_err().to_string();
    assert!(error.contains("the record ends here"), "{error}");
    assert!(replay.is_finished());
}

#[test]
fn a_replay_hears_nothing_before_its_time() {
    let text = "# omv record 1\n0.000000 1 hid > 01\n0.500000 1 hid < 03\n";
    let mut replay = Replay::parse(text, 1).unwrap();
    assert_eq!(replay.wait(100 * MS).unwrap(), None);
    replay.send(&[1]).unwrap();
    assert_eq!(replay.wait(300 * MS).unwrap(), None);
    assert_eq!(replay.now(), 300 * MS);
    assert_eq!(replay.wait(600 * MS).unwrap(), Some(bytes(&[3])));
    assert_eq!(replay.now(), 500 * MS);
    assert_eq!(replay.wait(600 * MS).unwrap(), None);
}

#[test]
fn a_long_frame_is_written_as_a_hash_where_wanted_and_still_checked() {
    let paper = Paper::default();
    let options = Options {
        hashes: true,
        ..Options::default()
    };
    let (link, _) = Timetable::open([]);
    let mut link = Recorder::new(paper.clone(), options).link(link, Function::Hid);
    // Header and check value of a counted sequence: CRC-32 of bytes 0 to 255 is 29058C73.
    let page: Vec<u8> = (0..=255).collect();
    link.send(&page).unwrap();
    link.send(&page[..64]).unwrap();
    let text = paper.text();
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(
        lines[1],
        "0.000000 1 hid > 0001020304050607 +248 crc32 29058c73"
    );
    assert!(lines[2].ends_with("3c3d3e3f"));

    let mut replay = Replay::parse(&text, 1).unwrap();
    let mut other = page.clone();
    other[200] ^= 1;
    replay.send(&other).unwrap_err();
    replay.send(&page[..255]).unwrap_err();
    replay.send(&page).unwrap();
}

#[test]
fn a_hash_of_what_was_heard_cannot_be_played_back_and_says_so() {
    let text =
        "# omv record 1\n0.000000 1 hid < 00 +99 crc32 00000000\n0.000000 2 control ! stall\n";
    assert!(replay_error(text, 1).contains("only a hash"));
    Replay::parse(text, 2).unwrap();
}

#[test]
fn what_is_no_record_is_refused_by_its_line() {
    for (line, expected) in [
        ("1.000000 1", "a field is missing"),
        ("1 1 hid > 00", "the time is no time"),
        ("1.5 1 hid > 00", "the time is no time"),
        (
            "18446744073709551615.999999 x hid > 00",
            "the link is no number",
        ),
        ("1.000000 1 usb > 00", "the function is unknown"),
        ("1.000000 1 console:fast > 00", "the function is unknown"),
        ("1.000000 1 hid = 00", "the direction is unknown"),
        ("1.000000 1 hid ! dead", "the direction is unknown"),
        ("1.000000 1 hid > 0", "the bytes are no bytes"),
        ("1.000000 1 hid > 00 +1", "the bytes are no bytes"),
        (
            "1.000000 1 hid > 00 +18446744073709551615 crc32 0",
            "the bytes are no bytes",
        ),
    ] {
        let text = format!("# omv record 1\n#\n{line} \n");
        let expected = format!("reading line 3 of a record: {expected}");
        assert_eq!(replay_error(&text, 1), expected, "{line}");
    }
    let expected = "reading line 1 of a record: the header of a record is missing";
    assert_eq!(replay_error("", 1), expected);
    assert_eq!(replay_error("1.000000 1 hid > 00", 1), expected);
}

/// A bus with one camera.
struct Shelf {
    seen: Seen,
}

impl Bus for Shelf {
    fn list(&self) -> Result<Vec<Seen>, LinkError> {
        Ok(vec![self.seen.clone()])
    }

    fn now(&self) -> Duration {
        3 * MS
    }

    fn wait(&self, _until: Duration) -> Result<(), LinkError> {
        Ok(())
    }

    fn open(&self, _seen: &Seen) -> Result<Box<dyn Device>, LinkError> {
        Ok(Box::new(Camera))
    }
}

struct Camera;

impl Device for Camera {
    fn link(&mut self, function: Function) -> Result<Box<dyn Link>, LinkError> {
        match function {
            Function::Hid => Err(LinkError::NoFunction { function }),
            _ => Ok(Timetable::open([(MS, bytes(b"id 0e4f1e2a!"))]).0),
        }
    }
}

fn camera(serial: &str, product: &str) -> Seen {
    Seen {
        place: Place::new("usb", "1-4"),
        visit: 14,
        vid: 0x37C5,
        pid: 0x1060,
        release: 0x0200,
        serial: Some(serial.to_owned()),
        product: Some(product.to_owned()),
        node: None,
        denied: false,
        simulated: false,
    }
}

/// Lists, opens and talks over a recorded bus, sending `frame`.
fn session(seen: Seen, options: Options, frame: &[u8]) -> String {
    let paper = Paper::default();
    let bus = Recorder::new(paper.clone(), options).bus(Box::new(Shelf { seen }));
    let list = bus.list().unwrap();
    assert_eq!(bus.list().unwrap(), list);
    let mut device = bus.open(&list[0]).unwrap();
    assert!(device.link(Function::Hid).is_err());
    let mut link = device.link(Function::Control).unwrap();
    link.send(frame).unwrap();
    link.wait(9 * MS).unwrap();
    paper.text()
}

#[test]
fn a_recorded_bus_notes_each_camera_once_and_every_link() {
    let seen = camera("0E4F1E2A", "OpenMV \"Cam\"\n\x1B[2J");
    assert_eq!(
        session(seen, Options::default(), &[1]),
        "# omv record 1\n\
         # 0.003000 seen usb 1-4 visit 14 37C5:1060 release 0200 serial \"0E4F1E2A\" \
         product \"OpenMV \\\"Cam\\\"\\n\\u{1b}[2J\"\n\
         0.000000 1 control > 01\n\
         0.001000 1 control < 696420306534663165326121\n"
    );
}

#[test]
fn a_serial_number_is_blanked_in_every_form_it_takes() {
    let options = Options {
        blank_serials: true,
        ..Options::default()
    };
    let mut frame = b"0E4F1E2A".to_vec();
    frame.extend("0E4F1E2A".encode_utf16().flat_map(u16::to_le_bytes));
    frame.extend([0x0E, 0x4F, 0x1E, 0x2A, 0xAA, 0x2A, 0x1E, 0x4F, 0x0E]);
    let text = session(camera("0E4F1E2A", "Cam 0E4F1E2A"), options, &frame);
    let zeros = "30".repeat(8);
    let wide = "3000".repeat(8);
    assert_eq!(
        text,
        format!(
            "# omv record 1\n\
             # 0.003000 seen usb 1-4 visit 14 37C5:1060 release 0200 serial 00000000 \
             product \"Cam 00000000\"\n\
             0.000000 1 control > {zeros}{wide}30303030aa30303030\n\
             0.001000 1 control < 696420{zeros}21\n"
        )
    );
}

#[test]
fn a_full_disk_stops_the_record_and_not_the_work() {
    struct Full(usize);
    impl Write for Full {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0 = self
                .0
                .checked_sub(bytes.len())
                .ok_or(io::ErrorKind::StorageFull)?;
            Ok(bytes.len())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    let recorder = Recorder::new(Full(20), Options::default());
    let (link, arrived) = Timetable::open([]);
    let mut link = recorder.link(link, CONSOLE);
    link.send(&[1]).unwrap();
    link.send(&[2]).unwrap();
    assert_eq!(arrived.lock().unwrap().len(), 2);
    let error = recorder.finish().unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::StorageFull);
}

proptest! {
    #[test]
    fn whatever_is_recorded_plays_back(
        frames in prop::collection::vec((any::<bool>(), prop::collection::vec(any::<u8>(), 0..100)), 0..20),
        hid in any::<bool>(),
    ) {
        let acts: Vec<Act> = frames
            .iter()
            .map(|(out, frame)| if *out { Act::Send(frame.clone()) } else { Act::Wait(1000 * MS) })
            .collect();
        let answers: Vec<_> = frames
            .iter()
            .zip(1u32..)
            .filter(|((out, _), _)| !out)
            .map(|((_, frame), n)| (MS * n, bytes(frame)))
            .collect();
        let paper = Paper::default();
        let function = if hid { Function::Hid } else { Function::Control };
        let (link, _) = Timetable::open(answers);
        let mut recorded = Recorder::new(paper.clone(), Options::default()).link(link, function);
        let first = act(&mut recorded, &acts);
        let mut replay = Replay::parse(&paper.text(), 1).unwrap();
        prop_assert_eq!(act(&mut replay, &acts), first);
        prop_assert!(replay.is_finished());
    }

    #[test]
    fn no_text_makes_the_reader_panic(text in "(# omv record 1\n)?([0-9]{1,20}\\.[0-9]{6} [0-9]{1,11} (hid|control|console:[0-9]{1,12}) [<>!] ([0-9a-f]{0,6}( \\+[0-9]{1,21} crc32 [0-9a-f]{1,9})?|stall|gone|-)\n|.{0,20}\n)*") {
        let _ = Replay::links(&text);
        if let Ok(mut replay) = Replay::parse(&text, 1) {
            let _ = replay.send(&[0]);
            let _ = replay.wait(Duration::MAX);
            let _ = replay.wait(Duration::ZERO);
        }
    }

    #[test]
    fn no_serial_number_makes_the_recorder_panic(
        serial in ".{0,12}",
        frame in prop::collection::vec(any::<u8>(), 0..40),
    ) {
        let options = Options { hashes: true, blank_serials: true };
        let text = session(camera(&serial, &serial), options, &frame);
        prop_assert_eq!(text.lines().count(), 4);
    }
}
