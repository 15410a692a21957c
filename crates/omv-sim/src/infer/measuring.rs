//! The answer to the measuring script, for a camera without an interpreter.
//!
//! A virtual camera that cannot execute Python still knows this one script, by its first line: it
//! reads the parameters out of it, takes the network from its own disk, runs it, and tells the
//! times of the cost model ([`super::Speed`]) in the words the script would print. Whoever shows
//! them marks them as simulated, because the camera is.

use std::time::Duration;

use omv_boards::{Backend, Board, Version};
use serde_json::{Value, json};

use super::{Network, Speed};

/// How the script begins.
const FIRST: &str = "# Measures a camera";
/// After each line.
const PAUSE: Duration = Duration::from_millis(15);
/// More than any measurement asks for.
const MOST_FRAMES: u64 = 100_000;

/// What the script is about to measure on.
pub struct Scene<'a> {
    /// The board.
    pub board: &'a Board,
    /// Its firmware.
    pub version: Version,
    /// Reads a file of the camera's disk.
    pub read: &'a dyn Fn(&str) -> Option<Vec<u8>>,
    /// Where the noise begins.
    pub seed: u64,
}

/// The lines that the script would print, each with the time that passes before it. None: it is
/// another script.
#[must_use]
pub fn answer(script: &str, scene: &Scene<'_>) -> Option<Vec<(Duration, String)>> {
    if !script.starts_with(FIRST) {
        return None;
    }
    let line = script.lines().find(|line| line.starts_with("P = {"))?;
    let wish: Value = serde_json::from_str(&literal(line.strip_prefix("P = ")?)).ok()?;
    let mut teller = Teller {
        scene,
        speed: Speed::of(scene.board, scene.seed),
        said: Vec::new(),
        count: 0,
    };
    teller.identity();
    if teller.measure(&wish).is_some() {
        teller.say(Duration::ZERO, &json!({ "k": "end" }));
    }
    Some(teller.said)
}

/// A literal of Python's as JSON; only what the script's parameters have.
fn literal(text: &str) -> String {
    let mut out = String::new();
    let mut letters = text.chars();
    let mut quoted = false;
    while let Some(letter) = letters.next() {
        match letter {
            '\'' => {
                quoted = !quoted;
                out.push('"');
            }
            '\\' if quoted => match letters.next() {
                Some('\'') => out.push('\''),
                Some(other) => out.extend(['\\', other]),
                None => {}
            },
            '"' if quoted => out.push_str("\\\""),
            '(' if !quoted => out.push('['),
            ')' if !quoted => out.push(']'),
            letter => out.push(letter),
        }
    }
    out.replace("None", "null")
}

struct Teller<'a> {
    scene: &'a Scene<'a>,
    speed: Speed,
    said: Vec<(Duration, String)>,
    count: u64,
}

const NAMES: [(&str, u64, u64); 12] = [
    ("QQVGA", 160, 120),
    ("QVGA", 320, 240),
    ("HVGA", 480, 320),
    ("VGA", 640, 480),
    ("SVGA", 800, 600),
    ("XGA", 1024, 768),
    ("HD", 1280, 720),
    ("SXGA", 1280, 1024),
    ("UXGA", 1600, 1200),
    ("FHD", 1920, 1080),
    ("QXGA", 2048, 1536),
    ("WQXGA2", 2592, 1944),
];

fn micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}

