//! What lies where. The numbers were copied by hand from the firmware's `boot_config.h` files and
//! flash documentation, not from the board files.

use omv_boards::{Board, LoaderRole, MemoryKind, Region, Role, Span, State, all, by_name};

fn board(name: &str) -> &'static Board {
    by_name(name).unwrap()
}

fn alternates(regions: &[Region]) -> Vec<(u8, &str, u32, u32, bool)> {
    let rows = regions.iter().filter_map(|region| {
        let alternate = region.alternate.as_ref()?;
        let writable = region.is_writable_in(State::Dfu);
        Some((
            alternate.number,
            &*alternate.name,
            region.start,
            region.end(),
            writable,
        ))
    });
    rows.collect()
}

#[test]
fn dfu_alternates_of_the_m4() {
    let expected = [
        (0, "BOOTLOADER", 0x0800_0000, 0x0800_8000, false),
        (1, "FILESYSTEM", 0x0800_8000, 0x0801_0000, true),
        (2, "FIRMWARE", 0x0801_0000, 0x080E_0000, true),
        (3, "ROMFS0", 0x080E_0000, 0x0810_0000, true),
    ];
    assert_eq!(
        alternates(&board("OPENMV2").layout().unwrap().regions),
        expected
    );
}

#[test]
fn dfu_alternates_of_the_m7() {
    let expected = [
        (0, "BOOTLOADER", 0x0800_0000, 0x0800_8000, false),
        (1, "FILESYSTEM", 0x0800_8000, 0x0802_0000, true),
        (2, "FIRMWARE", 0x0802_0000, 0x081C_0000, true),
        (3, "ROMFS0", 0x081C_0000, 0x0820_0000, true),
    ];
    assert_eq!(
        alternates(&board("OPENMV3").layout().unwrap().regions),
        expected
    );
}

#[test]
fn dfu_alternates_of_the_h7() {
    let expected = [
        (0, "BOOTLOADER", 0x0800_0000, 0x0802_0000, false),
        (1, "FILESYSTEM", 0x0802_0000, 0x0804_0000, true),
        (2, "FIRMWARE", 0x0804_0000, 0x081E_0000, true),
        (3, "ROMFS0", 0x081E_0000, 0x0820_0000, true),
    ];
    assert_eq!(
        alternates(&board("OPENMV4").layout().unwrap().regions),
        expected
    );
}

#[test]
fn dfu_alternates_of_the_h7_plus_and_the_pure_thermal() {
    let expected = [
        (0, "BOOTLOADER", 0x0800_0000, 0x0802_0000, false),
        (1, "FILESYSTEM", 0x0802_0000, 0x0804_0000, true),
        (2, "FIRMWARE", 0x0804_0000, 0x0820_0000, true),
        (3, "SPI_FLASH", 0x0000_0000, 0x0200_0000, true),
        (4, "ROMFS0", 0x0180_0000, 0x0200_0000, true),
    ];
    for name in ["OPENMV4P", "OPENMVPT"] {
        let board = board(name);
        assert_eq!(
            alternates(&board.layout().unwrap().regions),
            expected,
            "{name}"
        );
        assert_eq!(board.role(Role::Disk).unwrap().name, "SPI_FLASH");
        assert_eq!(board.region("FILESYSTEM").unwrap().role, Role::Unused);
        assert_eq!(
            board.memory(MemoryKind::Qspi).unwrap().mapped,
            Some(0x9000_0000)
        );
    }
}

#[test]
fn dfu_alternates_of_the_n6() {
    let expected = [
        (0, "BOOTLOADER", 0x0000_0000, 0x0008_0000, false),
        (1, "FIRMWARE", 0x0008_0000, 0x0040_0000, true),
        (2, "FILESYSTEM", 0x0040_0000, 0x0080_0000, true),
        (3, "ROMFS0", 0x0080_0000, 0x0200_0000, true),
    ];
    assert_eq!(
        alternates(&board("OPENMV_N6").layout().unwrap().regions),
        expected
    );
}

