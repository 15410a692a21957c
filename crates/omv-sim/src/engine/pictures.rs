//! Images of a script: kept by the virtual camera, named by numbers.
//!
//! Number 0 is the frame buffer; each snapshot is in it, as on a camera. Others are copies; the
//! oldest of very many are forgotten.

use std::collections::VecDeque;
use std::time::Duration;

use serde_json::{Value, json};

use crate::picture::{Colour, Format, Picture};
use crate::running::Works;

/// Copies that are kept.
const MOST: usize = 64;

/// The images.
#[derive(Clone, Debug, Default)]
pub struct Pictures {
    buffer: Option<Picture>,
    copies: VecDeque<(i64, Picture)>,
    last: i64,
}

/// A request about images.
pub struct Asked<'a> {
    name: &'a str,
    rest: &'a [Value],
}

impl<'a> Asked<'a> {
    /// Its name and arguments.
    pub fn new(name: &'a str, rest: &'a [Value]) -> Self {
        Self { name, rest }
    }

    fn int(&self, at: usize) -> i64 {
        self.rest.get(at).and_then(Value::as_i64).unwrap_or(0)
    }

    fn size(&self, at: usize) -> usize {
        self.int(at).clamp(0, 8192) as usize
    }

    fn ints(&self, at: usize) -> Vec<i64> {
        let list = self.rest.get(at).and_then(Value::as_array);
        list.into_iter()
            .flatten()
            .filter_map(Value::as_i64)
            .collect()
    }

    fn colour(&self, at: usize) -> Colour {
        match self.ints(at)[..] {
            [red, green, blue] => [red, green, blue].map(|part| part.clamp(0, 255) as u8),
            _ => [self.int(at).clamp(0, 255) as u8; 3],
        }
    }

    fn format(&self, at: usize) -> Format {
        let name = self
            .rest
            .get(at)
            .and_then(Value::as_str)
            .unwrap_or_default();
        let named = Format::NAMES.iter().find(|(known, _)| *known == name);
        named.map_or(Format::Rgb565, |(_, format)| *format)
    }
}

impl Pictures {
    fn get(&self, number: i64) -> Option<&Picture> {
        match number {
            0 => self.buffer.as_ref(),
            _ => self
                .copies
                .iter()
                .find(|(own, _)| *own == number)
                .map(|(_, picture)| picture),
        }
    }

    fn get_mut(&mut self, number: i64) -> Option<&mut Picture> {
        match number {
            0 => self.buffer.as_mut(),
            _ => self
                .copies
                .iter_mut()
                .find(|(own, _)| *own == number)
                .map(|(_, picture)| picture),
        }
    }

    fn keep(&mut self, picture: Picture) -> Value {
        self.last += 1;
        let told = describe(self.last, &picture);
        self.copies.push_back((self.last, picture));
        if self.copies.len() > MOST {
            self.copies.pop_front();
        }
        told
    }

    /// An image, for whoever looks at its pixels.
    pub fn picture(&self, number: i64) -> Option<&Picture> {
        self.get(number)
    }

    /// Bytes of an image.
    pub fn bytes(&self, number: i64) -> Option<Vec<u8>> {
        self.get(number).map(|picture| picture.bytes.clone())
    }
}

fn describe(number: i64, picture: &Picture) -> Value {
    let format = picture.format.name();
    json!([
        number,
        picture.width,
        picture.height,
        format,
        picture.bytes.len()
    ])
}

