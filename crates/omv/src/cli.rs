//! The command line, defined once: the parser, the help, the man pages and the completions all
//! come from here.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

mod live;
mod models;
mod romfs;
mod sim;

pub use live::*;
pub use models::*;
pub use romfs::{How, LayoutName, RomfsAction};
pub use sim::*;

const HELP: &str = "\
{about}

{usage-heading} {usage}

Look:
  list         What is plugged in, and what state it is in
  info         Everything about one camera, or about a firmware file
  doctor       What is wrong with a camera, its cable or this computer

Bring to life:
  flash        Put firmware on a camera, from whatever state it is in
  recover      Rebuild a camera that does not start any more
  reset        Restart a camera, or send it into its bootloader

Use it:
  run          Run a script, and see what it prints
  stop         Stop the script that runs
  console      What the camera prints
  view         The picture in the terminal
  serve        The picture in a browser, and for other programs
  snap         One picture into a file
  record       A film: .avi, .gif, .mp4, or a folder of pictures
  channels     The channels a camera has
  channel      Read or write a channel
  profile      Where the firmware spends its time

Files:
  romfs        Images of the read-only file system: make, look into, read, write

Files on its disk:
  save         Put a script on the camera, prove that it is there, restart
  cp           Copy a file to the camera or from it
  ls           What is on its disk
  cat          Print a file of it
  rm, mkdir    Remove a file, make a folder
  df           How full it is

Keep safe:
  backup       Save a region of a camera's flash to a file
  restore      Put a saved region back
  erase        Erase the camera's internal disk
  disk         Check, test, repair, rescue and format cards and disk images

Neural networks:
  model        What a network needs, and which cameras run it
  bench        How long pictures and predictions take, and what they cost

More:
  sim          A virtual camera, to try things on
  completions  Print a completion script for a shell
  man          Write the manual pages
  blhost       Stand-in for the tool of that name from NXP
  sdphost      Stand-in for the tool of that name from NXP
  dfu-util     Stand-in for the tool of that name
  help         Print help, also for one command

{options}{after-help}";

/// Find, flash and recover OpenMV cameras.
#[derive(Debug, Parser)]
#[command(
    name = "omv",
    version,
    help_template = HELP,
    after_help = "Try it without a camera: omv flash -c sim:rt1062",
    max_term_width = 100,
    disable_help_subcommand = false
)]
pub struct Cli {
    #[command(flatten)]
    pub common: Common,
    #[command(subcommand)]
    pub command: Command,
}

/// Options every command understands.
#[derive(Clone, Debug, Args)]
pub struct Common {
    /// Which camera: serial number, port, USB place, board name, name of a running simulator, or
    /// `sim:rt1062` for one inside this process (`sim:rt1062@FILE` keeps its state, `sim:h7,state=dfu` is in another one)
    #[arg(short, long, global = true, value_name = "CAMERA", env = "OMV_CAMERA")]
    pub camera: Option<String>,
    /// Print JSON: one object a line, the result last
    #[arg(long, global = true)]
    pub json: bool,
    /// Also look at a USB/IP server, such as a camera another machine exports
    #[arg(long, global = true, value_name = "HOST:PORT")]
    pub usbip: Vec<String>,
    /// Write everything that goes over the wire to a file, as readable text
    #[arg(long, global = true, value_name = "FILE")]
    pub record: Option<PathBuf>,
    /// When to use colour
    #[arg(long, global = true, value_enum, default_value_t = Colour::Auto)]
    pub color: Colour,
}

/// When to use colour.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Colour {
    Auto,
    Always,
    Never,
}

