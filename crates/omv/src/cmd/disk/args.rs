//! The command line of `omv disk`.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};

#[derive(Debug, Args)]
pub struct Disk {
    #[command(subcommand)]
    pub action: Action,
}

/// What can be done with a disk.
#[derive(Debug, Subcommand)]
pub enum Action {
    /// What is wrong with a card, a camera's disk or an image of one; changes nothing
    ///
    /// Exit code 11 means that something is wrong.
    #[command(
        after_help = "Examples:\n  omv disk check\n  omv disk check /dev/sdb\n  omv disk check disk.img --json"
    )]
    Check(Check),
    /// Repair what is wrong, with a plan before and an undo file
    #[command(
        after_help = "Examples:\n  omv disk repair /dev/sdb --dry-run\n  omv disk repair disk.img --yes"
    )]
    Repair(Repair),
    /// Whether a card is what it says: its size, and whether it keeps what is written
    ///
    /// Exit code 11 means that it is not.
    #[command(
        after_help = "Examples:\n  omv disk test\n  omv disk test /dev/sdb --mode capacity\n  omv disk test /dev/sdb --mode full --erase"
    )]
    Test(Test),
    /// Take a repair back
    #[command(after_help = "Example:\n  omv disk undo disk.img omv-undo.txt")]
    Undo(Undo),
    /// Copy out every file that can be read, also lost ones; the disk is not changed
    #[command(
        after_help = "Examples:\n  omv disk rescue /dev/sdb saved\n  omv disk rescue : saved"
    )]
    Rescue(Rescue),
    /// Make a new, empty disk that cameras and PCs both take
    #[command(
        after_help = "Examples:\n  omv disk format /dev/sdb\n  omv disk format card.img --yes --erase card.img"
    )]
    Format(Format),
    /// Give main.py another name, so that the camera does not start it; nothing else is touched
    ///
    /// A camera that resets for ever is caught in its bootloader with --bootloader: one sector of
    /// its internal disk is written.
    #[command(
        after_help = "Examples:\n  omv disk set-aside\n  omv disk set-aside --bootloader\n  omv disk set-aside card.img --file boot.py"
    )]
    SetAside(SetAside),
    /// Copy a whole disk to a file, or back
    #[command(
        after_help = "Examples:\n  omv disk image save /dev/sdb card.img\n  omv disk image save : card.img\n  omv disk image restore card.img /dev/sdb"
    )]
    Image(Image),
}

#[derive(Debug, Args)]
pub struct Check {
    /// A block device or an image file; without this, the disk of the camera
    #[arg(default_value = ":")]
    pub disk: PathBuf,
    /// Bytes in a sector of the medium; for an image of a disk that has others than it seems
    #[arg(long, value_name = "BYTES", value_parser = sector_size)]
    pub sector_size: Option<u32>,
}

#[derive(Debug, Args)]
pub struct Repair {
    /// A block device or an image file; without this, the disk of the camera
    #[arg(default_value = ":")]
    pub disk: PathBuf,
    /// Show the plan and stop before touching the disk
    #[arg(short = 'n', long)]
    pub dry_run: bool,
    /// Agree to the plan
    #[arg(short, long)]
    pub yes: bool,
    /// Where to keep what is written over; a name is made up without this
    #[arg(long, value_name = "FILE")]
    pub undo: Option<PathBuf>,
    /// Bytes in a sector of the medium
    #[arg(long, value_name = "BYTES", value_parser = sector_size)]
    pub sector_size: Option<u32>,
}

/// How thorough a test is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum TestMode {
    /// The size, and samples read twice; nothing stays changed
    Quick,
    /// The size; nothing stays changed
    Capacity,
    /// Every block written and read twice; everything on the disk is lost
    Full,
}

#[derive(Debug, Args)]
pub struct Test {
    /// A block device or an image file; without this, the disk of the camera
    pub disk: Option<PathBuf>,
    /// How thorough
    #[arg(long, value_enum, default_value_t = TestMode::Quick)]
    pub mode: TestMode,
    /// Agree that a full test overwrites everything
    #[arg(long)]
    pub erase: bool,
}

#[derive(Debug, Args)]
pub struct Undo {
    /// The disk that was repaired; `:` is that of the camera
    pub disk: PathBuf,
    /// The file that the repair wrote
    pub file: PathBuf,
    /// Agree without being asked
    #[arg(short, long)]
    pub yes: bool,
}

#[derive(Debug, Args)]
pub struct Rescue {
    /// A block device, an image file, or `:` for the disk of the camera
    pub disk: PathBuf,
    /// A new or empty folder
    pub folder: PathBuf,
    /// Bytes in a sector of the medium
    #[arg(long, value_name = "BYTES", value_parser = sector_size)]
    pub sector_size: Option<u32>,
}

#[derive(Debug, Args)]
pub struct SetAside {
    /// A block device or an image file; without this, the disk of the camera
    #[arg(default_value = ":")]
    pub disk: PathBuf,
    /// The file
    #[arg(long, value_name = "NAME", default_value = "main.py")]
    pub file: String,
    /// Reach the internal disk through the camera's bootloader
    #[arg(long)]
    pub bootloader: bool,
    /// Where to keep a copy of the internal disk; a name is made up without this
    #[arg(long, value_name = "FILE")]
    pub backup: Option<PathBuf>,
    /// Agree without being asked
    #[arg(short, long)]
    pub yes: bool,
}

#[derive(Debug, Args)]
pub struct Format {
    /// A removable disk, an image file of the size wished, or `:` for the disk of the camera
    pub disk: PathBuf,
    /// Which file system; the SD Association's choice for the size without this
    #[arg(long, value_enum, default_value_t = FileSystem::Auto)]
    pub file_system: FileSystem,
    /// What to call it
    #[arg(long, default_value = "OPENMV")]
    pub label: String,
    /// Without a partition table, as cameras make their own disks
    #[arg(long)]
    pub no_table: bool,
    /// Leave the camera's marker file `.openmv_disk` out
    #[arg(long)]
    pub no_marker: bool,
    /// Agree to the first question
    #[arg(short, long)]
    pub yes: bool,
    /// Agree to the second one, by naming the disk again
    #[arg(long, value_name = "DISK")]
    pub erase: Option<PathBuf>,
    /// Bytes in a sector of an image
    #[arg(long, value_name = "BYTES", value_parser = sector_size)]
    pub sector_size: Option<u32>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum FileSystem {
    Auto,
    Fat12,
    Fat16,
    Fat32,
    Exfat,
}

#[derive(Debug, Args)]
pub struct Image {
    #[command(subcommand)]
    pub way: Way,
}

#[derive(Debug, Subcommand)]
pub enum Way {
    /// Copy a disk to a new file; sectors that cannot be read become zeros, and are named
    Save {
        /// The disk; `:` is that of the camera
        disk: PathBuf,
        /// The file
        file: PathBuf,
    },
    /// Copy a file to a disk, and read it back
    Restore {
        /// The file
        file: PathBuf,
        /// The disk, `:` for that of the camera; everything on it is lost
        disk: PathBuf,
        /// Agree to the first question
        #[arg(short, long)]
        yes: bool,
        /// Agree to the second one, by naming the disk again
        #[arg(long, value_name = "DISK")]
        erase: Option<PathBuf>,
    },
}

fn sector_size(text: &str) -> Result<u32, String> {
    match text.parse() {
        Ok(size @ (512 | 1024 | 2048 | 4096)) => Ok(size),
        _ => Err("512, 1024, 2048 or 4096".into()),
    }
}
