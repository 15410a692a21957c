//! Protocol v2: records, both ways of reading its packets, a host and a camera.
//!
//! The first byte sets the stage; a [`script`](crate::script) follows.

use std::time::Duration;

use omv_wire::cbor;
use omv_wire::v2::Leave;
use omv_wire::v2::camera::{Camera, Personality};
use omv_wire::v2::channels::Idle;
use omv_wire::v2::codec::{MAX_PAYLOAD, OVERHEAD, Opcode, Packet};
use omv_wire::v2::fields;
use omv_wire::v2::host::{Connect, Dismiss, Wish};
use omv_wire::v2::parser::{Event, Parser};
use omv_wire::v2::records::{Caps, Channel, Memory, Stats, SysInfo, Version};
use omv_wire::v2::session::{Answer, Request, Session, Step};

use crate::script::{Limits, Line, Script, Stage};

/// Bytes of the largest packet there is.
pub const FRAME: usize = MAX_PAYLOAD as usize + OVERHEAD;

const LIMITS: Limits = Limits {
    frames: 256,
    frame: FRAME,
};

/// Records and packets, and their round trips.
pub fn codec(bytes: &[u8]) {
    if let Ok(caps) = Caps::decode(bytes) {
        assert_eq!(Caps::decode(&caps.encode()), Ok(caps));
    }
    if let Ok(version) = Version::decode(bytes) {
        assert_eq!(Version::decode(&version.encode()), Ok(version));
    }
    if let Ok(info) = SysInfo::decode(bytes) {
        assert_eq!(SysInfo::decode(&info.encode()), Ok(info));
    }
    if let Ok(stats) = Stats::decode(bytes) {
        assert_eq!(Stats::decode(&stats.encode()), Ok(stats));
    }
    if let Ok(pools) = Memory::decode_list(bytes) {
        assert_eq!(Memory::decode_list(&Memory::encode_list(&pools)), Ok(pools));
    }
    if let Ok(channels) = Channel::decode_list(bytes) {
        let again = Channel::decode_list(&Channel::encode_list(&channels));
        let _ = channels.iter().map(|channel| channel.name().len()).max();
        assert_eq!(again, Ok(channels));
    }
    if let Ok(value) = cbor::decode(bytes) {
        // NaN is not equal to itself.
        let again = cbor::decode(&value.encode()).map(|again| again.to_string());
        assert_eq!(again, Ok(value.to_string()));
    }
    for field in fields::decode(bytes).into_iter().flatten() {
        let value = field.value.unwrap_or(cbor::Value::Null);
        let set = fields::decode(&fields::encode(&field.name, &value));
        assert_eq!(set.map(|fields| fields.len()), Some(1));
    }
    for checked in [true, false] {
        let whole = packets(bytes, bytes.len().max(1), checked);
        assert_eq!(whole, packets(bytes, 1, checked), "cutting changes packets");
        for packet in &whole {
            let written = packet.encode(checked);
            assert_eq!(
                packets(&written, written.len(), checked),
                std::slice::from_ref(packet)
            );
            let _ = (Event::decode(packet), packet.status());
        }
    }
}

/// The packets in a stream that comes in pieces of `size` bytes.
fn packets(bytes: &[u8], size: usize, checked: bool) -> Vec<Packet> {
    let mut parser = Parser::default();
    parser.configure(MAX_PAYLOAD, checked);
    bytes
        .chunks(size)
        .flat_map(|piece| parser.feed(piece))
        .collect()
}

/// A host that connects, or that sends the camera away, towards a camera that says anything.
pub fn host(bytes: &[u8]) {
    let Some((&choice, script)) = bytes.split_first() else {
        return;
    };
    let script = Script::new(script);
    if choice & 2 != 0 {
        let leave = if choice & 1 == 0 {
            Leave::Reset
        } else {
            Leave::Bootloader
        };
        let mut stage = Stage::new(Dismiss::new(leave), LIMITS);
        stage.play(script);
        return stage.must_end();
    }
    let wish = if choice & 1 == 0 {
        Wish::USB
    } else {
        Wish::SERIAL_LINE
    };
    let mut stage = Stage::new(Connect::new(wish), LIMITS);
    stage.play(script);
    stage.must_end();
}

/// A session that asks one thing after the other, towards a camera that says anything: no answer is larger
/// than was asked for, and every question has an end.
pub fn session(bytes: &[u8]) {
    const LIMIT: usize = 4096;
    const PATIENCE: Duration = Duration::from_millis(400);
    const ASKED: [Opcode; 6] = [
        Opcode::CHANNEL_LIST,
        Opcode::CHANNEL_POLL,
        Opcode::CHANNEL_LOCK,
        Opcode::CHANNEL_SIZE,
        Opcode::CHANNEL_READ,
        Opcode::CHANNEL_UNLOCK,
    ];
    let Some((&choice, script)) = bytes.split_first() else {
        return;
    };
    let mut session = Session::default();
    let mut now = Duration::ZERO;
    let caps = Caps {
        crc: choice & 1 == 0,
        ack: choice & 2 != 0,
        ..session.caps()
    };
    session.adopt(caps);
    let (mut next, mut since) = (0, now);
    let mut turn = |session: &mut Session, now: Duration| loop {
        match session.turn(now) {
            Step::Send(_) => {}
            Step::Wait(until) => {
                assert!(until > now && until <= since + PATIENCE);
                return until;
            }
            Step::Answer(Answer::Data(data) | Answer::Cut(data)) => assert!(data.len() <= LIMIT),
            Step::Answer(_) => {}
            Step::Idle => {
                since = now;
                if choice & 4 != 0 && next % 7 == 6 {
                    session.sync(now, PATIENCE);
                } else {
                    let request = Request {
                        channel: 3,
                        limit: LIMIT,
                        patience: PATIENCE,
                        ..Request::new(ASKED[next % ASKED.len()])
                    };
                    session.ask(now, request);
                }
                next += 1;
            }
        }
    };
    for line in Script::new(script) {
        let until = turn(&mut session, now);
        match line {
            Line::Later(time) => now += time,
            Line::Due => now = until,
            Line::Hear(bytes) => session.hear(&bytes),
            Line::Stall | Line::Gone => {}
        }
        let mut events = 0;
        while session.event().is_some() {
            events += 1;
        }
        assert!(events <= 64, "{events} events were kept");
    }
    // Silence: the open question ends, and the next one begins.
    let until = turn(&mut session, now);
    let last = turn(&mut session, until);
    assert!(last > until);
}

/// A camera to which a host says anything.
pub fn camera(bytes: &[u8]) {
    let Some((&choice, script)) = bytes.split_first() else {
        return;
    };
    let personality = Personality {
        max_payload: if choice & 1 == 0 { 4082 } else { 498 },
        version: Version {
            protocol: [1, 0, if choice & 2 == 0 { 2 } else { 0 }],
            bootloader: [1, 0, 3],
            firmware: [5, 0, 0],
        },
        info: SysInfo::default(),
        memory: vec![Memory::default(); 2],
    };
    let channels = Idle::new(choice & 4 != 0);
    Stage::new(Camera::new(personality, channels), LIMITS).play(Script::new(script));
}
