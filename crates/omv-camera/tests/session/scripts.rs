//! Scripts that print, raise, loop, flood, and take pictures.

use std::time::Duration;

use omv_camera::Error;
use omv_camera::session::{
    Appetite, Ended, Frames, Limits, Notice, Options, Preview, Session, Watch,
};

use crate::acting::bus::Stand;
use crate::acting::frame_number;

const SECOND: Duration = Duration::from_secs(1);

fn open() -> (Stand, Session) {
    let stand = Stand::new();
    let session = stand.open(Options::default());
    (stand, session)
}

/// All notices until the script's end, and that.
fn until_end(watch: &Watch) -> (Vec<Notice>, Ended) {
    let mut notices = Vec::new();
    loop {
        match watch.next(30 * SECOND) {
            Some(Notice::Ended(ended)) => return (notices, ended),
            Some(notice) => notices.push(notice),
            None => panic!("no end after {notices:?}"),
        }
    }
}

fn text(notices: &[Notice]) -> String {
    let mut all = Vec::new();
    for notice in notices {
        if let Notice::Text(text) = notice {
            all.extend_from_slice(text);
        }
    }
    String::from_utf8(all).unwrap()
}

#[test]
fn a_script_prints_and_ends_and_the_reboot_behind_it_is_not_its_text() {
    let (_stand, session) = open();
    for round in 0..3 {
        let script = format!("print hello {round}\nsleep 30\nprint bye");
        let output = session
            .execute(script.as_bytes(), &Limits::default())
            .unwrap();
        assert_eq!(output.ended, Ended::Finished);
        assert_eq!(output.text_lossy(), format!("hello {round}\r\nbye\r\n"));
        assert_eq!(output.missing, 0);
    }
    assert_eq!(session.statistics().unwrap().host.resyncs, 0);
}

#[test]
fn an_exception_is_found_in_what_the_script_printed() {
    let (_stand, session) = open();
    let script = b"print before\nraise NameError name 'x' isn't defined";
    let output = session.execute(script, &Limits::default()).unwrap();
    let raised = output.ended.raised().unwrap();
    assert_eq!(raised.kind, "NameError");
    assert_eq!(raised.message, "name 'x' isn't defined");
    assert_eq!(raised.places[0].line, 7);
}

#[test]
fn an_endless_loop_stops_within_a_second_and_the_camera_takes_the_next_script() {
    let (_stand, session) = open();
    let watch = session.watch();
    session.run(b"print on\nspin").unwrap();
    while !matches!(watch.next(SECOND), Some(Notice::Started)) {}
    assert!(session.is_running());
    let before = session.now();
    session.stop().unwrap();
    assert!(session.now() - before < SECOND);
    let (notices, ended) = until_end(&watch);
    assert_eq!(ended, Ended::Stopped);
    assert!(text(&notices).starts_with("on\r\n"));
    assert!(!session.is_running());
    let output = session.execute(b"print next", &Limits::default()).unwrap();
    assert_eq!(output.text, b"next\r\n");
}

#[test]
fn a_script_that_takes_too_long_is_stopped_when_its_time_is_over() {
    let (_stand, session) = open();
    let limits = Limits::default().time(2 * SECOND);
    let output = session.execute(b"print on\nspin", &limits).unwrap();
    assert!(output.timed_out);
    assert_eq!(output.ended, Ended::Stopped);
    assert!(output.text_lossy().starts_with("on\r\n"));
}

#[test]
fn main_py_and_a_running_script_give_way_to_the_next() {
    let (stand, session) = open();
    stand.world().actor.stage().start_main();
    let output = session.execute(b"print one", &Limits::default()).unwrap();
    assert_eq!(output.text, b"one\r\n");
    let watch = session.watch();
    session.run(b"spin").unwrap();
    session.run(b"print two").unwrap();
    let (_, first) = until_end(&watch);
    assert_eq!(first, Ended::Stopped);
    let (notices, second) = until_end(&watch);
    assert_eq!(second, Ended::Finished);
    assert!(text(&notices).ends_with("two\r\n"), "{:?}", text(&notices));
    assert_eq!(stand.world().actor.stage().execs, 3);
}

