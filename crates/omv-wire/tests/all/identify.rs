//! Asking a running camera who it is, against every kind of camera there is, in virtual time.

use std::time::Duration;

use crate::running::*;
use omv_wire::identify::{Failure, Generation, Identify, Who, uid_text};
use omv_wire::v1::camera::{Camera as V1, Stack};
use omv_wire::v2::camera::Camera as V2;
use omv_wire::v2::channels::Idle;
use omv_wire::v2::parser::Event;
use omv_wire::{Input, Machine, Turn};

const LIMIT: Duration = Duration::from_secs(5);

type Outcome = Result<Who, Failure>;

fn ask<C: Machine>(camera: &mut C) -> (Outcome, Duration) {
    converse(&mut Identify::new(), camera, LIMIT, intact).expect("within five seconds")
}

/// Every v1 camera: stack, firmware.
const V1_CAMERAS: [(Stack, [u8; 3]); 7] = [
    (Stack::Packets(64), [3, 5, 2]),
    (Stack::Packets(64), [4, 5, 9]),
    (Stack::Packets(512), [4, 8, 1]),
    (Stack::StreamFatal, [4, 1, 0]),
    (Stack::StreamFatal, [4, 7, 0]),
    (Stack::StreamForgiving, [4, 8, 0]),
    (Stack::StreamForgiving, [4, 8, 1]),
];

#[test]
fn every_v1_camera_says_who_it_is_and_none_hangs() {
    for (stack, firmware) in V1_CAMERAS {
        let mut camera = v1_camera(stack, firmware);
        let (outcome, took) = ask(&mut camera);
        let who = outcome.unwrap();
        assert_eq!((who.generation, who.firmware), (Generation::V1, firmware));
        assert_eq!(who.arch.as_deref(), Some("OMV4 H7 1024"));
        assert_eq!(who.kind.as_deref(), Some("H7"));
        assert_eq!(uid_text(who.uid.unwrap()), "003B00223136501920393735");
        assert!(!camera.is_hung());
        assert!(took < Duration::from_millis(110), "{took:?}");
    }
}

#[test]
fn a_v2_camera_says_who_it_is() {
    let mut camera = V2::new(personality(), Idle::new(true));
    let (outcome, took) = ask(&mut camera);
    let who = outcome.unwrap();
    assert_eq!((who.generation, who.firmware), (Generation::V2, [5, 0, 0]));
    assert_eq!(who.usb, Some((0x37C5, 0x1500)));
    assert_eq!(who.bootloader, Some([1, 0, 3]));
    assert_eq!(who.max_payload, Some(4082));
    assert_eq!(uid_text(who.uid.unwrap()), "000000014F4D560051454D55");
    assert_eq!(who.v2.unwrap().channels.len(), 4);
    assert!(took < Duration::from_millis(630), "{took:?}");
}

#[test]
fn a_v2_camera_that_is_telling_things_is_known_at_once() {
    let mut camera = V2::new(personality(), Idle::default());
    camera.tell(Event {
        channel: 2,
        code: None,
    });
    let (outcome, took) = ask(&mut camera);
    assert_eq!(outcome.unwrap().generation, Generation::V2);
    assert!(took < Duration::from_millis(30), "{took:?}");
}