type Answer = Result<Value, (&'static str, String)>;

impl Works {
    /// When the sensor has its next frame of this size.
    pub fn due_frame(&self, now: Duration, size: (usize, usize)) -> Duration {
        let period = self.period(size);
        // Frames begin at whole periods of the sensor's own clock.
        let passed = now.as_nanos() / period.as_nanos().max(1);
        period * (passed as u32 + 1)
    }

    /// Answers a request about images.
    pub fn pictures_ask(&mut self, now: Duration, asked: Asked<'_>) -> Answer {
        let gone = || ("MemoryError", "the image is gone".to_owned());
        match asked.name {
            "snapshot" => {
                let (width, height) = (asked.size(0).max(8), asked.size(1).max(8));
                let format = asked.format(2);
                let need = width * height * format.pixel().unwrap_or(1);
                if need > self.facts.frame_bytes {
                    let kind = if self.facts.since(5, 0, 0) {
                        "MemoryError"
                    } else {
                        "RuntimeError"
                    };
                    let text = "Frame buffer overflow! Try reducing the frame size.";
                    return Err((kind, text.to_owned()));
                }
                let mut picture = self.capture(now, (width, height), format);
                if let [x, y, width, height] = asked.ints(3)[..]
                    && picture.format != Format::Jpeg
                {
                    let part = |value: i64| value.clamp(0, 8192) as usize;
                    picture = picture.crop((part(x), part(y)), part(width), part(height));
                }
                if format == Format::Jpeg && picture.format != Format::Jpeg {
                    let bytes = picture.to_jpeg(asked.int(4).clamp(1, 100) as u8);
                    picture.bytes = bytes.unwrap_or_default();
                    picture.format = Format::Jpeg;
                }
                let told = describe(0, &picture);
                self.show(&picture);
                self.pictures.buffer = Some(picture);
                Ok(told)
            }
            "new" => {
                let (width, height, format) = (asked.size(0), asked.size(1), asked.format(2));
                if width * height * format.pixel().unwrap_or(1) > self.facts.frame_bytes {
                    return Err(("MemoryError", "Out of memory".to_owned()));
                }
                Ok(self.pictures.keep(Picture::black(width, height, format)))
            }
            // A grey picture of given bytes.
            "grey" => {
                let (width, height) = (asked.size(0), asked.size(1));
                let bytes = asked
                    .ints(2)
                    .into_iter()
                    .map(|byte| byte.clamp(0, 255) as u8);
                let bytes: Vec<u8> = bytes.collect();
                if bytes.len() != width * height {
                    return Err(("ValueError", "Expected a 2D array".to_owned()));
                }
                Ok(self.pictures.keep(Picture {
                    width,
                    height,
                    format: Format::Grayscale,
                    bytes,
                }))
            }
            "show" => {
                let picture = self.pictures.get(asked.int(0)).ok_or_else(gone)?.clone();
                self.show(&picture);
                Ok(Value::Null)
            }
            "copy" => {
                let picture = self.pictures.get(asked.int(0)).ok_or_else(gone)?;
                let copy = match asked.ints(1)[..] {
                    [x, y, width, height] => {
                        let part = |value: i64| value.clamp(0, 8192) as usize;
                        picture.crop((part(x), part(y)), part(width), part(height))
                    }
                    _ => picture.clone(),
                };
                Ok(self.pictures.keep(copy))
            }
            "scale" => {
                let picture = self.pictures.get(asked.int(0)).ok_or_else(gone)?;
                let copy =
                    picture.scale(asked.size(1).max(1), asked.size(2).max(1), asked.format(3));
                Ok(self.pictures.keep(copy))
            }
            "jpeg" => {
                let picture = self.pictures.get(asked.int(0)).ok_or_else(gone)?;
                let quality = asked.int(1).clamp(1, 100) as u8;
                let bytes = picture
                    .to_jpeg(quality)
                    .ok_or(("ValueError", "no such size".to_owned()))?;
                let jpeg = Picture {
                    format: Format::Jpeg,
                    bytes,
                    ..*picture
                };
                Ok(self.pictures.keep(jpeg))
            }
            "pixel" => {
                let picture = self.pictures.get(asked.int(0)).ok_or_else(gone)?;
                Ok(json!(picture.get(asked.size(1), asked.size(2))))
            }
            "fill" | "rectangle" | "line" | "circle" => {
                let number = asked.int(0);
                let picture = self.pictures.get_mut(number).ok_or_else(gone)?;
                draw(picture, &asked);
                Ok(Value::Null)
            }
            name => Err((
                "NotImplementedError",
                format!("a virtual camera has no {name}"),
            )),
        }
    }
}

/// `[number, [x, y, ...], colour, filled]`.
fn draw(picture: &mut Picture, asked: &Asked<'_>) {
    let (places, colour, filled) = (asked.ints(1), asked.colour(2), asked.int(3) != 0);
    let mut dot = |x: i64, y: i64| {
        if let (Ok(x), Ok(y)) = (usize::try_from(x), usize::try_from(y)) {
            picture.set(x, y, colour);
        }
    };
    let near = |value: i64| value.clamp(-8192, 8192);
    match (asked.name, &places[..]) {
        ("rectangle" | "fill", [x, y, width, height]) => {
            let [x, y, width, height] = [x, y, width, height].map(|value| near(*value));
            for row in 0..height {
                for column in 0..width {
                    let edge = row == 0 || column == 0 || row == height - 1 || column == width - 1;
                    if filled || edge {
                        dot(x + column, y + row);
                    }
                }
            }
        }
        ("line", [x0, y0, x1, y1]) => {
            let [x0, y0, x1, y1] = [x0, y0, x1, y1].map(|value| near(*value));
            let steps = (x1 - x0).abs().max((y1 - y0).abs()).max(1);
            for step in 0..=steps {
                dot(x0 + (x1 - x0) * step / steps, y0 + (y1 - y0) * step / steps);
            }
        }
        ("circle", [x, y, radius]) => {
            let (radius, x, y) = (near(*radius), near(*x), near(*y));
            for row in -radius..=radius {
                for column in -radius..=radius {
                    let far = row * row + column * column;
                    let inner = (radius - 1) * (radius - 1);
                    if far <= radius * radius && (filled || far > inner) {
                        dot(x + column, y + row);
                    }
                }
            }
        }
        _ => {}
    }
}
