//! Both ends of USB/IP under any chunking, and under bytes nobody meant.

use omv_wire::usb::{Completion, Direction, Setup, Speed, Urb};
use omv_wire::usbip::{BusId, Camera, DeviceRecord, Ended, Event, Host, Request};
use proptest::prelude::*;

/// Both ends with a device imported.
fn joined() -> (Host, Camera) {
    let busid = || BusId::new("1-1").unwrap();
    let record = DeviceRecord {
        path: String::new(),
        busid: busid(),
        busnum: 1,
        devnum: 1,
        speed: Some(Speed::High),
        vendor: 0x15A2,
        product: 0x0073,
        version: 2,
        class: [0; 3],
        configuration: 1,
        configurations: 1,
        interface_count: 0,
        interfaces: Vec::new(),
    };
    let (mut host, ask) = Host::import(busid());
    let mut camera = Camera::new();
    camera.feed(&ask);
    assert_eq!(camera.next_request(), Ok(Some(Request::Import(busid()))));
    host.feed(&camera.accept(&record));
    assert_eq!(host.next_event(), Ok(Some(Event::Imported(record))));
    (host, camera)
}

/// Transfers of all kinds, as a host may submit them.
fn any_urb() -> impl Strategy<Value = Urb> {
    let data = prop::collection::vec(any::<u8>(), 0..100);
    prop_oneof![
        (1_u8..16, 0_u32..200).prop_map(|(endpoint, length)| Urb::read(endpoint, length)),
        (1_u8..16, data.clone()).prop_map(|(endpoint, data)| Urb::write(endpoint, data)),
        (any::<[u8; 6]>(), data).prop_map(|([t, r, v0, v1, i0, i1], data)| {
            let length = u8::try_from(data.len()).unwrap();
            Urb::control(Setup::from_bytes([t, r, v0, v1, i0, i1, length, 0]), data)
        }),
    ]
}

/// Feeds `stream` in pieces of the sizes given, over and over, and collects what `next` finds.
fn in_pieces<T>(stream: &[u8], sizes: &[usize], mut next: impl FnMut(&[u8]) -> Vec<T>) -> Vec<T> {
    let mut found = Vec::new();
    let mut rest = stream;
    for size in sizes.iter().cycle() {
        if rest.is_empty() {
            break;
        }
        let (piece, after) = rest.split_at((*size).min(rest.len()));
        found.extend(next(piece));
        rest = after;
    }
    found
}

proptest! {
    #[test]
    fn any_transfers_survive_any_chunking_both_ways(
        urbs in prop::collection::vec(any_urb(), 1..12),
        sizes in prop::collection::vec(1_usize..150, 1..6),
    ) {
        let (mut host, mut camera) = joined();
        let mut stream = Vec::new();
        for urb in &urbs {
            stream.extend(host.submit(urb).unwrap().1);
        }
        let seen = in_pieces(&stream, &sizes, |piece| {
            camera.feed(piece);
            std::iter::from_fn(|| camera.next_request().unwrap()).collect()
        });
        prop_assert_eq!(seen.len(), urbs.len());
        let mut replies = Vec::new();
        let mut expected = Vec::new();
        // Backwards: the order of replies is the server's.
        for (request, urb) in seen.into_iter().zip(&urbs).rev() {
            let Request::Submit(submit) = request else {
                panic!("a transfer was expected");
            };
            prop_assert_eq!(&submit.urb, urb);
            let completion = match urb.direction {
                Direction::In => Completion::received(vec![0xA5; urb.length as usize / 2]),
                Direction::Out => Completion::sent(urb.data.len() as u32),
            };
            let end = Ended::new(submit.seqnum, urb, completion);
            replies.extend(end.encode());
            expected.push(Event::Returned { seqnum: end.seqnum, completion: end.completion });
        }
        let events = in_pieces(&replies, &sizes, |piece| {
            host.feed(piece);
            std::iter::from_fn(|| host.next_event().unwrap()).collect()
        });
        prop_assert_eq!(events, expected);
        prop_assert_eq!(host.waiting().count(), 0);
    }

    #[test]
    fn arbitrary_bytes_never_panic_at_either_end(
        pieces in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..120), 0..12),
        command in 0_u8..6,
    ) {
        let (mut list, _) = Host::list();
        let (mut import, _) = Host::import(BusId::new("1-1").unwrap());
        let (mut host, joined) = joined();
        host.submit(&Urb::read(1, 64)).unwrap();
        let mut cameras = [Camera::new(), Camera::attached(), joined];
        // A head that begins well gets further than noise does.
        for camera in &mut cameras {
            camera.feed(&[0, 0, 0, command]);
        }
        host.feed(&[0, 0, 0, command, 0, 0, 0, 1]);
        import.feed(&[1, 0x11, 0, 3, 0, 0, 0, 0]);
        list.feed(&[1, 0x11, 0, 5, 0, 0, 0, 0, 0, 0, 0, command]);
        for piece in &pieces {
            for camera in &mut cameras {
                camera.feed(piece);
                let mut found = 0;
                while let Ok(Some(_)) = camera.next_request() {
                    found += 1;
                }
                prop_assert!(found <= 120);
            }
            for end in [&mut list, &mut import, &mut host] {
                end.feed(piece);
                let mut found = 0;
                while let Ok(Some(_)) = end.next_event() {
                    found += 1;
                }
                prop_assert!(found <= 120);
            }
        }
    }

    #[test]
    fn one_wrong_bit_never_panics_and_never_answers_a_stranger(
        bit in 0_usize..8 * 112, length in 0_u32..64,
    ) {
        let (mut host, mut camera) = joined();
        let urb = Urb::read(1, 64);
        let (seqnum, bytes) = host.submit(&urb).unwrap();
        let end = Ended::new(seqnum, &urb, Completion::received(vec![3; length as usize]));
        let flip = |bytes: &[u8]| {
            let mut bytes = bytes.to_vec();
            if let Some(byte) = bytes.get_mut(bit / 8) {
                *byte ^= 1 << (bit % 8);
            }
            bytes
        };
        camera.feed(&flip(&bytes));
        let _ = camera.next_request();
        host.feed(&flip(&end.encode()));
        if let Ok(Some(Event::Returned { seqnum: told, completion })) = host.next_event() {
            prop_assert_eq!(told, seqnum);
            prop_assert!(completion.data.len() <= 64);
        }
    }
}
