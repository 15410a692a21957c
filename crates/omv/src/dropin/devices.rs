//! The names of NXP's chips that `-u` takes, with the USB ids they stand for.
//!
//! Source: the device data of SPSDK 3.12.0, as its `MbootUSBInterface.get_devices()` and
//! `SdpUSBInterface.get_devices()` give them.

/// USB ids, and the names that stand for any of them.
pub type Row = (&'static [(u16, u16)], &'static str);

/// Whether a chip of this name may have these ids.
pub fn is_called(names: &[Row], name: &str, id: (u16, u16)) -> bool {
    let fits = |(ids, names): &Row| ids.contains(&id) && names.split(' ').any(|one| one == name);
    !name.is_empty() && names.iter().any(fits)
}

/// Chips whose bootloader `blhost` talks to.
pub const BLHOST: &[Row] = &[
    (
        &[(0x15A2, 0x0073)],
        "mcxc141 mcxc142 mcxc143 mcxc144 mcxc242 mcxc243 mcxc244 mcxc443 mcxc444 mimxrt1010 \
         mimxrt1015 mimxrt1020 mimxrt1024 mimxrt1040 mimxrt1043 mimxrt1046 mimxrt1050 \
         mimxrt1060 mimxrt1064 mimxrt1151 mimxrt1152 mimxrt1165 mimxrt1166 mimxrt1171 \
         mimxrt1172 mimxrt1173 mimxrt1175 mimxrt1176 mwct2014s mwct2015s mwct2016s mwct2d16s \
         mwct2d17s",
    ),
    (&[(0x1FC9, 0x0020)], "rw610 rw612"),
    (
        &[(0x1FC9, 0x0021)],
        "lpc5526 lpc5528 lpc55s26 lpc55s28 lpc55s66 lpc55s69 mcxw235 mcxw236 nhs52s04",
    ),
    (
        &[(0x1FC9, 0x0022)],
        "lpc5512 lpc5514 lpc5516 lpc55s14 lpc55s16",
    ),
    (&[(0x1FC9, 0x0023)], "mimxrt533s mimxrt555s mimxrt595s"),
    (&[(0x1FC9, 0x0023), (0x1FC9, 0x0020)], "mimxrt685s"),
    (&[(0x1FC9, 0x0025)], "lpc5534 lpc5536 lpc55s36"),
    (&[(0x1FC9, 0x0026)], "mimxrt735s mimxrt758s mimxrt798s"),
    (
        &[(0x1FC9, 0x014C), (0x15A2, 0x0073)],
        "mimxrt1181 mimxrt1182 mimxrt1184 mimxrt1185 mimxrt1186 mimxrt1187 mimxrt1189 \
         mimxrt118c mimxrt118e mimxrt2660 mimxrt2661 mimxrt2662 mimxrt2663",
    ),
    (
        &[(0x1FC9, 0x014F)],
        "kw43b43zc2 kw43b43zc3 kw43b43zc6 kw43b43zc7 kw43l43z92 kw43l43z93 kw43l43z96 \
         kw43l43z97 mcxn246 mcxn246t mcxn247 mcxn247t mcxn526 mcxn527 mcxn527t mcxn536 \
         mcxn536t mcxn537 mcxn537t mcxn546 mcxn546t mcxn547 mcxn547t mcxn556s mcxn556t \
         mcxn557s mcxn557t mcxn946 mcxn946t mcxn947 mcxn947t mcxw706a mcxw706c mcxw706d \
         mcxw70ac mcxw70ad",
    ),
    (
        &[(0x1FC9, 0x0155)],
        "mcxa132 mcxa133 mcxa142 mcxa143 mcxa152 mcxa153",
    ),
    (&[(0x1FC9, 0x0158)], "mcxn235 mcxn236"),
    (
        &[(0x1FC9, 0x015E)],
        "mcxa144 mcxa145 mcxa146 mcxa154 mcxa155 mcxa156",
    ),
];

