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
use omv_wire::cbor::Value;
use omv_wire::v2::fields;

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

const FIELDS: &str = "\
import protocol, time
from protocol import CBORChannel

def on_read(channel):
    channel['temp'] = 25.5

def on_write(channel, name, value):
    print('set', name, repr(value))

controls = CBORChannel(on_read=on_read, on_write=on_write)
controls.add('temp', type='label', unit='Cel')
controls.add('gain', type='slider', value=4, max=24, unit='dB')
controls.add('mirror', type='toggle')
controls.add('mode', type='select', value='fast', options=['fast', 'slow'])
controls.add('far', type='depth', width=4, height=2)
controls['far'] = bytes(range(32))
controls['gain'] = (1, 12, 6)
protocol.register(name='controls', backend=controls)
while True:
    time.sleep(30)
";

#[test]
fn the_fields_of_a_script_are_read_and_set_on_the_boards_whose_firmware_has_them() {
    let (_bus, session) = open("5.0.0");
    let watch = session.watch();
    session.run(FIELDS.as_bytes()).unwrap();
    until_channel(&session, &watch, "controls");
    let read = || fields::decode(&session.channel_read("controls", 1 << 20).unwrap()).unwrap();
    let says: Vec<_> = read()
        .into_iter()
        .map(|field| (field.name, field.value))
        .collect();
    let meant = [
        ("temp", Some(Value::Float(25.5))),
        ("gain", Some(Value::Integer(6))),
        ("mirror", Some(Value::Bool(false))),
        ("mode", Some(Value::Text("fast".into()))),
        ("far", None),
    ];
    assert_eq!(says, meant.map(|(name, value)| (name.to_owned(), value)));
    let fields = read();
    assert_eq!(
        (fields[1].range, fields[1].step),
        (Some((1.0, 12.0)), Some(1.0))
    );
    assert_eq!(fields[3].options, ["fast", "slow"]);
    assert_eq!(
        (fields[4].size, fields[4].range),
        (Some((4, 2)), Some((0.0, 1000.0)))
    );
    assert_eq!(fields[4].data, Some((0..32).collect()));
    for (name, value) in [
        ("gain", Value::Float(7.5)),
        ("gain", Value::Integer(-3)),
        ("mirror", Value::Bool(true)),
        ("mode", Value::Text("slow".into())),
        ("nothing", Value::Integer(1)),
    ] {
        session
            .channel_write("controls", &fields::encode(name, &value))
            .unwrap();
    }
    let text = until_text(&watch, "slow'\r\n");
    assert_eq!(text.matches("set ").count(), 4, "{text}");
    assert!(
        text.contains("set gain 7.5\r\nset gain -3\r\nset mirror True\r\n"),
        "{text}"
    );
    assert_eq!(read()[1].value, Some(Value::Integer(-3)));
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