#[derive(Debug, Subcommand)]
pub enum Command {
    /// What is plugged in, and what state it is in
    #[command(after_help = "Examples:\n  omv list\n  omv list --json\n  omv list --watch")]
    List(List),
    /// Everything about one camera, or about a firmware file
    #[command(
        after_help = "Examples:\n  omv info\n  omv info -c sim:rt1062\n  omv info firmware.bin\n  omv info firmware_v5.0.0.zip --board rt1062"
    )]
    Info(Info),
    /// What is wrong with a camera, its cable or this computer
    ///
    /// Watches the bus, asks running cameras who they are, and looks at access rights, other
    /// programs and drivers. Changes nothing. Exit code 11 means that there is a problem.
    #[command(
        after_help = "Examples:\n  omv doctor\n  omv doctor --led \"green blinking\"\n  omv doctor --watch 60\n  omv doctor --report report.zip\n  sudo omv doctor --install-rules"
    )]
    Doctor(Doctor),
    /// Put firmware on a camera, from whatever state it is in
    ///
    /// Detects the board and its state, enters the bootloader, erases only what it writes, reads
    /// everything back, and returns the camera to running.
    #[command(
        after_help = "Examples:\n  omv flash firmware.zip\n  omv flash firmware.bin --dry-run\n  omv flash firmware.bin --romfs romfs0.img\n  omv flash -c sim:rt1062"
    )]
    Flash(Flash),
    /// Rebuild a camera that does not start any more
    ///
    /// Loads a helper program through the chip's own ROM, then writes the boot block, the
    /// resident bootloader and the firmware anew. Tells you when to set and remove the wire.
    #[command(
        after_help = "Examples:\n  omv recover firmware.zip --loaders openmv_ota-1.0.7-py3-none-any.whl\n  omv recover --dry-run firmware.bin --loaders loaders/\n  omv recover -c sim:rt1062"
    )]
    Recover(Recover),
    /// Save a region of a camera's flash to a file
    #[command(
        after_help = "Examples:\n  omv backup -o disk.img\n  omv backup firmware -o firmware.bin\n  omv backup romfs -o romfs.img"
    )]
    Backup(Backup),
    /// Put a saved region back
    #[command(
        after_help = "Examples:\n  omv restore disk.img\n  omv restore romfs.img --region romfs"
    )]
    Restore(Restore),
    /// Erase the camera's internal disk; it makes a new, empty one when it starts
    #[command(after_help = "Examples:\n  omv erase disk\n  omv erase disk --backup disk.img")]
    Erase(Erase),
    /// Put a script on the camera, prove that it is there, restart
    ///
    /// Written sector by sector so that a pulled cable leaves the old script or the new one, and
    /// read back twice, because firmware can hide the errors of a card.
    #[command(
        after_help = "Examples:\n  omv save blink.py\n  omv save blink.py --as boot.py --no-reset\n  omv save blink.py --disk /dev/sdb"
    )]
    Save(crate::cmd::files::args::Save),
    /// Copy a file to the camera or from it
    #[command(after_help = "Examples:\n  omv cp model.tflite :model.tflite\n  omv cp :log.txt .")]
    Cp(crate::cmd::files::args::Cp),
    /// What is on the camera's disk
    Ls(crate::cmd::files::args::Ls),
    /// Print a file of the camera's disk
    Cat(crate::cmd::files::args::Cat),
    /// Remove a file or an empty folder from the camera's disk
    Rm(crate::cmd::files::args::Rm),
    /// Make a folder on the camera's disk
    Mkdir(crate::cmd::files::args::MkDir),
    /// How full the camera's disk is
    Df(crate::cmd::files::args::Df),
    /// Check, test, repair, rescue and format cards and disk images
    Disk(crate::cmd::disk::args::Disk),
    /// Restart a camera, or send it into its bootloader
    #[command(after_help = "Examples:\n  omv reset\n  omv reset --bootloader")]
    Reset(Reset),
    /// Run a script, and see what it prints
    ///
    /// Ctrl-C stops the script, not the camera. The exit code is 10 when the script raised an
    /// exception; lines of a traceback point to the file here.
    #[command(
        after_help = "Examples:\n  omv run hello.py\n  omv run hello.py --watch\n  omv run hello.py --timeout 10 -- one two\n  echo 'print(1)' | omv run -"
    )]
    Run(Run),
    /// Stop the script that runs
    #[command(after_help = "Example:\n  omv stop")]
    Stop,
    /// What the camera prints
    #[command(after_help = "Examples:\n  omv console\n  omv console --log camera.log")]
    Console(Console),
    /// The picture in the terminal
    ///
    /// Draws with kitty's graphics, with sixels or with half blocks, whatever the terminal can do.
    #[command(
        after_help = "Examples:\n  omv view\n  omv view --as blocks\n  omv view -c sim:rt1062"
    )]
    View(View),
    /// The picture in a browser, and for other programs
    ///
    /// A page with live view, console, editor and plots, and plain endpoints: MJPEG, JPEG, events,
    /// WebSocket, control. On this machine only, unless --listen says otherwise.
    #[command(
        after_help = "Examples:\n  omv serve\n  omv serve --port 8080 --token my-own-token-1234\n  omv serve --listen 0.0.0.0 --port 8080"
    )]
    Serve(Serve),
    /// One picture into a file
    #[command(after_help = "Examples:\n  omv snap out.jpg\n  omv snap out.png --script scene.py")]
    Snap(Snap),
    /// A film: .avi, .gif, .mp4, or a folder of pictures
    ///
    /// An .avi and a folder keep every JPEG as the camera sent it. The time of each picture is
    /// kept in a table beside the film. Ctrl-C ends it, and what there is plays.
    #[command(
        after_help = "Examples:\n  omv record out.avi\n  omv record out.gif --seconds 5\n  omv record pictures/ --frames 100"
    )]
    Record(Record),
    /// Take pictures for training, in folders as OpenMV IDE has them
    ///
    /// Enter keeps the picture that is there; --every keeps one after a time, --on-script when the
    /// script on the camera prints `omv-capture` (or `omv-capture X Y WIDTH HEIGHT`, with a box).
    /// Pictures that look like one of the class are left out.
    #[command(
        after_help = "Examples:\n  omv capture set --label ball\n  omv capture set --label figure --every 0.5 --count 100\n  omv capture set --export edge-impulse --to upload"
    )]
    Capture(Capture),
    /// The channels a camera has
    #[command(after_help = "Example:\n  omv channels")]
    Channels,
    /// Read or write a channel
    #[command(
        after_help = "Examples:\n  omv channel read ticks\n  omv channel write settings '{\"gain\": 3}'\n  omv channel write data --file data.bin\n  omv channel write controls --set gain=7"
    )]
    Channel {
        #[command(subcommand)]
        action: ChannelAction,
    },
    /// Where the firmware spends its time
    ///
    /// For firmware that was built with its profiler.
    #[command(
        after_help = "Examples:\n  omv profile --elf firmware.elf\n  omv profile --elf firmware.elf --seconds 10 --exclusive"
    )]
    Profile(Profile),
    /// Images of the read-only file system: make, look into, read, write
    #[command(
        after_help = "Examples:\n  omv romfs build files -o romfs0.img --board rt1062\n  omv romfs ls romfs0.img\n  omv romfs flash romfs0.img\n  omv romfs read -o saved.img"
    )]
    Romfs {
        /// What to do
        #[command(subcommand)]
        action: RomfsAction,
    },
    /// What a neural network needs, and which cameras run it
    #[command(
        after_help = "Examples:\n  omv model info trained.tflite\n  omv model info export.zip --board rt1062"
    )]
    Model(Model),
    /// How long pictures and predictions take, and what they cost
    ///
    /// Runs one script that measures, on firmware of any age, with the preview off and the first
    /// frames left out. Times of a virtual camera come from a cost model and say so everywhere.
    #[command(
        args_conflicts_with_subcommands = true,
        after_help = "Examples:\n  omv bench\n  omv bench /sdcard/trained.tflite --sizes 240x240,qvga,1024x1024 --html out.html\n  omv bench trained.tflite --power scpi:192.168.1.5 --volts 5\n  omv --json bench > after.json\n  omv bench compare before.json after.json"
    )]
    Bench(Bench),
    /// A virtual camera, to try things on
    ///
    /// Serves the camera over USB/IP on this machine until it is stopped with Ctrl-C. `omv list`
    /// finds it by itself, and so does every other command.
    #[command(
        args_conflicts_with_subcommands = true,
        after_help = "Examples:\n  omv sim rt1062\n  omv sim rt1062 --name bench --speed 10\n  omv sim rt1062 --era 4.5.2 --scene blobs --sd 64\n  omv sim ctl bench power-cut --after-bytes 100000\n  omv sim ctl bench jumper on"
    )]
    Sim(Sim),
    /// Print a completion script for a shell
    #[command(
        after_help = "Example:\n  omv completions bash > ~/.local/share/bash-completion/completions/omv"
    )]
    Completions {
        /// Which shell
        shell: clap_complete::Shell,
    },
    /// Write the manual pages
    #[command(after_help = "Example:\n  omv man ~/.local/share/man/man1")]
    Man {
        /// Folder to write to; without one the main page is printed
        folder: Option<PathBuf>,
    },
    /// Stand-in for the tool of that name from NXP
    ///
    /// Takes the command line of blhost, and gives its results and exit codes, so that scripts
    /// need no change. A link named blhost that leads to this program does the same.
    #[command(
        disable_help_flag = true,
        after_help = "Examples:\n  omv blhost -u 0x15A2,0x0073 -- get-property 1\n  omv blhost -p /dev/ttyUSB0 -j read-memory 0x60000000 512"
    )]
    Blhost {
        /// The command line of blhost; `--help` explains it
        #[arg(
            trailing_var_arg = true,
            allow_hyphen_values = true,
            value_name = "WORD"
        )]
        words: Vec<OsString>,
    },
    /// Stand-in for the tool of that name from NXP
    ///
    /// Takes the command line of sdphost, and gives its results and exit codes, so that scripts
    /// need no change. A link named sdphost that leads to this program does the same.
    #[command(
        disable_help_flag = true,
        after_help = "Examples:\n  omv sdphost -u 0x1FC9,0x0135 -- write-file 0x20001C00 loader.bin\n  omv sdphost -u 0x1FC9,0x0135 -- jump-address 0x20001C00"
    )]
    Sdphost {
        /// The command line of sdphost; `--help` explains it
        #[arg(
            trailing_var_arg = true,
            allow_hyphen_values = true,
            value_name = "WORD"
        )]
        words: Vec<OsString>,
    },
    /// Stand-in for the tool of that name
    ///
    /// Takes the command line of dfu-util 0.11, and gives its lines and exit codes, so that scripts
    /// need no change. A link named dfu-util that leads to this program does the same.
    #[command(
        disable_help_flag = true,
        after_help = "Examples:\n  omv dfu-util -l\n  omv dfu-util -w -d ,37c5:9204 -a 2 -R -D firmware.bin\n  omv dfu-util -d ,0483:df11 -a 0 -s 0x08000000 -D bootloader.bin"
    )]
    DfuUtil {
        /// The command line of dfu-util; `--help` explains it
        #[arg(
            trailing_var_arg = true,
            allow_hyphen_values = true,
            value_name = "WORD"
        )]
        words: Vec<OsString>,
    },
}

