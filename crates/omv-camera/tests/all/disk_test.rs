//! Ten cards that are not what they say, and a good one: each named right, its size exact.

use std::time::Duration;

use omv_camera::disk::{BlockError, Blocks, Defect, Mode, Range, Report, test};
use omv_sim::medium::{Faulty, Medium, MediumError, MemoryCard, Trouble};
use omv_wire::msc::{
    Camera, Capacity, Command, Exchange, Failure, Identity, Personality, Stack, Storage,
    StorageError, Take,
};
use omv_wire::{Input, Machine, Turn};

/// What the cards say they have: 32 MiB.
const CLAIMED: u64 = 65_536;
const KEY: u64 = 0x0BAD_CA4D;

/// A card in a reader that hides nothing.
struct Reader {
    card: Box<dyn Medium>,
    now: Duration,
}

impl Reader {
    fn new(card: impl Medium + 'static) -> Self {
        let now = Duration::ZERO;
        let card = Box::new(card);
        Self { card, now }
    }

    /// A transfer takes 50 µs and a byte 50 ns, besides what the card itself needs.
    fn pass(&mut self, bytes: usize) {
        self.now += Duration::from_nanos(50_000 + 50 * bytes as u64) + self.card.busy();
    }
}

impl Blocks for Reader {
    fn block_size(&self) -> u32 {
        self.card.block_size() as u32
    }

    fn blocks(&self) -> u64 {
        self.card.blocks()
    }

    fn read(&mut self, first: u64, into: &mut [u8]) -> Result<(), BlockError> {
        let read = self.card.read(first, into);
        self.pass(into.len());
        read.map_err(|error| BlockError::Failed(error.to_string()))
    }

    fn write(&mut self, first: u64, from: &[u8]) -> Result<(), BlockError> {
        if self.card.is_protected() {
            return Err(BlockError::Protected);
        }
        let written = self.card.write(first, from);
        self.pass(from.len());
        written.map_err(|error| BlockError::Failed(error.to_string()))
    }

    fn settle(&mut self) -> Result<(), BlockError> {
        self.card
            .sync()
            .map_err(|error| BlockError::Failed(error.to_string()))
    }

    fn now(&self) -> Duration {
        self.now
    }
}

/// The same card in a camera: both ends of mass storage, the camera's as the RT1062's is.
struct Rt1062 {
    camera: Camera,
    card: Card,
    now: Duration,
    tag: u32,
}

struct Card(Box<dyn Medium>);

impl Storage for Card {
    fn capacity(&self) -> Option<Capacity> {
        Some(Capacity {
            blocks: self.0.blocks(),
            block_size: self.0.block_size() as u32,
        })
    }

    fn read(&mut self, _now: Duration, block: u32, into: &mut [u8]) -> Result<(), StorageError> {
        self.0.read(block.into(), into).map_err(failed)
    }

    fn write(&mut self, _now: Duration, block: u32, from: &[u8]) -> Result<(), StorageError> {
        self.0.write(block.into(), from).map_err(failed)
    }

    fn flush(&mut self, _now: Duration) {}
}

fn failed(_error: MediumError) -> StorageError {
    StorageError::Failed
}

impl Rt1062 {
    fn new(card: impl Medium + 'static, hides_errors: bool) -> Self {
        let identity = Identity {
            removable: true,
            vendor: *b"Micropy\0",
            product: *b"Mass Storage\0\0\0\0",
            revision: *b"1.0\0",
        };
        let camera = Camera::new(Personality {
            identity,
            stack: Stack::Tiny,
            hides_errors,
        });
        Self {
            camera,
            card: Card(Box::new(card)),
            now: Duration::ZERO,
            tag: 0,
        }
    }

    fn run(&mut self, mut exchange: Exchange) -> Result<Vec<u8>, BlockError> {
        loop {
            self.now += Duration::from_micros(20);
            match exchange.poll(self.now) {
                Turn::Send(frame) => self.camera.out(self.now, &mut self.card, &frame),
                Turn::Wait { until } => match self.camera.take(self.now, &mut self.card, 65_536) {
                    Take::Data(bytes) => exchange.feed(self.now, Input::Bytes(&bytes)),
                    Take::Stall => {
                        self.camera.clear_halt();
                        exchange.feed(self.now, Input::Stall);
                    }
                    Take::Nothing => self.now = until,
                },
                Turn::Done(done) => {
                    return done
                        .map_err(|failure: Failure| BlockError::Failed(failure.to_string()));
                }
            }
        }
    }
}

impl Blocks for Rt1062 {
    fn block_size(&self) -> u32 {
        512
    }

    fn blocks(&self) -> u64 {
        self.card.0.blocks()
    }

