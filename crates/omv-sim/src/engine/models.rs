//! Networks of a script: loaded from the camera's disks, computed by [`crate::infer`].
//!
//! ```text
//!   load PATH --> number, inputs, outputs      or the exception that the camera raises
//!   image / values --> fill an input
//!   begin, run ..., end --> outputs; what passes is the time of the cost model ([`Speed`])
//! ```
//!
//! What a camera would not load is not loaded: an operator its runtime lacks, activations no block
//! of its memory holds, numbers it does not compute with. Times are from the cost model and never
//! measured; who shows them says `simulated`.
//!
//! Sources: openmv/openmv src/omv/modules/py_tf.c (v4.5.2), modules/py_ml.c and
//! lib/tflm/tflm_backend.cc (v5.0.0), scripts/libraries/ml (v4.7.0 to v5.0.0).

use std::collections::BTreeMap;
use std::time::Duration;

use omv_boards::{Backend, Board, Ml};
use omv_wire::tflite::{self, Kind};
use serde_json::{Value, json};

use crate::infer::{End, Error, Network, Speed};
use crate::picture::{Format, Picture};
use crate::running::Works;

/// Networks that are kept; the oldest of more is forgotten.
const MOST: usize = 8;
/// Where the noise of the times begins, the same on every camera.
const SEED: u64 = 1;
/// Reading a card or disk, about a megabyte a second.
const MICROS_PER_BYTE: u64 = 1;
/// Preparing a network that lies in flash already.
const PREPARE: Duration = Duration::from_millis(2);
/// The runtime rounds the arena up.
const ALIGN: u64 = 16;

/// An exception of Python.
type Raised = (&'static str, String);

struct Loaded {
    network: Network,
    inputs: Vec<Vec<u8>>,
    outputs: Vec<Vec<u8>>,
    /// Pixels of the picture that was fed last: scaling it takes time.
    frame: (u64, u64),
    /// Bytes of the heap that it takes.
    held: u64,
}

/// The networks of a script.
#[derive(Default)]
pub struct Models {
    loaded: BTreeMap<u64, Loaded>,
    last: u64,
    runs: u64,
    /// When the script's call began, and what its networks took since.
    call: Option<(Duration, Duration)>,
}

impl Models {
    /// A call of a script begins: what is Python here and machine code on a camera takes no time
    /// of its own.
    pub fn begin(&mut self, now: Duration) {
        self.call = Some((now, Duration::ZERO));
    }

    /// When that call is over.
    pub fn end(&mut self, now: Duration) -> Duration {
        let call = self.call.take();
        call.map_or(now, |(begun, took)| begun + took)
    }
}

/// How a picture becomes numbers.
struct Feed {
    /// The part of the picture.
    roi: (usize, usize, usize, usize),
    /// Filled and cut, as up to 4.8; else stretched.
    keeps_shape: bool,
    /// For each channel of a network with floating point.
    factor: Vec<f64>,
    add: Vec<f64>,
}

fn value_error(text: &str) -> Raised {
    ("ValueError", text.to_owned())
}

fn gone() -> Raised {
    ("RuntimeError", "the model is gone".to_owned())
}

/// The letter that the firmware calls a type by.
fn letter(kind: Kind) -> Option<&'static str> {
    Some(match kind {
        Kind::Int8 => "b",
        Kind::Uint8 => "B",
        Kind::Int16 => "h",
        Kind::Float32 => "f",
        _ => return None,
    })
}

fn ends(ends: &[End]) -> Value {
    let all = ends.iter().map(|end| {
        let quantised = &end.quantised;
        json!([
            end.shape,
            letter(end.kind),
            quantised.scale(),
            quantised.zero
        ])
    });
    all.collect()
}

