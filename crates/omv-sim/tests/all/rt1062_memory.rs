//! What the two loaders of a virtual RT1062 do to flash, memory and fuses, command by command,
//! as observed by executing both loaders shipped on every RT1062.

use std::time::Duration;

use omv_link::{Bus, Device, Function, Link, drive};
use omv_sim::nor::SECTOR;
use omv_sim::rt1062::{Quirks, Rt1062, sample};
use omv_sim::{Camera, Hand, VirtualBus};
use omv_wire::mboot::{Command, Data, Exchange, Reply, Setup, Wire};
use omv_wire::sdp;

const FLASH: u32 = 0x6000_0000;
/// Blank flash: behind every file.
const BLANK: u32 = 0x60F0_0000;
const SCRATCH: u32 = 0x2000;

struct Bench {
    bus: VirtualBus,
    link: Box<dyn Link>,
    _device: Box<dyn Device>,
}

impl Bench {
    fn open(bus: VirtualBus) -> Self {
        let seen = bus.list().unwrap().remove(0);
        let mut device = bus.open(&seen).unwrap();
        let link = device.link(Function::Hid).unwrap();
        Self {
            bus,
            link,
            _device: device,
        }
    }

    fn bus() -> VirtualBus {
        let firmware = sample::firmware("4.8.0", 0x1_0000);
        let camera = Rt1062::new(&firmware, Quirks::default());
        VirtualBus::new("bench", vec![Box::new(camera)])
    }

    /// The resident bootloader, held.
    fn sbl() -> Self {
        let bus = Self::bus();
        bus.pass(Duration::from_secs(1));
        let mut bench = Self::open(bus);
        assert_eq!(bench.ask(Command::get_property(2, 0)).words, [0x10]);
        bench
    }

    /// The flashloader, started through the ROM, nothing set up.
    fn flashloader() -> Self {
        let bus = Self::bus();
        bus.with(0, |camera, now| {
            for hand in [Hand::Unplug, Hand::Jumper(true), Hand::Plug] {
                camera.hand(now, hand);
            }
        });
        bus.pass(Duration::from_secs(1));
        {
            let mut rom = Self::open(bus.clone());
            let (address, data) = (0x2000_1C00, sample::flashloader().into());
            for request in [
                sdp::Request::WriteFile { address, data },
                sdp::Request::JumpAddress { address },
            ] {
                let mut exchange = sdp::Exchange::new(sdp::Setup::new(sdp::Wire::HID), request);
                assert!(drive(&mut exchange, &mut *rom.link).unwrap().unwrap().done);
            }
        }
        bus.pass(Duration::from_secs(2));
        let mut bench = Self::open(bus);
        assert_eq!(bench.ask(Command::get_property(2, 0)).words, [0x11]);
        bench
    }

    /// The flashloader, told what flash there is.
    fn configured() -> Self {
        let mut bench = Self::flashloader();
        bench.option(0xC000_0008, 0);
        bench
    }

    fn exchange(&mut self, command: Command, data: Data<'_>) -> Reply {
        let mut exchange = Exchange::new(Setup::new(Wire::Hid), command, data);
        drive(&mut exchange, &mut *self.link).unwrap().unwrap()
    }

    fn ask(&mut self, command: Command) -> Reply {
        self.exchange(command, Data::None)
    }

    fn erase(&mut self, start: u32, size: u32) -> u32 {
        self.ask(Command::flash_erase_region(start, size, 0)).status
    }

    fn write(&mut self, start: u32, bytes: &[u8]) -> u32 {
        let command = Command::write_memory(start, bytes.len() as u32, 0);
        self.exchange(command, Data::Out(bytes.into())).status
    }

    fn read(&mut self, start: u32, size: u32) -> Result<Vec<u8>, u32> {
        let reply = self.exchange(Command::read_memory(start, size, 0), Data::In(size));
        match reply.status {
            0 => Ok(reply.data),
            status => Err(status),
        }
    }

    /// Puts an option word into RAM and acts on it; the second status is expected.
    fn option(&mut self, word: u32, expected: u32) {
        assert_eq!(self.ask(Command::fill_memory(SCRATCH, 4, word)).status, 0);
        let status = self.ask(Command::configure_memory(9, SCRATCH)).status;
        assert_eq!(status, expected, "{word:#x}");
    }

    fn camera<R>(&self, act: impl FnOnce(&mut Rt1062) -> R) -> R {
        self.bus
            .with(0, |camera, _| act(camera.as_any().downcast_mut().unwrap()))
    }
}

