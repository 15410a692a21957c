//! Starts of a camera with all kinds of disks.

use super::*;
use crate::medium::{Medium, MemoryCard};

/// A card of 4 MiB as a PC formats one, with a partition table in front.
fn card(files: &[(&str, &[u8])]) -> Shared {
    const START: usize = 64;
    const BLOCKS: usize = 8192;
    let mut volume = io::Cursor::new(vec![0; (BLOCKS - START) * 512]);
    fatfs::format_volume(&mut volume, fatfs::FormatVolumeOptions::new()).unwrap();
    {
        let system = fatfs::FileSystem::new(&mut volume, fatfs::FsOptions::new()).unwrap();
        for (name, bytes) in files {
            let mut file = system.root_dir().create_file(name).unwrap();
            file.write_all(bytes).unwrap();
        }
    }
    let mut bytes = vec![0; START * 512];
    bytes[446 + 4] = 6;
    bytes[446 + 8] = START as u8;
    bytes[510..512].copy_from_slice(&[0x55, 0xAA]);
    bytes.extend(volume.into_inner());
    Shared::new(MemoryCard::of(&bytes))
}

fn flash() -> (Shared, u64) {
    (Shared::new(MemoryCard::blank(256)), 0)
}

#[test]
fn a_blank_internal_disk_is_formatted_and_keeps_files_over_a_restart() {
    let (flash, start) = flash();
    let disks = Disks::boot(Some((flash.clone(), start)), None, Rules::Both);
    assert!(disks.was_formatted());
    assert_eq!(disks.cwd(), "/flash");
    assert_eq!(disks.path(), ["/flash", "/flash/lib"]);
    assert!(disks.stat("main.py").is_ok());
    disks.write("note.txt", b"kept").unwrap();
    let disks = Disks::boot(Some((flash, start)), None, Rules::Both);
    assert!(!disks.was_formatted());
    assert_eq!(disks.read("/flash/note.txt").unwrap(), b"kept");
}

#[test]
fn a_card_takes_over_and_the_internal_program_is_not_started() {
    let card = card(&[("other.py", b"1")]);
    let disks = Disks::boot(Some(flash()), Some(card), Rules::Both);
    assert_eq!(disks.cwd(), "/sdcard");
    assert_eq!(disks.stat("main.py"), Err(DiskError::Missing));
    assert!(disks.stat("/flash/main.py").is_ok());
    // The mark is written to whatever the working folder is.
    assert!(disks.stat("/sdcard/.openmv_disk").is_ok());
    let names: Vec<_> = disks
        .list("/")
        .unwrap()
        .into_iter()
        .map(|e| e.name)
        .collect();
    assert_eq!(names, ["flash", "sdcard"]);
    assert_eq!(disks.shown().unwrap().image().unwrap().len(), 8192 * 512);
}

#[test]
fn skipsd_leaves_the_card_alone() {
    let (flash, start) = flash();
    let disks = Disks::boot(Some((flash.clone(), start)), None, Rules::Both);
    disks.write("SKIPSD", b"").unwrap();
    let disks = Disks::boot(Some((flash, start)), Some(card(&[])), Rules::Both);
    assert_eq!(disks.cwd(), "/flash");
    assert_eq!(disks.stat("/sdcard"), Err(DiskError::Missing));
}

#[test]
fn a_card_without_the_text_the_camera_looks_for_is_no_card() {
    let card = card(&[]);
    let mut medium = card.clone();
    let mut block = [0; 512];
    medium.read_block(64, &mut block);
    block[54..57].copy_from_slice(b"XYZ");
    block[82..87].copy_from_slice(b"     ");
    medium.write_block(64, &block);
    let disks = Disks::boot(Some(flash()), Some(card), Rules::Both);
    assert_eq!(disks.cwd(), "/flash");
}

#[test]
fn older_firmware_has_one_disk_as_root() {
    let disks = Disks::boot(Some(flash()), Some(card(&[("a.py", b"")])), Rules::One);
    assert_eq!(disks.cwd(), "/");
    assert!(disks.stat("/a.py").is_ok());
    assert_eq!(disks.stat("/flash"), Err(DiskError::Missing));
}

#[test]
fn files_and_folders_are_made_listed_renamed_and_removed() {
    let disks = Disks::boot(Some(flash()), None, Rules::Both);
    disks.mkdir("lib").unwrap();
    assert_eq!(disks.mkdir("lib"), Err(DiskError::Exists));
    disks.write("lib/helper.py", b"x = 1\n").unwrap();
    assert_eq!(disks.remove("lib"), Err(DiskError::NotEmpty));
    disks.rename("lib/helper.py", "lib/other.py").unwrap();
    assert_eq!(
        disks.read("/flash/lib/../lib/other.py").unwrap(),
        b"x = 1\n"
    );
    disks.remove("lib/other.py").unwrap();
    disks.remove("lib").unwrap();
    assert_eq!(disks.stat("lib"), Err(DiskError::Missing));
}

#[test]
fn a_full_disk_says_so() {
    let disks = Disks::boot(Some(flash()), None, Rules::Both);
    assert_eq!(
        disks.write("big", &vec![1; 200 << 10]),
        Err(DiskError::Full)
    );
    let room = disks.room("/flash").unwrap();
    assert_eq!((room.cluster, room.total), (512, 222));
}

impl Shared {
    fn read_block(&mut self, block: u64, into: &mut [u8]) {
        crate::medium::Medium::read(self, block, into).unwrap();
    }

    fn write_block(&mut self, block: u64, bytes: &[u8]) {
        crate::medium::Medium::write(self, block, bytes).unwrap();
    }
}

#[test]
fn a_torn_table_is_an_error_of_the_file_and_never_the_end_of_the_camera() {
    let content: Vec<u8> = (0..40_000_u32).map(|n| (n / 97) as u8).collect();
    // Every file's chain leads where none may: to clusters 0 and 1, into itself, off the disk.
    for torn in [0_u16, 1, 2, 3, 0xFFF0] {
        let card = card(&[("long.bin", &content[..])]);
        let mut medium = card.clone();
        let mut table = vec![0; 512];
        // Behind the partition table and the boot sector, whatever the kind of FAT.
        for block in 65..70 {
            medium.read(block, &mut table).unwrap();
            for entry in table[if block == 65 { 6 } else { 0 }..].chunks_exact_mut(2) {
                entry.copy_from_slice(&torn.to_le_bytes());
            }
            medium.write(block, &table).unwrap();
        }
        let disks = Disks::boot(Some(flash()), Some(card), Rules::Both);
        let read = disks.read("/sdcard/long.bin");
        assert_ne!(read.as_deref().ok(), Some(&content[..]), "{torn:#x}");
        // Whatever comes of these, it comes.
        let _ = disks.write("/sdcard/new.bin", &content);
        let _ = disks.mkdir("/sdcard/folder");
        let _ = disks.remove("/sdcard/long.bin");
        let _ = disks.room("/sdcard");
        assert!(disks.stat("/flash/main.py").is_ok(), "{torn:#x}");
    }
}
