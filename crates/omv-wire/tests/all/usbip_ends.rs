//! Both ends of USB/IP against each other, and each against a liar.

use omv_wire::Malformed;
use omv_wire::usb::{Completion, Direction, Setup, Speed, Urb, UrbStatus, kind};
use omv_wire::usbip::codec::{CmdSubmit, OpHead, Pdu, RetSubmit, op};
use omv_wire::usbip::{
    BusId, Camera, DeviceRecord, Ended, Event, Host, Offer, OpStatus, Request, Submit, Unsendable,
    UrbQueue,
};

fn busid() -> BusId {
    BusId::new("1-1").unwrap()
}

fn record(name: &str, interfaces: &[[u8; 3]]) -> DeviceRecord {
    DeviceRecord {
        path: format!("/sys/{name}"),
        busid: BusId::new(name).unwrap(),
        busnum: 1,
        devnum: 1,
        speed: Some(Speed::High),
        vendor: 0x15A2,
        product: 0x0073,
        version: 2,
        class: [0; 3],
        configuration: 1,
        configurations: 1,
        interface_count: u8::try_from(interfaces.len()).unwrap(),
        interfaces: interfaces.to_vec(),
    }
}

/// Both ends with a device imported.
fn joined() -> (Host, Camera) {
    let (mut host, ask) = Host::import(busid());
    let mut camera = Camera::new();
    camera.feed(&ask);
    assert_eq!(camera.next_request(), Ok(Some(Request::Import(busid()))));
    host.feed(&camera.accept(&record("1-1", &[[3, 0, 0]])));
    let imported = Event::Imported(DeviceRecord {
        interfaces: Vec::new(),
        ..record("1-1", &[[3, 0, 0]])
    });
    assert_eq!(host.next_event(), Ok(Some(imported)));
    (host, camera)
}

fn field<T: std::fmt::Debug>(result: Result<T, Malformed>) -> &'static str {
    match result {
        Err(Malformed::Field { field, .. }) => field,
        other => panic!("a refused field was expected, not {other:?}"),
    }
}

fn submitted(camera: &mut Camera) -> Submit {
    match camera.next_request() {
        Ok(Some(Request::Submit(submit))) => submit,
        other => panic!("a transfer was expected, not {other:?}"),
    }
}

fn ret(seqnum: u32, actual: u32) -> RetSubmit {
    RetSubmit {
        seqnum,
        status: 0,
        actual,
        start_frame: 0,
        packets: 0,
        errors: 0,
    }
}

#[test]
fn a_list_shows_every_device_with_its_interfaces() {
    let devices = [
        record("1-1", &[[3, 0, 0]]),
        record("1-2", &[[2, 2, 0], [10, 0, 0]]),
        record("1-3", &[]),
    ];
    let (mut host, ask) = Host::list();
    let mut camera = Camera::new();
    camera.feed(&ask);
    assert_eq!(camera.next_request(), Ok(Some(Request::DevList)));
    let reply = camera.list(&devices);
    assert_eq!(reply.len(), 12 + 3 * 312 + 3 * 4);
    assert!(camera.is_over());
    for byte in &reply {
        assert_eq!(host.next_event(), Ok(None));
        host.feed(&[*byte]);
    }
    assert_eq!(
        host.next_event(),
        Ok(Some(Event::DevList(devices.to_vec())))
    );
    assert!(host.is_over());
}

#[test]
fn an_empty_list_is_a_list() {
    let (mut host, _) = Host::list();
    host.feed(&Camera::new().list(&[]));
    assert_eq!(host.next_event(), Ok(Some(Event::DevList(Vec::new()))));
}

#[test]
fn a_list_sends_as_many_interfaces_as_the_record_counts() {
    let mut lies = record("1-1", &[[1, 2, 3], [4, 5, 6]]);
    for (count, seen) in [
        (1, vec![[1, 2, 3]]),
        (3, vec![[1, 2, 3], [4, 5, 6], [0; 3]]),
    ] {
        lies.interface_count = count;
        let (mut host, _) = Host::list();
        host.feed(&Camera::new().list(&[lies.clone()]));
        let Ok(Some(Event::DevList(devices))) = host.next_event() else {
            panic!("a list was expected");
        };
        assert_eq!(devices[0].interfaces, seen);
    }
}

