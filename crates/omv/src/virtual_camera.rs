//! Virtual cameras by name: `h7`, `h7,state=dfu`, `h7,firmware=4.5.9@FILE`.

use std::path::{Path, PathBuf};
use std::time::Duration;

use omv_boards::{Board, State, Version};
use omv_sim::dfu::{Bootloader, DfuCamera, Generation, Quirks, Wish};
use omv_sim::medium::{Faulty, FileCard, MemoryCard, NoTrouble, Shared, Trouble};
use omv_sim::rt1062::{self, Rt1062, sample};
use omv_sim::scene::Scene;
use omv_sim::state::{self, Kept, Loaded, StateError};
use omv_sim::{Camera, Hand, Setup};

use crate::fail::Fail;
use crate::files;
use crate::interpreter;

/// Size of the sample firmware an RT1062 is made with, bytes.
const FIRMWARE_SIZE: usize = 0x18_0000;

/// Which virtual camera is meant.
#[derive(Clone, Debug, Default)]
pub struct Spec {
    /// The board, as it was called.
    pub model: String,
    /// The state it is found in.
    pub state: Option<State>,
    /// A firmware file, or the version of a sample one.
    pub firmware: Option<String>,
    /// Its bootloader: `1.0.3`, `4.7`, `4.6`, `legacy`, `legacy-1`.
    pub bootloader: Option<String>,
    /// Names of quirks.
    pub quirks: Vec<String>,
    /// What its sensor looks at: the name of a scene, a folder of pictures, or a film.
    pub scene: Option<String>,
    /// Frames of its sensor in a second.
    pub fps: Option<f64>,
    /// The card in its slot: an image file, or the size of an empty one in MiB.
    pub sd: Option<String>,
    /// What is wrong with that card.
    pub sd_fault: Option<String>,
    /// The file that keeps it.
    pub file: Option<PathBuf>,
}

/// A camera, and how long after power-on it is as it was wished.
pub struct Made {
    /// The camera.
    pub camera: Box<dyn Kept>,
    /// Time to let pass before it is looked at.
    pub settles: Duration,
}

impl Spec {
    /// Reads `MODEL[,KEY=VALUE]...[@FILE]`.
    pub fn parse(text: &str) -> Result<Self, Fail> {
        let (words, file) = match text.split_once('@') {
            Some((words, file)) => (words, Some(PathBuf::from(file))),
            None => (text, None),
        };
        let mut words = words.split(',');
        let mut spec = Self {
            model: words.next().unwrap_or_default().to_owned(),
            file,
            ..Self::default()
        };
        for word in words {
            let (key, value) = word.split_once('=').unwrap_or((word, ""));
            match key {
                "state" => {
                    let state = value.parse().map_err(|_| unknown("state", value, states))?;
                    spec.state = Some(state);
                }
                "firmware" => spec.firmware = Some(value.to_owned()),
                "bootloader" => spec.bootloader = Some(value.to_owned()),
                "quirk" => spec.quirks.push(value.to_owned()),
                "scene" => spec.scene = Some(value.to_owned()),
                "sd" => spec.sd = Some(value.to_owned()),
                "sd-fault" => spec.sd_fault = Some(value.to_owned()),
                "fps" => {
                    let some = || "A number of frames a second, such as 30".to_owned();
                    let fps = value.parse().ok().filter(|fps: &f64| *fps > 0.0);
                    spec.fps = Some(fps.ok_or_else(|| unknown("fps", value, some))?);
                }
                _ => {
                    let keys = || {
                        "There are: state, firmware, bootloader, quirk, scene, fps, sd, sd-fault"
                            .to_owned()
                    };
                    return Err(unknown("key", key, keys));
                }
            }
        }
        Ok(spec)
    }

    /// Makes it: from its file if there is one, else as it is wished.
    pub fn make(&self) -> Result<Made, Fail> {
        let known = omv_boards::by_name(&self.model).filter(|board| is_virtual(board));
        let Some(board) = known else {
            let what = format!("there is no virtual camera `{}` yet", self.model);
            let help = format!("There are: {}", models().join(", "));
            return Err(Fail::Usage { what, help });
        };
        let mut made = match self.file.as_deref().filter(|file| file.exists()) {
            Some(file) => self.load(board, file),
            None if board.mboot.is_some() => self.make_rt1062(),
            None => self.make_other(board),
        }?;
        made.camera.set_up(self.set_up()?);
        Ok(made)
    }

