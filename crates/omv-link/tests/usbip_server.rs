//! USB/IP servers that mean no good, are slow, or are not there: every call ends, with an error
//! that says what happened.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use omv_link::usbip::UsbIpBus;
use omv_link::{Bus, Device, LinkError, Place, Seen};
use omv_wire::usb::{
    Completion, ConfigurationBuilder, DeviceDescriptor, Setup, Speed, Urb, UrbStatus, kind,
};
use omv_wire::usbip::{BusId, Camera, DeviceRecord, Ended, OpStatus, Request};
use proptest::prelude::*;

/// Nothing a server does may keep a caller longer.
const BOUND: Duration = Duration::from_secs(3);

/// Serves every connection with `work`, and gives the bus on which that server is found.
fn serve(work: impl Fn(TcpStream) + Send + Sync + 'static) -> UsbIpBus {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let work = std::sync::Arc::new(work);
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let work = work.clone();
            thread::spawn(move || work(stream));
        }
    });
    UsbIpBus::new(&address, "peer", "the test")
}

/// A server that sends these bytes whatever it is asked, and then stays silent.
fn saying(bytes: Vec<u8>) -> UsbIpBus {
    serve(move |mut stream| {
        let _ = stream.write_all(&bytes);
        let _ = stream.read_to_end(&mut Vec::new());
    })
}

fn device() -> DeviceDescriptor {
    DeviceDescriptor {
        usb_version: 0x0200,
        class: 0,
        subclass: 0,
        protocol: 0,
        max_packet_0: 64,
        vendor: 0x1209,
        product: 0xABD1,
        version: 0x0200,
        manufacturer_string: 0,
        product_string: 0,
        serial_string: 0,
        configurations: 1,
    }
}

fn configuration() -> Vec<u8> {
    let built = ConfigurationBuilder::new(1).interface(0, 0, [0xFF, 0, 0], 0);
    built.finish().unwrap()
}

fn record() -> DeviceRecord {
    let active = omv_wire::usb::Configuration::decode(&configuration()).unwrap();
    let busid = BusId::new("1-1").unwrap();
    let mut record = DeviceRecord::new(busid, Speed::High, &device(), &active);
    record.devnum = 7;
    record
}

fn seen() -> Seen {
    Seen {
        place: Place::new("peer", "1-1"),
        visit: 7,
        vid: 0x1209,
        pid: 0xABD1,
        release: 0x0200,
        serial: None,
        product: None,
        node: None,
        simulated: false,
        denied: false,
    }
}

/// An honest server of one device, up to the moment `after` takes over the connection.
fn honest(stream: TcpStream, after: &dyn Fn(&mut TcpStream, Urb, u32) -> bool) {
    honest_refusing(stream, OpStatus::Ok, after);
}

fn honest_refusing(
    mut stream: TcpStream,
    import: OpStatus,
    after: &dyn Fn(&mut TcpStream, Urb, u32) -> bool,
) {
    let mut camera = Camera::new();
    let mut buffer = [0; 4096];
    loop {
        let answer = match camera.next_request() {
            Ok(Some(Request::DevList)) => camera.list(&[record()]),
            Ok(Some(Request::Import(_))) if import == OpStatus::Ok => camera.accept(&record()),
            Ok(Some(Request::Import(_))) => camera.refuse(import),
            Ok(Some(Request::Unlink { seqnum, .. })) => {
                Camera::unlinked(seqnum, UrbStatus::Unlinked)
            }
            Ok(Some(Request::Submit(submit))) => {
                let completion = match submit.urb.setup {
                    Some(s) if s.value_high() == kind::DEVICE && s.length > 0 => {
                        Completion::received(device().encode().to_vec())
                    }
                    Some(s) if s.value_high() == kind::CONFIGURATION && s.length > 0 => {
                        Completion::received(configuration())
                    }
                    Some(s) if s.request == omv_wire::usb::request::SET_CONFIGURATION => {
                        Completion::sent(0)
                    }
                    _ => {
                        if after(&mut stream, submit.urb, submit.seqnum) {
                            continue;
                        }
                        return;
                    }
                };
                Ended::new(submit.seqnum, &submit.urb, completion).encode()
            }
            Ok(Some(Request::Isochronous { .. })) | Err(_) => return,
            Ok(None) => match stream.read(&mut buffer) {
                Ok(count) if count > 0 => {
                    camera.feed(&buffer[..count]);
                    continue;
                }
                _ => return,
            },
        };
        if stream.write_all(&answer).is_err() {
            return;
        }
    }
}

