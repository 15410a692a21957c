//! Our host against ST's ROM and Arduino's bootloader.

use std::sync::Arc;
use std::time::Duration;

use omv_wire::dfu::dfuse::{
    Access, Camera, Departure, Elsewhere, Erased, Host, Kick, Layout, Left, Manners, WhileBusy,
};
use omv_wire::dfu::{self, Failure, State, Status};
use proptest::prelude::*;

use super::chip::{Chip, MS};
use super::pair::Wire;

const H7: &str = "16*128Kg";
const BASE: u32 = 0x0800_0000;
const BANK_2: u32 = 0x0810_0000;

struct Bench {
    host: Host,
    wire: Wire<Camera<Chip>>,
    layout: Layout,
}

impl Bench {
    fn new(manners: Manners, segments: &str) -> Self {
        let chip = Chip::new(segments);
        let layout = chip.layouts[0].clone();
        Self {
            host: Host::new(dfu::Host::of(0, &manners.functional)),
            wire: Wire::new(Camera::new(manners, chip)),
            layout,
        }
    }

    fn chip(&mut self) -> &mut Chip {
        self.wire.device.memory_mut()
    }

    fn erase(&mut self, address: u32, kick: bool) -> Result<Erased, Failure> {
        let page = self.layout.page(address).unwrap();
        let kick = Kick::for_page(&self.layout, &page).filter(|_| kick);
        self.wire.drive(self.host.erase(page, kick))
    }

    fn write(&mut self, address: u32, data: &[u8]) -> Result<(), Failure> {
        let data: Arc<[u8]> = data.into();
        self.wire
            .drive(self.host.write(&self.layout, address, data))
    }

    fn read(&mut self, address: u32, size: u32) -> Result<Vec<u8>, Failure> {
        self.wire.drive(self.host.read(&self.layout, address, size))
    }

    fn idle(&mut self) {
        self.wire.drive(self.host.plain().to_idle()).unwrap();
    }
}

#[test]
fn a_page_is_erased_written_and_read_back_on_every_device() {
    for manners in [
        Manners::rom(),
        Manners::rom_h7(),
        Manners::rom_h7_revision_v(),
        Manners::arduino(),
    ] {
        let mut bench = Bench::new(manners, H7);
        let data: Vec<u8> = (0..10_001).map(|i| (i / 3) as u8).collect();
        assert_eq!(bench.erase(BASE + 5, false), Ok(Erased::Said));
        bench.write(BASE + 0x40, &data).unwrap();
        assert_eq!(bench.read(BASE + 0x40, 10_001).unwrap(), data);
        let whole = bench.read(BASE, 0x2_0000).unwrap();
        assert!(whole[..0x40].iter().all(|byte| *byte == 0xFF));
        assert!(whole[0x40 + 10_001..].iter().all(|byte| *byte == 0xFF));
        assert_eq!(bench.wire.device.state(), State::Idle);
        assert_eq!(bench.erase(BASE, false), Ok(Erased::Said));
    }
}

#[test]
fn one_pointer_serves_all_blocks() {
    let mut bench = Bench::new(Manners::rom(), H7);
    bench.erase(BASE, false).unwrap();
    bench.wire.logged();
    bench.write(BASE, &[1; 5000]).unwrap();
    let status = (0xA1, 3, 0, 6);
    let mut expected = Vec::new();
    for (block, length) in [(0, 5), (2, 2048), (3, 2048), (4, 904)] {
        expected.extend([(0x21, 1, block, length), status, status]);
    }
    assert_eq!(bench.wire.logged(), expected);
    bench.read(BASE, 4096).unwrap();
    let abort = (0x21, 6, 0, 0);
    let blocks = [(0xA1, 2, 2, 2048), (0xA1, 2, 3, 2048)];
    let expected = [
        &[(0x21, 1, 0, 5), status, status, abort][..],
        &blocks,
        &[abort],
    ];
    assert_eq!(bench.wire.logged(), expected.concat());
}

#[test]
fn an_erase_that_never_ends_ends_with_a_kick_and_not_without() {
    let mut bench = Bench::new(Manners::rom_h7_revision_v(), H7);
    let what = "erasing a page";
    assert_eq!(bench.erase(BANK_2, false), Err(Failure::Timeout { what }));
    assert_eq!(bench.wire.now, 20_000 * MS);

    let mut bench = Bench::new(Manners::rom_h7_revision_v(), H7);
    assert_eq!(bench.erase(BANK_2 + 9, true), Ok(Erased::Kicked));
    assert_eq!(bench.wire.now, 4_500 * MS);
    assert_eq!(bench.chip().cut_short, 0);
    assert_eq!(bench.wire.device.state(), State::Idle);
    // The proof that is due, and the pointer that has to be set again.
    assert_eq!(bench.read(BANK_2, 1024).unwrap(), [0xFF; 1024]);
    bench.write(BANK_2, &[7; 100]).unwrap();
    assert_eq!(bench.read(BANK_2, 100).unwrap(), [7; 100]);
}