#[test]
fn a_list_of_more_than_256_devices_is_neither_sent_nor_believed() {
    let reply = Camera::new().list(&vec![record("1-1", &[]); 300]);
    assert_eq!(reply.len(), 12 + 256 * 312);
    let (mut host, _) = Host::list();
    let mut lie = reply;
    lie[8..12].copy_from_slice(&257_u32.to_be_bytes());
    host.feed(&lie);
    assert_eq!(field(host.next_event()), "ndev");
    assert_eq!(field(host.next_event()), "ndev");
}

#[test]
fn a_refusal_says_why_and_ends_the_exchange() {
    for why in [OpStatus::Busy, OpStatus::NoDevice, OpStatus::Other(77)] {
        let (mut host, ask) = Host::import(busid());
        let mut camera = Camera::new();
        camera.feed(&ask);
        assert_eq!(camera.next_request(), Ok(Some(Request::Import(busid()))));
        let reply = camera.refuse(why);
        assert_eq!(reply.len(), 8);
        assert!(camera.is_over());
        host.feed(&reply);
        assert_eq!(host.next_event(), Ok(Some(Event::Refused { status: why })));
        assert!(host.is_over());
        let sent = host.submit(&Urb::read(1, 8));
        assert_eq!(sent, Err(Unsendable::NotImported));
    }
    let (mut host, _) = Host::list();
    host.feed(&[1, 0x11, 0, 5, 0, 0, 0, 5]);
    let status = OpStatus::Error;
    assert_eq!(host.next_event(), Ok(Some(Event::Refused { status })));
}

#[test]
fn a_refusal_cannot_say_ok() {
    let (mut host, _) = Host::import(busid());
    host.feed(&Camera::new().refuse(OpStatus::Ok));
    let status = OpStatus::Error;
    assert_eq!(host.next_event(), Ok(Some(Event::Refused { status })));
}

#[test]
fn an_import_asks_for_the_busid_in_40_bytes() {
    let (_, ask) = Host::import(busid());
    assert_eq!(ask[..8], [0x01, 0x11, 0x80, 0x03, 0, 0, 0, 0]);
    assert_eq!(ask[8..12], *b"1-1\0");
    assert_eq!(ask.len(), 40);
}

#[test]
fn another_device_than_the_one_asked_for_is_refused() {
    let (mut host, _) = Host::import(busid());
    host.feed(&Camera::new().accept(&record("1-2", &[])));
    assert_eq!(field(host.next_event()), "busid");
}

#[test]
fn the_first_request_of_an_enumeration_has_the_bytes_linux_sends() {
    let (mut host, _) = joined();
    let first = Setup::get_descriptor(kind::DEVICE, 0, 0, 64);
    let (_, bytes) = host.submit(&Urb::control(first, Vec::new())).unwrap();
    let linux = [
        0, 0, 0, 1, 0, 0, 0, 1, 0, 1, 0, 1, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 2,
        0, // common, flags
        0, 0, 0, 0x40, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, // lengths
        0x80, 6, 0, 1, 0, 0, 0x40, 0, // setup
    ];
    assert_eq!(bytes, linux);
}

#[test]
fn a_transfer_arrives_as_it_was_submitted_and_its_end_as_it_was_told() {
    let (mut host, mut camera) = joined();
    let urb = Urb::write(2, vec![1, 2, 3]);
    let (seqnum, bytes) = host.submit(&urb).unwrap();
    camera.feed(&bytes);
    let submit = submitted(&mut camera);
    assert_eq!((submit.seqnum, &submit.urb), (seqnum, &urb));
    host.feed(&Ended::new(seqnum, &urb, Completion::sent(3)).encode());
    let completion = Completion::sent(3);
    assert_eq!(
        host.next_event(),
        Ok(Some(Event::Returned { seqnum, completion }))
    );
    assert_eq!(host.waiting().count(), 0);
}