#[test]
fn dfu_alternates_of_the_ae3() {
    let expected = [
        (0, "BOOT", 0x8000_0000, 0x8002_0000, false),
        (1, "HP", 0x8002_0000, 0x8032_0000, true),
        (2, "HE", 0x8032_0000, 0x8047_E000, true),
        (3, "ROMFS1", 0x8047_E000, 0x8057_E000, true),
        (4, "TOC", 0x8057_E000, 0x8058_0000, true),
        (5, "RWFS", 0x0000_0000, 0x0080_0000, true),
        (6, "ROMFS0", 0x0080_0000, 0x0200_0000, true),
        (7, "RECOVERY", 0x0000_0000, 0x0000_1000, false),
    ];
    let ae3 = board("OPENMV_AE3");
    assert_eq!(alternates(&ae3.layout().unwrap().regions), expected);
    assert!(ae3.region("RECOVERY").unwrap().forbidden.is_some());
    assert!(ae3.region("TOC").unwrap().caution.is_some());
}

#[test]
fn romfs_partitions_are_mapped_where_the_firmware_reads_them() {
    for (name, address) in [
        ("n6", 0x7080_0000),
        ("ae3", 0xA080_0000),
        ("h7", 0x081E_0000),
    ] {
        assert_eq!(
            board(name).mapped(board(name).role(Role::Romfs).unwrap()),
            address,
            "{name}"
        );
    }
}

#[test]
fn bootloaders_of_v4_6_have_no_romfs_and_are_told_by_their_alternates() {
    let three = ["BOOTLOADER", "FILESYSTEM", "FIRMWARE"];
    let ends = [
        ("OPENMV2", 0x0810_0000),
        ("OPENMV3", 0x0820_0000),
        ("OPENMV4", 0x0820_0000),
    ];
    for (name, end) in ends {
        let layout = board(name).layout_with_alternates(&three).unwrap();
        assert_eq!(layout.name, "dfu-4.6", "{name}");
        assert_eq!(layout.region("firmware").unwrap().end(), end, "{name}");
        assert!(layout.role(Role::Romfs).is_none(), "{name}");
    }
    let four = ["BOOTLOADER", "FILESYSTEM", "FIRMWARE", "SPI_FLASH"];
    for name in ["OPENMV4P", "OPENMVPT"] {
        assert_eq!(
            board(name).layout_with_alternates(&four).unwrap().name,
            "dfu-4.6",
            "{name}"
        );
    }
    let current = ["BOOTLOADER", "FILESYSTEM", "FIRMWARE", "ROMFS0"];
    assert_eq!(
        board("h7").layout_with_alternates(&current).unwrap().name,
        "current"
    );
    assert!(
        board("h7")
            .layout_with_alternates(&["FIRMWARE", "BOOTLOADER"])
            .is_none()
    );
    assert!(
        board("n6").layout_with_alternates(&current).is_none(),
        "same names, other numbers"
    );
}

#[test]
fn erase_units_are_those_of_the_bootloaders() {
    let expected = [
        ("OPENMV2", "FILESYSTEM", 0x4000),
        ("OPENMV2", "ROMFS0", 0x2_0000),
        ("OPENMV3", "FILESYSTEM", 0x8000),
        ("OPENMV3", "ROMFS0", 0x4_0000),
        ("OPENMV4", "FIRMWARE", 0x2_0000),
        ("OPENMV4P", "ROMFS0", 0x1_0000),
        ("OPENMV_N6", "FIRMWARE", 0x1_0000),
        ("OPENMV_AE3", "HP", 16),
        ("OPENMV_AE3", "RWFS", 0x1000),
        ("OPENMV_RT1060", "firmware", 0x1000),
    ];
    for (name, region, unit) in expected {
        assert_eq!(
            board(name).region(region).unwrap().erase_unit,
            unit,
            "{name} {region}"
        );
    }
}

