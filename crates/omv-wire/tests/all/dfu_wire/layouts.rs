//! Memory layouts as devices spell them.

use omv_wire::dfu::dfuse::{Access, Layout};
use proptest::prelude::*;

/// Name, segments as (address, count, page size, letter). Sources: dfu-util ticket 88,
/// betaflight-configurator, commaai/panda python/dfu.py, arduino/mcuboot-arduino-stm32h7.
type Known = (&'static str, &'static [(u32, u32, u32, char)]);

const KNOWN: &[Known] = &[
    (
        "@Internal Flash   /0x08000000/16*128Kg",
        &[(0x0800_0000, 16, 131_072, 'g')],
    ),
    (
        "@Option Bytes   /0x5200201C/01*128 e",
        &[(0x5200_201C, 1, 128, 'e')],
    ),
    (
        "@Internal Flash  /0x08000000/04*016Kg,01*064Kg,07*128Kg",
        &[
            (0x0800_0000, 4, 16_384, 'g'),
            (0x0801_0000, 1, 65_536, 'g'),
            (0x0802_0000, 7, 131_072, 'g'),
        ],
    ),
    (
        "@Option Bytes  /0x1FFFC000/01*016 e/0x1FFEC000/01*016 e",
        &[(0x1FFF_C000, 1, 16, 'e'), (0x1FFE_C000, 1, 16, 'e')],
    ),
    (
        "@OTP Memory /0x1FFF7800/01*512 e,01*016 e",
        &[(0x1FFF_7800, 1, 512, 'e'), (0x1FFF_7A00, 1, 16, 'e')],
    ),
    (
        "@Device Feature/0xFFFF0000/01*004 e",
        &[(0xFFFF_0000, 1, 4, 'e')],
    ),
    (
        "@Internal Flash  /0x08000000/04*032Kg,01*128Kg,07*256Kg",
        &[
            (0x0800_0000, 4, 32_768, 'g'),
            (0x0802_0000, 1, 131_072, 'g'),
            (0x0804_0000, 7, 262_144, 'g'),
        ],
    ),
    (
        "@Internal Flash  2MB   /0x08000000/01*128Ka,15*128Kg",
        &[
            (0x0800_0000, 1, 131_072, 'a'),
            (0x0802_0000, 15, 131_072, 'g'),
        ],
    ),
    (
        "@Ext RAW  Flash 16MB   /0x90000000/4096*4Kg",
        &[(0x9000_0000, 4096, 4096, 'g')],
    ),
    (
        "@Ext File Flash  0MB   /0x00000000/0*4Kg",
        &[(0, 0, 4096, 'g')],
    ),
    (
        "@MCUboot        v.25   /0x00000000/0*4Kg",
        &[(0, 0, 4096, 'g')],
    ),
];

fn taken_apart(layout: &Layout) -> Vec<(u32, u32, u32, char)> {
    let placed = layout.regions.iter().flat_map(|region| region.placed());
    placed
        .map(|(at, s)| (at as u32, s.count, s.size, s.access.letter().unwrap_or('-')))
        .collect()
}

#[test]
fn the_layouts_of_all_known_devices_are_read() {
    for (text, segments) in KNOWN {
        let layout = Layout::parse(text).unwrap();
        assert_eq!(taken_apart(&layout), *segments, "{text}");
        assert_eq!(Layout::parse(&layout.to_string()), Ok(layout), "{text}");
    }
}

#[test]
fn what_is_no_layout_is_refused() {
    for text in [
        "",
        "Internal Flash/0x08000000/16*128Kg",
        "@Flash/08000000/16*128Kg",
        "@Flash/0x+8000000/16*128Kg",
        "@Flash/0x108000000/1*1Kg",
        "@Flash/0x08000000",
        "@Flash/0x08000000/",
        "@Flash/0x08000000/16x128Kg",
        "@Flash/0x08000000/-1*128Kg",
        "@Flash/0x08000000/16*128Kz",
        "@Flash/0x08000000/16*128Kgg",
        "@Flash/0x08000000/1*0Kg",
        "@Flash/0x08000000/1*4096Mg",
        "@Flash/0xFFFFF000/2*4Kg",
    ] {
        assert!(Layout::parse(text).is_err(), "{text}");
    }
}

#[test]
fn oddities_seen_in_the_field_are_understood() {
    let odd = [
        ("@F/0x0/1*16e", (0, 1, 16, 'e')),
        ("@F/0x0/1*16Bg", (0, 1, 16, 'g')),
        ("@F/0x0/1*16K", (0, 1, 16_384, '-')),
        ("@Device Feature/0x0/1*4 z", (0, 1, 4, 'e')),
    ];
    for (text, segment) in odd {
        assert_eq!(taken_apart(&Layout::parse(text).unwrap()), [segment]);
    }
    assert_eq!(Layout::parse("@Nothing").unwrap().regions, []);
}

#[test]
fn a_memory_of_no_pages_holds_no_address() {
    let layout = Layout::parse("@Ext File Flash  0MB   /0x00000000/0*4Kg").unwrap();
    assert_eq!(layout.page(0), None);
    assert!(!layout.allows(0, 1, Access::NONE));
}

#[test]
fn a_page_is_found_by_any_address_in_it() {
    let layout = Layout::parse("@F /0x08000000/04*016Kg,01*064Kg,07*128Kg").unwrap();
    let page = layout.page(0x0801_FFFF).unwrap();
    assert_eq!((page.start, page.size), (0x0801_0000, 65_536));
    let starts: Vec<_> = layout
        .pages(0x0800_C001, 0x1_4000)
        .map(|page| page.map(|page| page.start))
        .collect();
    assert_eq!(starts, [Ok(0x0800_C000), Ok(0x0801_0000), Ok(0x0802_0000)]);
    let over: Vec<_> = layout.pages(0x080F_FFFF, 2).skip(1).collect();
    assert_eq!(over, [Err(0x0810_0000)]);
}

#[test]
fn the_letters_say_what_may_be_done() {
    let layout = Layout::parse("@F /0x08000000/01*128Ka,15*128Kg").unwrap();
    assert!(layout.allows(0x0800_0000, 0x20_0000, Access::READ));
    assert!(!layout.allows(0x0801_FFFF, 2, Access::WRITE));
    assert!(layout.allows(0x0802_0000, 0x1E_0000, Access::ALL));
    assert!(!layout.allows(0x0802_0000, 0x1E_0001, Access::READ));
}

#[test]
fn a_layout_at_the_very_end_of_memory_does_not_wrap() {
    let layout = Layout::parse("@F/0xFFFFF000/1*4Kg").unwrap();
    assert_eq!(layout.page(u32::MAX).map(|page| page.end()), Some(1 << 32));
    let pages: Vec<_> = layout.pages(u32::MAX, 2).collect();
    assert_eq!(pages.last(), Some(&Err(1 << 32)));
}

proptest! {
    #[test]
    fn any_text_is_a_layout_or_refused(text in "@?[ -~]{0,40}(/0x[0-9a-f]{1,9}/[0-9*KMBa-h ,]{0,40}){0,3}") {
        if let Ok(layout) = Layout::parse(&text) {
            prop_assert_eq!(Layout::parse(&layout.to_string()), Ok(layout));
        }
    }
}
