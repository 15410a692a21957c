//! Protocol v1: firmware before 5.0.0.

use std::time::Duration;

use omv_sim::Setup;

use super::common::{Old, bus, millis};

const LOOP: &[u8] =
    b"# omv-sim: print on\n# omv-sim: loop\n# omv-sim: frame 160 120\n# omv-sim: repeat\n";

#[test]
fn a_script_runs_shows_frames_and_is_stopped() {
    let bus = bus("4.5.2", Setup::default());
    let mut old = Old::new(&bus);
    assert_eq!(old.word(0x87), 1, "main.py runs");
    old.send(0x06, &[]);
    bus.pass(millis(300));
    assert_eq!(old.word(0x87), 0);
    old.text();
    old.send(0x0D, &1_u32.to_le_bytes());
    old.send(0x05, LOOP);
    bus.pass(millis(200));
    assert_eq!(old.word(0x87), 1);
    assert_eq!(old.text(), "on\r\n");
    let sizes = old.ask(0x81, 12);
    let word = |at: usize| u32::from_le_bytes(sizes[at..at + 4].try_into().unwrap());
    assert_eq!((word(0), word(4)), (160, 120));
    let frame = old.ask(0x82, word(8));
    assert!(frame.starts_with(&[0xFF, 0xD8]) && frame.ends_with(&[0xFF, 0xD9]));
    old.send(0x06, &[]);
    bus.pass(millis(300));
    assert_eq!(old.word(0x87), 0);
    let text = old.text();
    assert!(
        text.contains("KeyboardInterrupt") && text.contains("MPY: soft reboot"),
        "{text}"
    );
    assert_eq!(old.word(0x90), 0x5640);
}

#[test]
fn the_state_tells_frame_and_text_in_one_answer() {
    let bus = bus("4.8.1", Setup::default());
    let mut old = Old::new(&bus);
    old.send(0x06, &[]);
    bus.pass(millis(300));
    old.ask(0x93, 512);
    old.send(0x0D, &1_u32.to_le_bytes());
    old.word(0x87);
    old.send(0x05, LOOP);
    bus.pass(millis(200));
    let state = old.ask(0x93, 512);
    assert_eq!(state[0] & 0b111, 0b111);
    assert_eq!(&state[4..8], 160_u32.to_le_bytes());
    let text = &state[16..];
    assert!(text.starts_with(b"on\r\n\0"), "{:?}", &text[..16]);
    let size = u32::from_le_bytes(state[12..16].try_into().unwrap());
    assert!(old.ask(0x82, size).starts_with(&[0xFF, 0xD8]));
}

#[test]
fn firmware_4_8_appends_a_script_to_the_last_one_unless_it_was_asked_what_runs() {
    let bus = bus("4.8.1", Setup::default());
    let mut old = Old::new(&bus);
    old.send(0x06, &[]);
    bus.pass(millis(300));
    let mut run = |asks: bool| {
        old.text();
        if asks {
            old.word(0x87);
        }
        old.send(0x05, b"# omv-sim: print once\n");
        bus.pass(millis(300));
        old.text().matches("once").count()
    };
    assert_eq!([run(true), run(false), run(true)], [1, 2, 1]);
}

/// Upstream's own client, recorded once; the file says how. Lines `seconds > hex` and `seconds < hex`.
const CLIENT: &str = include_str!("../../../../omv-wire/tests/vectors/v1-client.txt");

#[test]
fn upstreams_own_client_is_answered_as_when_it_was_recorded() {
    let bus = bus("4.5.2", Setup::default());
    let mut old = Old::new(&bus);
    let (mut got, mut expected) = (Vec::new(), Vec::new());
    for line in CLIENT.lines().filter(|line| !line.starts_with('#')) {
        let words: Vec<&str> = line.split(' ').collect();
        let at = Duration::from_secs_f64(words[0].parse().unwrap());
        let pairs = words[2].as_bytes().chunks(2);
        let byte = |pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap();
        let bytes: Vec<u8> = pairs.map(byte).collect();
        match words[1] {
            ">" => {
                got.extend(old.hear_until(at));
                old.say(&bytes);
            }
            _ => expected.extend(bytes),
        }
    }
    got.extend(old.hear_until(old.now() + millis(5)));
    assert!(got == expected, "{} bytes of {}", got.len(), expected.len());
}