#[test]
fn setup_bytes_of_other_endpoints_are_leftovers() {
    let mut camera = Camera::attached();
    let head = CmdSubmit {
        seqnum: 900,
        devid: 0x1_0001,
        direction: Direction::Out,
        endpoint: 2,
        flags: 0x1_0040,
        length: 0,
        start_frame: u32::MAX,
        packets: u32::MAX,
        interval: 4,
        setup: [0xA1, 0xFE, 0, 0, 0, 0, 1, 0],
    };
    camera.feed(&Pdu::CmdSubmit(head).encode());
    let submit = submitted(&mut camera);
    assert_eq!(submit.urb, Urb::write(2, Vec::new()));
    assert_eq!((submit.flags, submit.interval), (0x1_0040, 4));
}

#[test]
fn two_endpoints_end_out_of_order() {
    let (mut host, mut camera) = joined();
    let mut queue = UrbQueue::new();
    let (slow, bytes) = host.submit(&Urb::read(1, 64)).unwrap();
    camera.feed(&bytes);
    let (fast, bytes) = host.submit(&Urb::read(2, 64)).unwrap();
    camera.feed(&bytes);
    for _ in 0..2 {
        let submit = submitted(&mut camera);
        queue.push(submit.seqnum, submit.urb).unwrap();
    }
    for (endpoint, seqnum) in [(2, fast), (1, slow)] {
        let Offer::Ended(end) = queue.offer(endpoint, 64, &[endpoint]) else {
            panic!("an end was expected");
        };
        host.feed(&end.encode());
        let completion = Completion::received(vec![endpoint]);
        assert_eq!(
            host.next_event(),
            Ok(Some(Event::Returned { seqnum, completion }))
        );
    }
}

/// Hands an unlink to the camera and its answer back to the host.
fn serve_unlink(bytes: &[u8], camera: &mut Camera, queue: &mut UrbQueue) -> Vec<u8> {
    camera.feed(bytes);
    let Ok(Some(Request::Unlink { seqnum, target })) = camera.next_request() else {
        panic!("an unlink was expected");
    };
    Camera::unlinked(seqnum, queue.unlink(target))
}

#[test]
fn an_unlink_before_the_end_takes_the_transfer_back() {
    let (mut host, mut camera) = joined();
    let mut queue = UrbQueue::new();
    let (target, bytes) = host.submit(&Urb::read(1, 64)).unwrap();
    camera.feed(&bytes);
    let submit = submitted(&mut camera);
    queue.push(submit.seqnum, submit.urb).unwrap();
    let (seqnum, bytes) = host.unlink(target).unwrap();
    assert_eq!(
        host.unlink(target),
        Err(Unsendable::NotWaiting { seqnum: target })
    );
    host.feed(&serve_unlink(&bytes, &mut camera, &mut queue));
    let status = UrbStatus::Unlinked;
    let event = Event::Unlinked {
        seqnum,
        target,
        status,
    };
    assert_eq!(host.next_event(), Ok(Some(event)));
    assert_eq!(host.waiting().count(), 0);
    assert_eq!(queue.offer(1, 64, b"late"), Offer::Nak);
    // A return after the unlink names a transfer nobody knows.
    host.feed(&Pdu::RetSubmit(ret(target, 0)).encode());
    assert_eq!(field(host.next_event()), "seqnum");
}

#[test]
fn an_unlink_that_crosses_the_end_finds_it_over() {
    let (mut host, mut camera) = joined();
    let mut queue = UrbQueue::new();
    let (target, bytes) = host.submit(&Urb::read(1, 64)).unwrap();
    camera.feed(&bytes);
    let submit = submitted(&mut camera);
    queue.push(submit.seqnum, submit.urb).unwrap();
    let Offer::Ended(end) = queue.offer(1, 64, b"data") else {
        panic!("an end was expected");
    };
    let (seqnum, bytes) = host.unlink(target).unwrap();
    host.feed(&end.encode());
    host.feed(&serve_unlink(&bytes, &mut camera, &mut queue));
    let completion = Completion::received(b"data".to_vec());
    let returned = Event::Returned {
        seqnum: target,
        completion,
    };
    assert_eq!(host.next_event(), Ok(Some(returned)));
    let status = UrbStatus::Ok;
    let event = Event::Unlinked {
        seqnum,
        target,
        status,
    };
    assert_eq!(host.next_event(), Ok(Some(event)));
    assert_eq!(host.next_event(), Ok(None));
}