#[test]
fn sectors_of_the_f4_and_f7_are_unequal() {
    let sizes = |name: &str, start, end| -> Vec<u32> {
        let range = Span { start, end };
        board(name)
            .sectors(MemoryKind::Internal, range)
            .map(|sector| sector.size())
            .collect()
    };
    assert_eq!(sizes("m4", 0x0800_0000, 0x0800_8000), [0x4000, 0x4000]);
    assert_eq!(sizes("m4", 0x0801_0000, 0x0802_0001), [0x1_0000, 0x2_0000]);
    assert_eq!(sizes("m7", 0x0800_0000, 0x0800_8000), [0x8000]);
    assert_eq!(sizes("m7", 0x0802_0000, 0x0808_0000), [0x2_0000, 0x4_0000]);
    assert_eq!(sizes("h7", 0x0800_0000, 0x0802_0000), [0x2_0000]);
    assert_eq!(sizes("m7", 0x0820_0000, 0x0830_0000), [0_u32; 0]);
}

#[test]
fn the_old_serial_bootloader_knows_these_sectors() {
    let legacy = |name: &str| board(name).legacy.unwrap();
    for (name, first, last, base) in [
        ("OPENMV2", 4, 11, 0x0801_0000),
        ("OPENMV3", 4, 11, 0x0802_0000),
        ("OPENMV4", 2, 15, 0x0804_0000),
        ("OPENMV4P", 2, 15, 0x0804_0000),
        ("OPENMVPT", 2, 15, 0x0804_0000),
    ] {
        let facts = legacy(name);
        let numbers = (
            facts.first_all,
            facts.first_firmware,
            facts.last,
            facts.base,
        );
        assert_eq!(numbers, (1, first, last, base), "{name}");
        let firmware = board(name)
            .layout_named("legacy")
            .unwrap()
            .role(Role::Firmware)
            .unwrap();
        assert_eq!(firmware.start, base, "{name}");
    }
    let qspi = legacy("OPENMV4P").qspi.unwrap();
    assert_eq!((qspi.first, qspi.last, qspi.size), (0, 511, 65536));
    assert!(legacy("OPENMV4").qspi.is_none());
    let m4 = board("m4")
        .layout_named("legacy")
        .unwrap()
        .role(Role::Disk)
        .unwrap();
    assert_eq!(
        (m4.start, m4.size),
        (0x0800_4000, 48 * 1024),
        "the disk a DFU bootloader destroys"
    );
}

#[test]
fn the_rt1062_is_laid_out_as_its_rom_and_loader_expect() {
    let rt1062 = board("rt1062");
    let expected = [
        ("fcb", 0x6000_0000, 0x1000),
        ("sbl", 0x6000_1000, 0x3_F000),
        ("firmware", 0x6004_0000, 3_932_160),
        ("disk", 0x6040_0000, 0x40_0000),
        ("romfs", 0x6080_0000, 8_388_608),
    ];
    let regions = &rt1062.layout().unwrap().regions;
    let rows: Vec<(&str, u32, u32)> = regions
        .iter()
        .map(|region| (&*region.name, region.start, region.size))
        .collect();
    assert_eq!(rows, expected);
    assert_eq!(
        rt1062.region("firmware").unwrap().vector_sector,
        Some(0x6004_2000)
    );
    assert_eq!(rt1062.region("disk").unwrap().quick_erase, Some(4096));
    for critical in ["fcb", "sbl"] {
        let region = rt1062.region(critical).unwrap();
        assert!(region.is_writable_in(State::Flashloader) && !region.is_writable_in(State::Sbl));
    }
    assert_eq!(
        rt1062.region("bootloader").unwrap().name,
        "sbl",
        "roles find regions too"
    );
    assert_eq!(rt1062.region_at(0x6004_2000).unwrap().name, "firmware");
    assert!(rt1062.region_at(0x6100_0000).is_none());
}

