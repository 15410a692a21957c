//! The start of the resident bootloader: how long it waits, and what it goes to.

use std::time::Duration;

use omv_boards::State;
use omv_sim::rt1062::sample;
use omv_wire::mboot::tag;

use crate::emulator::{Answer, Doing, Emulator};
use crate::reports::command;

const MS: Duration = Duration::from_millis(1);
/// What runs out when nobody comes; longer than any wait that ends.
const LONG: Duration = Duration::from_secs(60);
/// Where the vectors are, in flash and as the processor sees them.
const VECTORS: usize = sample::FIRMWARE + sample::VECTORS;
const VECTOR_TABLE: u32 = 0x6004_2000;
/// The record that changes the wait.
const RECORD: usize = VECTORS + 0x3C0;
/// A vector and a stack as firmware has them.
const RESET: u32 = 0x6004_3001;
const STACK: u32 = 0x2002_0000;

/// A chip with these vectors and nothing else in its flash, the bootloader just started.
fn chip(stack: u32, reset: u32) -> Emulator {
    let mut emulator = Emulator::new();
    emulator.place(VECTORS, &stack.to_le_bytes());
    emulator.place(VECTORS + 4, &reset.to_le_bytes());
    emulator
}

/// A record of the bootloader's with a wait and flags; everything else is left open.
fn record(wait: u16, flags: u8) -> [u8; 0x34] {
    let mut record = [0xFF; 0x34];
    record[..4].copy_from_slice(b"kcfg");
    record[0x12..0x14].copy_from_slice(&wait.to_le_bytes());
    record[0x1E] = flags;
    record
}

fn hello() -> Vec<u8> {
    command(tag::GET_PROPERTY, 0, &[1, 0])
}

fn jumped(stack: u32, reset: u32) -> Doing {
    Doing::Jumped {
        address: reset,
        stack,
        vectors: VECTOR_TABLE,
    }
}

/// It went to these vectors after about this time.
fn assert_jump(answer: &Answer, stack: u32, reset: u32, after: Duration) {
    assert_eq!(answer.doing, jumped(stack, reset));
    let around = after..after + MS;
    assert!(around.contains(&answer.now), "{:?}", answer.now);
}

/// Whoever comes and says something before the window closes holds the bootloader.
fn assert_window(emulator: &mut Emulator, millis: u32) {
    let (stack, reset) = (STACK, RESET);
    emulator.start(State::Sbl);
    let answer = emulator.run(LONG);
    assert_jump(&answer, stack, reset, millis * MS);

    for configured in [false, true] {
        emulator.start(State::Sbl);
        emulator.run(100 * MS);
        if configured {
            emulator.configure();
        }
        assert_jump(&emulator.run(LONG), stack, reset, millis * MS);
    }

    emulator.start(State::Sbl);
    emulator.run(100 * MS);
    emulator.configure();
    emulator.run((millis - 5) * MS);
    let answer = emulator.out(&hello());
    assert_eq!((answer.doing, answer.reports.len()), (Doing::Waits, 1));
    assert_eq!(emulator.run(LONG).doing, Doing::Waits);
    assert_eq!(emulator.out(&hello()).reports.len(), 1);
}

#[test]
fn a_vector_that_passes_opens_a_window_of_a_second_and_a_half() {
    // Cases A and E: the rest of the firmware is not there.
    assert_window(&mut chip(STACK, RESET), 1500);
}

#[test]
fn the_virtual_bootloader_agrees_which_vectors_pass() {
    let passes = [
        (STACK, RESET),
        (u32::MAX, RESET),
        (STACK, 0x6004_3000),
        (STACK, 0x60F0_0001),
        (STACK, 0x60FF_FFFD),
        (STACK, 0x2000_0001),
        (STACK, 0x2000_2400),
        (STACK, 0x0000_0101),
        (STACK, 0x202B_FFF1),
    ];
    let fails = [
        (STACK, u32::MAX),
        (0, 0),
        (STACK, 0x8000_0001),
        (STACK, 0x1234_5679),
        (STACK, 0xFFFF_FFFE),
        (STACK, 0x6100_0001),
        (STACK, 0x202C_0001),
        (STACK, 0x2000_2401),
    ];
    let row = |passes: bool| move |(stack, reset): &(u32, u32)| (passes, *stack, *reset);
    for (passes, stack, reset) in passes
        .iter()
        .map(row(true))
        .chain(fails.iter().map(row(false)))
    {
        let mut emulator = chip(stack, reset);
        emulator.start(State::Sbl);
        let answer = emulator.run(LONG);
        let after = if passes { 1500 * MS } else { Duration::ZERO };
        assert_jump(&answer, stack, reset, after);
        assert_eq!(passes, virtual_vectors_pass(stack, reset), "{reset:#x}");
    }
}

/// What the virtual camera makes of the same vectors: it shows itself, or it does not.
fn virtual_vectors_pass(stack: u32, reset: u32) -> bool {
    use crate::bench::Bench;
    use omv_sim::rt1062::{Quirks, Rt1062};

    let mut remains = Rt1062::new(&sample::firmware("4.8.0", 0x9000), Quirks::default()).remains();
    let vectors = [stack.to_le_bytes(), reset.to_le_bytes()].concat();
    remains.parts.nor.place(VECTORS, &vectors);
    let bench = Bench::from_remains(remains);
    bench.bus.pass(500 * MS);
    bench.status().state == State::Sbl
}

#[test]
fn a_low_pin_or_a_flash_that_does_not_answer_closes_the_window() {
    // Case F, and the row of the flash driver.
    let mut low = chip(STACK, RESET);
    low.pin(false);
    low.start(State::Sbl);
    assert_jump(&low.run(LONG), STACK, RESET, Duration::ZERO);
    let mut broken = chip(STACK, RESET);
    broken.break_flash();
    broken.start(State::Sbl);
    assert_jump(&broken.run(LONG), STACK, RESET, Duration::ZERO);
}

#[test]
fn a_record_in_flash_changes_the_window() {
    let mut long = chip(STACK, RESET);
    long.place(RECORD, &record(10_000, 0xFF));
    assert_window(&mut long, 10_000);
    let mut usual = chip(STACK, RESET);
    usual.place(RECORD, &record(0xFFFF, 0xFF));
    assert_window(&mut usual, 1500);
    let mut at_once = chip(STACK, RESET);
    at_once.place(RECORD, &record(10_000, 0xFE));
    at_once.start(State::Sbl);
    assert_jump(&at_once.run(LONG), STACK, RESET, Duration::ZERO);

    let mut parked = chip(STACK, RESET);
    parked.place(RECORD, &record(0, 0xFF));
    parked.start(State::Sbl);
    assert_eq!(parked.run(LONG).doing, Doing::Waits);
    parked.configure();
    assert_eq!(parked.out(&hello()).reports.len(), 1);
    // It does not help a vector that fails.
    let mut lost = chip(STACK, 0);
    lost.place(RECORD, &record(0, 0xFF));
    lost.start(State::Sbl);
    assert_jump(&lost.run(LONG), STACK, 0, Duration::ZERO);
}
