//! The command line of virtual cameras.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};

#[derive(Debug, Args)]
pub struct Sim {
    /// Which board; `h7,state=dfu` for one in another state
    pub model: Option<String>,
    /// What to call it
    #[arg(long)]
    pub name: Option<String>,
    /// How much faster than a real camera it works
    #[arg(long, value_name = "FACTOR", default_value_t = 1.0)]
    pub speed: f64,
    /// A firmware file in its flash, or the version of a sample one, which decides the protocol and what
    /// scripts find
    #[arg(long, visible_alias = "era", value_name = "FILE|VERSION")]
    pub firmware: Option<String>,
    /// What its sensor looks at: `card`, `blobs` and others, a folder of JPEG pictures, or a film (.avi, .mjpeg)
    #[arg(long, value_name = "NAME|FOLDER")]
    pub scene: Option<String>,
    /// Frames of its sensor in a second
    #[arg(long, value_name = "NUMBER")]
    pub fps: Option<f64>,
    /// The card in its slot: an image file, or the size of an empty one in MiB
    #[arg(long, value_name = "FILE|MIB")]
    pub sd: Option<String>,
    /// What is wrong with that card, such as `fails:400-450`; `--sd-fault help` lists it
    #[arg(long, value_name = "FAULT")]
    pub sd_fault: Option<String>,
    /// File that keeps its flash and fuses from one run to the next
    #[arg(long, value_name = "FILE")]
    pub state: Option<PathBuf>,
    /// Also offer the flashloader's serial line on a pseudo terminal, for `blhost -p`
    #[arg(long)]
    pub uart: bool,
    /// Behave in another way where the facts are uncertain; `--quirk help` lists them
    #[arg(long, value_name = "NAME")]
    pub quirk: Vec<String>,
    #[command(subcommand)]
    pub action: Option<SimAction>,
}

#[derive(Debug, Subcommand)]
pub enum SimAction {
    /// Be the hands of a running virtual camera
    Ctl {
        /// Its name
        name: String,
        #[command(subcommand)]
        hand: Hand,
    },
}

#[derive(Clone, Copy, Debug, Subcommand)]
pub enum Hand {
    /// Pull the cable
    Unplug,
    /// Put the cable in
    Plug,
    /// Set or remove the wire that starts the ROM
    Jumper {
        #[arg(value_enum)]
        to: Switch,
    },
    /// Hold header pin P11 low, or let go
    P11 {
        #[arg(value_enum)]
        to: Switch,
    },
    /// Press RESET
    Reset,
    /// Press RESET twice, quickly
    DoubleTap,
    /// Install the host's driver for bootloaders and ROMs, or remove it
    Driver {
        #[arg(value_enum)]
        to: Switch,
    },
    /// Make the power fail
    PowerCut {
        /// Only after this many more bytes of flash were changed
        #[arg(long, value_name = "N")]
        after_bytes: Option<u64>,
    },
    /// Say what it is doing
    Status,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Switch {
    On,
    Off,
}