impl Works {
    /// Loads a network. Gives what a script is told, and the time it takes.
    ///
    /// # Errors
    /// The exception that the firmware of this camera raises.
    pub fn model_load(&mut self, path: &str, in_frame: bool) -> Result<(Value, Duration), Raised> {
        let bytes = self.disks.read(path);
        let bytes = bytes.map_err(|error| ("OSError", error.to_string()))?;
        let board = omv_boards::by_name(&self.facts.board);
        let ml = board.and_then(|board| board.ml_at(Some(self.facts.version)));
        let ml = ml.ok_or(("RuntimeError", "this firmware runs no networks".to_owned()))?;
        let in_place = self.disks.absolute(path).starts_with("/rom/");
        if !in_place {
            // From 5.0.0 on the pools are tried without being asked.
            let pools = in_frame || self.facts.since(5, 0, 0);
            room_for(bytes.len() as u64, ml, pools)?;
        }
        let network = self.prepared(&bytes, ml)?;
        let read = Duration::from_micros(bytes.len() as u64 * MICROS_PER_BYTE);
        let time = PREPARE + if in_place { Duration::ZERO } else { read };
        let arena = network.cost().activation_peak.next_multiple_of(ALIGN);
        let models = &mut self.models;
        models.last += 1;
        let told = json!({
            "id": models.last, "len": bytes.len(), "ram": arena,
            "inputs": ends(&network.inputs), "outputs": ends(&network.outputs),
        });
        let inputs = network.inputs.iter().map(End::zeros).collect();
        let loaded = Loaded {
            inputs,
            outputs: Vec::new(),
            frame: (0, 0),
            held: arena + if in_place { 0 } else { bytes.len() as u64 },
            network,
        };
        models.loaded.insert(models.last, loaded);
        if models.loaded.len() > MOST {
            models.loaded.pop_first();
        }
        Ok((told, time))
    }

    /// Bytes of the heap, all of them and those that are free: what the board has for scripts, less
    /// what its networks take. What the script itself takes is another interpreter's, and not in it.
    pub fn heap(&self) -> (u64, u64) {
        /// Where nothing is known.
        const USUAL: u64 = 0x4_0000;
        let board = omv_boards::by_name(&self.facts.board);
        let ml = board.and_then(|board| board.ml_at(Some(self.facts.version)));
        let total = ml.map_or(USUAL, |ml| ml.heap.iter().sum());
        let held: u64 = self.models.loaded.values().map(|loaded| loaded.held).sum();
        (total, total.saturating_sub(held))
    }

    /// The network, if the runtime of this firmware takes it.
    fn prepared(&mut self, bytes: &[u8], ml: &Ml) -> Result<Network, Raised> {
        let kind = match ml.backend {
            Backend::Libtf => "OSError",
            Backend::Tflm | Backend::Stai => "ValueError",
        };
        let model = tflite::Model::read(bytes);
        let model = model.map_err(|_| (kind, "Unsupported model schema".to_owned()))?;
        let runtime = ml.runtime(Some(self.facts.version));
        let used = model.used();
        let mut names = used.iter().map(|(code, _)| &code.name);
        let foreign = names.find(|name| runtime.is_some_and(|runtime| !runtime.has(name)));
        if let Some(name) = foreign {
            return Err(self.refused(ml, &format!("Didn't find op for builtin opcode '{name}'")));
        }
        let (peak, room) = (model.cost().activation_peak, arena_room(ml));
        if peak > room {
            let why = format!(
                "Failed to resize buffer. Requested: {peak}, available {room}, missing: {}",
                peak - room
            );
            return Err(self.refused(ml, &why));
        }
        let network = Network::load(bytes);
        let network = network.map_err(|error| ("NotImplementedError", error.to_string()))?;
        let odd = |end: &&End| letter(end.kind).is_none();
        if network
            .inputs
            .iter()
            .chain(&network.outputs)
            .any(|end| odd(&end))
        {
            return Err(self.refused(ml, "Unsupported input data type"));
        }
        let zeros: Vec<Vec<u8>> = network.inputs.iter().map(End::zeros).collect();
        match network.run(&zeros) {
            // Weights of 8 bits with floating point: neither do cameras compute that.
            Err(Error::Missing(what)) if what.contains("mixed kinds") => {
                Err(self.refused(ml, "Hybrid models are not supported on TFLite Micro."))
            }
            Err(error) => Err(("NotImplementedError", error.to_string())),
            Ok(_) => Ok(network),
        }
    }

    /// What the runtime says goes to the console or into the exception, by its age.
    fn refused(&mut self, ml: &Ml, why: &str) -> Raised {
        match ml.backend {
            Backend::Libtf => ("OSError", format!("{why}\nAllocateTensors() failed!")),
            Backend::Tflm | Backend::Stai => {
                self.print(format!("{why}\n").as_bytes());
                value_error("Failed to allocate tensors")
            }
        }
    }

