//! The command line of `omv romfs`.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};

#[derive(Debug, Subcommand)]
pub enum RomfsAction {
    /// Make an image of a folder
    ///
    /// Scripts (`.py`) are compiled when the program mpy-cross is there. Models (`.tflite`) begin at
    /// the multiple of bytes that the board needs to use them where they lie.
    #[command(
        after_help = "Examples:\n  omv romfs build files -o romfs0.img --board n6\n  omv romfs build files -o romfs0.img --no-mpy"
    )]
    Build {
        /// The folder
        folder: PathBuf,
        /// Image to write; one that is there is replaced
        #[arg(short, long, value_name = "FILE")]
        output: PathBuf,
        /// Board it is for: its alignment, and whether it fits
        #[arg(long)]
        board: Option<String>,
        #[command(flatten)]
        how: How,
    },
    /// List the files of an image
    Ls {
        /// The image
        image: PathBuf,
    },
    /// Print a file of an image
    Cat {
        /// The image
        image: PathBuf,
        /// The file's path in it, as in `lib/m.py`
        path: String,
    },
    /// Write all files of an image to a new folder
    Extract {
        /// The image
        image: PathBuf,
        /// The folder, which must not be there yet
        folder: PathBuf,
    },
    /// Compare two images, or an image and a folder; exit code 1 when they differ
    Diff {
        /// An image or a folder
        one: PathBuf,
        /// Another
        other: PathBuf,
    },
    /// Save the image that is on a camera
    Read {
        /// File to write
        #[arg(short, long, value_name = "FILE")]
        output: PathBuf,
        /// The whole region, not only the image in it
        #[arg(long)]
        whole: bool,
        /// Show the plan and stop before touching the camera
        #[arg(short = 'n', long)]
        dry_run: bool,
        /// Which board it is, where the camera cannot say
        #[arg(long)]
        board: Option<String>,
    },
    /// Put an image, or a folder made into one, on a camera
    #[command(
        after_help = "Examples:\n  omv romfs flash romfs0.img\n  omv romfs flash files --dry-run\n  omv romfs flash files -c sim:rt1062"
    )]
    Flash {
        /// The image, or a folder
        source: PathBuf,
        #[command(flatten)]
        how: How,
        /// Show the plan and stop before touching the camera
        #[arg(short = 'n', long)]
        dry_run: bool,
        /// Rewrite sectors that are already equal
        #[arg(long)]
        full: bool,
        /// Go on although the image or the firmware looks wrong
        #[arg(long)]
        force: bool,
        /// Which board it is, where the camera cannot say
        #[arg(long)]
        board: Option<String>,
    },
}

/// How a folder becomes an image.
#[derive(Clone, Debug, Args)]
pub struct How {
    /// How records are laid out
    #[arg(long, value_enum, default_value_t = LayoutName::Omv)]
    pub layout: LayoutName,
    /// Alignment of models in bytes; else the board's, or 32, which is enough for every board
    #[arg(long, value_name = "BYTES", value_parser = clap::value_parser!(u32).range(1..=4096))]
    pub align: Option<u32>,
    /// Store scripts as they are
    #[arg(long)]
    pub no_mpy: bool,
    /// The compiler; else `mpy-cross` is looked for
    #[arg(long, value_name = "PROGRAM", conflicts_with = "no_mpy")]
    pub mpy_cross: Option<PathBuf>,
}

/// Whose way an image is laid out in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum LayoutName {
    /// Folders, and every file aligned
    Omv,
    /// Byte for byte what OpenMV's mkromfs.py writes: aligned, no folders
    Openmv,
    /// Byte for byte what `mpremote romfs build` writes: not aligned
    Mpremote,
}
