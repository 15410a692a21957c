//! Cameras without an interpreter: opening, asking, refusing, leaving, coming back.

use std::sync::Arc;
use std::time::Duration;

use omv_camera::session::{Ended, Limits, Notice, Options, Preview, Session};
use omv_camera::{Error, Generation, Looked, find, look};
use omv_link::Bus;
use omv_sim::rt1062::{Quirks, Rt1062, sample};
use omv_sim::{Camera, Hand, VirtualBus};

const SECOND: Duration = Duration::from_secs(1);

/// A camera with this firmware, running.
fn camera(version: &str) -> (VirtualBus, Looked) {
    let firmware = sample::firmware(version, 0x1_2345);
    let camera: Box<dyn Camera> = Box::new(Rt1062::new(&firmware, Quirks::default()));
    let bus = VirtualBus::new("bench", vec![camera]);
    bus.pass(4 * SECOND);
    let buses: [Arc<dyn Bus>; 1] = [Arc::new(bus.clone())];
    let found = find(&buses).unwrap().remove(0);
    let looked = look(&found, None).unwrap();
    (bus, looked)
}

fn open(version: &str) -> (VirtualBus, Session) {
    let (bus, looked) = camera(version);
    let session = Session::open(&looked, Options::default()).unwrap();
    (bus, session)
}

#[test]
fn a_camera_says_who_it_is_in_either_protocol() {
    for (version, generation) in [("5.0.0", Generation::V2), ("4.5.2", Generation::V1)] {
        let (_bus, session) = open(version);
        let info = session.info();
        assert_eq!(info.generation(), generation);
        assert_eq!(info.firmware(), version);
        assert!(info.who.uid.is_some() && session.is_connected());
    }
}

#[test]
fn the_channels_of_new_firmware_are_listed_and_old_firmware_has_none() {
    let (_bus, session) = open("5.0.0");
    let names: Vec<String> = session.channels().into_iter().map(|one| one.name).collect();
    assert_eq!(names, ["usb", "stdin", "stdout", "stream"]);
    let Err(Error::NoChannel { there, .. }) = session.channel_read("lidar", 100) else {
        panic!("there is no such channel");
    };
    assert_eq!(there, ["stdin", "stdout", "stream"]);
    assert!(session.statistics().unwrap().camera.is_some());

    let (_bus, session) = open("4.8.0");
    assert!(session.channels().is_empty());
    assert!(matches!(session.memory(), Err(Error::NotInFirmware { .. })));
    assert!(session.statistics().unwrap().camera.is_none());
}

#[test]
fn a_script_that_no_camera_can_take_is_refused_before_anything_is_sent() {
    let (_bus, session) = open("5.0.0");
    let large = vec![b'#'; 2 << 20];
    assert!(matches!(
        session.run(&large),
        Err(Error::ScriptTooLarge { .. })
    ));
    assert!(matches!(
        session.run(b"print('\xFF')"),
        Err(Error::ScriptNotText { at: 7 })
    ));
    assert!(matches!(
        session.run(b"a\0b"),
        Err(Error::ScriptNotText { at: 1 })
    ));
}

#[test]
fn a_script_that_is_over_at_once_has_an_end_all_the_same() {
    let (_bus, session) = open("5.0.0");
    let output = session.execute(b"pass", &Limits::default()).unwrap();
    assert_eq!(output.ended, Ended::Finished);
    // Without an interpreter the camera says that nothing was executed, and nothing else.
    let text = String::from_utf8(output.text).unwrap();
    assert!(
        text.ends_with("nothing of it was executed.\r\n"),
        "{text:?}"
    );
    assert!(!output.timed_out);
}

#[test]
fn a_camera_that_is_unplugged_is_lost_and_found_again() {
    for version in ["5.0.0", "4.5.2"] {
        let (bus, session) = open(version);
        let watch = session.watch();
        bus.with(0, |camera, now| camera.hand(now, Hand::Unplug));
        assert!(
            matches!(watch.next(5 * SECOND), Some(Notice::Lost)),
            "{version}"
        );
        assert!(!session.is_connected());
        assert!(
            matches!(session.stop(), Err(Error::Gone { .. })),
            "{version}"
        );
        bus.with(0, |camera, now| camera.hand(now, Hand::Plug));
        // Words of the camera's own script may be among it.
        let connected = |notice: Notice| matches!(notice, Notice::Connected);
        let mut notices = std::iter::from_fn(|| watch.next(10 * SECOND)).take(20);
        assert!(notices.any(connected), "{version}");
        session.stop().unwrap();
        assert_eq!(session.statistics().unwrap().host.connections, 2);
    }
}

#[test]
fn a_reset_keeps_the_session_and_the_bootloader_ends_it() {
    let (_bus, session) = open("5.0.0");
    let watch = session.watch();
    session.reset().unwrap();
    assert!(matches!(watch.next(5 * SECOND), Some(Notice::Lost)));
    assert!(matches!(watch.next(20 * SECOND), Some(Notice::Connected)));
    session.bootloader().unwrap();
    while !matches!(watch.next(SECOND), Some(Notice::Closed)) {}
    assert!(watch.is_closed());
}

#[test]
fn raw_pictures_are_for_new_firmware_only() {
    let raw = Preview::Raw {
        width: 160,
        height: 120,
    };
    let (_bus, session) = open("5.0.0");
    session.preview(raw).unwrap();
    assert!(matches!(session.frame(SECOND), Err(Error::NoFrame { .. })));
    let (_bus, session) = open("4.8.0");
    assert!(matches!(
        session.preview(raw),
        Err(Error::NotInFirmware { .. })
    ));
    session.preview(Preview::Jpeg).unwrap();
}

#[test]
fn the_last_handle_lets_the_camera_go() {
    let (_bus, looked) = camera("5.0.0");
    let session = Session::open(&looked, Options::default()).unwrap();
    let clone = session.clone();
    drop(session);
    clone.stop().unwrap();
    clone.close();
    let again = Session::open(&looked, Options::default()).unwrap();
    again.stop().unwrap();
}

#[test]
fn a_camera_in_its_bootloader_cannot_be_held_open() {
    let (_bus, mut looked) = camera("5.0.0");
    looked.state = omv_boards::State::Sbl;
    let opened = Session::open(&looked, Options::default());
    assert!(matches!(opened.err(), Some(Error::NotRunning { .. })));
}