    /// Answers a request about a network that is loaded.
    ///
    /// # Errors
    /// The exception that the firmware raises.
    pub fn model_ask(&mut self, name: &str, rest: &[Value]) -> Result<Value, Raised> {
        let int = |at: usize| rest.get(at).and_then(Value::as_u64).unwrap_or(0);
        let index = usize::try_from(int(1)).unwrap_or(usize::MAX);
        match name {
            "model_image" => {
                let number = rest.get(2).and_then(Value::as_i64).unwrap_or(-1);
                let picture = self.pictures.picture(number);
                let picture = picture.ok_or(("MemoryError", "the image is gone".to_owned()))?;
                let feed = Feed::read(rest, picture)?;
                let loaded = self.models.loaded.get_mut(&int(0)).ok_or_else(gone)?;
                loaded.feed_image(index, picture, &feed)?;
                Ok(Value::Null)
            }
            "model_values" => {
                let loaded = self.models.loaded.get_mut(&int(0)).ok_or_else(gone)?;
                let values = rest.get(2).and_then(Value::as_array);
                let values = values.into_iter().flatten().filter_map(Value::as_f64);
                loaded.feed_values(index, &values.collect::<Vec<_>>())?;
                Ok(Value::Null)
            }
            "model_run" => self.model_run(int(0)),
            "model_output" => {
                let loaded = self.models.loaded.get(&int(0)).ok_or_else(gone)?;
                let raw = rest.get(2).and_then(Value::as_bool).unwrap_or(false);
                loaded.output(index, raw)
            }
            _ => Err((
                "NotImplementedError",
                format!("a virtual camera has no {name}"),
            )),
        }
    }

    /// Computes outputs; the time it takes is added to the call's.
    fn model_run(&mut self, id: u64) -> Result<Value, Raised> {
        let board: Option<&Board> = omv_boards::by_name(&self.facts.board);
        let speed = board.map_or(
            Speed {
                clock: 480,
                seed: SEED,
            },
            |board| Speed::of(board, SEED),
        );
        self.models.runs += 1;
        let runs = self.models.runs;
        let loaded = self.models.loaded.get_mut(&id).ok_or_else(gone)?;
        let outputs = loaded.network.run(&loaded.inputs);
        loaded.outputs = outputs.map_err(|error| ("NotImplementedError", error.to_string()))?;
        let (width, height) = loaded.frame;
        let took = speed.infer(&loaded.network, width, height, runs);
        if let Some((_, sum)) = &mut self.models.call {
            *sum += took;
        }
        Ok(Value::Null)
    }
}

/// Whether a file has room: in one block of the heap, or in a pool where that is tried.
fn room_for(bytes: u64, ml: &Ml, pools: bool) -> Result<(), Raised> {
    let heap = ml.heap.iter().any(|block| bytes <= *block);
    let pool = pools && ml.pools.iter().any(|pool| bytes <= pool.size);
    if heap || pool {
        return Ok(());
    }
    let text = format!("memory allocation failed, allocating {bytes} bytes");
    Err(("MemoryError", text))
}

/// The largest arena.
fn arena_room(ml: &Ml) -> u64 {
    let pools = ml.pools.iter().map(|pool| pool.size);
    match ml.backend {
        Backend::Libtf => pools.max(),
        Backend::Tflm | Backend::Stai => ml.heap.iter().copied().max(),
    }
    .unwrap_or(0)
}

impl Feed {
    /// `[id, index, picture, roi, keeps_shape, factors, addends]`.
    fn read(rest: &[Value], picture: &Picture) -> Result<Self, Raised> {
        let list = |at: usize| rest.get(at).and_then(Value::as_array).into_iter().flatten();
        let floats = |at: usize| list(at).filter_map(Value::as_f64).collect::<Vec<_>>();
        let roi: Vec<usize> = list(3)
            .filter_map(Value::as_u64)
            .filter_map(|part| usize::try_from(part).ok())
            .collect();
        let (width, height) = (picture.width, picture.height);
        let roi = match roi[..] {
            [x, y, w, h] => {
                let (x, y) = (x.min(width), y.min(height));
                (x, y, w.min(width - x), h.min(height - y))
            }
            _ => (0, 0, width, height),
        };
        if roi.2 == 0 || roi.3 == 0 || picture.format == Format::Jpeg {
            return Err(value_error("Invalid ROI dimensions!"));
        }
        Ok(Self {
            roi,
            keeps_shape: rest.get(4).and_then(Value::as_bool).unwrap_or(false),
            factor: floats(5),
            add: floats(6),
        })
    }

    /// The pixel that is nearest to the middle of one of the network's.
    fn place(&self, (x, y): (usize, usize), (width, height): (usize, usize)) -> (usize, usize) {
        let (left, top, wide, high) = self.roi;
        let near = |at: usize, length: usize, own: usize, other: f64| {
            let own_scale = own as f64 / length as f64;
            let scale = if self.keeps_shape {
                own_scale.min(other)
            } else {
                own_scale
            };
            let before = (own as f64 - scale * length as f64) / 2.0;
            let place = before + (at as f64 + 0.5) * scale;
            (place as usize).min(own - 1)
        };
        (
            left + near(x, width, wide, high as f64 / height as f64),
            top + near(y, height, high, wide as f64 / width as f64),
        )
    }
}