#[test]
fn a_stall_is_told_as_a_stall() {
    let (mut host, _) = joined();
    let urb = Urb::control(
        Setup::get_descriptor(kind::DEVICE_QUALIFIER, 0, 0, 10),
        Vec::new(),
    );
    let (seqnum, _) = host.submit(&urb).unwrap();
    let told = Ended::new(seqnum, &urb, Completion::stall()).encode();
    assert_eq!(told[20..24], (-32_i32).to_be_bytes());
    host.feed(&told);
    let completion = Completion::stall();
    assert_eq!(
        host.next_event(),
        Ok(Some(Event::Returned { seqnum, completion }))
    );
}

#[test]
fn replies_that_lie_break_the_connection_for_good() {
    let asked = || {
        let (mut host, _) = joined();
        let (seqnum, _) = host.submit(&Urb::read(1, 16)).unwrap();
        (host, seqnum)
    };
    let told = |pdu: &dyn Fn(u32) -> Pdu| {
        let (mut host, seqnum) = asked();
        host.feed(&pdu(seqnum).encode());
        let error = field(host.next_event());
        host.feed(&[0; 48]);
        assert_eq!(field(host.next_event()), error);
        error
    };
    assert_eq!(told(&|n| Pdu::RetSubmit(ret(n + 1, 0))), "seqnum");
    assert_eq!(told(&|n| Pdu::RetSubmit(ret(n, 17))), "actual_length");
    let iso = |n| {
        Pdu::RetSubmit(RetSubmit {
            packets: 1,
            ..ret(n, 0)
        })
    };
    assert_eq!(told(&iso), "number_of_packets");
    assert_eq!(
        told(&|seqnum| Pdu::RetUnlink { seqnum, status: 0 }),
        "seqnum"
    );
    let backwards = |seqnum| Pdu::CmdUnlink {
        seqnum,
        devid: 0,
        target: 0,
    };
    assert_eq!(told(&backwards), "command");
}

#[test]
fn an_out_reply_that_took_more_than_was_sent_is_refused() {
    let (mut host, _) = joined();
    let (seqnum, _) = host.submit(&Urb::write(1, vec![0; 4])).unwrap();
    host.feed(&Pdu::RetSubmit(ret(seqnum, 5)).encode());
    assert_eq!(field(host.next_event()), "actual_length");
}

#[test]
fn a_server_refuses_replies_strange_codes_and_old_versions() {
    let mut camera = Camera::attached();
    camera.feed(&Pdu::RetSubmit(ret(1, 0)).encode());
    assert_eq!(field(camera.next_request()), "command");
    for (head, error) in [
        ([1, 0x11, 0, 5, 0, 0, 0, 0], "code"),
        ([1, 0x00, 0x80, 5, 0, 0, 0, 0], "version"),
    ] {
        let mut camera = Camera::new();
        camera.feed(&head);
        assert_eq!(field(camera.next_request()), error);
        camera.feed(&[0; 64]);
        assert_eq!(field(camera.next_request()), error);
    }
    let (mut host, _) = Host::list();
    let code = op::REP_IMPORT;
    host.feed(
        &OpHead {
            code,
            status: OpStatus::Ok,
        }
        .encode(),
    );
    host.feed(&[0; 4]);
    assert_eq!(field(host.next_event()), "code");
}

#[test]
fn an_isochronous_transfer_is_read_whole_and_refused() {
    let (mut host, mut camera) = joined();
    let (seqnum, bytes) = host.submit(&Urb::write(3, vec![7; 8])).unwrap();
    let mut iso = bytes;
    iso[32..36].copy_from_slice(&2_u32.to_be_bytes());
    iso.extend([0; 32]);
    camera.feed(&iso[..iso.len() - 1]);
    assert_eq!(camera.next_request(), Ok(None));
    camera.feed(&iso[iso.len() - 1..]);
    let request = Request::Isochronous { seqnum };
    assert_eq!(camera.next_request(), Ok(Some(request)));
    host.feed(&Camera::refuse_isochronous(seqnum));
    let completion = Completion::failed(UrbStatus::Error(-22));
    assert_eq!(
        host.next_event(),
        Ok(Some(Event::Returned { seqnum, completion }))
    );
    assert_eq!(camera.next_request(), Ok(None));
}

