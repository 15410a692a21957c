//! Disks of our own making: healthy in our eyes, of the layout they were asked for.

use std::collections::BTreeMap;

use omv_fat::{Blueprint, Fault, Form, Options, Scheme, Sectors, check, format, repair, walk};

/// A large disk of which only what was written takes memory.
struct Sparse {
    sectors: u64,
    sector: u32,
    written: BTreeMap<u64, Vec<u8>>,
}

impl Sectors for Sparse {
    fn sector_size(&self) -> u32 {
        self.sector
    }

    fn sectors(&self) -> u64 {
        self.sectors
    }

    fn read(&mut self, first: u64, into: &mut [u8]) -> Result<(), Fault> {
        for (sector, piece) in (first..).zip(into.chunks_exact_mut(self.sector as usize)) {
            if sector >= self.sectors {
                return Err(Fault::PastEnd { sector });
            }
            match self.written.get(&sector) {
                Some(bytes) => piece.copy_from_slice(bytes),
                None => piece.fill(0),
            }
        }
        Ok(())
    }

    fn write(&mut self, first: u64, from: &[u8]) -> Result<(), Fault> {
        for (sector, piece) in (first..).zip(from.chunks_exact(self.sector as usize)) {
            if piece.iter().all(|byte| *byte == 0) {
                self.written.remove(&sector);
            } else {
                self.written.insert(sector, piece.to_vec());
            }
        }
        Ok(())
    }
}

fn disk(bytes: u64, sector: u32) -> Sparse {
    Sparse {
        sectors: bytes / u64::from(sector),
        sector,
        written: BTreeMap::new(),
    }
}

fn wish(form: Option<Form>, scheme: Scheme) -> Blueprint {
    Blueprint {
        form,
        scheme,
        label: "OPENMV".into(),
        serial: 0x1234_5678,
        files: vec![".openmv_disk".into()],
    }
}

#[test]
fn a_card_of_any_size_gets_the_file_system_of_the_sd_association_and_is_healthy() {
    for (bytes, form, cluster) in [
        (32_u64 << 20, Form::Fat12, 16_u32 << 10),
        (72 << 20, Form::Fat12, 32 << 10),
        (80 << 20, Form::Fat16, 16 << 10),
        (512 << 20, Form::Fat16, 16 << 10),
        (1900 << 20, Form::Fat16, 32 << 10),
        (4 << 30, Form::Fat32, 32 << 10),
        (32_000_000_000, Form::Fat32, 32 << 10),
        (64_000_000_000, Form::Exfat, 128 << 10),
        (1_000_000_000_000, Form::Exfat, 256 << 10),
    ] {
        let mut disk = disk(bytes, 512);
        format(&mut disk, &wish(None, Scheme::Mbr)).unwrap();
        let options = Options {
            sector_size_known: true,
            content: true,
        };
        let report = check(&mut disk, &options);
        assert!(
            report.findings.is_empty(),
            "{bytes}: {:#?}",
            report.findings
        );
        assert_eq!(report.table, "MBR");
        let seen = report.mounted().unwrap();
        assert_eq!(
            (seen.volume.form, seen.volume.cluster),
            (form, cluster),
            "{bytes}"
        );
        assert_eq!(seen.volume.start % (4 << 20), 0);
        assert_eq!(seen.label.as_deref(), Some("OPENMV"));
        let walk = walk(&mut disk, None).unwrap();
        let names: Vec<_> = walk
            .entries()
            .iter()
            .map(|entry| entry.shown.as_str())
            .collect();
        assert_eq!(names, ["/.openmv_disk"]);
    }
}

#[test]
fn every_file_system_can_be_asked_for_with_sectors_of_any_size() {
    for (form, bytes) in [
        (Form::Fat12, 4_u64 << 20),
        (Form::Fat16, 128 << 20),
        (Form::Fat32, 300 << 20),
        (Form::Exfat, 64 << 20),
    ] {
        for sector in [512, 4096] {
            for scheme in [Scheme::Mbr, Scheme::Whole] {
                let bytes = if form == Form::Fat32 {
                    bytes * u64::from(sector / 512)
                } else {
                    bytes
                };
                let mut disk = disk(bytes, sector);
                format(&mut disk, &wish(Some(form), scheme)).unwrap();
                let options = Options {
                    sector_size_known: true,
                    content: true,
                };
                let report = check(&mut disk, &options);
                assert!(
                    report.findings.is_empty(),
                    "{form:?} {sector} {scheme:?}: {:#?}",
                    report.findings
                );
                assert_eq!(report.mounted().unwrap().volume.form, form);
            }
        }
    }
}

#[test]
fn a_disk_of_the_wrong_size_is_refused_and_left_alone() {
    let mut disk = disk(1 << 20, 512);
    disk.write(0, &[7; 512]).unwrap();
    assert!(format(&mut disk, &wish(Some(Form::Fat32), Scheme::Mbr)).is_err());
    assert_eq!(disk.written.len(), 1);
}

#[test]
fn nothing_is_planned_for_a_healthy_disk() {
    let mut disk = disk(64 << 20, 512);
    format(&mut disk, &wish(None, Scheme::Mbr)).unwrap();
    let work = repair(&mut disk, &Options::default()).unwrap();
    assert!(work.steps.is_empty() && work.writes.is_empty() && work.undo.is_empty());
}

#[test]
fn a_disk_of_zeros_or_of_noise_has_no_volume() {
    let mut zeros = disk(1 << 20, 512);
    let report = check(&mut zeros, &Options::default());
    assert_eq!(report.findings[0].kind.code(), "no-volume");
    let mut noise = disk(1 << 20, 512);
    let mut state = 1_u64;
    for sector in 0..2048 {
        let bytes: Vec<u8> = (0..512)
            .map(|_| {
                state = state
                    .wrapping_mul(6364136223846793005)
                    .wrapping_add(1442695040888963407);
                (state >> 56) as u8
            })
            .collect();
        noise.write(sector, &bytes).unwrap();
    }
    let report = check(&mut noise, &Options::default());
    assert!(!report.is_healthy());
    assert!(repair(&mut noise, &Options::default()).is_ok());
}
