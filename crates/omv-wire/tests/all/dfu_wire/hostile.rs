//! Bytes from a stranger: devices that answer anything, hosts that ask anything.

use std::collections::VecDeque;
use std::time::Duration;

use omv_wire::dfu::dfuse::{self, Kick, Layout, Manners};
use omv_wire::dfu::{
    self, Answer, Conversation, Failure, Host, Manifested, Partitions, Report, describe,
};
use omv_wire::usb::Setup;
use omv_wire::{Input, Machine, Turn};
use proptest::prelude::*;

use super::chip::{Bootloader, Chip, MS};
use super::pair::{Device, Heard, Wire};

/// A device that reads its answers from a list, then falls silent, leaves, or repeats itself.
#[derive(Clone, Debug)]
struct Stranger {
    answers: VecDeque<Heard>,
    last: Heard,
}

impl Device for Stranger {
    fn ask(&mut self, _now: Duration, _setup: &Setup, _data: &[u8]) -> Heard {
        self.answers.pop_front().unwrap_or(self.last.clone())
    }
}

fn silence() -> Heard {
    let until = Duration::MAX;
    Heard::Answer(Answer::Later { until })
}

/// Answers that are often nearly right: states, statuses and poll times of every kind.
fn answer() -> impl Strategy<Value = Heard> {
    let report = (0u8..16, 0u8..12, 0u32..0x0100_0000, any::<bool>()).prop_map(
        |(status, state, poll, short)| {
            let [p0, p1, p2, _] = if short { poll & 0x0F } else { poll }.to_le_bytes();
            Heard::Answer(Answer::Data(vec![status % 3, p0, p1, p2, state, 0]))
        },
    );
    let bytes = proptest::collection::vec(any::<u8>(), 0..300);
    prop_oneof![
        6 => report,
        6 => Just(Heard::Answer(Answer::OK)),
        2 => bytes.prop_map(|bytes| Heard::Answer(Answer::Data(bytes))),
        2 => Just(Heard::Answer(Answer::Stall)),
        1 => Just(silence()),
        1 => Just(Heard::Gone),
    ]
}

fn stranger() -> impl Strategy<Value = Stranger> {
    (proptest::collection::vec(answer(), 0..40), answer()).prop_map(|(answers, last)| Stranger {
        answers: answers.into(),
        last,
    })
}

/// Drives one conversation to its end and says how long it took.
fn ends<T>(stranger: &Stranger, conversation: Conversation<T>) -> Duration {
    let mut wire = Wire::new(stranger.clone());
    let _ = wire.drive(conversation);
    wire.now
}

/// A limit that no operation on a few blocks may pass: every wait has an end of its own.
const LONGEST: Duration = Duration::from_secs(400);

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn no_device_makes_the_host_wait_for_ever(stranger in stranger()) {
        let plain = Host::new(0, 64);
        let host = dfuse::Host::new(plain);
        let layout = Layout::parse("@Flash/0x08000000/16*128Kg").unwrap();
        let page = layout.page(0x0810_0000).unwrap();
        let kick = Kick::for_page(&layout, &page);
        let data = || vec![0x5A; 200].into();
        let took = [
            ends(&stranger, describe(dfu::Limits::default())),
            ends(&stranger, plain.claim(0, 1)),
            ends(&stranger, plain.to_idle()),
            ends(&stranger, plain.write(0, data())),
            ends(&stranger, plain.manifest()),
            ends(&stranger, plain.read(0, 200)),
            ends(&stranger, plain.detach(0)),
            ends(&stranger, host.erase(page, kick)),
            ends(&stranger, host.erase_all()),
            ends(&stranger, host.read_unprotect()),
            ends(&stranger, host.write(&layout, 0x0800_0000, data())),
            ends(&stranger, host.read(&layout, 0x0800_0000, 200)),
            ends(&stranger, host.leave(Some(0x0800_0000))),
        ];
        prop_assert!(took.iter().all(|took| *took < LONGEST), "{took:?}");
    }

    #[test]
    fn no_input_at_an_odd_moment_breaks_a_host(
        inputs in proptest::collection::vec((0u8..5, any::<u8>()), 0..60),
    ) {
        let mut host = Host::new(0, 64).write(0, vec![1; 100].into());
        let mut now = Duration::ZERO;
        for (kind, byte) in inputs {
            match kind {
                0 => host.feed(now, Input::Bytes(&[byte; 6])),
                1 => host.feed(now, Input::Bytes(&[])),
                2 => host.feed(now, Input::Stall),
                3 if byte < 16 => host.feed(now, Input::Gone),
                _ => now += u32::from(byte) * MS,
            }
            if let Turn::Wait { until } = host.poll(now) {
                prop_assert!(until > now && until <= now + Duration::from_secs(20));
            }
        }
    }
}

/// Setup packets that are often nearly right.
fn setup() -> impl Strategy<Value = (Setup, Vec<u8>)> {
    let kind = prop_oneof![
        4 => Just(0x21u8), 4 => Just(0xA1), 1 => Just(0x01), 1 => Just(0x81), 1 => any::<u8>(),
    ];
    let request = prop_oneof![8 => 0u8..8, 1 => Just(10), 1 => Just(11), 1 => any::<u8>()];
    let value = prop_oneof![4 => 0u16..6, 1 => any::<u16>()];
    let index = prop_oneof![8 => Just(0u16), 1 => any::<u16>()];
    let length = prop_oneof![Just(0u16), Just(5), 0u16..64, Just(4096), any::<u16>()];
    let first = prop_oneof![Just(0x21u8), Just(0x41), Just(0x92), any::<u8>()];
    (kind, request, value, index, length, first, any::<u32>()).prop_map(
        |(request_type, request, value, index, length, first, address)| {
            let address = address & 0x00FF_FFFF | 0x0800_0000;
            let mut data = vec![first];
            data.extend(address.to_le_bytes());
            data.resize(length.into(), 0x5A);
            let setup = Setup {
                request_type,
                request,
                value,
                index,
                length,
            };
            (setup, data)
        },
    )
}

