//! Conversations nobody thought of, from a seed.

use omv_boards::State;
use omv_wire::mboot::tag;

use crate::reports::{Case, command, data, report};

/// Xorshift: the same numbers from the same seed everywhere.
struct Dice(u64);

impl Dice {
    fn roll(&mut self) -> u32 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 32) as u32
    }

    fn below(&mut self, end: u32) -> u32 {
        self.roll() % end
    }

    fn one_of(&mut self, words: &[u32]) -> u32 {
        words[self.below(words.len() as u32) as usize]
    }

    /// An address near something interesting. None of them leads a write to the loader itself:
    /// it would run what was written.
    fn address(&mut self) -> u32 {
        let base = self.one_of(&[
            0x2000,
            0x1_FFFC,
            0x2001_E000,
            0x2001_FFF0,
            0x2020_7FFC,
            0x2022_0000,
            0x202B_FFF8,
            0x4000_0000,
            0x6040_0000,
            0x6040_0F00,
            0x6041_0000,
            0x60FF_FF00,
            0x6100_0000,
        ]);
        base.wrapping_add(self.one_of(&[0, 0, 0, 1, 4, 255, 256, 0x1000]))
    }

    fn size(&mut self) -> u32 {
        match self.below(4) {
            0 => self.below(8),
            1 => self.below(300),
            2 => self.one_of(&[256, 512, 1011, 1012, 1013, 2024, 4096]),
            _ => self.below(6000),
        }
    }

    fn memory(&mut self) -> u32 {
        self.one_of(&[
            0, 0, 0, 0, 9, 9, 1, 8, 0x100, 0x101, 0x109, 0x110, 0x120, 0x200,
        ])
    }

    fn bytes(&mut self, size: u32) -> Vec<u8> {
        (0..size).map(|_| self.roll() as u8).collect()
    }
}

/// That many conversations.
pub fn cases(which: State, seed: u64, count: usize) -> Vec<Case> {
    let mut dice = Dice((seed + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15));
    let case = |number| {
        let out = conversation(&mut dice, which);
        Case {
            name: format!("seed {seed}, conversation {number}"),
            out,
        }
    };
    (0..count).map(case).collect()
}

fn conversation(dice: &mut Dice, which: State) -> Vec<Vec<u8>> {
    let (address, size, memory) = (dice.address(), dice.size(), dice.memory());
    let mut out = match dice.below(12) {
        0 => vec![command(tag::GET_PROPERTY, 0, &[dice.below(30), memory])],
        1 => vec![command(
            tag::FLASH_READ_ONCE,
            0,
            &[dice.below(72), dice.one_of(&[0, 4, 4, 8])],
        )],
        2 => vec![command(tag::SET_PROPERTY, 0, &[dice.below(30), 1])],
        // What the loader keeps in its own memory is its own.
        3 if is_private(address, size) => Vec::new(),
        3 => vec![command(tag::READ_MEMORY, 0, &[address, size, memory])],
        4 => vec![command(tag::FILL_MEMORY, 0, &[address, size, dice.roll()])],
        5 => vec![command(
            tag::FLASH_ERASE_REGION,
            0,
            &[address, size, memory],
        )],
        6 => {
            // Not the tag of a whole configuration block: what follows it would be taken for the
            // flash's size, and nothing would be left to try.
            let word = dice.one_of(&[0xC000_0008, 0xF000_000F, 0]);
            vec![
                command(tag::FILL_MEMORY, 0, &[0x2000, 4, word]),
                command(tag::CONFIGURE_MEMORY, 0, &[9, 0x2000]),
            ]
        }
        7 if which == State::Flashloader => {
            vec![command(tag::FLASH_ERASE_ALL, 0, &[dice.one_of(&[0, 9])])]
        }
        7 | 8 => {
            let size = dice.below(12);
            vec![report(dice.below(6) as u8, &dice.bytes(size))]
                .into_iter()
                .filter(|report| harmless(report))
                .collect()
        }
        _ => write(dice, address, size, memory),
    };
    // Now and then something is missing, or there is one report too many.
    match dice.below(8) {
        0 => drop(out.pop()),
        1 => out.push(data(&[1, 2, 3])),
        2 => out.push(data(&[])),
        _ => {}
    }
    out
}

fn is_private(address: u32, size: u32) -> bool {
    address < 0x2021_7000 && address.saturating_add(size) > 0x2020_8000
}

/// Whether the loader goes on after a report of random bytes: no goodbye, no key, no other loader.
fn harmless(report: &[u8]) -> bool {
    let safe = [tag::GET_PROPERTY, tag::SET_PROPERTY, tag::FLASH_READ_ONCE];
    report
        .get(4)
        .is_some_and(|tag| safe.contains(tag) || *tag > 0x18)
}

fn write(dice: &mut Dice, address: u32, size: u32, memory: u32) -> Vec<Vec<u8>> {
    let mut out = vec![command(tag::WRITE_MEMORY, 1, &[address, size, memory])];
    let packet = dice.one_of(&[1012, 1012, 512, 1000]) as usize;
    let bytes = dice.bytes(size);
    out.extend(bytes.chunks(packet).map(data));
    out
}