#[derive(Debug, Args)]
pub struct List {
    /// Keep looking, and print every arrival, change and departure
    #[arg(short, long)]
    pub watch: bool,
}

#[derive(Debug, Args)]
pub struct Doctor {
    /// What a light looks like, in your words; tells what it may mean
    #[arg(long, value_name = "TEXT", conflicts_with_all = ["report", "watch", "install_rules", "print_rules"])]
    pub led: Option<String>,
    /// Also write a zip for a forum post or a bug report; serial numbers are blanked
    #[arg(long, value_name = "FILE")]
    pub report: Option<PathBuf>,
    /// How long to watch the bus; without this, as long as something may still happen
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(..=86_400))]
    pub watch: Option<u64>,
    /// Install udev rules that give access to cameras in every state (Linux, needs root)
    #[arg(long, conflicts_with_all = ["report", "watch"])]
    pub install_rules: bool,
    /// Print these rules
    #[arg(long, conflicts_with_all = ["report", "watch", "install_rules"])]
    pub print_rules: bool,
    /// Agree to installing them
    #[arg(short, long, requires = "install_rules")]
    pub yes: bool,
    /// Look at a system whose /sys, /proc, /dev, /run, /usr and /etc lie below a folder
    #[arg(long, hide = true, value_name = "FOLDER")]
    pub root: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub struct Info {
    /// A firmware file, folder or release zip; without one, the camera
    pub file: Option<PathBuf>,
    /// Which board's file to take from an all-boards zip
    #[arg(long)]
    pub board: Option<String>,
}