/// Opens and expects an error, in time.
fn open_fails(bus: &UsbIpBus) -> LinkError {
    let start = Instant::now();
    let error = bus.open(&seen()).map(|_| ()).expect_err("it opened");
    assert!(start.elapsed() < BOUND, "{:?}", start.elapsed());
    error
}

/// A control link on which every question reaches `after`.
fn control_link(bus: &UsbIpBus) -> Box<dyn omv_link::Link> {
    let mut device: Box<dyn Device> = bus.open(&seen()).unwrap();
    device.link(omv_link::Function::Control).unwrap()
}

fn vendor_question() -> Vec<u8> {
    Setup::from_bytes([0xC0, 1, 0, 0, 0, 0, 64, 0])
        .encode()
        .to_vec()
}

#[test]
fn where_nothing_listens_there_is_no_device() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    drop(listener);
    let bus = UsbIpBus::new(&address, "peer", "the test");
    assert_eq!(bus.list().unwrap(), []);
    assert!(matches!(open_fails(&bus), LinkError::Gone));
}

#[test]
fn a_foreign_servers_device_has_a_place_but_no_serial_number() {
    let bus = serve(|stream| honest(stream, &|_, _, _| false));
    assert_eq!(bus.list().unwrap(), [seen()]);
}

#[test]
fn a_device_that_came_back_since_it_was_seen_is_gone() {
    let bus = serve(|stream| honest(stream, &|_, _, _| false));
    let earlier = Seen { visit: 6, ..seen() };
    assert!(matches!(
        bus.open(&earlier).map(|_| ()),
        Err(LinkError::Gone)
    ));
}

#[test]
fn refusals_say_who_or_what() {
    let refusing = |status| serve(move |stream| honest_refusing(stream, status, &|_, _, _| false));
    assert!(matches!(
        open_fails(&refusing(OpStatus::NoDevice)),
        LinkError::Gone
    ));
    assert!(matches!(
        open_fails(&refusing(OpStatus::NotAvailable)),
        LinkError::Gone
    ));
    let busy = open_fails(&refusing(OpStatus::Busy));
    assert!(matches!(busy, LinkError::Busy { holder: None }), "{busy}");
    let other = open_fails(&refusing(OpStatus::DeviceError)).to_string();
    assert!(other.contains("error state"), "{other}");
}

#[test]
fn a_server_that_never_answers_is_given_up() {
    let bus = saying(Vec::new());
    let start = Instant::now();
    assert!(bus.list().is_err());
    assert!(start.elapsed() < BOUND);
    assert!(matches!(open_fails(&bus), LinkError::Io { .. }));
}

#[test]
fn a_server_that_falls_silent_after_the_import_is_given_up() {
    let mut bytes = vec![0x01, 0x11, 0, 3, 0, 0, 0, 0];
    bytes.extend(record().encode());
    assert!(matches!(open_fails(&saying(bytes)), LinkError::Stuck));
}

#[test]
fn a_server_that_drips_is_given_up_too() {
    let bus = serve(|mut stream| {
        for byte in [0x01, 0x11, 0, 5, 0, 0, 0, 0, 0, 0, 0, 200]
            .into_iter()
            .chain(vec![b'a'; 9999])
        {
            if stream.write_all(&[byte]).is_err() {
                return;
            }
            thread::sleep(Duration::from_millis(20));
        }
    });
    let start = Instant::now();
    assert!(bus.list().is_err());
    assert!(start.elapsed() < BOUND);
}

#[test]
fn lies_are_called_lies() {
    let head = |code, status: u32| {
        let mut bytes = vec![0x01, 0x11, 0, code];
        bytes.extend(status.to_be_bytes());
        bytes
    };
    let mut endless = head(5, 0);
    endless.extend(u32::MAX.to_be_bytes());
    let mut other_device = head(3, 0);
    let busid = BusId::new("9-9").unwrap();
    other_device.extend(DeviceRecord { busid, ..record() }.encode());
    let mut other_answer = head(9, 0);
    other_answer.extend([0; 4]);
    for bytes in [endless, vec![b'H'; 64], other_answer] {
        let error = saying(bytes).list().expect_err("it believed that");
        assert!(matches!(error, LinkError::Peer { .. }), "{error}");
    }
    assert!(matches!(
        open_fails(&saying(other_device)),
        LinkError::Peer { .. }
    ));
}