/// Chips whose ROM `sdphost` talks to.
pub const SDPHOST: &[Row] = &[
    (&[(0x15A2, 0x007D), (0x15A2, 0x004F)], "mimx28"),
    (
        &[(0x1FC9, 0x0027)],
        "mimx94145 mimx94245 mimx943 mimx94316 mimx94318 mimx94336 mimx94338 mimx94356 \
         mimx94358 mimx94376 mimx94378 mimx94386 mimx94388 mimx94396 mimx94398",
    ),
    (
        &[(0x1FC9, 0x0028)],
        "mimx93714 mimx93734 mimx93754 mimx95224 mimx95234 mimx95244 mimx95252 mimx95254 \
         mimx95284 mimx95292 mimx95294",
    ),
    (&[(0x1FC9, 0x007D)], "mimx8x"),
    (&[(0x1FC9, 0x0129)], "mimx8qm"),
    (&[(0x1FC9, 0x012B)], "mimx8m"),
    (&[(0x1FC9, 0x012F)], "mimx8qxp"),
    (&[(0x1FC9, 0x0130)], "mimxrt1020 mimxrt1024 mimxrt1050"),
    (
        &[(0x1FC9, 0x0130), (0x1FC9, 0x0135)],
        "mimxrt1040 mimxrt1043 mimxrt1046 mimxrt1060 mimxrt1064",
    ),
    (&[(0x1FC9, 0x0134)], "mimx8mm"),
    (
        &[(0x1FC9, 0x013D)],
        "mimxrt1151 mimxrt1152 mimxrt1165 mimxrt1166 mimxrt1171 mimxrt1172 mimxrt1173 \
         mimxrt1175 mimxrt1176",
    ),
    (&[(0x1FC9, 0x013E)], "mimx8mn"),
    (&[(0x1FC9, 0x0145)], "mimxrt1010 mimxrt1015"),
    (&[(0x1FC9, 0x0146)], "mimx8mp"),
    (&[(0x1FC9, 0x0147)], "mimx8dxl"),
    (&[(0x1FC9, 0x014A), (0x1FC9, 0x014B)], "mimx8ulp"),
    (
        &[(0x1FC9, 0x014E)],
        "mimx9301 mimx9302 mimx9311 mimx9312 mimx9321 mimx9322 mimx9331 mimx9332 mimx9351 \
         mimx9352",
    ),
    (&[(0x1FC9, 0x0159)], "mimx9131"),
    (
        &[(0x1FC9, 0x015D), (0x1FC9, 0x015C), (0x1FC9, 0x0151)],
        "mimx9512 mimx9514 mimx9516 mimx9532 mimx9534 mimx9536 mimx9542 mimx9544 mimx9546 \
         mimx9554 mimx9584 mimx9586 mimx9594 mimx9596",
    ),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_chip_is_known_by_its_name_alone() {
        for name in ["mimxrt1060", "mimxrt1064", "mcxc444"] {
            assert!(is_called(BLHOST, name, (0x15A2, 0x0073)), "{name}");
        }
        assert!(is_called(SDPHOST, "mimxrt1060", (0x1FC9, 0x0135)));
        for (name, id) in [
            ("mimxrt1060", (0x1FC9, 0x0135)),
            ("mimxrt", (0x15A2, 0x0073)),
            ("MIMXRT1060", (0x15A2, 0x0073)),
            ("", (0x15A2, 0x0073)),
        ] {
            assert!(!is_called(BLHOST, name, id), "{name}");
        }
    }

    #[test]
    fn every_chip_stands_once() {
        for (names, count) in [(BLHOST, 122), (SDPHOST, 80)] {
            let mut all: Vec<&str> = names.iter().flat_map(|row| row.1.split(' ')).collect();
            all.sort_unstable();
            all.dedup();
            assert_eq!(all.len(), count);
        }
    }
}