/// What `flash` and `recover` share.
#[derive(Clone, Debug, Args)]
pub struct Images {
    /// File, folder or release zip; virtual cameras have a built-in sample
    pub image: Option<PathBuf>,
    /// A ROM file system image to write as well
    #[arg(long, value_name = "FILE")]
    pub romfs: Option<PathBuf>,
    /// Folder, zip or wheel with the loader programs; else an installed OpenMV IDE is searched
    #[arg(long, value_name = "PATH")]
    pub loaders: Option<PathBuf>,
    /// Which board it is, where the camera cannot say
    #[arg(long)]
    pub board: Option<String>,
    /// Show the plan and stop before touching the camera
    #[arg(short = 'n', long)]
    pub dry_run: bool,
    /// Agree to everything that can be undone
    #[arg(short, long)]
    pub yes: bool,
    /// Rewrite sectors that are already equal
    #[arg(long)]
    pub full: bool,
    /// Go on although the file looks wrong for this board, or a loader file is unknown
    #[arg(long)]
    pub force: bool,
    /// How long to wait for a camera that is not there yet, in seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 60)]
    pub wait: u64,
}

#[derive(Debug, Args)]
pub struct Flash {
    #[command(flatten)]
    pub images: Images,
    /// Write the ROM file system only, leave the firmware as it is
    #[arg(long, requires = "romfs", conflicts_with = "image")]
    pub romfs_only: bool,
    /// Keep an interrupted camera in its bootloader instead of letting half-written code run
    #[arg(long)]
    pub park: bool,
    /// Erase before writing, in the order OpenMV IDE uses: an interrupted camera then needs the
    /// wire. For comparison only
    #[arg(long, hide = true, conflicts_with = "park")]
    pub erase_first: bool,
    /// Leave the camera in its bootloader, for the next job
    #[arg(long)]
    pub stay: bool,
}