#[test]
fn a_flood_of_text_is_bounded_and_stops() {
    let (_stand, session) = open();
    let appetite = Appetite {
        frames: Frames::None,
        text: 10_000,
    };
    let slow = session.watch_with(appetite);
    let limits = Limits::default().time(5 * SECOND).text(2000);
    let output = session.execute(b"flood", &limits).unwrap();
    assert!(output.timed_out && output.text.len() <= 2000 && output.missing > 10_000);
    assert!(slow.dropped().text_bytes > 10_000);
    let waiting: usize = std::iter::from_fn(|| slow.try_next())
        .map(|notice| match notice {
            Notice::Text(text) => text.len(),
            _ => 0,
        })
        .sum();
    assert!(waiting <= 10_000, "{waiting}");
}

#[test]
fn pictures_come_numbered_and_whole() {
    let (_stand, session) = open();
    session
        .preview(Preview::Raw {
            width: 320,
            height: 240,
        })
        .unwrap();
    let watch = session.watch_with(Appetite {
        frames: Frames::All { bytes: 64 << 20 },
        text: 0,
    });
    session.run(b"frames 40 160 120").unwrap();
    let (notices, _) = until_end(&watch);
    let mut last = 0;
    let mut count = 0;
    for notice in &notices {
        if let Notice::Frame(frame) = notice {
            assert_eq!((frame.width, frame.height), (160, 120));
            let number = frame_number(&frame.data).expect("a picture is whole");
            assert!(number > last, "{number} after {last}");
            assert_eq!(frame.to_rgb().unwrap().pixels.len(), 3 * 160 * 120);
            last = number;
            count += 1;
        }
    }
    assert!(count >= 38, "{count} of 40");
}

#[test]
fn the_picture_of_the_script_before_is_not_shown() {
    let (stand, session) = open();
    session.preview(Preview::Jpeg).unwrap();
    // Nobody listens for pictures: one is left waiting.
    session
        .execute(b"frames 3 16 16", &Limits::default())
        .unwrap();
    let stale = stand.world().actor.stage().made;
    let watch = session.watch();
    session.run(b"sleep 50\nframes 1 16 16\nsleep 50").unwrap();
    let (notices, _) = until_end(&watch);
    for notice in notices {
        if let Notice::Frame(frame) = notice {
            assert!(frame_number(&frame.data).unwrap() > stale);
        }
    }
}

#[test]
fn a_header_that_lies_costs_that_picture_alone() {
    let (_stand, session) = open();
    session.preview(Preview::Jpeg).unwrap();
    let watch = session.watch();
    session
        .run(b"lie\nsleep 40\nframes 2 16 16\nsleep 40")
        .unwrap();
    let (notices, _) = until_end(&watch);
    let shown = notices
        .iter()
        .filter(|n| matches!(n, Notice::Frame(_)))
        .count();
    assert!(shown >= 1);
    assert_eq!(session.statistics().unwrap().host.corrupt_frames, 1);
}

#[test]
fn a_channel_of_a_script_is_listed_read_and_written_while_it_runs() {
    let (_stand, session) = open();
    let watch = session.watch();
    session.run(b"channel lidar\nevent 9\nspin").unwrap();
    let mut event = false;
    while !event {
        let notice = watch.next(5 * SECOND).expect("the event is told");
        event = matches!(
            notice,
            Notice::Event {
                channel: 4,
                code: Some(9)
            }
        );
    }
    assert!(session.channels().iter().any(|one| one.name == "lidar"));
    let data: Vec<u8> = (0..10_000_u32).map(|n| n as u8).collect();
    session.channel_write("lidar", &data).unwrap();
    assert_eq!(session.channel_read("lidar", 1 << 20).unwrap(), data);
    session.stop().unwrap();
    assert!(matches!(
        session.channel_read("lidar", 1),
        Err(Error::NoChannel { .. })
    ));
}

#[test]
fn a_camera_that_falls_silent_is_lost_and_comes_back() {
    let (stand, session) = open();
    let watch = session.watch();
    session.run(b"spin").unwrap();
    stand.world().actor.mute = true;
    assert!(loop {
        match watch.next(30 * SECOND) {
            Some(Notice::Ended(Ended::Lost)) => break true,
            Some(_) => {}
            None => break false,
        }
    });
    stand.world().actor.mute = false;
    while !matches!(watch.next(30 * SECOND), Some(Notice::Connected)) {}
    let output = session.execute(b"print back", &Limits::default()).unwrap();
    assert_eq!(output.text, b"back\r\n");
}

