//! The command line of everything about a running camera.

use std::net::IpAddr;
use std::path::PathBuf;

use clap::{Args, Subcommand};

use crate::dataset::ALIKE;
use crate::dataset::export::Form;
use crate::picture::Way;

/// `omv run`.
#[derive(Debug, Args)]
pub struct Run {
    /// The script; `-` reads it from standard input
    pub script: PathBuf,
    /// Run it again whenever the file is saved
    #[arg(short, long)]
    pub watch: bool,
    /// Stop it after so long
    #[arg(long, value_name = "SECONDS", value_parser = positive)]
    pub timeout: Option<f64>,
    /// What the script finds in `sys.argv`
    #[arg(last = true, value_name = "ARGS")]
    pub args: Vec<String>,
}

/// `omv console`.
#[derive(Debug, Args)]
pub struct Console {
    /// Also append it to a file, each line with its time
    #[arg(long, value_name = "FILE")]
    pub log: Option<PathBuf>,
}

/// `omv snap`.
#[derive(Debug, Args)]
pub struct Snap {
    /// Where to write it: a name that ends in .jpg or .png
    pub file: PathBuf,
    /// Run this script for it; without it, a camera that shows no pictures gets a simple one
    #[arg(long, value_name = "FILE")]
    pub script: Option<PathBuf>,
}

/// `omv record`.
#[derive(Debug, Args)]
pub struct Record {
    /// Where to: a name that ends in .avi, .gif or .mp4, or in / for a folder of pictures
    pub file: PathBuf,
    /// End after so long
    #[arg(long, value_name = "SECONDS", value_parser = positive)]
    pub seconds: Option<f64>,
    /// End after so many pictures
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub frames: Option<u64>,
    /// Run this script for it, and end with it; without it, a camera that shows no pictures gets a simple one
    #[arg(long, value_name = "FILE")]
    pub script: Option<PathBuf>,
}

/// `omv capture`.
#[derive(Debug, Args)]
pub struct Capture {
    /// The folder of the set
    pub folder: PathBuf,
    /// The class of these pictures: letters, digits and _
    #[arg(long, required_unless_present = "export")]
    pub label: Option<String>,
    /// Keep a picture after each so many seconds
    #[arg(long, value_name = "SECONDS", value_parser = positive)]
    pub every: Option<f64>,
    /// Keep a picture when the script says so
    #[arg(long, conflicts_with = "every")]
    pub on_script: bool,
    /// End after so many
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub count: Option<u64>,
    /// How many of 256 features may differ in pictures that look alike
    #[arg(long, value_name = "N", default_value_t = ALIKE, value_parser = clap::value_parser!(u32).range(0..=128))]
    pub alike: u32,
    /// Keep pictures that look alike, too
    #[arg(long)]
    pub all: bool,
    /// Run this script for it; without it, a camera that shows no pictures gets a simple one
    #[arg(long, value_name = "FILE")]
    pub script: Option<PathBuf>,
    /// Write the set in another form, without a camera
    #[arg(long, value_name = "FORM", conflicts_with = "label", requires = "to")]
    pub export: Option<Form>,
    /// The folder for that, empty or new
    #[arg(long, value_name = "FOLDER", requires = "export")]
    pub to: Option<PathBuf>,
}

/// `omv view`.
#[derive(Debug, Args)]
pub struct View {
    /// How to draw; without this, the best way the terminal has
    #[arg(long = "as", value_name = "WAY", value_enum)]
    pub way: Option<Way>,
    /// Run this script for it; without it, a camera that shows no pictures gets a simple one
    #[arg(long, value_name = "FILE")]
    pub script: Option<PathBuf>,
}

/// `omv serve`.
#[derive(Debug, Args)]
pub struct Serve {
    /// The port to listen on; 0 takes a free one
    #[arg(long, default_value_t = 0)]
    pub port: u16,
    /// The address to listen on. Others than this machine's own let the network in
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1")]
    pub listen: IpAddr,
    /// A name under which browsers reach this machine, besides its addresses
    #[arg(long, value_name = "NAME")]
    pub host: Vec<String>,
    /// A token of your own, so that the address stays the same; at least 16 characters
    #[arg(long, value_name = "TOKEN", env = "OMV_TOKEN", hide_env_values = true)]
    pub token: Option<String>,
    /// Where the page's record button writes to
    #[arg(long, value_name = "FOLDER", default_value = ".")]
    pub folder: PathBuf,
    /// The page gets a button that keeps pictures for training here, as `omv capture` does
    #[arg(long, value_name = "FOLDER")]
    pub capture: Option<PathBuf>,
}

/// `omv channel`.
#[derive(Debug, Subcommand)]
pub enum ChannelAction {
    /// Read what it has
    Read {
        /// Its name
        name: String,
        /// Write it to a file
        #[arg(short, long, value_name = "FILE")]
        output: Option<PathBuf>,
        /// Show the bytes, also where they are fields of a `CBORChannel`
        #[arg(long)]
        raw: bool,
        /// Most bytes to read
        #[arg(long, value_name = "BYTES", default_value_t = 1 << 20)]
        limit: usize,
    },
    /// Write to it; without data or a file, what comes on standard input
    Write {
        /// Its name
        name: String,
        /// Text to write
        #[arg(conflicts_with = "file")]
        data: Option<String>,
        /// A file to write
        #[arg(long, value_name = "FILE")]
        file: Option<PathBuf>,
        /// Set a field of a `CBORChannel`; can be given several times
        #[arg(long, value_name = "FIELD=VALUE", conflicts_with_all = ["data", "file"])]
        set: Vec<String>,
    },
}

/// `omv profile`.
#[derive(Debug, Args)]
pub struct Profile {
    /// The ELF file of the firmware, for the names of its functions
    #[arg(long, value_name = "FILE")]
    pub elf: Option<PathBuf>,
    /// Begin anew and count for so long; without this, what was counted so far
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(1..=86_400))]
    pub seconds: Option<u64>,
    /// Count the time inside each function alone
    #[arg(long)]
    pub exclusive: bool,
    /// How many to print
    #[arg(long, value_name = "N", default_value_t = 30)]
    pub top: usize,
}

/// A number of seconds that makes sense.
fn positive(text: &str) -> Result<f64, String> {
    let seconds: f64 = text.parse().map_err(|_| "not a number".to_owned())?;
    if seconds > 0.0 && seconds <= 31_536_000.0 {
        Ok(seconds)
    } else {
        Err("between 0 and a year, in seconds".into())
    }
}