    /// What its firmware finds around it.
    fn set_up(&self) -> Result<Setup, Fail> {
        let fault = self.sd_fault.as_deref().map(fault).transpose()?;
        let card = match (self.sd.as_deref(), fault) {
            (Some(sd), fault) => Some(card(sd, fault.unwrap_or(Trouble::None))?),
            (None, None) => None,
            (None, Some(_)) => {
                return Err(Fail::Usage {
                    what: "a card that is not there has no fault".into(),
                    help: "Name the card, too: `--sd FILE`, or `sd=FILE`.".into(),
                });
            }
        };
        let scene = match self.scene.as_deref() {
            None => Scene::default(),
            Some(name) => Scene::parse(name).map_err(|error| Fail::Usage {
                what: format!("there is no scene `{name}`: {error}"),
                help: format!(
                    "A folder of JPEG pictures, a film of them (.avi, .mjpeg), or: {}",
                    Scene::NAMES.join(", ")
                ),
            })?,
        };
        Ok(Setup {
            scene,
            card,
            formats: true,
            frame_rate: self.fps,
            engine: interpreter::found()?.map(|found| found.engine()),
            rom: None,
        })
    }

    fn load(&self, board: &'static Board, file: &Path) -> Result<Made, Fail> {
        if let Some(state) = self.state {
            return Err(Fail::Usage {
                what: format!(
                    "{} says what the camera is, not `state={state}`",
                    file.display()
                ),
                help: "Leave one of the two out.".into(),
            });
        }
        let settles = Wish::of(board).settles();
        let camera: Box<dyn Kept> = match state::load_any(file).map_err(simulator)? {
            Loaded::Rt1062(remains) => {
                Box::new(Rt1062::from_remains(*remains, self.rt1062_quirks()?))
            }
            Loaded::Dfu(remains) => Box::new(DfuCamera::from_remains(*remains, self.quirks()?)),
        };
        if camera.board() != board.name {
            return Err(Fail::Usage {
                what: format!("{} keeps the board {}", file.display(), camera.board()),
                help: "Name that board, or another file.".into(),
            });
        }
        Ok(Made { camera, settles })
    }

    fn make_rt1062(&self) -> Result<Made, Fail> {
        let firmware = match self.firmware()? {
            Firmware::Sample(version) => sample::firmware(&version, FIRMWARE_SIZE),
            Firmware::File(bytes) => bytes,
            Firmware::Any => sample::firmware(sample::SHIPPED, FIRMWARE_SIZE),
        };
        let mut camera = Rt1062::new(&firmware, self.rt1062_quirks()?);
        match self.state.unwrap_or(State::Run) {
            State::Run => {}
            State::Sdp => {
                camera.hand(Duration::ZERO, Hand::Unplug);
                camera.hand(Duration::ZERO, Hand::Jumper(true));
                camera.hand(Duration::ZERO, Hand::Plug);
            }
            other => {
                let what = format!("a virtual rt1062 cannot be made in the state {other}");
                let help = "There are: run, sdp".to_owned();
                return Err(Fail::Usage { what, help });
            }
        }
        Ok(Made {
            camera: Box::new(camera),
            settles: Duration::from_secs(5),
        })
    }

    fn make_other(&self, board: &'static Board) -> Result<Made, Fail> {
        let mut wish = Wish::of(board);
        wish.state = self.state.unwrap_or(State::Run);
        wish.quirks = self.quirks()?;
        match self.firmware()? {
            Firmware::Sample(version) => wish.version = version,
            Firmware::File(bytes) => wish.firmware = Some(bytes),
            Firmware::Any => {}
        }
        wish.bootloader = self.bootloader.as_deref().map(bootloader).transpose()?;
        let settles = wish.settles();
        let help = Wish::states(board)
            .iter()
            .map(|s| s.name())
            .collect::<Vec<_>>();
        let camera = wish.make().map_err(|error| Fail::Usage {
            what: error.to_string(),
            help: format!("Its states: {}", help.join(", ")),
        })?;
        Ok(Made {
            camera: Box::new(camera),
            settles,
        })
    }