#[test]
fn the_rt1062_s_loaders_and_constants_are_pinned() {
    let rt1062 = board("rt1062");
    let rows: Vec<(&str, u32, &str, u32)> = rt1062
        .loaders
        .iter()
        .map(|loader| {
            (
                &*loader.file,
                loader.bytes,
                &loader.sha256[..8],
                loader.load,
            )
        })
        .collect();
    let expected = [
        ("sdphost_flash_loader.bin", 87884, "f16fd17d", 0x2000_1C00),
        ("blhost_flash_loader.bin", 31320, "05dd3bcf", 0x6000_1000),
    ];
    assert_eq!(rows, expected);
    assert!(
        rt1062
            .loaders
            .iter()
            .all(|loader| loader.sha256.len() == 64)
    );
    assert_eq!(rt1062.loader(LoaderRole::Sbl).unwrap().bytes, 31320);
    assert_eq!(
        rt1062.loader(LoaderRole::Flashloader).unwrap().jump,
        Some(0x2000_1C00)
    );
    let mboot = rt1062.mboot.as_ref().unwrap();
    assert_eq!((mboot.scratch, mboot.memory_id), (0x2000, 9));
    assert_eq!(
        (mboot.nor_option, mboot.fcb_option),
        (0xC000_0008, 0xF000_000F)
    );
    assert_eq!(mboot.version_property, 0x4B02_0800);
    assert_eq!(
        (mboot.resident_peripherals, mboot.flashloader_peripherals),
        (0x10, 0x11)
    );
    assert_eq!((mboot.boot_fuse.word, mboot.boot_fuse.mask()), (6, 0x10));
    let park = mboot.park;
    assert_eq!(
        (park.record, park.page, park.page_size),
        (0x6004_23C0, 0x6004_2300, 0x100)
    );
    let sector = rt1062.region("firmware").unwrap().vector_sector.unwrap();
    assert!(park.page >= sector && park.page + park.page_size <= sector + 0x1000);
    assert!(park.record + park.size <= park.page + park.page_size);
}

#[test]
fn the_nicla_s_second_sector_is_forbidden_because_its_bootloader_reaches_into_it() {
    let nicla = board("nicla");
    let region = nicla.region_at(0x0802_0000).unwrap();
    assert_eq!((region.start, region.end()), (0x0802_0000, 0x0804_0000));
    assert!(region.forbidden.as_deref().unwrap().contains("bootloader"));
    assert!(
        State::ALL
            .iter()
            .all(|state| !region.is_writable_in(*state))
    );
    let sector = Span {
        start: 0x0802_0000,
        end: 0x0802_1000,
    };
    assert!(nicla.forbidden(MemoryKind::Internal, sector).is_some());
    let reaching_in = Span {
        start: 0x0801_F000,
        end: 0x0804_1000,
    };
    assert!(nicla.forbidden(MemoryKind::Internal, reaching_in).is_some());
    let firmware = Span {
        start: 0x0804_0000,
        end: 0x0820_0000,
    };
    assert!(nicla.forbidden(MemoryKind::Internal, firmware).is_none());
    for name in ["portenta", "giga"] {
        assert!(
            board(name)
                .forbidden(MemoryKind::Internal, sector)
                .is_none(),
            "{name}"
        );
    }
}

#[test]
fn erasing_the_disk_touches_these_places() {
    let quick = |name: &str| -> Vec<(u32, u32)> {
        let regions = board(name).layout().unwrap().regions.iter();
        regions
            .filter_map(|region| Some((region.start, region.quick_erase?)))
            .collect()
    };
    assert_eq!(
        quick("portenta"),
        [(0x0802_0000, 4096), (0x9000_0000, 4096)]
    );
    assert_eq!(quick("giga"), [(0x0802_0000, 4096), (0x9000_0000, 4096)]);
    assert_eq!(quick("nicla"), [(0x9000_0000, 4096)]);
    assert_eq!(quick("h7-plus"), [(0, 4096)]);
    assert_eq!(quick("n6"), [(0x0040_0000, 4096)]);
}