#[test]
fn a_healthy_chip_is_never_kicked() {
    let mut bench = Bench::new(Manners::rom_h7(), H7);
    assert_eq!(bench.erase(BANK_2, true), Ok(Erased::Said));
    assert_eq!(bench.wire.now, 1_000 * MS);
    let clears = bench.wire.log.iter().filter(|one| one.1 == 4);
    assert_eq!(clears.count(), 0);
}

#[test]
fn a_kick_that_is_refused_is_no_reason_to_stop_waiting() {
    let manners = Manners {
        clear_elsewhere: Elsewhere::Refused,
        while_busy: WhileBusy::Answers,
        ..Manners::rom_h7()
    };
    let mut bench = Bench::new(manners, H7);
    bench.chip().erase = 9_900 * MS;
    assert_eq!(bench.erase(BANK_2, true), Ok(Erased::Said));
    assert_eq!(bench.wire.now, 10_500 * MS);
    let clears = bench.wire.log.iter().filter(|one| one.1 == 4);
    assert_eq!(clears.count(), 1);
}

#[test]
fn a_kick_waits_twice_as_long_as_the_device_asks_for() {
    let mut manners = Manners::rom_h7_revision_v();
    manners.polls.erase = 3_000 * MS;
    let mut bench = Bench::new(manners, H7);
    assert_eq!(bench.erase(BANK_2, true), Ok(Erased::Kicked));
    assert_eq!(bench.wire.now, 6_000 * MS);
}

#[test]
fn only_the_second_bank_of_one_family_may_be_kicked() {
    let kick = |segments: &str, address| {
        let layout = Layout::parse(&format!("@F/0x08000000/{segments}")).unwrap();
        Kick::for_page(&layout, &layout.page(address).unwrap()).is_some()
    };
    assert!(kick(H7, BANK_2));
    assert!(!kick(H7, BANK_2 - 1));
    assert!(!kick("01*128Ka,15*128Kg", BANK_2));
    assert!(!kick("04*032Kg,01*128Kg,07*256Kg", BANK_2));
    let other = Layout::parse("@F/0x08000000/16*128Kg/0x90000000/1*4Kg").unwrap();
    assert_eq!(Kick::for_page(&other, &other.page(BANK_2).unwrap()), None);
}

#[test]
fn what_the_map_forbids_is_not_even_asked_for() {
    let mut bench = Bench::new(Manners::arduino(), "01*128Ka,15*128Kg");
    let refused = |address| Err(Failure::NotAllowed { address });
    assert_eq!(
        bench.write(BASE + 0x1_FFFF, &[0; 2]),
        refused(BASE + 0x1_FFFF)
    );
    assert_eq!(
        bench.erase(BASE, false),
        Err(Failure::NotAllowed { address: BASE })
    );
    let end = BASE + 0x1F_FFFF;
    assert_eq!(
        bench.read(end, 2),
        Err(Failure::NotAllowed { address: end })
    );
    assert_eq!(bench.wire.log, []);
    assert!(bench.layout.allows(BASE, 0x2_0000, Access::READ));
}

#[test]
fn a_protected_chip_refuses_by_name() {
    let mut bench = Bench::new(Manners::rom(), H7);
    bench.chip().protected = true;
    let what = "erasing a page";
    let status = Status::VENDOR;
    assert_eq!(
        bench.erase(BASE, false),
        Err(Failure::Status { status, what })
    );
    bench.idle();
    assert_eq!(
        bench.read(BASE, 64),
        Err(Failure::Refused { what: "UPLOAD" })
    );
    bench.idle();
    assert_eq!(bench.wire.drive(bench.host.read_unprotect()), Ok(()));
    let began = bench.wire.now;
    let failed = bench.wire.drive(bench.host.set_address(BASE));
    let what = "setting the address";
    assert_eq!(failed, Err(Failure::Timeout { what }));
    assert_eq!(bench.wire.now - began, 10_000 * MS);
}

#[test]
fn everything_is_erased_in_the_time_it_takes() {
    let mut bench = Bench::new(Manners::rom(), "04*016Kg,01*064Kg,07*128Kg");
    bench.chip().erase = 2_000 * MS;
    bench.wire.drive(bench.host.erase_all()).unwrap();
    assert_eq!(bench.wire.now, 32_000 * MS);
    assert!(bench.chip().bytes.iter().all(|byte| *byte == 0xFF));
}

#[test]
fn arduino_that_hangs_after_a_failure_is_given_up_in_time() {
    let mut bench = Bench::new(Manners::arduino(), H7);
    bench.erase(BASE, false).unwrap();
    bench.chip().fails = true;
    let began = bench.wire.now;
    assert_eq!(
        bench.write(BASE, &[1; 10]),
        Err(Failure::Timeout { what: "DNLOAD" })
    );
    assert!(bench.wire.now - began <= 20_010 * MS);
}