impl Teller<'_> {
    /// As the script does, with a pause that lets the console's ring be emptied.
    fn say(&mut self, after: Duration, record: &Value) {
        self.said.push((after + PAUSE, format!("OMV!{record}")));
    }

    fn identity(&mut self) {
        let (board, version) = (self.scene.board, self.scene.version);
        let new = (version.major, version.minor) >= (4, 8);
        let engine = match board.ml_at(Some(version)).map(|ml| ml.backend) {
            None => "none",
            Some(Backend::Libtf) => "tf",
            Some(_) => "ml",
        };
        let arch = board.arch.first().map_or("", |arch| &arch.text);
        let record = json!({
            "k": "id",
            "era": if new { "csi" } else { "sensor" },
            "engine": engine,
            "python": "none: the camera is virtual and has no interpreter",
            "firmware": version.to_string(),
            "arch": arch,
            "clock": u64::from(self.speed.clock) * 1_000_000,
            "sensor": "virtual",
        });
        self.say(Duration::ZERO, &record);
    }

    /// None: it ended with what was said.
    fn measure(&mut self, wish: &Value) -> Option<()> {
        let network = match wish.get("model").and_then(Value::as_str) {
            None => None,
            Some(path) => match self.load(path) {
                Ok(network) => Some(network),
                Err(why) => {
                    self.say(
                        Duration::ZERO,
                        &json!({ "k": "no", "what": "model", "why": why }),
                    );
                    return Some(());
                }
            },
        };
        let frames = wish.get("frames").and_then(Value::as_u64)?.min(MOST_FRAMES);
        let mut cell = 0;
        for pixels in wish.get("pixels")?.as_array()? {
            for size in wish.get("sizes")?.as_array()? {
                self.cell(
                    cell,
                    pixels.as_str()?,
                    size.as_array()?,
                    frames,
                    network.as_ref(),
                )?;
                cell += 1;
            }
        }
        Some(())
    }

    fn load(&mut self, path: &str) -> Result<Network, String> {
        let ml = self.scene.board.ml_at(Some(self.scene.version));
        let ml = ml.ok_or("ValueError: this firmware runs no networks")?;
        let bytes = (self.scene.read)(path).ok_or("OSError: [Errno 2] ENOENT")?;
        let network = Network::load(&bytes).map_err(|error| format!("ValueError: {error}"))?;
        let pieces = ml.heap.iter().copied();
        let room = match ml.backend {
            Backend::Libtf => ml.pools.iter().map(|pool| pool.size).max(),
            _ => pieces.clone().max(),
        };
        let arena = network.cost().activation_peak;
        if arena > room.unwrap_or(0) {
            return Err("MemoryError: memory allocation failed".to_owned());
        }
        let zeros: Vec<Vec<u8>> = network.inputs.iter().map(super::End::zeros).collect();
        let ran = network.run(&zeros).map(|_| ());
        ran.map_err(|error| format!("ValueError: {error}"))?;
        let heap: u64 = pieces.sum();
        let size = bytes.len() as u64;
        // Reading a card at about a megabyte a second.
        let load = Duration::from_micros(size);
        let in_heap = ml.heap.iter().any(|block| size <= *block);
        let record = json!({
            "k": "model",
            "load": micros(load),
            "place": if in_heap { "heap" } else { "frame buffer" },
            "size": size,
            "arena": arena,
            "before": { "heap": heap },
            "after": { "heap": heap.saturating_sub(arena + size) },
        });
        self.say(load, &record);
        Ok(network)
    }

    fn cell(
        &mut self,
        cell: u64,
        pixels: &str,
        size: &[Value],
        frames: u64,
        network: Option<&Network>,
    ) -> Option<()> {
        let number = |at: usize| size.get(at).and_then(Value::as_u64);
        let named = size.get(2).and_then(Value::as_str);
        let title = named.map_or_else(
            || format!("{}x{}", number(0).unwrap_or(0), number(1).unwrap_or(0)),
            str::to_owned,
        );
        let begin = json!({ "k": "begin", "cell": cell, "pixels": pixels, "size": title });
        self.say(Duration::from_millis(300), &begin);
        let known = NAMES.iter().find(|(name, ..)| Some(*name) == named);
        let (width, height) = match (named, known) {
            (Some(_), Some((_, width, height))) => (*width, *height),
            (Some(_), None) => (0, 0),
            (None, _) => (number(0)?, number(1)?),
        };
        let depth = match pixels {
            "RGB565" | "YUV422" => 2,
            "GRAYSCALE" | "BAYER" => 1,
            _ => 0,
        };
        let fits_sensor = NAMES.iter().any(|(_, w, h)| *w >= width && *h >= height);
        let ml = self.scene.board.ml_at(Some(self.scene.version));
        let room = ml
            .and_then(|ml| ml.pools.first())
            .map_or(u64::MAX, |pool| pool.size);
        let why = match () {
            () if width == 0 || !fits_sensor => Some("ValueError: no frame size holds it"),
            () if depth == 0 => Some("AttributeError: no such pixel format"),
            () if width * height * depth > room => Some("MemoryError: the frame does not fit"),
            () => None,
        };
        if let Some(why) = why {
            self.say(
                Duration::ZERO,
                &json!({ "k": "no", "cell": cell, "why": why }),
            );
            return Some(());
        }
        let (mut capture, mut infer, mut rounds) = (Vec::new(), Vec::new(), Vec::new());
        let mut passed = Duration::ZERO;
        for _ in 0..frames {
            self.count += 1;
            let take = self.speed.capture(width, height, self.count);
            let think = network.map(|network| {
                let count = self.count.wrapping_add(1 << 32);
                self.speed.infer(network, width, height, count)
            });
            capture.push(micros(take));
            infer.extend(think.map(micros));
            let round = take + think.unwrap_or_default();
            rounds.push(micros(round));
            passed += 2 * round;
        }
        for (part, list) in [("capture", &capture), ("infer", &infer), ("loop", &rounds)] {
            for values in list.chunks(16) {
                self.say(
                    Duration::ZERO,
                    &json!({ "k": "t", "cell": cell, "part": part, "v": values }),
                );
            }
        }
        let record = json!({ "k": "cell", "cell": cell, "w": width, "h": height, "after": {} });
        self.say(passed, &record);
        Some(())
    }
}