#[test]
fn the_rom_of_the_h7_family_writes_the_bootloader_and_nothing_else() {
    for name in ["h7", "h7-plus", "pt"] {
        let board = board(name);
        let rom = board.st_rom.as_ref().unwrap();
        assert_eq!(
            (rom.whole_firmware, rom.erase_hangs_from),
            (false, Some(0x0810_0000)),
            "{name}"
        );
        for region in &board.layout().unwrap().regions {
            let bootloader = region.role == Role::Bootloader;
            assert_eq!(
                region.is_writable_in(State::StRom),
                bootloader,
                "{name} {}",
                region.name
            );
        }
    }
    assert!(board("m4").st_rom.as_ref().unwrap().whole_firmware);
}

#[test]
fn the_words_that_force_the_bootloader_are_those_of_boot_config() {
    for (name, word) in [
        ("OPENMV2", 0x1000_FFFC),
        ("OPENMV3", 0x2001_FFFC),
        ("OPENMV4", 0x2001_FFFC),
        ("OPENMV4P", 0x2001_FFFC),
        ("OPENMVPT", 0x2001_FFFC),
        ("OPENMV_N6", 0x3401_FFFC),
        ("OPENMV_AE3", 0x200F_FFFC),
    ] {
        assert_eq!(board(name).dfu.unwrap().force_word, word, "{name}");
    }
}

#[test]
fn firmware_images_load_where_their_region_is_mapped() {
    let expected = [
        ("OPENMV2", "firmware.bin", 0x0801_0000, 0x080E_0000),
        ("OPENMV3", "firmware.bin", 0x0802_0000, 0x081C_0000),
        ("OPENMV4", "firmware.bin", 0x0804_0000, 0x081E_0000),
        ("OPENMV4P", "firmware.bin", 0x0804_0000, 0x0820_0000),
        ("OPENMVPT", "firmware.bin", 0x0804_0000, 0x0820_0000),
        (
            "ARDUINO_PORTENTA_H7",
            "firmware.bin",
            0x0804_0000,
            0x0820_0000,
        ),
        ("ARDUINO_GIGA", "firmware.bin", 0x0804_0000, 0x0820_0000),
        (
            "ARDUINO_NICLA_VISION",
            "firmware.bin",
            0x0804_0000,
            0x0820_0000,
        ),
        ("OPENMV_N6", "firmware.bin", 0x7008_0000, 0x7040_0000),
        (
            "OPENMV_AE3",
            "firmware_M55_HP.bin",
            0x8002_0000,
            0x8032_0000,
        ),
        ("OPENMV_RT1060", "firmware.bin", 0x6004_0000, 0x603C_0000),
    ];
    for (name, file, load, end) in expected {
        let board = board(name);
        let rule = board.image(file).unwrap();
        assert_eq!(rule.load, Some(load), "{name}");
        assert_eq!(rule.reset.unwrap().end, end, "{name}");
        assert!(rule.holds_arch, "{name}");
        let region = board.region(&rule.region).unwrap();
        assert_eq!(
            board.mapped(region),
            load,
            "{name}: the region as the processor sees it"
        );
    }
    let rt1062 = board("rt1062").image("firmware.bin").unwrap();
    assert_eq!(rt1062.vectors, Some(0x2000));
    assert_eq!(rt1062.reset.unwrap().start, 0x6004_3000);
    assert_eq!(
        rt1062.words[0].accept,
        [0x4020_00D1, 0x4120_00D1, 0x4320_00D1]
    );
    assert_eq!(rt1062.magic[0].bytes, b"FCFB");
}

#[test]
fn every_layout_of_every_board_names_a_firmware_region() {
    for board in all() {
        for layout in &board.layouts {
            assert!(
                layout.role(Role::Firmware).is_some(),
                "{} {}",
                board.name,
                layout.name
            );
        }
    }
}