    fn read(&mut self, first: u64, into: &mut [u8]) -> Result<(), BlockError> {
        self.tag += 1;
        let read = Command::Read {
            block: first as u32,
            count: (into.len() / 512) as u16,
        };
        let bytes = self.run(Exchange::inward(self.tag, read, into.len() as u32))?;
        into.copy_from_slice(&bytes);
        Ok(())
    }

    fn write(&mut self, first: u64, from: &[u8]) -> Result<(), BlockError> {
        self.tag += 1;
        let write = Command::Write {
            block: first as u32,
            count: (from.len() / 512) as u16,
        };
        self.run(Exchange::outward(self.tag, write, from.to_vec()))
            .map(|_| ())
    }

    fn settle(&mut self) -> Result<(), BlockError> {
        Ok(())
    }

    fn now(&self) -> Duration {
        self.now
    }
}

/// A card with something on it.
fn used(blocks: u64) -> MemoryCard {
    let mut card = MemoryCard::blank(blocks);
    for block in (0..blocks).step_by(97) {
        let bytes: Vec<u8> = (0..512).map(|at| (block as usize + at) as u8).collect();
        card.write(block, &bytes).unwrap();
    }
    card
}

fn faulty(trouble: Trouble) -> Faulty<MemoryCard> {
    Faulty::new(used(CLAIMED), trouble)
}

fn report(blocks: &mut dyn Blocks, mode: Mode) -> Report {
    test(blocks, mode, KEY, &mut |_| {}).unwrap()
}

/// What a full test says: defect, true size, ranges.
fn full(trouble: Trouble) -> (Option<Defect>, u64, Vec<Range>) {
    let said = report(&mut Reader::new(faulty(trouble)), Mode::Full);
    let ranges = said.findings.first().map(|one| one.ranges.clone());
    (said.verdict(), said.size, ranges.unwrap_or_default())
}

fn one(first: u64, count: u64) -> Vec<Range> {
    vec![Range { first, count }]
}

#[test]
fn a_good_card_is_called_good_in_every_mode() {
    for mode in [Mode::Quick, Mode::Capacity, Mode::Full] {
        let said = report(&mut Reader::new(faulty(Trouble::None)), mode);
        assert_eq!(said.findings, [], "{mode:?}");
        assert_eq!((said.size, said.claimed), (CLAIMED, CLAIMED));
    }
}

#[test]
fn a_card_that_begins_again_is_named_with_its_exact_size() {
    for size in [CLAIMED / 2, CLAIMED / 4, 23_456, 30_011, 4096, 40_000] {
        let (verdict, found, ranges) = full(Trouble::Wraps(size));
        assert_eq!((verdict, found), (Some(Defect::Wraps), size));
        assert_eq!(ranges, one(size, CLAIMED - size));
        for mode in [Mode::Capacity, Mode::Quick] {
            let said = report(&mut Reader::new(faulty(Trouble::Wraps(size))), mode);
            assert_eq!(
                (said.verdict(), said.size),
                (Some(Defect::Wraps), size),
                "{mode:?}"
            );
        }
    }
}

#[test]
fn a_card_that_drops_what_is_behind_its_end_is_named_with_its_exact_size() {
    for size in [CLAIMED / 2, 23_456, 30_011, 1, 65_535] {
        let (verdict, found, _) = full(Trouble::Drops(size));
        assert_eq!((verdict, found), (Some(Defect::Drops), size));
        let said = report(
            &mut Reader::new(faulty(Trouble::Drops(size))),
            Mode::Capacity,
        );
        assert_eq!((said.verdict(), said.size), (Some(Defect::Drops), size));
    }
}

#[test]
fn blocks_that_are_stuck_are_named_exactly() {
    let (verdict, size, ranges) = full(Trouble::Stuck(vec![100..103, 50_000..50_001]));
    assert_eq!((verdict, size), (Some(Defect::Stuck), CLAIMED));
    assert_eq!(ranges, [one(100, 3), one(50_000, 1)].concat());
}

#[test]
fn blocks_whose_bits_rot_are_called_flaky_and_lie_where_they_are() {
    let (verdict, size, ranges) = full(Trouble::Rot(7000..7100, 3));
    assert_eq!((verdict, size), (Some(Defect::Flaky), CLAIMED));
    assert!(!ranges.is_empty());
    let inside = |range: &Range| range.first >= 7000 && range.first + range.count <= 7100;
    assert!(ranges.iter().all(inside), "{ranges:?}");
}

#[test]
fn blocks_that_fail_with_an_error_are_named_exactly() {
    let said = report(
        &mut Reader::new(faulty(Trouble::Fails(vec![300..305, 60_000..60_001]))),
        Mode::Full,
    );
    let defects: Vec<_> = said.findings.iter().map(|one| one.defect).collect();
    assert_eq!(defects, [Defect::WriteErrors, Defect::ReadErrors]);
    for finding in &said.findings {
        assert_eq!(finding.ranges, [one(300, 5), one(60_000, 1)].concat());
    }
    assert_eq!(said.size, CLAIMED);
}

