//! Names of image sensors, by the chip's id as firmware reports it.
//!
//! Source: openmv/openmv `common/omv_csi.h`.

/// Id and name. Types that differ in their id alone have the name of their family.
const SENSORS: [(u32, &str); 28] = [
    (0x26, "OV2640"),
    (0x56, "OV5640"),
    (0x76, "OV7670 or OV7690"),
    (0x77, "OV7725"),
    (0x96, "OV9650"),
    (0x1313, "MT9V0X2"),
    (0x1413, "MT9V0X2, colour"),
    (0x1324, "MT9V0X4"),
    (0x1424, "MT9V0X4, colour"),
    (0x2481, "MT9M114"),
    (0xAE32, "FLIR Boson"),
    (0xAE64, "FLIR Boson"),
    (0x54, "FLIR Lepton"),
    (0x5415, "FLIR Lepton"),
    (0x5416, "FLIR Lepton"),
    (0x5420, "FLIR Lepton"),
    (0x5425, "FLIR Lepton"),
    (0x5430, "FLIR Lepton"),
    (0x5431, "FLIR Lepton"),
    (0x5435, "FLIR Lepton"),
    (0xB0, "HM01B0"),
    (0x60, "HM0360"),
    (0x21, "GC2145"),
    (0x3050_1C01, "GENX320"),
    (0xB060_2003, "GENX320"),
    (0x6100, "PAJ6100"),
    (0x2020, "FrogEye2020"),
    (0x50F7, "a sensor in software"),
];

/// The name of an image sensor, if its id is known.
#[must_use]
pub fn sensor(id: u32) -> Option<&'static str> {
    let known = SENSORS.iter().find(|(known, _)| *known == id);
    known.map(|(_, name)| *name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_id_stands_once_and_has_its_name() {
        for (at, (id, name)) in SENSORS.iter().enumerate() {
            assert!(
                SENSORS[at + 1..].iter().all(|(other, _)| other != id),
                "{id:X}"
            );
            assert_eq!(sensor(*id), Some(*name));
        }
        assert_eq!(sensor(0), None);
    }
}
