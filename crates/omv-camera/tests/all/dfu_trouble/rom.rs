//! The ROM of STM32 chips: the way from the oldest bootloader to the newest, and the erase that
//! never ends.

use std::sync::{Arc, Mutex};

use omv_boards::{Role, State};
use omv_camera::Error;
use omv_plan::Wish;
use omv_sim::Hand;
use omv_sim::dfu::{self, Quirks};
use omv_wire::dfu::request;

use super::bench::{Bench, release};
use super::between::{Between, Fate};
use super::{camera, files, wish};

#[test]
fn an_old_m7_gets_its_new_bootloader_and_firmware_although_the_driver_is_missing_at_first() {
    // As in the report: forums.openmv.io 10742, "unknown device after a bootloader update".
    let mut bench = Bench::new(dfu::Wish {
        version: "4.5.9".into(),
        ..wish("OPENMV3", State::Run)
    });
    let images = release(bench.board, "5.0.0");
    assert_eq!(bench.status().firmware.as_deref(), Some("4.5.9"));

    // Its serial bootloader takes none of what came later, and says what does.
    let error = bench.flash(&images, &Wish::default()).unwrap_err();
    assert_eq!(error.code(), "old-bootloader", "{error}");
    assert!(error.help().contains("Recovering"), "{}", error.help());
    bench.pass(10);
    assert_eq!(bench.status().state, State::Run);

    // Once the ROM is there, the machine has no driver for it.
    let set = |bench: &Bench, driver: bool| {
        bench
            .bus
            .with(0, |camera, now| camera.hand(now, Hand::Driver(driver)));
    };
    bench.bus.with(0, |camera, now| {
        for hand in [Hand::Unplug, Hand::Jumper(true), Hand::Plug] {
            camera.hand(now, hand);
        }
    });
    bench.pass(1);
    set(&bench, false);
    let before = bench.flash_bytes();
    let error = bench.recover(&images, &Wish::default()).unwrap_err();
    assert_eq!(error.code(), "no-access", "{error}");
    assert!(bench.flash_bytes() == before);

    // With the driver of the ROM, and none for the new bootloader: that came and went in the
    // report, and nobody knew why.
    set(&bench, true);
    bench.when = Box::new(|event, bus, _| {
        if matches!(event, omv_camera::Event::Hands { .. }) {
            bus.with(0, |camera, now| camera.hand(now, Hand::Driver(false)));
        }
    });
    let error = bench.recover(&images, &Wish::default()).unwrap_err();
    assert_eq!(error.code(), "no-access", "{error}");
    assert!(error.help().contains("driver"), "{}", error.help());
    let bootloader = files(&bench, &[Role::Bootloader]);
    assert!(bench.holds(&bootloader), "the new bootloader is in place");

    // The driver is installed: nothing else is needed but the same command.
    bench.calm();
    set(&bench, true);
    bench.replug();
    bench.bus.pass(std::time::Duration::from_millis(300));
    assert_eq!(bench.status().state, State::Dfu);
    let outcome = bench.recover(&images, &Wish::default()).unwrap();
    assert_eq!(outcome.state, State::Run);
    assert_eq!(outcome.firmware().as_deref(), Some("5.0.0"));
    assert!(bench.holds(&images));
}

/// Bootloader and firmware through the ROM, the latter past the first megabyte, with garbage in
/// its place before; and the CLRSTATUS that the device saw.
fn through_the_rom(quirks: Quirks, stall_kicks: bool) -> (Bench, Result<(), Error>, usize) {
    let mut bench = Bench::new(dfu::Wish {
        quirks,
        ..wish("OPENMV4", State::StRom)
    });
    let mut images = files(&bench, &[Role::Bootloader, Role::Firmware]);
    let firmware = bench.board.role(Role::Firmware).expect("firmware").clone();
    let size = (0x0810_0000 - firmware.start) as usize + 0x3_1234;
    for image in images
        .iter_mut()
        .filter(|image| image.region == firmware.name)
    {
        image.bytes = dfu::sample::firmware(bench.board, "5.0.0", size).into();
    }
    bench.camera(|camera| {
        let mut parts = camera.chip().lock();
        let garbage = vec![0x5A; 0x4_0000];
        parts.place(firmware.memory, 0x0810_0000, &garbage);
    });
    let at_work = Arc::new(Mutex::new(false));
    let between = Between::new(&bench.bus, move |request| {
        let mut at_work = at_work.lock().expect("nobody panics");
        if request.is(request::DNLOAD) {
            *at_work = request.data.first() == Some(&0x41);
        }
        if request.is(request::CLRSTATUS) && *at_work && stall_kicks {
            return Fate::Stall;
        }
        Fate::Pass
    });
    bench.between = Some(Arc::new(between.clone()));
    let wish = Wish {
        through_rom: true,
        full: true,
        ..Wish::default()
    };
    let done = bench.recover(&images, &wish).map(|outcome| {
        assert!(outcome.regions.iter().all(|region| region.verified));
        assert_eq!(outcome.state, State::Run);
        assert!(bench.holds(&images));
    });
    assert_eq!(bench.misused(), None);
    let kicks = between.count(request::CLRSTATUS);
    (bench, done, kicks)
}

