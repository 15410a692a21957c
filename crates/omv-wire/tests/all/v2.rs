//! Protocol v2: round trips, hostile bytes, and both ends against each other in virtual time.

use std::time::Duration;

use crate::running::*;
use omv_wire::v2::Leave;
use omv_wire::v2::camera::Camera;
use omv_wire::v2::channels::{Channels, Idle, Reading};
use omv_wire::v2::codec::{Flags, Opcode, Packet, Status};
use omv_wire::v2::host::{Connect, Dismiss, Failure, Farewell, Wish};
use omv_wire::v2::parser::{Event, Parser};
use omv_wire::v2::records::{Caps, Channel, Memory, Stats, SysInfo, Version};
use omv_wire::v2::session::{Answer, Request, Session, Step};
use omv_wire::{Input, Machine, Malformed, Turn};

const LIMIT: Duration = Duration::from_secs(5);

fn camera() -> Camera<Idle> {
    Camera::new(personality(), Idle::default())
}

fn request(sequence: u8, channel: u8, opcode: Opcode, payload: &[u8]) -> Vec<u8> {
    Packet {
        sequence,
        channel,
        flags: Flags::default(),
        opcode,
        payload: payload.to_vec(),
    }
    .encode(true)
}

/// A camera that waits for no ACKs.
fn without_acks<C: Channels>(channels: C) -> Camera<C> {
    let mut camera = Camera::new(personality(), channels);
    let caps = Caps {
        ack: false,
        ..Caps::defaults(4082)
    };
    let answer = exchange(
        &mut camera,
        Duration::ZERO,
        &request(0, 0, Opcode::SET_CAPS, &caps.encode()),
    );
    assert_eq!(answer.len(), 10);
    camera
}

fn packets(bytes: &[u8]) -> Vec<Packet> {
    Parser::default().feed(bytes)
}

#[test]
fn connecting_works_with_and_without_acks() {
    for wish in [Wish::USB, Wish::SERIAL_LINE] {
        let ended = converse(&mut Connect::new(wish), &mut camera(), LIMIT, intact);
        let (outcome, took) = ended.unwrap();
        let connected = outcome.unwrap();
        assert_eq!(connected.identity.version, personality().version);
        assert_eq!(connected.identity.info, personality().info);
        assert_eq!(connected.identity.channels, Idle::default().list());
        assert_eq!(connected.session.caps().max_payload, 4082);
        assert_eq!(connected.session.caps().ack, wish.0.ack);
        assert!(took < Duration::from_millis(20), "{took:?}");
    }
}

#[test]
fn a_host_asks_for_no_more_than_the_camera_has() {
    let mut small = personality();
    small.max_payload = 498;
    let mut camera = Camera::new(small, Idle::default());
    let ended = converse(&mut Connect::new(Wish::USB), &mut camera, LIMIT, intact);
    let connected = ended.unwrap().0.unwrap();
    assert_eq!(connected.session.caps().max_payload, 498);
}

#[test]
fn three_unanswered_syncs_are_silence() {
    let mut sent = 0;
    let ended = converse(
        &mut Connect::new(Wish::USB),
        &mut camera(),
        LIMIT,
        |way, _| {
            sent += usize::from(way == Way::ToCamera);
            Vec::new()
        },
    );
    let (outcome, took) = ended.unwrap();
    assert_eq!(outcome.unwrap_err(), Failure::Silent);
    assert_eq!((sent, took.as_millis()), (3, 1500));
}

#[test]
fn events_between_request_and_answer_change_nothing_and_are_kept() {
    let ended = converse(
        &mut Connect::new(Wish::USB),
        &mut camera(),
        LIMIT,
        |way, bytes| {
            let event = Event {
                channel: 2,
                code: None,
            };
            match way {
                Way::ToHost => vec![event.packet(bytes[2]).encode(true), bytes],
                Way::ToCamera => vec![bytes],
            }
        },
    );
    let mut session = ended.unwrap().0.unwrap().session;
    assert!(session.event().is_some());
}