#[test]
fn a_camera_that_stops_in_the_middle_of_a_picture_shows_nothing_of_it_and_is_lost() {
    let (stand, session) = open();
    session
        .preview(Preview::Raw {
            width: 320,
            height: 240,
        })
        .unwrap();
    let watch = session.watch_with(Appetite {
        frames: Frames::All { bytes: 64 << 20 },
        text: 0,
    });
    session.run(b"stream 320 240").unwrap();
    // Three pictures and a piece.
    stand.world().actor.mute_after = Some(3 * 80_000 + 30_000);
    let before = session.now();
    let (notices, ended) = until_end(&watch);
    assert_eq!(ended, Ended::Lost);
    assert!(
        session.now() - before < 20 * SECOND,
        "every wait has an end"
    );
    let pictures: Vec<_> = notices
        .iter()
        .filter_map(|notice| match notice {
            Notice::Frame(frame) => Some(frame),
            _ => None,
        })
        .collect();
    assert!(!pictures.is_empty());
    for frame in pictures {
        assert_eq!(frame.data.len(), 320 * 240);
        assert!(frame_number(&frame.data).is_some(), "a picture is whole");
    }
    stand.world().actor.mute_after = None;
    stand.world().actor.mute = false;
    while !matches!(watch.next(30 * SECOND), Some(Notice::Connected)) {}
    assert_eq!(
        session
            .execute(b"print back", &Limits::default())
            .unwrap()
            .text,
        b"back\r\n"
    );
}

#[test]
fn the_profile_of_firmware_with_a_profiler_is_read_and_other_firmware_says_that_it_has_none() {
    let (_stand, session) = open();
    assert!(matches!(
        session.profile(),
        Err(Error::NotInFirmware { .. })
    ));
    let watch = session.watch();
    session.run(b"profile\nspin").unwrap();
    while !session.channels().iter().any(|one| one.name == "profile") {
        watch.next(5 * SECOND).expect("it is told");
    }
    let records = session.profile().unwrap().records;
    assert_eq!(records.len(), 2);
    let second = &records[1];
    assert_eq!((second.function, second.caller), (0x0803_0001, 0x0800_0001));
    assert_eq!((second.calls, second.total_ticks), (400, 2000));
    assert_eq!((second.min_ticks, second.max_ticks), (3, 9));
    assert_eq!(
        (second.total_cycles, &second.events[..]),
        (7 << 33, &[11][..])
    );
}

#[test]
fn memory_and_statistics_are_told() {
    let (_stand, session) = open();
    assert_eq!(session.memory().unwrap()[0].total, 1 << 20);
    let statistics = session.statistics().unwrap();
    assert!(statistics.camera.unwrap().sent > 0);
    assert_eq!(session.info().sensors, [0x7725]);
}

#[test]
fn a_soak_of_reboots_and_unplugging_loses_no_picture_and_no_session() {
    let (stand, session) = open();
    session.preview(Preview::Jpeg).unwrap();
    let watch = session.watch_with(Appetite {
        frames: Frames::All { bytes: 8 << 20 },
        text: 0,
    });
    let mut shown = 0_u64;
    let mut last = 0;
    for round in 0..30 {
        session.run(b"frames 20 32 32").unwrap();
        let (notices, ended) = until_end(&watch);
        assert_eq!(ended, Ended::Finished);
        for notice in notices {
            if let Notice::Frame(frame) = notice {
                let number = frame_number(&frame.data).unwrap();
                assert!(number > last);
                last = number;
                shown += 1;
            }
        }
        if round % 3 == 0 {
            stand.unplug();
            while !matches!(watch.next(5 * SECOND), Some(Notice::Lost)) {}
            stand.plug();
            while !matches!(watch.next(30 * SECOND), Some(Notice::Connected)) {}
        }
    }
    let host = session.statistics().unwrap().host;
    assert!(shown >= 30 * 19, "{shown}");
    assert_eq!((host.connections, host.corrupt_frames), (11, 0));
    assert!(host.reboots >= 20, "{}", host.reboots);
    assert_eq!(watch.dropped().frames, 0);
}