#[test]
fn an_erase_is_rounded_outwards_to_whole_sectors() {
    let mut bench = Bench::sbl();
    bench.camera(|camera| {
        let nor = &mut camera.chip().lock().nor;
        nor.place((BLANK - FLASH) as usize, &[0; 5 * SECTOR]);
    });
    assert_eq!(bench.erase(BLANK + 0x1FFF, 2), 0);
    let now = bench.read(BLANK, 5 * SECTOR as u32).unwrap();
    let blank: Vec<bool> = now
        .chunks(SECTOR)
        .map(|sector| sector == [0xFF; SECTOR])
        .collect();
    assert_eq!(blank, [false, true, true, false, false]);
}

#[test]
fn an_erase_takes_its_time_for_each_sector() {
    let mut bench = Bench::sbl();
    let began = bench.link.now();
    assert_eq!(bench.erase(BLANK, 16 * SECTOR as u32), 0);
    let took = (bench.link.now() - began).as_millis();
    assert!((720..730).contains(&took), "{took} ms");
}

#[test]
fn an_erase_of_something_else_is_refused() {
    let mut bench = Bench::sbl();
    assert_eq!(bench.erase(0x6100_0000, 0x1000), 10200, "behind the chip");
    assert_eq!(bench.erase(0x60FF_F000, 0x2000), 10200, "over its end");
    assert_eq!(bench.erase(0x2000_0000, 0x1000), 10213, "RAM");
    assert_eq!(bench.erase(BLANK, 0), 0, "nothing");
    let other = Command::flash_erase_region(BLANK, 0x1000, 0x101);
    assert_eq!(bench.ask(other).status, 10200, "another memory");
    assert_eq!(bench.camera(|camera| camera.status().erased_sectors), 0);
}

#[test]
fn a_write_pads_its_last_page_and_refuses_one_that_is_not_blank() {
    let mut bench = Bench::sbl();
    assert_eq!(bench.write(BLANK, &[0x11; 300]), 0);
    let now = bench.read(BLANK, 1024).unwrap();
    assert_eq!(now[..300], [0x11; 300]);
    assert_eq!(now[300..], [0xFF; 724]);
    assert_eq!(
        bench.write(BLANK + 0x100, &[0; 16]),
        10203,
        "its page is in use"
    );
    assert_eq!(
        bench.write(BLANK + 0x200, &[0x22; 16]),
        0,
        "the next is not"
    );
    assert_eq!(bench.write(BLANK + 0x1000 - 0x100, &[0; 512]), 0);
    // A first page in use stops more data than one packet.
    assert_eq!(bench.write(BLANK, &[0; 4000]), 10203);
    assert_eq!(bench.read(BLANK, 1).unwrap(), [0x11]);
}

#[test]
fn a_write_must_start_with_a_page_and_stay_in_memory() {
    let mut bench = Bench::sbl();
    assert_eq!(bench.write(BLANK + 0xC0, &[0; 64]), 20105);
    assert_eq!(bench.write(0x6100_0000, &[0; 64]), 10200);
    assert_eq!(
        bench.write(0x2020_8000, &[0; 64]),
        10200,
        "RAM the loader needs"
    );
    assert_eq!(bench.write(BLANK, &[]), 0);
    assert_eq!(bench.write(SCRATCH, &[1, 2, 3]), 0);
    assert_eq!(bench.read(SCRATCH, 3).unwrap(), [1, 2, 3]);
    assert_eq!(bench.read(0x6100_0000, 16), Err(10200));
    assert!(bench.read(0x2020_8000, 16).is_ok(), "reading it is allowed");
    assert!(bench.read(BLANK, 4096).unwrap() == [0xFF; 4096]);
}

#[test]
fn filling_works_in_memory_and_in_flash() {
    let mut bench = Bench::sbl();
    let fill = |start, size| Command::fill_memory(start, size, 0x4433_2211);
    assert_eq!(bench.ask(fill(SCRATCH, 6)).status, 0);
    assert_eq!(
        bench.read(SCRATCH, 7).unwrap(),
        [0x11, 0x22, 0x33, 0x44, 0x11, 0x22, 0]
    );
    assert_eq!(bench.ask(fill(BLANK, 8)).status, 0);
    assert_eq!(
        bench.read(BLANK + 4, 5).unwrap(),
        [0x11, 0x22, 0x33, 0x44, 0xFF]
    );
    assert_eq!(bench.ask(fill(BLANK, 8)).status, 10203);
    assert_eq!(bench.ask(fill(BLANK + 0x180, 8)).status, 20105);
}