#[test]
fn events_without_end_do_not_extend_a_deadline() {
    let mut session = Session::default();
    session.sync(Duration::ZERO, Duration::from_secs(1));
    let event = Event {
        channel: 2,
        code: None,
    }
    .packet(0)
    .encode(true);
    let mut now = Duration::ZERO;
    let ended = loop {
        match session.turn(now) {
            Step::Send(_) => {}
            Step::Wait(until) => {
                assert_eq!(until, Duration::from_secs(1));
                now += 10 * MILLISECOND;
                session.hear(&event);
            }
            Step::Answer(answer) => break answer,
            Step::Idle => unreachable!(),
        }
    };
    assert_eq!((ended, now), (Answer::Late, Duration::from_secs(1)));
    let mut kept = 0;
    while session.event().is_some() {
        kept += 1;
    }
    assert_eq!(kept, 64);
}

#[test]
fn a_soft_reboot_in_the_middle_is_answered_with_sync() {
    let mut reboot = true;
    let mut host = Connect::new(Wish::USB);
    let mut camera = camera();
    let mut now = Duration::ZERO;
    let identity = loop {
        now += MILLISECOND;
        match host.poll(now) {
            Turn::Done(outcome) => break outcome.unwrap().identity,
            Turn::Wait { .. } => {}
            Turn::Send(bytes) => {
                if bytes[5] == Opcode::CHANNEL_LIST.0 && std::mem::take(&mut reboot) {
                    camera.soft_reboot();
                }
                let answer = exchange(&mut camera, now, &bytes);
                host.feed(now, Input::Bytes(&answer));
            }
        }
    };
    assert_eq!(identity.version.firmware, [5, 0, 0]);
    assert!(!reboot && now < Duration::from_millis(100), "{now:?}");
}

#[test]
fn a_soft_reboot_ends_a_request_at_once_but_not_a_sync() {
    let reboot = Event::SOFT_REBOOT.packet(3).encode(true);
    let now = Duration::ZERO;
    let mut session = Session::default();
    session.ask(now, Request::new(Opcode::STATS));
    session.hear(&reboot);
    assert!(matches!(session.turn(now), Step::Send(_)));
    assert_eq!(session.turn(now), Step::Answer(Answer::Rebooted));
    session.sync(now, Duration::from_secs(1));
    session.hear(&reboot);
    assert!(matches!(session.turn(now), Step::Send(_)));
    assert!(matches!(session.turn(now), Step::Wait(_)));
}

#[test]
fn a_refusal_with_a_foreign_counter_ends_the_request_and_its_counter_is_adopted() {
    let mut session = Session::default();
    let now = Duration::ZERO;
    session.ask(now, Request::new(Opcode::STATS));
    assert!(matches!(session.turn(now), Step::Send(_)));
    session.hear(&hex("aa d5 05 00 02 03 02 00 f9 1c 06 00 de 22 81 9a"));
    let refused = Answer::Refused {
        status: Status::SEQUENCE,
        data: Vec::new(),
    };
    assert_eq!(session.turn(now), Step::Answer(refused));
    session.ask(now, Request::new(Opcode::STATS));
    let Step::Send(next) = session.turn(now) else {
        panic!("nothing to send");
    };
    assert_eq!(next[2], 6);
}

#[test]
fn a_repeated_answer_is_acknowledged_again_and_dropped() {
    let mut session = Session::default();
    let now = Duration::ZERO;
    session.ask(now, Request::new(Opcode::GET_CAPS));
    let first = exchange(&mut camera(), now, &request(0, 0, Opcode::GET_CAPS, &[]));
    session.hear(&first);
    session.hear(&first);
    let mut repeated = packets(&first).remove(0);
    repeated.flags = repeated.flags.with(Flags::RTX);
    session.hear(&repeated.encode(true));
    let ack = hex("aa d5 00 00 01 01 00 00 7b 37");
    assert!(matches!(session.turn(now), Step::Send(_)));
    assert_eq!(session.turn(now), Step::Send(ack.clone()));
    assert_eq!(session.turn(now), Step::Send(ack), "for the repetition");
    assert!(matches!(session.turn(now), Step::Answer(Answer::Data(_))));
    assert_eq!(session.turn(now), Step::Idle);
}