fn check(answer: &Answer, setup: &Setup, now: Duration) -> Result<(), TestCaseError> {
    match answer {
        Answer::Data(bytes) => prop_assert!(bytes.len() <= setup.length.into()),
        Answer::Stall => {}
        Answer::Later { until } => prop_assert!(*until > now),
    }
    Ok(())
}

proptest! {
    #[test]
    fn any_requests_leave_a_plain_device_sane(
        requests in proptest::collection::vec(setup(), 1..80),
    ) {
        let mut camera = dfu::Camera::new(Bootloader::new());
        let mut now = Duration::ZERO;
        for (setup, data) in requests {
            now = now.max(camera.busy_until());
            let (answer, _) = camera.request(now, &setup, &data);
            check(&answer, &setup, now)?;
        }
        prop_assert_eq!(&camera.partitions().bytes[0], &vec![0xA0; 8192]);
        prop_assert_eq!(camera.partitions().table().len(), 3);
    }

    #[test]
    fn any_requests_leave_an_addressed_device_sane(
        which in 0usize..4,
        protected in any::<bool>(),
        requests in proptest::collection::vec((setup(), 0u16..2000), 1..80),
    ) {
        let all = [Manners::rom(), Manners::rom_h7(), Manners::rom_h7_revision_v(), Manners::arduino()];
        let mut chip = Chip::new("2*4Kg,3*2Kg");
        chip.protected = protected;
        let before = chip.bytes.clone();
        let mut camera = dfuse::Camera::new(all[which].clone(), chip);
        let mut now = Duration::ZERO;
        for ((setup, data), pause) in requests {
            now += u32::from(pause) * MS;
            let (answer, event) = camera.request(now, &setup, &data);
            check(&answer, &setup, now)?;
            if event.is_some() {
                break;
            }
        }
        if protected {
            prop_assert_eq!(&camera.memory().bytes, &before);
        }
    }

    #[test]
    fn any_six_bytes_are_a_report_or_refused(bytes in any::<[u8; 6]>()) {
        match Report::decode(&bytes) {
            Ok(report) => prop_assert_eq!(report.encode(), bytes),
            Err(_) => prop_assert!(bytes[4] > 10),
        }
    }

    #[test]
    fn any_configuration_is_described_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..80)) {
        let mut all = vec![9, 2, 0, 0, 1, 1, 0, 0x80, 50, 9, 4, 0, 0, 0, 0xFE, 1, 2, 4];
        all.extend(bytes);
        all[2] = all.len() as u8;
        let head = Heard::Answer(Answer::Data(all[..9].to_vec()));
        let whole = Heard::Answer(Answer::Data(all.clone()));
        let mut wire = Wire::new(Stranger {
            answers: [head, whole].into(),
            last: Heard::Answer(Answer::Data(vec![6, 3, 0x40, 0, 0, 0xD8])),
        });
        if let Ok(described) = wire.drive(describe(dfu::Limits::default())) {
            let first = &described.interface.alternates[0];
            prop_assert_eq!(&first.name, "@\u{FFFD}");
        }
    }
}

#[test]
fn a_reply_longer_than_asked_is_refused() {
    let mut wire = Wire::new(Stranger {
        answers: VecDeque::new(),
        last: Heard::Answer(Answer::Data(vec![0; 65])),
    });
    let failed = wire.drive(Host::new(0, 64).read(0, 64));
    assert!(matches!(failed, Err(Failure::Malformed(_))), "{failed:?}");
}

#[test]
fn departures_are_failures_only_where_they_are_not_meant() {
    let mut wire = Wire::new(Stranger {
        answers: VecDeque::new(),
        last: Heard::Gone,
    });
    let plain = Host::new(0, 64);
    let host = dfuse::Host::new(plain);
    assert_eq!(wire.drive(plain.detach(1000)), Ok(()));
    assert_eq!(wire.drive(host.leave(None)), Ok(dfuse::Left::Silent));
    assert_eq!(wire.drive(plain.to_idle()), Err(Failure::Gone));
    assert_eq!(wire.drive(plain.manifest()), Err(Failure::Gone));
    let data = vec![1; 10].into();
    assert_eq!(wire.drive(plain.write(0, data)), Err(Failure::Gone));
    assert_eq!(wire.drive(host.leave(Some(0))), Err(Failure::Gone));

    wire.device.answers = [Heard::Answer(Answer::OK)].into();
    assert_eq!(wire.drive(plain.manifest()), Ok(Manifested::Left));
    wire.device.answers = [Heard::Answer(Answer::OK)].into();
    assert_eq!(wire.drive(host.read_unprotect()), Ok(()));
}

#[test]
fn silence_after_detach_is_a_success_and_a_refusal_is_not() {
    let mut wire = Wire::new(Stranger {
        answers: VecDeque::new(),
        last: silence(),
    });
    assert_eq!(wire.drive(Host::new(0, 64).detach(0)), Ok(()));
    assert_eq!(wire.now, Duration::from_secs(10));
    wire.device.last = Heard::Answer(Answer::Stall);
    let what = "DETACH";
    let failed = wire.drive(Host::new(0, 64).detach(0));
    assert_eq!(failed, Err(Failure::Refused { what }));
}
