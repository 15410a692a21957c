//! Scripts in Python on virtual cameras that execute them: channels of their own, keys, sleep.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use omv_camera::session::{Ended, Notice, Options, Session, Watch};
use omv_camera::{Error, find, look};
use omv_link::Bus;
use omv_sim::engine::micropython::Interpreter;
use omv_sim::rt1062::{Quirks, Rt1062, sample};
use omv_sim::{Setup, VirtualBus};

const SECOND: Duration = Duration::from_secs(1);

/// A camera with the interpreter, which is one of the judges.
fn open(version: &str) -> (VirtualBus, Session) {
    let help =
        "`cargo xtask test judges` fetches it, then OMV_JUDGES names the folder target/judges";
    let folder = std::env::var_os("OMV_JUDGES").expect(help);
    let interpreter = Interpreter::load(&Path::new(&folder).join("micropython.wasm")).expect(help);
    let mut camera = Rt1062::new(&sample::firmware(version, 0x8000), Quirks::default());
    camera.set_up(Setup {
        engine: Some(interpreter.engine()),
        formats: true,
        ..Setup::default()
    });
    let bus = VirtualBus::new("bench", vec![Box::new(camera)]);
    bus.pass(5 * SECOND);
    let buses: [Arc<dyn Bus>; 1] = [Arc::new(bus.clone())];
    let looked = look(&find(&buses).unwrap().remove(0), None).unwrap();
    let session = Session::open(&looked, Options::default()).unwrap();
    session.stop().unwrap();
    (bus, session)
}

/// Waits until the camera has a channel of this name.
fn until_channel(session: &Session, watch: &Watch, name: &str) {
    while !session.channels().iter().any(|one| one.name == name) {
        assert!(watch.next(5 * SECOND).is_some(), "{name} does not come");
    }
}

fn until_text(watch: &Watch, wanted: &str) -> String {
    let mut text = String::new();
    while !text.contains(wanted) {
        match watch.next(10 * SECOND) {
            Some(Notice::Text(more)) => text.push_str(&String::from_utf8_lossy(&more)),
            Some(_) => {}
            None => panic!("{wanted} does not come: {text}"),
        }
    }
    text
}

const CHANNELS: &str = "\
import protocol, time

class Fixed:
    def size(self):
        return 5
    def read(self, offset, size):
        return 'fixed'[offset : offset + size]

class Kept:
    def __init__(self):
        self.bytes = bytearray()
        self.locked = False
    def poll(self):
        return len(self.bytes) > 0
    def lock(self):
        self.locked = True
        return True
    def unlock(self):
        self.locked = False
        return True
    def size(self):
        return len(self.bytes)
    def shape(self):
        return (len(self.bytes), 1)
    def readp(self, offset, size):
        return bytes(self.bytes[offset : offset + size]) if self.locked else None
    def write(self, offset, data):
        if offset == 0:
            self.bytes = bytearray()
        self.bytes.extend(data)
        return len(data)
    def ioctl(self, request, length, argument):
        print('ioctl', request, length, argument)
        return 0 if request == 7 else 1

protocol.register(name='fixed', backend=Fixed())
kept = protocol.register(name='kept', backend=Kept())
while True:
    kept.send_event(9)
    time.sleep(30)
";

#[test]
fn channels_of_a_script_are_read_written_and_asked_while_it_sleeps() {
    let (_bus, session) = open("5.0.0");
    let watch = session.watch();
    session.run(CHANNELS.as_bytes()).unwrap();
    until_channel(&session, &watch, "kept");
    assert_eq!(session.channel_read("fixed", 100).unwrap(), b"fixed");
    assert_eq!(session.channel_read("fixed", 3).unwrap(), b"fix");
    let data: Vec<u8> = (0..10_000_u32).map(|n| (n * 7) as u8).collect();
    session.channel_write("kept", &data).unwrap();
    assert!(session.channel_read("kept", 1 << 20).unwrap() == data);
    session.channel_ioctl("kept", 7, &[1, 2]).unwrap();
    assert!(matches!(
        session.channel_ioctl("kept", 8, &[]),
        Err(Error::RequestRefused { .. })
    ));
    let text = until_text(&watch, "ioctl 8");
    assert!(text.contains(r"ioctl 7 2 bytearray(b'\x01\x02')"), "{text}");
    assert!(text.contains("ioctl 8 0 None"), "{text}");
    // What has no method for it is refused, and what the script does not have is not there.
    assert!(matches!(
        session.channel_write("fixed", b"x"),
        Err(Error::RequestRefused { .. })
    ));
    session.stop().unwrap();
    assert!(matches!(
        session.channel_read("kept", 1),
        Err(Error::NoChannel { .. })
    ));
}

#[test]
fn a_script_that_computes_without_a_pause_leaves_its_channel_unanswered_and_can_be_stopped() {
    let (_bus, session) = open("5.0.0");
    let watch = session.watch();
    let script = CHANNELS.replace("    time.sleep(30)", "    while True: pass");
    session.run(script.as_bytes()).unwrap();
    let event = |notice: &Notice| matches!(notice, Notice::Event { code: Some(9), .. });
    while !event(&watch.next(5 * SECOND).expect("it begins to compute")) {}
    watch.next(SECOND / 10);
    assert!(matches!(
        session.channel_write("kept", b"x"),
        Err(Error::RequestRefused { .. })
    ));
    session.stop().unwrap();
    assert!(!session.is_running());
}

#[test]
fn keys_reach_a_script_that_registers_a_channel_for_them() {
    let (_bus, session) = open("5.0.0");
    let watch = session.watch();
    let script = "\
import protocol, time
class Input:
    def write(self, offset, data):
        print('key', bytes(data))
        return len(data)
protocol.register(name='input', backend=Input())
while True:
    time.sleep_ms(50)
";
    assert!(matches!(
        session.input(b"x"),
        Err(Error::NotInFirmware { .. })
    ));
    session.run(script.as_bytes()).unwrap();
    until_channel(&session, &watch, "input");
    session.input(b"left\n").unwrap();
    until_text(&watch, r"key b'left\n'");
}

#[test]
fn a_camera_that_sleeps_deeply_is_lost_and_comes_back_running_its_own_script() {
    for version in ["5.0.0", "4.5.2"] {
        let (_bus, session) = open(version);
        let watch = session.watch();
        session
            .run(b"import machine\nprint('good night')\nmachine.deepsleep(2000)")
            .unwrap();
        let mut seen = Vec::new();
        while !matches!(seen.last(), Some(Notice::Connected)) {
            let next = watch.next(30 * SECOND);
            seen.push(next.unwrap_or_else(|| panic!("{version}: nothing after {seen:?}")));
        }
        let ended = |notice: &Notice| matches!(notice, Notice::Ended(Ended::Lost));
        assert!(seen.iter().any(ended), "{version}: {seen:?}");
        assert!(seen.iter().any(|notice| matches!(notice, Notice::Lost)));
        assert_eq!(session.statistics().unwrap().host.connections, 2);
        // `main.py` runs again.
        let until = session.now() + 5 * SECOND;
        while !session.is_running() {
            assert!(session.now() < until, "{version}: nothing runs");
            watch.next(SECOND / 10);
        }
        session.stop().unwrap();
    }
}