#[test]
fn the_flashloader_knows_no_flash_until_it_is_told() {
    let mut bench = Bench::flashloader();
    assert_eq!(bench.erase(BLANK, 0x1000), 10205);
    assert_eq!(bench.write(BLANK, &[0; 64]), 10205);
    assert_eq!(bench.read(BLANK, 64), Err(10205));
    assert_eq!(bench.ask(Command::fill_memory(BLANK, 4, 0)).status, 10205);
    assert_eq!(bench.ask(Command::get_property(25, 9)).status, 10205);
    assert_eq!(bench.ask(Command::flash_erase_all(9)).status, 10205);
    bench.option(0xF000_000F, 4);
    bench.option(0x1234_5678, 4);
    bench.option(0xC000_0008, 0);
    assert_eq!(bench.write(BLANK, &[0; 64]), 0);
    assert_eq!(bench.erase(BLANK, 0x1000), 0);
    let attributes = bench.ask(Command::get_property(25, 9)).words;
    assert_eq!(attributes[1..], [FLASH, 0x4000, 0x100, 0x1000, 0x1_0000]);
}

#[test]
fn the_boot_block_is_written_to_blank_flash_only() {
    let mut bench = Bench::configured();
    bench.option(0xF000_000F, 10203);
    assert_eq!(bench.erase(FLASH, 0x1000), 0);
    assert_eq!(bench.read(FLASH, 4).unwrap(), [0xFF; 4]);
    bench.option(0xF000_000F, 0);
    assert_eq!(
        bench.read(FLASH, 512).unwrap(),
        sample::flash_configuration()
    );
    bench.option(0xF000_000F, 10203);
}

#[test]
fn erasing_everything_is_a_flashloaders_business() {
    let mut bench = Bench::configured();
    assert_eq!(bench.ask(Command::flash_erase_all(0)).status, 4);
    // 4096 sectors of 45 ms: longer than a host waits by itself.
    let setup = Setup {
        patience: Duration::from_secs(300),
        ..Setup::new(Wire::Hid)
    };
    let mut exchange = Exchange::new(setup, Command::flash_erase_all(9), Data::None);
    assert_eq!(
        drive(&mut exchange, &mut *bench.link)
            .unwrap()
            .unwrap()
            .status,
        0
    );
    assert!(bench.camera(|camera| camera.chip().lock().nor.is_blank(0..0x100_0000)));

    let mut bench = Bench::sbl();
    assert_eq!(bench.ask(Command::flash_erase_all(9)).status, 20101);
    assert!(bench.camera(|camera| camera.status().doing.starts_with("MISUSED")));
}

#[test]
fn fuses_gain_bits_and_never_lose_one() {
    let mut bench = Bench::sbl();
    let fuse = |bench: &mut Bench| bench.ask(Command::efuse_read_once(7, 4)).words;
    assert_eq!(fuse(&mut bench), [4, 0]);
    assert_eq!(bench.ask(Command::efuse_program_once(7, 0x0F)).status, 0);
    assert_eq!(bench.ask(Command::efuse_program_once(7, 0xF0)).status, 0);
    assert_eq!(fuse(&mut bench), [4, 0xFF]);
    assert_eq!(bench.ask(Command::efuse_program_once(7, 0)).status, 0);
    assert_eq!(fuse(&mut bench), [4, 0xFF]);
    // They outlive everything.
    let remains = bench.camera(|camera| camera.remains());
    assert_eq!(remains.parts.fuses[7], 0xFF);
}

#[test]
fn fuses_are_sixty_four_words_of_four_bytes() {
    let mut bench = Bench::sbl();
    assert_eq!(bench.ask(Command::efuse_read_once(0x3F, 4)).status, 0);
    assert_eq!(bench.ask(Command::efuse_read_once(0x40, 4)).status, 4);
    assert_eq!(bench.ask(Command::efuse_read_once(6, 8)).status, 4);
    assert_eq!(bench.ask(Command::efuse_program_once(0x40, 1)).status, 4);
    let lock = Command::efuse_program_once(0x0100_0006, 1);
    assert_eq!(bench.ask(lock).status, 4, "locking is not supported");
}

#[test]
fn a_reset_is_answered_and_leads_through_the_window_again() {
    let mut bench = Bench::sbl();
    assert_eq!(bench.ask(Command::reset()).status, 0);
    let visit = bench.bus.list().unwrap().first().map(|seen| seen.visit);
    bench.bus.pass(Duration::from_secs(1));
    let again = bench.bus.list().unwrap().remove(0);
    assert_eq!((again.vid, again.pid), (0x15A2, 0x0073));
    assert_ne!(Some(again.visit), visit);
}