#[test]
fn the_same_blocks_behind_an_rt1062_fail_silently_and_are_named_exactly_all_the_same() {
    let card = faulty(Trouble::Fails(vec![300..305, 60_000..60_001]));
    let said = report(&mut Rt1062::new(card, true), Mode::Full);
    assert_eq!(said.verdict(), Some(Defect::Silent));
    assert_eq!(said.findings.len(), 1);
    assert_eq!(
        said.findings[0].ranges,
        [one(300, 5), one(60_000, 1)].concat()
    );
    assert_eq!(said.size, CLAIMED);
    // And a good card behind it is good.
    let said = report(&mut Rt1062::new(faulty(Trouble::None), true), Mode::Full);
    assert_eq!(said.findings, []);
    // Firmware that hides nothing lets the errors be errors.
    let card = faulty(Trouble::Fails(vec![300..305, 60_000..60_001]));
    let said = report(&mut Rt1062::new(card, false), Mode::Full);
    assert_eq!(said.verdict(), Some(Defect::WriteErrors));
}

#[test]
fn a_card_that_forgets_when_it_is_let_go_of_is_told_from_one_that_is_too_small() {
    let (verdict, size, ranges) = full(Trouble::Forgets(40));
    assert_eq!((verdict, size), (Some(Defect::Forgets), CLAIMED));
    assert_eq!(ranges, one(CLAIMED - 40, 40));
}

#[test]
fn blocks_in_each_others_place_are_named_exactly() {
    let (verdict, size, ranges) = full(Trouble::Swaps(1000..1008, 40_000..40_008));
    assert_eq!((verdict, size), (Some(Defect::Swaps), CLAIMED));
    assert_eq!(ranges, [one(1000, 8), one(40_000, 8)].concat());
}

#[test]
fn a_card_that_stalls_is_called_slow_with_its_times() {
    let usual = Duration::from_micros(80);
    let worst = Duration::from_millis(400);
    let said = report(
        &mut Reader::new(faulty(Trouble::Slow(usual, worst))),
        Mode::Full,
    );
    assert_eq!(said.verdict(), Some(Defect::Slow));
    let write = said.speed.write.unwrap();
    assert!(write.p99 > Duration::from_millis(400), "{write:?}");
    assert!(write.rate < 1_000_000, "{write:?}");
    assert!(said.speed.read.unwrap().p99 < Duration::from_millis(10));
}

#[test]
fn a_write_protected_card_is_called_so_in_every_mode_and_nothing_else() {
    for mode in [Mode::Quick, Mode::Capacity, Mode::Full] {
        let said = report(&mut Reader::new(faulty(Trouble::Protected)), mode);
        assert_eq!(said.verdict(), Some(Defect::Protected), "{mode:?}");
        assert_eq!(said.findings.len(), 1);
        assert_eq!(said.size, CLAIMED);
    }
}

#[test]
fn what_was_on_the_card_is_there_again_after_a_capacity_test() {
    for trouble in [
        Trouble::None,
        Trouble::Wraps(23_456),
        Trouble::Drops(30_011),
        Trouble::Wraps(CLAIMED / 2),
    ] {
        let mut reader = Reader::new(faulty(trouble.clone()));
        let mut before = vec![0; CLAIMED as usize * 512];
        reader.card.read(0, &mut before).unwrap();
        let said = report(&mut reader, Mode::Capacity);
        assert!(said.restored);
        let mut after = vec![0; before.len()];
        reader.card.read(0, &mut after).unwrap();
        assert!(before == after, "{trouble:?} changed the card");
    }
}

#[test]
fn a_reader_that_is_pulled_out_ends_the_test() {
    struct Pulled(Reader, u32);
    impl Blocks for Pulled {
        fn block_size(&self) -> u32 {
            self.0.block_size()
        }
        fn blocks(&self) -> u64 {
            self.0.blocks()
        }
        fn read(&mut self, first: u64, into: &mut [u8]) -> Result<(), BlockError> {
            self.1 = self.1.checked_sub(1).ok_or(BlockError::Gone)?;
            self.0.read(first, into)
        }
        fn write(&mut self, first: u64, from: &[u8]) -> Result<(), BlockError> {
            self.1 = self.1.checked_sub(1).ok_or(BlockError::Gone)?;
            self.0.write(first, from)
        }
        fn settle(&mut self) -> Result<(), BlockError> {
            self.0.settle()
        }
        fn now(&self) -> Duration {
            self.0.now()
        }
    }
    for mode in [Mode::Quick, Mode::Capacity, Mode::Full] {
        let mut pulled = Pulled(Reader::new(faulty(Trouble::None)), 300);
        let ended = test(&mut pulled, mode, KEY, &mut |_| {});
        assert_eq!(ended, Err(BlockError::Gone));
    }
}