#[test]
fn transfers_no_server_would_take_are_not_sent() {
    let (mut host, _) = Host::import(busid());
    assert_eq!(host.submit(&Urb::read(1, 8)), Err(Unsendable::NotImported));
    assert_eq!(host.unlink(1), Err(Unsendable::NotImported));
    let (mut host, _) = joined();
    assert_eq!(host.unlink(1), Err(Unsendable::NotWaiting { seqnum: 1 }));
    let size = (4 << 20) + 1;
    let large = host.submit(&Urb::read(1, size));
    assert_eq!(
        large,
        Err(Unsendable::TooLarge {
            size: size as usize
        })
    );
    assert!(host.submit(&Urb::read(1, size - 1)).is_ok());
    for endpoint in [0, 16] {
        let sent = host.submit(&Urb::read(endpoint, 8));
        assert_eq!(sent, Err(Unsendable::Endpoint { endpoint }));
    }
    let stray = Urb {
        endpoint: 1,
        ..Urb::control(Setup::set_configuration(1), Vec::new())
    };
    assert_eq!(
        host.submit(&stray),
        Err(Unsendable::Endpoint { endpoint: 1 })
    );
    for _ in 1..1024 {
        host.submit(&Urb::read(1, 8)).unwrap();
    }
    assert_eq!(host.submit(&Urb::read(1, 8)), Err(Unsendable::TooMany));
    assert!(host.unlink(9).is_ok());
}

#[test]
fn requests_behind_an_import_wait_for_its_answer() {
    let (_, mut bytes) = Host::import(busid());
    bytes.extend(
        Pdu::CmdUnlink {
            seqnum: 2,
            devid: 0,
            target: 1,
        }
        .encode(),
    );
    let mut camera = Camera::new();
    camera.feed(&bytes);
    assert_eq!(camera.next_request(), Ok(Some(Request::Import(busid()))));
    assert_eq!(camera.next_request(), Ok(None));
    let _ = camera.accept(&record("1-1", &[]));
    let unlink = Request::Unlink {
        seqnum: 2,
        target: 1,
    };
    assert_eq!(camera.next_request(), Ok(Some(unlink)));
}

#[test]
fn a_peer_that_floods_a_side_which_waits_is_cut_off() {
    let (_, ask) = Host::import(busid());
    let mut camera = Camera::new();
    camera.feed(&ask);
    assert_eq!(camera.next_request(), Ok(Some(Request::Import(busid()))));
    let mebibyte = vec![0; 1 << 20];
    for _ in 0..8 {
        camera.feed(&mebibyte);
        assert_eq!(camera.next_request(), Ok(None));
    }
    camera.feed(&mebibyte);
    assert_eq!(field(camera.next_request()), "unread bytes");
}

#[test]
fn the_largest_transfer_passes_both_ways_in_small_pieces() {
    let (mut host, mut camera) = joined();
    let data: Vec<u8> = (0..4 << 20).map(|n: u32| (n % 251) as u8).collect();
    let (_, bytes) = host.submit(&Urb::write(1, data.clone())).unwrap();
    for piece in bytes.chunks(60_000) {
        assert_eq!(camera.next_request(), Ok(None));
        camera.feed(piece);
    }
    assert!(submitted(&mut camera).urb.data == data);
    let urb = Urb::read(1, 4 << 20);
    let (seqnum, _) = host.submit(&urb).unwrap();
    let end = Ended::new(seqnum, &urb, Completion::received(data));
    for piece in end.encode().chunks(60_000) {
        assert_eq!(host.next_event(), Ok(None));
        host.feed(piece);
    }
    let Ok(Some(Event::Returned { completion, .. })) = host.next_event() else {
        panic!("the end of the transfer was expected");
    };
    assert!(completion == end.completion);
}