impl Loaded {
    fn end(&self, index: usize) -> Result<&End, Raised> {
        let end = self.network.inputs.get(index);
        end.ok_or_else(|| value_error("Invalid input tensor index"))
    }

    fn feed_image(&mut self, index: usize, picture: &Picture, feed: &Feed) -> Result<(), Raised> {
        let end = self.end(index)?;
        let [1, height, width, channels] = end.shape[..] else {
            return Err(value_error(
                "Expected input tensor with shape: (1, H, W, C)",
            ));
        };
        let format = match channels {
            1 => Format::Grayscale,
            3 => Format::Rgb565,
            _ => return Err(value_error("Expected channels to be 1 or 3")),
        };
        // Through the firmware's own formats: colours lose the bits that they lose there.
        let mut small = Picture::black(width, height, format);
        for y in 0..height {
            for x in 0..width {
                let (from_x, from_y) = feed.place((x, y), (width, height));
                small.set(x, y, picture.get(from_x, from_y));
            }
        }
        let pixels = (0..width * height).map(|at| small.get(at % width, at / width));
        let bytes = pixels.flat_map(|colour| colour.into_iter().take(channels));
        self.inputs[index] = match end.kind {
            Kind::Uint8 => bytes.collect(),
            Kind::Int8 => bytes.map(|byte| byte ^ 0x80).collect(),
            Kind::Float32 => {
                let part = |list: &[f64], at: usize, usual: f64| {
                    let found = list.get(at % channels).or(list.first());
                    found.copied().unwrap_or(usual)
                };
                let real = |(at, byte): (usize, u8)| {
                    f64::from(byte) * part(&feed.factor, at, 1.0 / 255.0) + part(&feed.add, at, 0.0)
                };
                let reals = bytes.enumerate().map(real);
                reals.flat_map(|real| (real as f32).to_le_bytes()).collect()
            }
            // The firmware makes arrays of pictures for 8 bits and floating point only.
            _ => return Err(value_error("Unsupported dtype")),
        };
        self.frame = (feed.roi.2 as u64, feed.roi.3 as u64);
        Ok(())
    }

    fn feed_values(&mut self, index: usize, values: &[f64]) -> Result<(), Raised> {
        let end = self.end(index)?;
        let elements: usize = end.shape.iter().product();
        if values.len() != elements {
            return Err(value_error(
                "Input shape does not match the model input shape",
            ));
        }
        let scale = f64::from(end.quantised.scale());
        // C cuts towards zero.
        let whole = |value: &f64| (value / scale + f64::from(end.quantised.zero)).trunc() as i64;
        self.inputs[index] = match end.kind {
            Kind::Float32 => {
                let bytes = values.iter().map(|value| (*value as f32).to_le_bytes());
                bytes.flatten().collect()
            }
            Kind::Int16 => {
                let bytes = values
                    .iter()
                    .map(|value| (whole(value) as i16).to_le_bytes());
                bytes.flatten().collect()
            }
            _ => values.iter().map(|value| whole(value) as u8).collect(),
        };
        self.frame = (0, 0);
        Ok(())
    }

    /// Numbers of an output: as they are, or as what they stand for.
    fn output(&self, index: usize, raw: bool) -> Result<Value, Raised> {
        let (end, bytes) = (self.network.outputs.get(index), self.outputs.get(index));
        let both = end.zip(bytes);
        let (end, bytes) = both.ok_or_else(|| value_error("Invalid output tensor index"))?;
        let whole: Vec<i32> = match end.kind {
            Kind::Int8 => bytes.iter().map(|byte| i32::from(*byte as i8)).collect(),
            Kind::Int16 => {
                let pairs = bytes.chunks_exact(2);
                pairs
                    .map(|b| i32::from(i16::from_le_bytes([b[0], b[1]])))
                    .collect()
            }
            Kind::Float32 => {
                let fours = bytes.chunks_exact(4);
                let reals = fours.map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]]));
                return Ok(reals.map(|real| json!(real)).collect());
            }
            _ => bytes.iter().map(|byte| i32::from(*byte)).collect(),
        };
        let (scale, zero) = (end.quantised.scale(), end.quantised.zero);
        let told = whole.into_iter().map(|number| match raw {
            true => json!(number),
            false => json!((number - zero) as f32 * scale),
        });
        Ok(told.collect())
    }
}