#[test]
fn a_v2_camera_that_begins_to_tell_things_while_v1_is_asked_is_known_from_then_on() {
    let mut host = Identify::new();
    let mut now = Duration::ZERO;
    while now < Duration::from_millis(100) {
        match host.poll(now) {
            Turn::Wait { until } => now = until,
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(drain(&mut host, now), hex("30 80 0c 00 00 00"));
    let event = Event {
        channel: 2,
        code: None,
    };
    host.feed(now, Input::Bytes(&event.packet(0).encode(true)));
    assert!(drain(&mut host, now).starts_with(&[0xAA, 0xD5]));
}

#[test]
fn a_v1_answer_that_comes_while_v2_is_asked_is_taken_at_once() {
    let camera = v1_camera(Stack::Packets(64), [4, 5, 9]);
    let from = Duration::from_millis(700);
    let mut sleepy = Sleepy {
        camera,
        from,
        queue: Vec::new(),
    };
    let (outcome, took) = ask(&mut sleepy);
    assert_eq!(outcome.unwrap().firmware, [4, 5, 9]);
    assert!(took < Duration::from_millis(720), "{took:?}");
}

#[test]
fn the_first_bytes_are_a_v1_question_and_nothing_else_for_half_a_second() {
    let mut host = Identify::new();
    let mut now = Duration::ZERO;
    let mut sent = Vec::new();
    while sent.len() < 3 {
        match host.poll(now) {
            Turn::Send(bytes) => sent.push((now.as_millis(), bytes)),
            Turn::Wait { until } => now = until,
            Turn::Done(outcome) => panic!("{outcome:?}"),
        }
    }
    let question = hex("30 80 0c 00 00 00");
    let sync = hex("aa d5 00 00 00 00 00 00 b0 ac 00 00");
    assert_eq!(
        sent,
        [(100, question.clone()), (350, question), (600, sync)]
    );
}

/// A thing that is no camera: says these bytes every millisecond and hears nothing.
struct Noise {
    bytes: Vec<u8>,
    next: Duration,
}

impl Machine for Noise {
    type Output = ();
    fn feed(&mut self, _: Duration, _: Input<'_>) {}
    fn poll(&mut self, now: Duration) -> Turn<()> {
        if self.bytes.is_empty() || now < self.next {
            let until = if self.bytes.is_empty() {
                Duration::MAX
            } else {
                self.next
            };
            return Turn::Wait { until };
        }
        self.next = now + MILLISECOND;
        Turn::Send(self.bytes.clone())
    }
}

fn noise(bytes: &[u8]) -> Noise {
    Noise {
        bytes: bytes.to_vec(),
        next: Duration::ZERO,
    }
}

#[test]
fn silence_and_noise_end_within_five_seconds_and_have_different_names() {
    assert_eq!(ask(&mut noise(b"")).0, Err(Failure::Silent));
    for bytes in [
        &b"MPY: soft reboot\r\n"[..],
        &[0; 64],
        &[0xAA, 0xD5],
        &[0x30; 12],
        &[0xFF],
    ] {
        assert_eq!(
            ask(&mut noise(bytes)).0,
            Err(Failure::Noise),
            "{bytes:02x?}"
        );
    }
}

#[test]
fn a_camera_that_can_only_say_its_version_is_lost_not_guessed() {
    let version = hex("04 00 00 00 05 00 00 00 09 00 00 00");
    let mut host = Identify::new();
    let mut now = Duration::from_millis(100);
    let mut answered = false;
    host.poll(Duration::ZERO);
    let outcome = loop {
        match host.poll(now) {
            Turn::Send(_) if !answered => {
                host.feed(now, Input::Bytes(&version));
                answered = true;
            }
            Turn::Send(bytes) => {
                assert_eq!(bytes, hex("30 83 40 00 00 00"));
                host.feed(now, Input::Bytes(b"OMV4 H7"));
            }
            Turn::Wait { until } => now = until,
            Turn::Done(outcome) => break outcome,
        }
    };
    assert_eq!(outcome, Err(Failure::Lost));
    assert_eq!(now, Duration::from_millis(1100));
}

#[test]
fn a_camera_that_leaves_at_any_moment_is_gone() {
    for polls in 0..12 {
        let mut host = Identify::new();
        let mut camera = V2::new(personality(), Idle::default());
        let mut now = Duration::ZERO;
        for _ in 0..polls {
            match host.poll(now) {
                Turn::Send(bytes) => {
                    let answer = exchange(&mut camera, now, &bytes);
                    host.feed(now, Input::Bytes(&answer));
                }
                Turn::Wait { until } => now = until,
                Turn::Done(outcome) => panic!("{outcome:?}"),
            }
        }
        host.feed(now, Input::Gone);
        assert_eq!(
            host.poll(now),
            Turn::Done(Err(Failure::Gone)),
            "after {polls}"
        );
    }
}

/// A camera that takes nothing off its port until `from`, as during a soft reboot.
struct Sleepy<C> {
    camera: C,
    from: Duration,
    queue: Vec<Vec<u8>>,
}

impl<C: Machine> Machine for Sleepy<C> {
    type Output = C::Output;
    fn feed(&mut self, now: Duration, input: Input<'_>) {
        match input {
            Input::Bytes(bytes) if now < self.from => self.queue.push(bytes.to_vec()),
            input => self.camera.feed(now, input),
        }
    }
    fn poll(&mut self, now: Duration) -> Turn<C::Output> {
        if now < self.from {
            return Turn::Wait { until: self.from };
        }
        for bytes in std::mem::take(&mut self.queue) {
            self.camera.feed(now, Input::Bytes(&bytes));
        }
        self.camera.poll(now)
    }
}

#[test]
fn a_camera_that_is_busy_for_a_while_is_still_found() {
    for (stack, firmware) in V1_CAMERAS {
        let limits = match stack {
            // Its queue must not hold a packet of v2 when it wakes.
            Stack::StreamFatal => vec![50, 300, 590],
            _ => vec![50, 300, 590, 700, 1200, 1700, 2500, 3500],
        };
        for limit in limits {
            let camera = v1_camera(stack, firmware);
            let from = Duration::from_millis(limit);
            let mut sleepy = Sleepy {
                camera,
                from,
                queue: Vec::new(),
            };
            let who = ask(&mut sleepy).0;
            let who = who.unwrap_or_else(|failure| panic!("{stack:?} {limit}: {failure}"));
            assert_eq!((who.firmware, who.arch.is_some()), (firmware, true));
        }
    }
    for limit in [50, 300, 700, 1200, 1700] {
        let camera = V2::new(personality(), Idle::default());
        let from = Duration::from_millis(limit);
        let mut sleepy = Sleepy {
            camera,
            from,
            queue: Vec::new(),
        };
        assert_eq!(
            ask(&mut sleepy).0.unwrap().generation,
            Generation::V2,
            "{limit}"
        );
    }
}

#[test]
fn a_script_somebody_left_half_sent_to_firmware_4_8_is_waited_out() {
    let mut camera = v1_camera(Stack::StreamForgiving, [4, 8, 1]);
    camera.feed(Duration::ZERO, Input::Bytes(&hex("30 05 e8 03 00 00")));
    assert!(camera.is_in_phase());
    let who = ask(&mut camera).0.unwrap();
    assert_eq!(who.firmware, [4, 8, 1]);
}

#[test]
fn rubbish_that_was_on_its_way_does_not_become_a_version() {
    let mut camera = v1_camera(Stack::StreamFatal, [4, 7, 0]);
    let mut first = true;
    let (outcome, _) = converse(&mut Identify::new(), &mut camera, LIMIT, |way, bytes| {
        if way == Way::ToHost && std::mem::take(&mut first) {
            return vec![
                b"Traceback (most recent call last):\xFF\x00".to_vec(),
                bytes,
            ];
        }
        vec![bytes]
    })
    .unwrap();
    assert_eq!(outcome.unwrap().firmware, [4, 7, 0]);
}

/// A small generator, so that a failing round can be had again.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        (self.0 >> 33) % sides
    }
}

/// Now and then a byte is lost, flipped or doubled, and chunks fall apart.
fn damage(dice: &mut Dice, bytes: Vec<u8>, odds: u64) -> Vec<Vec<u8>> {
    let mut damaged = bytes;
    if dice.roll(odds) == 0 && !damaged.is_empty() {
        let at = dice.roll(damaged.len() as u64) as usize;
        match dice.roll(3) {
            0 => drop(damaged.remove(at)),
            1 => damaged[at] ^= 1 << dice.roll(8),
            _ => damaged.insert(at, damaged[at]),
        }
    }
    let cut = dice.roll(damaged.len() as u64 + 1) as usize;
    let rest = damaged.split_off(cut);
    vec![damaged, rest]
}

/// One chunk in so many is damaged.
const ODDS: u64 = 12;

#[test]
fn a_bad_line_to_a_v2_camera_costs_time_but_never_tells_a_lie() {
    let mut found = 0;
    for seed in 0..2000 {
        let mut dice = Dice(seed);
        let mut camera = V2::new(personality(), Idle::default());
        let fault = |_, bytes| damage(&mut dice, bytes, ODDS);
        let ended = converse(&mut Identify::new(), &mut camera, LIMIT, fault);
        let (outcome, _) = ended.unwrap_or_else(|| panic!("round {seed} has no end"));
        if let Ok(who) = outcome {
            assert_eq!((who.generation, who.firmware), (Generation::V2, [5, 0, 0]));
            assert_eq!(who.usb, Some((0x37C5, 0x1500)));
            found += 1;
        }
    }
    assert!(found > 1850, "{found} of 2000");
}

#[test]
fn a_bad_line_to_a_v1_camera_always_has_an_end() {
    for seed in 0..2000 {
        let mut dice = Dice(seed);
        let (stack, firmware) = V1_CAMERAS[(seed % 7) as usize];
        let mut camera: V1 = v1_camera(stack, firmware);
        let fault = |_, bytes| damage(&mut dice, bytes, ODDS);
        let ended = converse(&mut Identify::new(), &mut camera, LIMIT, fault);
        assert!(ended.is_some(), "round {seed} has no end");
    }
}

proptest::proptest! {
    #[test]
    fn whatever_is_heard_there_is_an_end_and_no_panic(
        chunks in proptest::collection::vec(proptest::collection::vec(proptest::num::u8::ANY, 0..40), 0..80),
    ) {
        let mut host = Identify::new();
        let mut now = Duration::ZERO;
        let mut chunks = chunks.into_iter();
        loop {
            match host.poll(now) {
                Turn::Done(_) => break,
                Turn::Send(_) => {}
                Turn::Wait { until } => now = until.min(now + 60 * MILLISECOND),
            }
            if let Some(chunk) = chunks.next() {
                host.feed(now, Input::Bytes(&chunk));
            }
            proptest::prop_assert!(now <= LIMIT);
        }
    }
}
