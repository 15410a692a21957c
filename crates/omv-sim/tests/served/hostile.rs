//! Clients that mean no good: the server goes on serving others.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};
use std::sync::LazyLock;
use std::time::{Duration, Instant};

use crate::common::{self, Bench, open_loader, patient, serve, succeed};
use omv_link::Bus;
use omv_wire::mboot::{Command, Data, property};
use omv_wire::usb::{Setup, Urb, kind};
use omv_wire::usbip::{BusId, Event, Host};
use proptest::prelude::*;

/// One server for the cases of all properties: it has to survive every one of them.
static BENCH: LazyLock<Bench> = LazyLock::new(|| serve(patient(), 20.0));

fn connect(bench: &Bench) -> TcpStream {
    let stream = TcpStream::connect(bench.server.address()).unwrap();
    stream
        .set_read_timeout(Some(Duration::from_secs(3)))
        .unwrap();
    stream
        .set_write_timeout(Some(Duration::from_secs(3)))
        .unwrap();
    stream
}

/// Sends bytes and waits until the server closes.
fn send_and_read_out(mut stream: TcpStream, bytes: &[u8]) {
    // The server may hang up before it has read everything.
    let _ = stream.write_all(bytes);
    let _ = stream.shutdown(Shutdown::Write);
    let mut sink = Vec::new();
    let ended = stream.read_to_end(&mut sink);
    let timed_out = ended.is_err_and(|e| e.kind() == std::io::ErrorKind::WouldBlock);
    assert!(!timed_out, "the server hangs");
}

/// Imports the camera by hand, waiting for the last client's goodbye to be heard.
fn import(bench: &Bench) -> (TcpStream, Host) {
    common::find(&bench.bus(), common::is_loader);
    let end = Instant::now() + common::LIMIT;
    loop {
        let mut stream = connect(bench);
        let (mut host, request) = Host::import(BusId::new("1-1").unwrap());
        stream.write_all(&request).unwrap();
        match next_event(&mut stream, &mut host) {
            Some(Event::Imported(_)) => return (stream, host),
            Some(Event::Refused { .. }) => assert!(Instant::now() < end, "it stays busy"),
            other => panic!("{other:?}"),
        }
    }
}

fn next_event(stream: &mut TcpStream, host: &mut Host) -> Option<Event> {
    let mut buffer = [0; 4096];
    loop {
        if let Some(event) = host.next_event().unwrap() {
            return Some(event);
        }
        match stream.read(&mut buffer).unwrap() {
            0 => return None,
            count => host.feed(&buffer[..count]),
        }
    }
}

fn still_serves(bench: &Bench) {
    let mut link = open_loader(&bench.bus());
    let question = Command::get_property(property::CURRENT_VERSION, 0);
    succeed(&mut *link, question, Data::None);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn arbitrary_bytes_end_only_their_own_connection(
        bytes in proptest::collection::vec(any::<u8>(), 0..400),
        valid_head in any::<bool>(),
    ) {
        let mut all = Vec::new();
        if valid_head {
            all.extend([0x01, 0x11, 0x80, 0x03, 0, 0, 0, 0]);
        }
        all.extend(bytes);
        send_and_read_out(connect(&BENCH), &all);
        prop_assert!(BENCH.bus().list().is_ok());
    }

    #[test]
    fn arbitrary_transfers_end_only_their_own_connection(
        urbs in proptest::collection::vec(
            (0_u32..=5, any::<u32>(), 0_u32..3, 0_u32..18, 0_u32..600, any::<u64>()),
            1..20,
        ),
    ) {
        let (stream, _) = import(&BENCH);
        let mut all = Vec::new();
        for (command, seqnum, direction, endpoint, length, setup) in urbs {
            for word in [command, seqnum, 0x0001_0001, direction, endpoint, 0, length, 0, 0, 0] {
                all.extend(word.to_be_bytes());
            }
            all.extend(setup.to_be_bytes());
            all.extend(vec![0xA5; if direction == 0 { length as usize } else { 0 }]);
        }
        send_and_read_out(stream, &all);
        prop_assert!(BENCH.bus().list().is_ok());
    }
}

