//! Why nothing will be done: found out before a camera is touched.

/// A wish that has no plan. Nothing was erased or written when one of these is returned.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Refusal {
    /// No file was given, and the camera is a real one.
    #[error("no firmware file was given")]
    NoImage,
    /// The archive or folder has no file for this board.
    #[error("{source_name} has no `{file}` for {board}{}", list(has))]
    NotInside {
        /// The archive or folder.
        source_name: String,
        /// The file looked for.
        file: String,
        /// The board.
        board: String,
        /// Boards it does have files for.
        has: Vec<String>,
    },
    /// The archive is not one that is safe to read.
    #[error("{source_name} cannot be used: {why}")]
    BadArchive {
        /// The archive.
        source_name: String,
        /// What is wrong with it.
        why: String,
    },
    /// The file names another board.
    #[error("{file} is for {says}, and the camera is {board}")]
    WrongBoard {
        /// The file.
        file: String,
        /// What it says it is for.
        says: String,
        /// What the camera is.
        board: String,
    },
    /// The file does not fit.
    #[error("{file} has {size} bytes, {region} has room for {room}")]
    TooLarge {
        /// The file.
        file: String,
        /// Its size, bytes.
        size: u64,
        /// Where it should go.
        region: String,
        /// Bytes there.
        room: u64,
    },
    /// The file is not what its name says.
    #[error("{file} is not usable as {region}: {why}")]
    NotValid {
        /// The file.
        file: String,
        /// Where it should go.
        region: String,
        /// What a test found.
        why: String,
    },
    /// Recovery needs the loader programs.
    #[error("the loader program `{file}` was not found")]
    NoLoader {
        /// File name.
        file: String,
    },
    /// A loader file nobody has tested.
    #[error("`{file}` is not the loader this program knows: its SHA-256 is {found}")]
    UnknownLoader {
        /// File name.
        file: String,
        /// The hash found, lower-case hex.
        found: String,
    },
    /// The state is one from which this cannot be done.
    #[error("a camera in state `{state}` cannot do this")]
    WrongState {
        /// The state.
        state: omv_boards::State,
    },
    /// The board has no such region, or it must not be written.
    #[error("{board} has no region `{region}` that can be used like this{}", why.as_ref().map(|w| format!(": {w}")).unwrap_or_default())]
    NoRegion {
        /// The board.
        board: String,
        /// The region asked for.
        region: String,
        /// Why not, if the board says.
        why: Option<String>,
    },
    /// Nobody should flash this board any more, or it is no board.
    #[error("{board} cannot be flashed by this program: {why}")]
    Unsupported {
        /// The board.
        board: String,
        /// Why.
        why: String,
    },
    /// Recovery of this board needs its bootloader file.
    #[error("recovering {board} needs `{file}`, and it was not given")]
    NoBootloader {
        /// File name.
        file: String,
        /// The board.
        board: String,
    },
    /// The serial bootloader of the time before 4.6 cannot do this.
    #[error("{board} has the old serial bootloader: {why}")]
    OldBootloader {
        /// The board.
        board: String,
        /// What it cannot do.
        why: String,
    },
    /// Firmware for one of two cores.
    #[error("{board} has two cores that need firmware of one release, and `{missing}` is missing")]
    OneCore {
        /// The board.
        board: String,
        /// The file that is missing.
        missing: String,
    },
    /// Firmware of a time before the ROM file system.
    #[error(
        "firmware {firmware} of {board} has no ROM file system: what would be overwritten is in use, {since} is the first that has one"
    )]
    BeforeRomfs {
        /// The board.
        board: String,
        /// What it would run.
        firmware: omv_boards::Version,
        /// The first release with one.
        since: omv_boards::Version,
    },
    /// The image leaves no room for the record that keeps the bootloader waiting.
    #[error("{file} uses the bytes at {address:#010x} that parking needs")]
    CannotPark {
        /// The file.
        file: String,
        /// Where the record would go.
        address: u32,
    },
    /// The file is no neural network that a camera could run.
    #[error("{file} cannot be run by a camera: {why}")]
    NotAModel {
        /// The file.
        file: String,
        /// Why not.
        why: String,
    },
    /// The board runs no neural networks.
    #[error("{board} runs no neural networks with {version}")]
    NoNetworks {
        /// The board.
        board: String,
        /// With which firmware.
        version: String,
    },
    /// The network is in the form of another processor.
    #[error("{file} does not run on {board}: it is {form}")]
    OtherProcessor {
        /// The file.
        file: String,
        /// The board.
        board: String,
        /// What form it has.
        form: String,
    },
    /// The firmware lacks an operator.
    #[error("{file} needs {operators}, which the firmware of {board} does not have")]
    NoOperator {
        /// The file.
        file: String,
        /// The operators.
        operators: String,
        /// The board.
        board: String,
    },
    /// The network does not fit into the board's memory.
    #[error(
        "{file} is too large for {board}: its {what} need at least {needs} bytes, and the largest piece of memory for them has {room}"
    )]
    ModelTooLarge {
        /// The file.
        file: String,
        /// The board.
        board: String,
        /// What is too large.
        what: String,
        /// Bytes needed.
        needs: u64,
        /// Bytes there are.
        room: u64,
    },
    /// The labels are not those of the network.
    #[error("{file} has {labels} labels, and the outputs are {outputs}")]
    LabelsDiffer {
        /// The label file.
        file: String,
        /// Labels in it.
        labels: usize,
        /// Shapes of the outputs.
        outputs: String,
    },
    /// The archive is no export of a training service.
    #[error("{source_name} is no export for OpenMV cameras: {why}")]
    NotAnExport {
        /// The archive.
        source_name: String,
        /// Why not.
        why: String,
    },
}