    fn firmware(&self) -> Result<Firmware, Fail> {
        Ok(match self.firmware.as_deref() {
            None => Firmware::Any,
            Some(name) if name.parse::<Version>().is_ok() => Firmware::Sample(name.to_owned()),
            Some(path) => Firmware::File(files::read(Path::new(path))?),
        })
    }

    fn rt1062_quirks(&self) -> Result<rt1062::Quirks, Fail> {
        let mut quirks = rt1062::Quirks::default();
        for name in &self.quirks {
            if !quirks.set(name) {
                return Err(no_quirk(name));
            }
        }
        Ok(quirks)
    }

    fn quirks(&self) -> Result<Quirks, Fail> {
        let mut quirks = Quirks::default();
        for name in &self.quirks {
            if !quirks.set(name) {
                return Err(no_quirk(name));
            }
        }
        Ok(quirks)
    }
}

enum Firmware {
    Any,
    Sample(String),
    File(Vec<u8>),
}

/// The names under which virtual cameras can be had.
pub fn models() -> Vec<&'static str> {
    let boards = omv_boards::all().iter().filter(|board| is_virtual(board));
    boards
        .map(|board| board.aliases.first().unwrap_or(&board.name).as_str())
        .collect()
}

/// A card: an image file, or an empty one of so many MiB in memory; with what is wrong with it.
fn card(text: &str, trouble: Trouble) -> Result<Shared, Fail> {
    const BLOCKS_IN_MIB: u64 = 2048;
    if let Ok(size @ 1..=131_072) = text.parse::<u64>() {
        let card = MemoryCard::blank(size * BLOCKS_IN_MIB);
        return Ok(Shared::new(Faulty::new(card, trouble)));
    }
    let card = FileCard::open(Path::new(text)).map_err(|error| Fail::Usage {
        what: format!("the card `{text}` cannot be used: {error}"),
        help: "Give an image file of a card, or a size in MiB.".into(),
    })?;
    Ok(Shared::new(Faulty::new(card, trouble)))
}

fn fault(text: &str) -> Result<Trouble, Fail> {
    text.parse().map_err(|error: NoTrouble| Fail::Usage {
        what: format!("there is no fault `{text}` of cards; {error}"),
        help: "List them with: omv sim --sd-fault help".into(),
    })
}

fn is_virtual(board: &Board) -> bool {
    board.mboot.is_some() || board.dfu.is_some() || board.mcuboot.is_some()
}

fn bootloader(name: &str) -> Result<Bootloader, Fail> {
    let version = name
        .parse()
        .map(|v: Version| [v.major as u8, v.minor as u8, v.patch as u8]);
    Ok(match (name, version) {
        ("4.6", _) => Bootloader::Dfu(Generation::First),
        ("4.7" | "4.8", _) => Bootloader::Dfu(Generation::Second),
        ("legacy" | "legacy-3", _) => Bootloader::Legacy(3),
        ("legacy-2", _) => Bootloader::Legacy(2),
        ("legacy-1", _) => Bootloader::Legacy(1),
        (_, Ok(version)) => Bootloader::Dfu(Generation::Versioned(version)),
        _ => {
            let some = || "For example: 1.0.3, 4.7, 4.6, legacy, legacy-1".to_owned();
            return Err(unknown("bootloader", name, some));
        }
    })
}

fn states() -> String {
    let names: Vec<_> = State::ALL.iter().map(|state| state.name()).collect();
    format!("There are: {}", names.join(", "))
}

fn unknown(kind: &str, value: &str, help: impl Fn() -> String) -> Fail {
    Fail::Usage {
        what: format!("there is no {kind} `{value}` of virtual cameras"),
        help: help(),
    }
}

fn no_quirk(name: &str) -> Fail {
    Fail::Usage {
        what: format!("there is no quirk `{name}`"),
        help: "List them with: omv sim --quirk help".into(),
    }
}

/// Trouble with the file that keeps a camera.
pub fn simulator(error: StateError) -> Fail {
    Fail::Simulator {
        what: error.to_string(),
    }
}
