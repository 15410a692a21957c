//! Behaviours that only some cameras show, or about which the facts are uncertain.

/// Which of them a camera has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Quirks {
    /// A power cut leaves cells between erased and programmed.
    pub torn: bool,
    /// The chip is of revision Y, whose ROM has no trouble with the second bank.
    pub revision_y: bool,
    /// The host has no driver for bootloaders and ROMs: it never configures them.
    pub no_driver: bool,
    /// Half-written firmware hangs the chip instead of resetting it.
    pub hangs: bool,
    /// The AE3's serial bridge is the later one, by WCH.
    pub second_bridge: bool,
    /// The serial bootloader falls silent at the first packet of firmware that fills its
    /// endpoint: it follows only a careful host. Source: forums.openmv.io 8417.
    pub short_packets: bool,
}

impl Quirks {
    /// Their names, for the command line, with a line each.
    pub const NAMES: [(&'static str, &'static str); 6] = [
        (
            "torn",
            "a power cut leaves cells half erased or half programmed",
        ),
        (
            "revision-y",
            "the STM32H74x is of revision Y: its ROM erases all of the flash",
        ),
        (
            "no-driver",
            "the host has no driver for bootloaders and ROMs",
        ),
        (
            "hangs",
            "half-written firmware hangs the chip instead of resetting it",
        ),
        ("second-bridge", "the AE3's serial bridge is WCH's"),
        (
            "short-packets",
            "the serial bootloader cannot take packets that fill its endpoint",
        ),
    ];

    /// Switches one on by its name; false for a name there is not.
    pub fn set(&mut self, name: &str) -> bool {
        let flag = match name {
            "torn" => &mut self.torn,
            "revision-y" => &mut self.revision_y,
            "no-driver" => &mut self.no_driver,
            "hangs" => &mut self.hangs,
            "second-bridge" => &mut self.second_bridge,
            "short-packets" => &mut self.short_packets,
            _ => return false,
        };
        *flag = true;
        true
    }
}
