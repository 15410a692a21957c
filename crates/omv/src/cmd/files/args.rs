//! The command lines of the commands for files.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

/// Which disk.
#[derive(Debug, Args)]
pub struct Place {
    /// A block device or an image file, instead of the disk of a camera
    #[arg(long, value_name = "DISK")]
    pub disk: Option<PathBuf>,
}

/// Which of a camera's disks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum To {
    /// The one the camera starts from
    Auto,
    /// The card
    Sd,
    /// The internal disk
    Flash,
}

#[derive(Debug, Args)]
pub struct Save {
    /// The script
    pub script: PathBuf,
    /// Its name on the camera
    #[arg(long = "as", value_name = "NAME", default_value = "main.py")]
    pub name: String,
    /// Which disk it must go to
    #[arg(long, value_enum, default_value_t = To::Auto)]
    pub to: To,
    /// Leave out comments and docstrings
    #[arg(long)]
    pub strip: bool,
    /// Save although the script has errors
    #[arg(long)]
    pub force: bool,
    /// Write the card's blocks from here, instead of letting the camera write the file
    #[arg(long)]
    pub from_here: bool,
    /// Do not restart the camera
    #[arg(long)]
    pub no_reset: bool,
    #[command(flatten)]
    pub place: Place,
}

#[derive(Debug, Args)]
pub struct Ls {
    /// A folder on the camera
    #[arg(default_value = "")]
    pub path: String,
    /// Also what is in folders below
    #[arg(short, long)]
    pub recursive: bool,
    #[command(flatten)]
    pub place: Place,
}

#[derive(Debug, Args)]
pub struct Cat {
    /// A file on the camera
    pub path: String,
    #[command(flatten)]
    pub place: Place,
}

#[derive(Debug, Args)]
pub struct Cp {
    /// From where; names on the camera begin with a colon
    pub from: String,
    /// To where
    pub to: String,
    #[command(flatten)]
    pub place: Place,
}

#[derive(Debug, Args)]
pub struct Rm {
    /// A file or an empty folder on the camera
    pub path: String,
    #[command(flatten)]
    pub place: Place,
}

#[derive(Debug, Args)]
pub struct MkDir {
    /// The new folder
    pub path: String,
    #[command(flatten)]
    pub place: Place,
}

#[derive(Debug, Args)]
pub struct Df {
    #[command(flatten)]
    pub place: Place,
}