impl Refusal {
    /// Stable name.
    pub fn code(&self) -> &'static str {
        match self {
            Self::NoImage => "no-image",
            Self::NotInside { .. } => "not-inside",
            Self::BadArchive { .. } => "bad-archive",
            Self::WrongBoard { .. } => "wrong-board",
            Self::TooLarge { .. } => "too-large",
            Self::NotValid { .. } => "not-valid",
            Self::NoLoader { .. } => "no-loader",
            Self::UnknownLoader { .. } => "unknown-loader",
            Self::WrongState { .. } => "wrong-state",
            Self::NoRegion { .. } => "no-region",
            Self::Unsupported { .. } => "unsupported-board",
            Self::NoBootloader { .. } => "no-bootloader",
            Self::OldBootloader { .. } => "old-bootloader",
            Self::OneCore { .. } => "one-core",
            Self::BeforeRomfs { .. } => "before-romfs",
            Self::CannotPark { .. } => "cannot-park",
            Self::NotAModel { .. } => "not-a-model",
            Self::NoNetworks { .. } => "no-networks",
            Self::OtherProcessor { .. } => "other-processor",
            Self::NoOperator { .. } => "no-operator",
            Self::ModelTooLarge { .. } => "model-too-large",
            Self::LabelsDiffer { .. } => "labels-differ",
            Self::NotAnExport { .. } => "not-an-export",
        }
    }

    /// One thing a person can do.
    pub fn help(&self) -> &'static str {
        match self {
            Self::NoImage => {
                "Download a release from OpenMV and name its zip, folder or firmware.bin."
            }
            Self::NotInside { .. } => "Use the release zip or folder that was made for this board.",
            Self::BadArchive { .. } => {
                "Download the file again from where OpenMV publishes its releases."
            }
            Self::WrongBoard { .. } => {
                "Use the file from this board's folder of the release; check the name printed on the camera."
            }
            Self::TooLarge { .. } => {
                "Download the file again; if it is as large as it should be, it is for another board."
            }
            Self::NotValid { .. } => {
                "Download the file again; if it is meant to be like this, say that you want to force it."
            }
            Self::NoLoader { .. } => {
                "Get the Python package openmv-ota 1.0.7 (`pip download --no-deps openmv-ota==1.0.7`) and name its wheel, or install OpenMV IDE."
            }
            Self::UnknownLoader { .. } => {
                "Use the loader files of the package openmv-ota 1.0.7; force it only if you know where yours come from."
            }
            Self::WrongState { .. } => "Restart the camera, or recover it.",
            Self::NoRegion { .. } => "Ask for the camera's information to see its regions.",
            Self::Unsupported { .. } => {
                "OpenMV's documentation says what can still be done with this board."
            }
            Self::NoBootloader { .. } => {
                "Name the release zip or folder: the bootloader lies in it beside the firmware."
            }
            Self::OldBootloader { .. } => {
                "Recovering the camera gives it the newer bootloader; that takes a wire once."
            }
            Self::OneCore { .. } => "Name the release zip or folder: it has the files of both.",
            Self::BeforeRomfs { .. } => "Update the firmware first, or in the same run.",
            Self::CannotPark { .. } => "Flash without parking: the order of writing stays safe.",
            Self::NotAModel { .. } => {
                "Export the network as a quantised TensorFlow Lite file (int8) from the training tool."
            }
            Self::NoNetworks { .. } => "Update the firmware, or use a camera with more memory.",
            Self::OtherProcessor { .. } => {
                "Take the file that was made for this board, or the plain .tflite and its compiler."
            }
            Self::NoOperator { .. } => {
                "Update the firmware, or replace that layer in the network and export it again."
            }
            Self::ModelTooLarge { .. } => {
                "Train with smaller pictures or fewer channels, or use a camera with more memory."
            }
            Self::LabelsDiffer { .. } => {
                "Use the label file that came with this network: one label a line, one line a class."
            }
            Self::NotAnExport { .. } => {
                "Export again and choose the OpenMV library; it holds one .tflite file and its labels."
            }
        }
    }
}

fn list(boards: &[String]) -> String {
    if boards.is_empty() {
        String::new()
    } else {
        format!("; it has files for {}", boards.join(", "))
    }
}