#[test]
fn more_data_than_asked_for_ends_the_import_as_a_broken_peer() {
    let bus = serve(|stream| {
        honest(stream, &|stream, _, seqnum| {
            let mut bytes = Vec::new();
            for word in [3, seqnum, 0, 0, 0, 0, 4_000_000, 0, 0, 0, 0, 0_u32] {
                bytes.extend(word.to_be_bytes());
            }
            stream.write_all(&bytes).is_ok()
        });
    });
    let mut link = control_link(&bus);
    link.send(&vendor_question()).unwrap();
    let start = Instant::now();
    let error = link
        .wait(link.now() + Duration::from_secs(60))
        .expect_err("it believed that");
    assert!(matches!(error, LinkError::Peer { .. }), "{error}");
    assert!(start.elapsed() < BOUND);
    // And so says everything after it.
    assert!(matches!(
        link.send(&vendor_question()),
        Err(LinkError::Peer { .. })
    ));
}

#[test]
fn a_connection_that_ends_wakes_whoever_waits_and_frees_the_place() {
    let bus = serve(|stream| {
        honest(stream, &|_, _, _| {
            thread::sleep(Duration::from_millis(100));
            false
        });
    });
    let mut link = control_link(&bus);
    link.send(&vendor_question()).unwrap();
    let start = Instant::now();
    let ended = link.wait(link.now() + Duration::from_secs(60));
    assert!(matches!(ended, Err(LinkError::Gone)), "{ended:?}");
    assert!(start.elapsed() < BOUND);
    // The dead link is still here, and in nobody's way.
    assert!(bus.open(&seen()).is_ok());
}

#[test]
fn what_is_given_up_is_unlinked() {
    let (told, unlinked) = mpsc::channel();
    let bus = serve(move |mut stream| {
        let mut tap = stream.try_clone().unwrap();
        let told = told.clone();
        honest(stream.try_clone().unwrap(), &|_, _, seqnum| {
            // Takes over: the next thing on the wire has to be an unlink of this transfer.
            let mut head = [0; 48];
            tap.try_clone().unwrap().read_exact(&mut head).unwrap();
            told.send((seqnum, head)).unwrap();
            false
        });
        let _ = tap.write_all(&[]);
        let _ = stream.read(&mut [0; 64]);
    });
    let mut link = control_link(&bus);
    link.send(&vendor_question()).unwrap();
    assert_eq!(
        link.wait(link.now() + Duration::from_millis(50)).unwrap(),
        None
    );
    drop(link);
    let (seqnum, head) = unlinked.recv_timeout(BOUND).unwrap();
    assert_eq!(head[..4], 2_u32.to_be_bytes());
    assert_eq!(head[20..24], seqnum.to_be_bytes());
}

#[test]
fn a_server_that_does_not_read_makes_the_device_stuck_not_the_caller() {
    let bus = serve(|stream| {
        honest(stream, &|_, _, _| {
            thread::sleep(Duration::from_secs(10));
            false
        });
    });
    let mut link = control_link(&bus);
    let setup = Setup::from_bytes([0x40, 1, 0, 0, 0, 0, 0xFF, 0xFF]).encode();
    let mut frame = setup.to_vec();
    frame.resize(frame.len() + 0xFFFF, 0);
    let mut ended = Ok(());
    let mut longest = Duration::ZERO;
    for _ in 0..1000 {
        let start = Instant::now();
        ended = link.send(&frame);
        longest = longest.max(start.elapsed());
        if ended.is_err() {
            break;
        }
    }
    assert!(matches!(ended, Err(LinkError::Stuck)), "{ended:?}");
    assert!(longest < BOUND, "{longest:?}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn arbitrary_bytes_never_hang_or_panic_a_caller(
        bytes in proptest::collection::vec(any::<u8>(), 0..700),
        begins_well in 0_u8..3,
    ) {
        let mut all: Vec<u8> = match begins_well {
            0 => Vec::new(),
            1 => vec![0x01, 0x11, 0, 5, 0, 0, 0, 0, 0, 0, 0, 1],
            _ => {
                let mut bytes = vec![0x01, 0x11, 0, 3, 0, 0, 0, 0];
                bytes.extend(record().encode());
                bytes
            }
        };
        all.extend(bytes);
        // It closes after these bytes, so that no case has to wait for a limit.
        let bus = serve(move |mut stream| {
            let _ = stream.read(&mut [0; 64]);
            let _ = stream.write_all(&all);
            let _ = stream.shutdown(std::net::Shutdown::Write);
            let _ = stream.read_to_end(&mut Vec::new());
        });
        let start = Instant::now();
        let _ = bus.list();
        let _ = bus.open(&seen()).map(|_| ());
        prop_assert!(start.elapsed() < BOUND);
    }
}
