//! A served camera and one client, over real TCP in real time.

use std::thread;
use std::time::{Duration, Instant};

use crate::common::{self, ask, find, is_loader, open_loader, ordinary, patient, serve, succeed};
use omv_link::{Bus, Function, LinkError};
use omv_sim::Hand;
use omv_sim::serve::Request;
use omv_wire::mboot::{Command, Data, Failure, property};
use omv_wire::usb::{Setup, kind};

fn get_version() -> Command {
    Command::get_property(property::CURRENT_VERSION, 0)
}

#[test]
fn a_question_within_the_window_holds_the_bootloader() {
    let bench = serve(ordinary(), 2.0);
    let bus = bench.bus();
    let mut link = open_loader(&bus);
    assert_eq!(
        succeed(&mut *link, get_version(), Data::None).words,
        [0x4B02_0800]
    );
    // The window, 0.75 s here, is long over.
    thread::sleep(Duration::from_millis(1200));
    succeed(&mut *link, get_version(), Data::None);
}

#[test]
fn an_unheld_bootloader_becomes_the_firmware_at_the_same_place() {
    let bench = serve(ordinary(), 20.0);
    let bus = bench.bus();
    let run = find(&bus, |seen| seen.vid != 0x15A2);
    assert_eq!(run.place.as_str(), "bench 1-1");
    assert!(run.simulated);
    assert_eq!(run.serial.as_deref(), Some("4d3c2b1a62106000"));
}

#[test]
fn listing_does_not_disturb_an_import_and_a_second_import_names_the_holder() {
    let bench = serve(patient(), 20.0);
    let (bus, other) = (bench.bus(), bench.bus());
    let mut link = open_loader(&bus);
    let seen = find(&other, is_loader);
    assert_eq!((seen.serial.clone(), seen.simulated), (None, true));
    match other.open(&seen).map(|_| ()) {
        Err(LinkError::Busy { holder: Some(who) }) => {
            assert!(who.starts_with("the test (process "), "{who}");
        }
        unexpected => panic!("{unexpected:?}"),
    }
    succeed(&mut *link, get_version(), Data::None);
    drop(link);
    assert!(
        other.open(&seen).is_ok(),
        "free as soon as the link is dropped"
    );
}

#[test]
fn pulling_the_cable_ends_every_wait_at_once() {
    let bench = serve(patient(), 1.0);
    let bus = bench.bus();
    let mut hid = open_loader(&bus);
    // Seven sectors of 45 ms: under way for a while.
    let busy = thread::spawn(move || {
        let erase = Command::flash_erase_region(0x6080_0000, 7 * 4096, 0);
        let ended = ask(&mut *hid, erase, Data::None);
        (
            ended,
            Instant::now(),
            hid.wait(hid.now() + Duration::from_secs(9)),
        )
    });
    thread::sleep(Duration::from_millis(100));
    let pulled = Instant::now();
    bench.server.request(&Request::Hand(Hand::Unplug));
    let (ended, at, after) = busy.join().unwrap();
    assert!(matches!(ended, Ok(Err(Failure::Gone))), "{ended:?}");
    assert!(
        at - pulled < Duration::from_millis(150),
        "{:?}",
        at - pulled
    );
    assert_eq!(after.unwrap(), Some(omv_link::Heard::Gone));
    assert_eq!(bus.list().unwrap(), []);
}

#[test]
fn a_reset_answers_first_and_then_comes_back_as_another_visit() {
    let bench = serve(patient(), 20.0);
    let bus = bench.bus();
    let before = find(&bus, is_loader);
    let mut link = bus.open(&before).unwrap().link(Function::Hid).unwrap();
    let reply = succeed(&mut *link, Command::reset(), Data::None);
    assert!(
        !reply.left,
        "the answer arrived before the connection ended"
    );
    assert_eq!(
        link.wait(link.now() + common::LIMIT).unwrap(),
        Some(omv_link::Heard::Gone)
    );
    let after = find(&bus, |seen| is_loader(seen) && seen.visit != before.visit);
    assert_eq!(after.place, before.place);
    assert!(matches!(
        bus.open(&before).map(|_| ()),
        Err(LinkError::Gone)
    ));
    assert!(bus.open(&after).is_ok());
}

#[test]
fn two_functions_work_over_one_import_from_two_threads() {
    let bench = serve(patient(), 20.0);
    let bus = bench.bus();
    let mut device = bus.open(&find(&bus, is_loader)).unwrap();
    let mut hid = device.link(Function::Hid).unwrap();
    let mut control = device.link(Function::Control).unwrap();
    drop(device);
    let asking = thread::spawn(move || {
        for _ in 0..50 {
            succeed(&mut *hid, get_version(), Data::None);
        }
    });
    for _ in 0..50 {
        let setup = Setup::get_descriptor(kind::DEVICE, 0, 0, 18);
        control.send(&setup.encode()).unwrap();
        let heard = control.wait(control.now() + common::LIMIT).unwrap();
        assert!(matches!(heard, Some(omv_link::Heard::Bytes(bytes)) if bytes.len() == 18));
    }
    asking.join().unwrap();
}

#[test]
fn a_wait_that_is_given_up_is_taken_back() {
    let bench = serve(patient(), 20.0);
    let bus = bench.bus();
    let mut link = open_loader(&bus);
    assert_eq!(
        link.wait(link.now() + Duration::from_millis(50)).unwrap(),
        None
    );
    drop(link);
    // Had the reads not gone with their connection, they would steal the answer.
    let mut link = open_loader(&bus);
    succeed(&mut *link, get_version(), Data::None);
}

#[test]
fn memory_written_over_the_network_reads_back() {
    let bench = serve(patient(), 50.0);
    let mut link = open_loader(&bench.bus());
    let bytes: Vec<u8> = (0..50_000_u32).map(|n| ((n * 7) >> 3) as u8).collect();
    let size = bytes.len() as u32;
    succeed(
        &mut *link,
        Command::flash_erase_region(0x6080_0000, size, 0),
        Data::None,
    );
    let write = Command::write_memory(0x6080_0000, size, 0);
    succeed(&mut *link, write, Data::Out(bytes.clone().into()));
    let read = Command::read_memory(0x6080_0000, size, 0);
    assert_eq!(succeed(&mut *link, read, Data::In(size)).data, bytes);
}

#[test]
fn real_time_loses_little_to_waking_up() {
    let bench = serve(patient(), 1.0);
    let mut link = open_loader(&bench.bus());
    // 200 reports of 0.5 ms into RAM: nothing but the wire takes time.
    let bytes: Vec<u8> = vec![0x5A; 200 * 1012];
    let size = bytes.len() as u32;
    let end = Instant::now() + common::LIMIT;
    // A busy machine may spoil some tries, but not all.
    loop {
        let start = Instant::now();
        let write = Command::write_memory(0x2020_D200, size, 0);
        succeed(&mut *link, write, Data::Out(bytes.clone().into()));
        let took = start.elapsed();
        assert!(took >= Duration::from_millis(100), "faster than the wire");
        if took < Duration::from_millis(105) {
            return;
        }
        assert!(Instant::now() < end, "never faster than {took:?}");
    }
}