#[test]
fn a_client_that_vanishes_frees_the_camera() {
    let bench = serve(patient(), 20.0);
    for _ in 0..20 {
        let (mut stream, mut host) = import(&bench);
        for _ in 0..8 {
            let (_, bytes) = host.submit(&Urb::read(1, 1016)).unwrap();
            stream.write_all(&bytes).unwrap();
        }
    }
    still_serves(&bench);
}

#[test]
fn an_unlink_is_answered_at_once_and_its_transfer_never() {
    let bench = serve(patient(), 20.0);
    let (mut stream, mut host) = import(&bench);
    let (read, bytes) = host.submit(&Urb::read(1, 1016)).unwrap();
    stream.write_all(&bytes).unwrap();
    let (_, bytes) = host.unlink(read).unwrap();
    let start = Instant::now();
    stream.write_all(&bytes).unwrap();
    match next_event(&mut stream, &mut host) {
        Some(Event::Unlinked { target, status, .. }) => {
            assert_eq!((target, status), (read, omv_wire::usb::UrbStatus::Unlinked));
        }
        other => panic!("{other:?}"),
    }
    assert!(start.elapsed() < Duration::from_millis(500));
    let setup = Setup::get_descriptor(kind::DEVICE, 0, 0, 18);
    let (ask, bytes) = host.submit(&Urb::control(setup, Vec::new())).unwrap();
    stream.write_all(&bytes).unwrap();
    // Unlinking what has ended is answered with success.
    match next_event(&mut stream, &mut host) {
        Some(Event::Returned { seqnum, completion }) => {
            assert_eq!((seqnum, completion.data.len()), (ask, 18));
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn the_same_number_twice_and_too_many_transfers_end_the_connection() {
    let bench = serve(patient(), 20.0);
    for (same, count) in [(true, 2), (false, 1100)] {
        let (mut stream, _) = import(&bench);
        let mut all = Vec::new();
        for number in 0..count {
            let seqnum = if same { 7 } else { number };
            for word in [1, seqnum, 0x0001_0001, 1, 1, 0, 1016, 0, 0, 0, 0, 0_u32] {
                all.extend(word.to_be_bytes());
            }
        }
        stream.write_all(&all).unwrap();
        let mut sink = Vec::new();
        stream.read_to_end(&mut sink).unwrap();
    }
    still_serves(&bench);
}

#[test]
fn a_client_that_never_reads_is_cut_off_and_time_goes_on() {
    let bench = serve(patient(), 20.0);
    let (mut stream, _) = import(&bench);
    let mut all = Vec::new();
    for seqnum in 0..4000_u32 {
        let setup = u64::from_be_bytes(Setup::get_descriptor(kind::STRING, 1, 0, 255).encode());
        for word in [1, seqnum, 0x0001_0001, 1, 0, 0, 255, 0, 0, 0] {
            all.extend(u32::to_be_bytes(word));
        }
        all.extend(setup.to_be_bytes());
    }
    stream
        .set_write_timeout(Some(Duration::from_millis(200)))
        .unwrap();
    let end = Instant::now() + Duration::from_secs(3);
    while Instant::now() < end && stream.write_all(&all).is_ok() {}
    let start = Instant::now();
    bench.server.request(&omv_sim::serve::Request::Status);
    assert!(
        start.elapsed() < Duration::from_secs(1),
        "{:?}",
        start.elapsed()
    );
    drop(stream);
    still_serves(&bench);
}

#[test]
fn silent_connections_are_closed_and_leave_room_for_others() {
    let bench = serve(patient(), 20.0);
    let silent: Vec<_> = (0..100).map(|_| connect(&bench)).collect();
    let end = Instant::now() + common::LIMIT;
    while bench.bus().list().is_err() {
        assert!(Instant::now() < end, "nobody else is served");
        std::thread::sleep(Duration::from_millis(50));
    }
    still_serves(&bench);
    drop(silent);
}