#[test]
fn a_device_that_refuses_while_it_erases_is_asked_again_three_times() {
    let mut manners = Manners::rom();
    manners.while_busy = WhileBusy::Refuses;
    manners.polls.erase = 300 * MS;
    let mut bench = Bench::new(manners.clone(), H7);
    assert_eq!(bench.erase(BASE, false), Ok(Erased::Said));
    assert_eq!(bench.wire.now, 900 * MS);
    manners.polls.erase = 100 * MS;
    let mut bench = Bench::new(manners, H7);
    let what = "GETSTATUS";
    assert_eq!(bench.erase(BASE, false), Err(Failure::Refused { what }));
}

#[test]
fn leaving_succeeds_however_the_device_goes() {
    for (departure, left, takes) in [
        (Departure::Starts, Left::Said, 10),
        (Departure::Hangs, Left::Said, 10),
        (Departure::Vanishes, Left::Silent, 10_010),
    ] {
        let manners = Manners {
            departure,
            ..Manners::rom()
        };
        let mut bench = Bench::new(manners, H7);
        assert_eq!(bench.wire.drive(bench.host.leave(Some(BASE))), Ok(left));
        assert_eq!(bench.wire.now, takes * MS);
    }
}

#[test]
fn an_address_the_chip_does_not_have_is_no_place_to_start() {
    let mut bench = Bench::new(Manners::rom(), H7);
    let failed = bench.wire.drive(bench.host.leave(Some(0)));
    let (status, what) = (Status::TARGET, "setting the address");
    assert_eq!(failed, Err(Failure::Status { status, what }));
}

#[test]
fn the_commands_of_a_device_are_listed() {
    let mut bench = Bench::new(Manners::rom(), H7);
    let listed = bench.wire.drive(bench.host.commands()).unwrap();
    assert_eq!(listed, [0x00, 0x21, 0x41, 0x92]);
    bench.idle();
}

#[test]
fn blocks_longer_than_a_transfer_may_be_are_addressed_one_by_one() {
    let mut manners = Manners::rom();
    manners.functional.transfer_size = 8192;
    let mut bench = Bench::new(manners, H7);
    bench.erase(BASE, false).unwrap();
    let data: Vec<u8> = (0..20_000).map(|i| (i / 5) as u8).collect();
    bench.write(BASE, &data).unwrap();
    assert_eq!(bench.chip().bytes[..20_000], data);
    assert_eq!(bench.read(BASE, 20_000).unwrap(), data);
    assert!(bench.wire.log.iter().all(|one| one.3 <= 4096));
}

#[test]
fn a_pointer_is_set_again_where_the_block_numbers_end() {
    let mut manners = Manners::rom();
    manners.functional.transfer_size = 5;
    manners.polls.write = Duration::ZERO;
    let mut bench = Bench::new(manners, "3*128Kg");
    for page in 0..3 {
        bench.erase(BASE + page * 0x2_0000, false).unwrap();
    }
    bench.wire.logged();
    // The numbers 2 to 65535, and two blocks more.
    let data: Vec<u8> = (0..65_534 * 5 + 7).map(|i| (i / 3) as u8).collect();
    bench.write(BASE, &data).unwrap();
    assert_eq!(bench.chip().bytes[..data.len()], data);
    let commands = bench.wire.logged();
    let pointers = commands.iter().filter(|one| (one.1, one.2) == (1, 0));
    assert_eq!(pointers.count(), 2);
    assert_eq!(bench.read(BASE, data.len() as u32).unwrap(), data);
}

proptest! {
    #[test]
    fn any_schedule_of_writes_ends_up_where_it_was_meant(
        size in prop_oneof![Just(64u16), Just(1024), Just(2048), Just(4096)],
        writes in proptest::collection::vec((0u32..8, 0u32..4096, 1usize..=5000, any::<u8>()), 1..8),
    ) {
        let mut manners = Manners::rom_h7_revision_v();
        manners.functional.transfer_size = size;
        manners.stuck_from = Some(BASE + 4 * 0x4000);
        let mut bench = Bench::new(manners, "8*16Kg");
        let mut meant = vec![0; 8 * 0x4000];
        for (page, offset, length, fill) in writes {
            let start = BASE + page * 0x4000;
            let page = bench.layout.page(start).unwrap();
            let at = (start - BASE) as usize;
            match bench.wire.drive(bench.host.erase(page, None)) {
                Ok(erased) => prop_assert_eq!(erased, Erased::Said),
                Err(failed) => {
                    prop_assert_eq!(failed, Failure::Timeout { what: "erasing a page" });
                    for _ in 0..2 {
                        bench.wire.drive(bench.host.plain().clear_status()).unwrap();
                    }
                }
            }
            meant[at..at + 0x4000].fill(0xFF);
            let data: Vec<u8> = (0..length).map(|i| fill.wrapping_add(i as u8)).collect();
            bench.write(start + offset, &data).unwrap();
            let from = at + offset as usize;
            meant[from..from + length].copy_from_slice(&data);
        }
        prop_assert_eq!(&bench.chip().bytes, &meant);
        prop_assert_eq!(bench.read(BASE, 8 * 0x4000).unwrap(), meant);
    }
}