#[derive(Clone, Debug, Args)]
pub struct Recover {
    #[command(flatten)]
    pub images: Images,
    /// Also erase the internal disk, after saving it
    #[arg(long)]
    pub erase_disk: bool,
    /// Where to save the disk before it is erased
    #[arg(long, value_name = "FILE", conflicts_with = "no_backup")]
    pub backup: Option<PathBuf>,
    /// Erase the disk without saving it
    #[arg(long)]
    pub no_backup: bool,
    /// Replace the bootloader although the one the camera has shows itself
    #[arg(long)]
    pub bootloader: bool,
    /// Write all that the chip's ROM can reach through the ROM, not the bootloader alone
    #[arg(long)]
    pub through_rom: bool,
    /// Agree to burn the boot fuse if it is clear. This cannot be undone, ever
    #[arg(long)]
    pub burn_boot_fuse: bool,
}

#[derive(Debug, Args)]
pub struct Backup {
    /// Region: disk, firmware, romfs, or another the board has
    #[arg(default_value = "disk")]
    pub region: String,
    /// File to write
    #[arg(short, long, value_name = "FILE")]
    pub output: Option<PathBuf>,
    /// Show the plan and stop before touching the camera
    #[arg(short = 'n', long)]
    pub dry_run: bool,
    /// Which board it is, where the camera cannot say
    #[arg(long)]
    pub board: Option<String>,
}

#[derive(Debug, Args)]
pub struct Restore {
    /// The file to put back
    pub file: PathBuf,
    /// Region it belongs to
    #[arg(long, default_value = "disk")]
    pub region: String,
    /// Show the plan and stop before touching the camera
    #[arg(short = 'n', long)]
    pub dry_run: bool,
    /// Agree to everything that can be undone
    #[arg(short, long)]
    pub yes: bool,
    /// Rewrite sectors that are already equal
    #[arg(long)]
    pub full: bool,
    /// Which board it is, where the camera cannot say
    #[arg(long)]
    pub board: Option<String>,
}

#[derive(Debug, Args)]
pub struct Erase {
    /// What to erase
    #[arg(value_enum)]
    pub what: Erasable,
    /// Where to save it first; a name is made up without this
    #[arg(long, value_name = "FILE", conflicts_with = "no_backup")]
    pub backup: Option<PathBuf>,
    /// Do not save it first
    #[arg(long)]
    pub no_backup: bool,
    /// Show the plan and stop before touching the camera
    #[arg(short = 'n', long)]
    pub dry_run: bool,
    /// Agree without being asked
    #[arg(short, long)]
    pub yes: bool,
    /// Which board it is, where the camera cannot say
    #[arg(long)]
    pub board: Option<String>,
}

/// What `erase` can erase.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Erasable {
    /// The internal disk
    Disk,
}

#[derive(Debug, Args)]
pub struct Reset {
    /// Into the bootloader, and stay there
    #[arg(long)]
    pub bootloader: bool,
    /// Which board it is, where the camera cannot say
    #[arg(long)]
    pub board: Option<String>,
}