#[test]
fn firmware_past_the_first_megabyte_is_finished_and_verified_on_a_rev_v_with_the_kick() {
    // dfu-util ticket 88.
    let (_, done, kicks) = through_the_rom(Quirks::default(), false);
    done.unwrap();
    // Two sectors lie there, and each takes two requests.
    assert_eq!(kicks, 4);
}

#[test]
fn a_rev_y_is_never_kicked() {
    let quirks = Quirks {
        revision_y: true,
        ..Quirks::default()
    };
    let (_, done, kicks) = through_the_rom(quirks, false);
    done.unwrap();
    assert_eq!(kicks, 0);
}

#[test]
fn a_rom_that_refuses_the_kick_is_waited_for_and_then_given_up() {
    // betaflight-configurator pull request 5348: such ROMs answer CLRSTATUS with a STALL.
    let (bench, done, kicks) = through_the_rom(Quirks::default(), true);
    let error = done.unwrap_err();
    assert_eq!(error.code(), "protocol", "{error}");
    assert!(error.to_string().contains("erasing a page"), "{error}");
    assert_eq!(kicks, 1, "it is not tried again");
    // It was given the time an erase may take, and no more than that.
    let took = bench.now();
    assert!(took.as_secs() > 20 && took.as_secs() < 120, "{took:?}");
}

#[test]
fn a_rom_that_refuses_the_kick_and_ends_by_itself_is_waited_for_and_served() {
    // Slow, but right: it only needs longer than the kick is held back for.
    let mut bench = camera("OPENMV4", State::StRom);
    let quirks = Quirks {
        revision_y: true,
        ..Quirks::default()
    };
    bench = Bench::new(dfu::Wish {
        quirks,
        ..wish(&bench.board.name, State::StRom)
    });
    // It does not say that it is of revision Y, and takes 8 s for each sector.
    let since = Arc::new(Mutex::new(None));
    let bus = bench.bus.clone();
    let between = Between::new(&bench.bus, move |request| {
        let mut since = since.lock().expect("nobody panics");
        if request.is(request::DNLOAD) {
            *since = (request.data.first() == Some(&0x41)).then(|| omv_link::Bus::now(&bus));
        }
        let busy = since.is_some_and(|at| (omv_link::Bus::now(&bus) - at).as_secs() < 8);
        match busy {
            true if request.is(request::GETSTATUS) => {
                Fate::Change(Box::new(|reply| *reply = vec![0, 0xE8, 3, 0, 4, 0]))
            }
            true if request.is(request::CLRSTATUS) => Fate::Stall,
            _ => Fate::Pass,
        }
    });
    let between = between.without_serial();
    bench.between = Some(Arc::new(between.clone()));
    let mut images = files(&bench, &[Role::Bootloader, Role::Firmware]);
    let firmware = bench.board.role(Role::Firmware).expect("firmware").clone();
    for image in images
        .iter_mut()
        .filter(|image| image.region == firmware.name)
    {
        let size = (0x0810_0000 - firmware.start) as usize + 0x2_1234;
        image.bytes = dfu::sample::firmware(bench.board, "5.0.0", size).into();
    }
    let wish = Wish {
        through_rom: true,
        full: true,
        ..Wish::default()
    };
    bench.recover(&images, &wish).unwrap();
    assert!(bench.holds(&images));
    assert_eq!(
        between.count(request::CLRSTATUS),
        2,
        "one refused for each of two sectors"
    );
}