#[test]
fn an_answer_longer_than_asked_for_is_refused() {
    let mut session = Session::default();
    let now = Duration::ZERO;
    session.ask(
        now,
        Request {
            limit: 15,
            ..Request::new(Opcode::GET_CAPS)
        },
    );
    session.hear(&exchange(
        &mut camera(),
        now,
        &request(0, 0, Opcode::GET_CAPS, &[]),
    ));
    let answer = loop {
        match session.turn(now) {
            Step::Send(_) => {}
            Step::Answer(answer) => break answer,
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(answer, Answer::TooLong);
}

#[test]
fn a_camera_told_to_leave_leaves_the_way_it_was_told() {
    for leave in [Leave::Reset, Leave::Bootloader] {
        let mut camera = camera();
        let ended = converse(&mut Dismiss::new(leave), &mut camera, LIMIT, intact);
        assert_eq!(ended.unwrap().0, Ok(Farewell::Seen));
        assert_eq!(camera.poll(LIMIT), Turn::Done(leave));
    }
}

#[test]
fn a_dismissal_nobody_sees_is_no_error_and_one_nobody_hears_is() {
    let mut lost = Dismiss::new(Leave::Reset);
    let ended = converse(&mut lost, &mut camera(), LIMIT, |way, bytes| {
        let reset = way == Way::ToCamera && bytes[5] == Opcode::SYS_RESET.0;
        if reset { Vec::new() } else { vec![bytes] }
    });
    assert_eq!(ended.unwrap().0, Ok(Farewell::Unseen));
    let mut deaf = Dismiss::new(Leave::Reset);
    let ended = converse(&mut deaf, &mut camera(), LIMIT, |_, _| Vec::new());
    assert_eq!(ended.unwrap().0, Err(Failure::Silent));
    let mut gone = Dismiss::new(Leave::Reset);
    gone.feed(Duration::ZERO, Input::Gone);
    assert_eq!(gone.poll(Duration::ZERO), Turn::Done(Err(Failure::Gone)));
}

#[test]
fn settings_out_of_range_are_refused_and_small_ones_hold() {
    let mut camera = without_acks(Idle::default());
    let now = Duration::ZERO;
    let set = |max_payload| {
        Caps {
            ack: false,
            ..Caps::defaults(max_payload)
        }
        .encode()
    };
    for (sequence, limit, flags) in [(1, 49, 2), (2, 4083, 2), (3, 4082, 1), (4, 50, 1)] {
        let answer = exchange(
            &mut camera,
            now,
            &request(sequence, 0, Opcode::SET_CAPS, &set(limit)),
        );
        assert_eq!(answer[4], flags, "{limit}");
    }
    let answer = exchange(&mut camera, now, &request(5, 0, Opcode::SYS_INFO, &[]));
    let parts = packets(&answer);
    assert_eq!(
        (parts[0].flags, parts[0].payload.len()),
        (Flags::FRAGMENT, 50)
    );
    assert_eq!(
        (parts[1].flags, parts[1].payload.len()),
        (Flags::default(), 26)
    );
    assert_eq!((parts[0].sequence, parts[1].sequence), (5, 6));
    let long = exchange(&mut camera, now, &request(7, 0, Opcode::STATS, &[0; 51]));
    assert_eq!(packets(&long)[0].status(), Status::OVERFLOW);
}

#[test]
fn memory_is_not_told_before_protocol_1_0_2() {
    let mut old = personality();
    old.version.protocol = [1, 0, 1];
    let mut camera = Camera::new(old, Idle::default());
    let answer = exchange(
        &mut camera,
        Duration::ZERO,
        &request(0, 0, Opcode::SYS_MEMORY, &[]),
    );
    assert_eq!(packets(&answer)[0].status(), Status::INVALID);
}

#[test]
fn requests_behind_an_unacknowledged_answer_wait_for_the_ack() {
    let mut camera = camera();
    let now = Duration::ZERO;
    let two = [
        request(0, 0, Opcode::GET_CAPS, &[]),
        request(1, 0, Opcode::VERSION, &[]),
    ]
    .concat();
    assert_eq!(exchange(&mut camera, now, &two).len(), 30);
    let ack = hex("aa d5 00 00 01 01 00 00 7b 37");
    let answer = exchange(&mut camera, now, &ack);
    assert_eq!(packets(&answer)[0].opcode, Opcode::VERSION);
    let sync = exchange(&mut camera, now, &request(9, 0, Opcode::SYNC, &[]));
    assert_eq!(sync, hex("aa d5 00 00 01 00 00 00 08 46"));
}

#[test]
fn an_ack_counts_whatever_its_channel_and_length_and_takes_ten_bytes() {
    let mut camera = camera();
    let now = Duration::ZERO;
    let first = exchange(&mut camera, now, &request(0, 0, Opcode::GET_CAPS, &[]));
    let mut ack = packets(&first)[0].acknowledgement();
    ack.channel = 9;
    ack.payload = vec![0; 5];
    let head = &ack.encode(true)[..10];
    let answer = exchange(
        &mut camera,
        now,
        &[head, &request(1, 0, Opcode::VERSION, &[])].concat(),
    );
    assert_eq!(packets(&answer)[0].opcode, Opcode::VERSION);
}

#[test]
fn an_event_sent_to_the_camera_is_invalid_whatever_its_counter() {
    for opcode in [Opcode::SYS_EVENT, Opcode::CHANNEL_EVENT] {
        let answer = exchange(&mut camera(), Duration::ZERO, &request(99, 0, opcode, &[]));
        assert_eq!(packets(&answer)[0].status(), Status::INVALID);
    }
}

#[test]
fn a_refused_answer_is_repeated_at_once_until_the_engine_gives_up() {
    let mut camera = camera();
    let now = Duration::ZERO;
    let get_caps = request(0, 0, Opcode::GET_CAPS, &[]);
    let first = exchange(&mut camera, now, &get_caps);
    let mut nak = packets(&first)[0].acknowledgement();
    nak.flags = Flags::NAK;
    let again = packets(&exchange(&mut camera, now, &nak.encode(true)));
    assert_eq!(again.len(), 3);
    assert!(
        again
            .iter()
            .all(|packet| packet.flags == Flags::ACK_REQ.with(Flags::RTX))
    );
    assert_eq!(
        exchange(&mut camera, now, &get_caps),
        first,
        "back at defaults"
    );
}

/// A stream that is always ready, and text.
struct Ready(Vec<u8>);

impl Channels for Ready {
    fn list(&self) -> Vec<Channel> {
        Idle::default().list()
    }
    fn poll(&mut self, _: Duration) -> u32 {
        8
    }
    fn lock(&mut self, id: u8) -> Result<(), Status> {
        if id == 3 { Ok(()) } else { Err(Status::BUSY) }
    }
    fn unlock(&mut self, _: u8) -> Result<(), Status> {
        Ok(())
    }
    fn size(&mut self, _: u8) -> Result<u32, Status> {
        Ok(self.0.len() as u32)
    }
    fn shape(&mut self, _: u8) -> Result<Vec<u32>, Status> {
        Ok(vec![4, 3, 2])
    }
    fn reading(&self, _: u8) -> Option<Reading> {
        Some(Reading::Copy)
    }
    fn read(&mut self, _: u8, _: u32, length: u32) -> Result<Vec<u8>, Status> {
        let length = self.0.len().min(length as usize);
        Ok(self.0.drain(..length).collect())
    }
    fn write(&mut self, _: u8, _: u32, bytes: &[u8]) -> Result<(), Status> {
        self.0 = bytes.to_vec();
        Ok(())
    }
    fn ioctl(&mut self, _: u8, _: u32, _: &[u8]) -> Result<(), Status> {
        Err(Status::FAILED)
    }
}

#[test]
fn a_lock_within_ten_milliseconds_of_the_last_is_busy() {
    let mut camera = without_acks(Ready(Vec::new()));
    let mut flags = Vec::new();
    for (sequence, at) in [(1, 100), (2, 105), (3, 110), (4, 111)] {
        let now = Duration::from_millis(at);
        flags.push(
            exchange(
                &mut camera,
                now,
                &request(sequence, 3, Opcode::CHANNEL_LOCK, &[]),
            )[4],
        );
    }
    assert_eq!(flags, [1, 2, 2, 1]);
}

#[test]
fn text_is_read_in_pieces_and_a_refusal_at_its_end_keeps_what_came() {
    let mut camera = without_acks(Ready((0..=255).cycle().take(700).collect()));
    let now = Duration::ZERO;
    let read = [0u32.to_le_bytes(), 900u32.to_le_bytes()].concat();
    let mut session = Session::default();
    session.sync(now, Duration::from_secs(1));
    assert!(matches!(session.turn(now), Step::Send(_)));
    session.hear(&hex("aa d5 00 00 01 00 00 00 08 46"));
    assert_eq!(session.turn(now), Step::Answer(Answer::Accepted));
    session.ask(
        now,
        Request {
            channel: 2,
            payload: read.clone(),
            ..Request::new(Opcode::CHANNEL_READ)
        },
    );
    let answer = exchange(
        &mut camera,
        now,
        &request(1, 2, Opcode::CHANNEL_READ, &read),
    );
    let parts = packets(&answer);
    let sizes: Vec<usize> = parts.iter().map(|packet| packet.payload.len()).collect();
    assert_eq!(sizes, [512, 188, 2]);
    // The session stands at counter 0, the camera at 1: as if one less had been asked.
    let shifted: Vec<u8> = parts
        .into_iter()
        .flat_map(|packet| {
            Packet {
                sequence: packet.sequence - 1,
                ..packet
            }
            .encode(true)
        })
        .collect();
    session.hear(&shifted);
    assert!(matches!(session.turn(now), Step::Send(_)));
    let Step::Answer(Answer::Refused { status, data }) = session.turn(now) else {
        panic!("no refusal");
    };
    assert_eq!((status, data.len()), (Status::FAILED, 700));
}

#[test]
fn a_read_in_pieces_goes_on_behind_a_sync_as_in_the_engine() {
    let mut camera = Camera::new(personality(), Ready(vec![7; 700]));
    let now = Duration::ZERO;
    let read = [0u32.to_le_bytes(), 700u32.to_le_bytes()].concat();
    let first = exchange(
        &mut camera,
        now,
        &request(0, 2, Opcode::CHANNEL_READ, &read),
    );
    assert_eq!(packets(&first)[0].payload.len(), 512);
    let rest = packets(&exchange(
        &mut camera,
        now,
        &request(0, 0, Opcode::SYNC, &[]),
    ));
    assert_eq!((rest[0].opcode, rest[0].sequence), (Opcode::SYNC, 0));
    assert_eq!(
        (rest[1].opcode, rest[1].sequence),
        (Opcode::CHANNEL_READ, 0)
    );
    assert_eq!(rest[1].payload.len(), 188);
    // A host that does not expect this gets through it all the same.
    let ended = converse(&mut Connect::new(Wish::USB), &mut camera, LIMIT, intact);
    assert!(ended.unwrap().0.is_ok());
}

#[test]
fn a_flood_that_nobody_reads_does_not_grow_the_camera() {
    let mut camera = without_acks(Idle::default());
    let now = Duration::ZERO;
    let flood = request(1, 0, Opcode::STATS, &[]).repeat(100_000);
    for _ in 0..20 {
        camera.feed(now, Input::Bytes(&flood));
    }
    let answered = drain(&mut camera, now).len();
    assert!(answered < 0x2_0000, "{answered} bytes");
}

#[test]
fn a_short_record_is_refused_not_padded() {
    for size in 0..16 {
        let bytes = vec![0; size];
        let short = Err(Malformed::Short {
            need: 16,
            got: size,
        });
        assert_eq!(Caps::decode(&bytes).map(|_| ()), short);
        assert_eq!(Version::decode(&bytes).map(|_| ()), short);
    }
    assert!(SysInfo::decode(&[0; 75]).is_err());
    assert!(Stats::decode(&[0; 31]).is_err());
    assert!(Memory::decode_list(&[2, 0, 0, 0, 1]).is_err());
    assert!(Channel::decode_list(&[0; 17]).is_err());
    assert!(Channel::decode_list(&[0; 16 * 33]).is_err());
}

#[test]
fn a_channels_name_is_made_printable() {
    let mut channel = Channel::new(5, "a name much too long", 0x21);
    assert_eq!(channel.name(), "a name much t");
    channel.raw_name = [0xFF; 14];
    assert_eq!(channel.name(), "\u{FFFD}".repeat(14));
    channel.raw_name = *b"\x1b[2Jred\0junk..";
    assert_eq!(channel.name(), "\u{FFFD}[2Jred");
}
