//! The command lines of `model` and `bench`.

use std::path::PathBuf;

use clap::{Args, Subcommand};

#[derive(Debug, Args)]
pub struct Model {
    #[command(subcommand)]
    pub command: ModelCommand,
}

#[derive(Debug, Subcommand)]
pub enum ModelCommand {
    /// Everything about a model file, and which boards it suits
    #[command(
        after_help = "Examples:\n  omv model info trained.tflite\n  omv model info export.zip --board rt1062 --firmware 5.0.0\n  omv model info :/rom/person_detect.tflite"
    )]
    Info(ModelInfo),
    /// Whether a camera would run a network with these labels; exit code 9 if not. Writes nothing
    #[command(
        after_help = "Examples:\n  omv model check export.zip\n  omv model check trained.tflite --labels labels.txt --board rt1062 --firmware 4.5.2"
    )]
    Check(ModelCheck),
    /// Copy a network and its labels to a camera, and run one prediction
    ///
    /// Everything is checked against this camera first: what it would refuse is refused here, with
    /// exit code 9, before anything is written. Labels are written twice: as `labels.txt`, and under
    /// the network's own name, where the camera looks.
    #[command(
        after_help = "Examples:\n  omv model deploy export.zip\n  omv model deploy trained.tflite --labels labels.txt --to sd --script\n  omv model deploy trained.tflite --to romfs"
    )]
    Deploy(ModelDeploy),
}

/// Which of a camera's disks, or its ROM file system.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum ModelPlace {
    /// /rom where the camera has it and it has room, else the card, else the internal disk
    Auto,
    /// The card
    Sd,
    /// The internal disk
    Flash,
    /// The read-only file system at /rom, beside what is in it; from 4.7.0 on
    Romfs,
}

#[derive(Debug, Args)]
pub struct ModelDeploy {
    /// An export for the OpenMV library (.zip), or a .tflite file
    pub file: PathBuf,
    /// The label file, one label a line; else the one inside, or beside the file
    #[arg(long, value_name = "FILE")]
    pub labels: Option<PathBuf>,
    /// Where it goes
    #[arg(long, value_enum, default_value = "auto")]
    pub to: ModelPlace,
    /// Its name on the camera, without an ending; else its own
    #[arg(long)]
    pub name: Option<String>,
    /// Also write a `main.py` that shows what the network sees
    #[arg(long)]
    pub script: bool,
    /// Replace a `main.py` that is there already
    #[arg(long, requires = "script")]
    pub replace_main: bool,
}

#[derive(Debug, Args)]
pub struct ModelCheck {
    /// A .tflite file, or a zip or folder with one in it
    pub file: PathBuf,
    /// The label file, one label a line; else the one inside, or beside the file
    #[arg(long, value_name = "FILE")]
    pub labels: Option<PathBuf>,
    /// The board that is meant; else the camera's
    #[arg(long)]
    pub board: Option<String>,
    /// The firmware that is meant, such as 5.0.0; else the camera's
    #[arg(long, value_name = "VERSION")]
    pub firmware: Option<String>,
}

#[derive(Debug, Args)]
pub struct ModelInfo {
    /// A .tflite file, or a zip or folder with one in it; with a colon before it a file on the camera
    /// (:/sdcard/trained.tflite)
    pub file: PathBuf,
    /// The board that is meant; else all of them, with their newest firmware
    #[arg(long)]
    pub board: Option<String>,
    /// The firmware that is meant, such as 5.0.0; else every release at which something changed
    #[arg(long, value_name = "VERSION")]
    pub firmware: Option<String>,
}

#[derive(Debug, Args)]
pub struct Bench {
    #[command(subcommand)]
    pub command: Option<BenchCommand>,
    #[command(flatten)]
    pub measure: Measure,
}

#[derive(Debug, Subcommand)]
pub enum BenchCommand {
    /// Compare two results; exit code 12 means that something became slower
    #[command(after_help = "Example:\n  omv bench compare before.json after.json")]
    Compare {
        /// The earlier result, as --json printed it
        before: PathBuf,
        /// The later one
        after: PathBuf,
    },
    /// Measure the way between camera and computer: questions, text, pictures
    #[command(after_help = "Example:\n  omv bench link -c rt1062")]
    Link,
    /// Add to a result what a meter recorded meanwhile
    #[command(after_help = "Example:\n  omv bench energy result.json csv:meter.csv --volts 5")]
    Energy {
        /// A result of a measurement with --power
        result: PathBuf,
        /// csv:FILE
        power: String,
        /// The voltage, if the file has none
        #[arg(long)]
        volts: Option<f64>,
    },
}

#[derive(Debug, Args)]
pub struct Measure {
    /// The network: a path on the camera (:/sdcard/trained.tflite), or a file here, which is checked
    /// first; if the camera does not have it, it gets a copy for as long as it is measured. Without
    /// one, pictures only
    pub model: Option<String>,
    /// Where a file of this computer lies on the camera
    #[arg(long, value_name = "PATH")]
    pub at: Option<String>,
    /// Frame sizes, by name or as a window
    #[arg(
        long,
        value_delimiter = ',',
        default_value = "qvga",
        value_name = "SIZE"
    )]
    pub sizes: Vec<String>,
    /// Pixel formats
    #[arg(
        long,
        value_delimiter = ',',
        default_value = "rgb565",
        value_name = "FORMAT"
    )]
    pub pixformat: Vec<String>,
    /// Frames to measure, for each size and format
    #[arg(long, default_value_t = 30, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub frames: u32,
    /// Frames before those, left out
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(0..=1000))]
    pub warmup: u32,
    /// Print CSV
    #[arg(long)]
    pub csv: bool,
    /// Also write a page with bars
    #[arg(long, value_name = "FILE")]
    pub html: Option<PathBuf>,
    /// Also write the bars as a picture
    #[arg(long, value_name = "FILE")]
    pub svg: Option<PathBuf>,
    /// A meter in the camera's supply: `ppk2[:PORT]`, `scpi:HOST[:5025]`, `scpi:/dev/ttyUSB0[@9600]`,
    /// `hwmon:FILE` or `csv:FILE`
    #[arg(long, value_name = "METER")]
    pub power: Option<String>,
    /// The voltage of the supply
    #[arg(long)]
    pub volts: Option<f64>,
    /// A pin of the camera (P0) that makes the signature as the lights do, wired to D0 of the kit, or in a
    /// column `D0` of the file
    #[arg(long, value_name = "NAME", requires = "power")]
    pub pin: Option<String>,
}
