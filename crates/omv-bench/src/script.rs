//! The script that measures, with its parameters.

use crate::Error;

const TEMPLATE: &str = include_str!("measure.py");

/// A frame size: one that the firmware has a name for, or a window in one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Size {
    /// `QVGA`.
    Named(String),
    /// Pixels.
    Window {
        /// Across.
        width: u32,
        /// Down.
        height: u32,
    },
}

impl std::str::FromStr for Size {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let bad = || Error::Size(text.to_owned());
        if let Some((width, height)) = text.split_once(['x', 'X']) {
            let number = |text: &str| text.parse().ok().filter(|n| (1..=8192).contains(n));
            if let (Some(width), Some(height)) = (number(width), number(height)) {
                return Ok(Self::Window { width, height });
            }
        }
        let plain =
            (2..=8).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_alphanumeric());
        let letter = text.bytes().next().is_some_and(|b| b.is_ascii_alphabetic());
        match plain && letter {
            true => Ok(Self::Named(text.to_ascii_uppercase())),
            false => Err(bad()),
        }
    }
}

/// What is to be measured.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wish {
    /// The network's path on the camera; none: pictures only.
    pub model: Option<String>,
    /// Frame sizes.
    pub sizes: Vec<Size>,
    /// Pixel formats, as the firmware names them.
    pub pixels: Vec<String>,
    /// Frames that are measured, in each cell.
    pub frames: u32,
    /// Frames before those, left out.
    pub warm: u32,
    /// Whether a meter watches: the lights then give a signature, and a window is worked through.
    pub power: Option<Window>,
    /// A pin of the camera that gives the signature, too, as its firmware names it.
    pub pin: Option<String>,
}

/// The times of a measurement of power, in milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    /// One element of the signature, of which there are thirteen.
    pub chip: u32,
    /// Rest before and after the work.
    pub pause: u32,
    /// The work.
    pub work: u32,
}

impl Window {
    /// For a meter with so many samples a second: at least eight in each element of the signature.
    #[must_use]
    pub fn for_rate(rate: f64) -> Self {
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
        let chip = (8000.0 / rate.max(0.1)).clamp(50.0, 5000.0) as u32;
        Self {
            chip,
            pause: 10 * chip,
            work: (40 * chip).max(5000),
        }
    }
}

/// Text as Python reads it; whatever is not plain ASCII is escaped.
fn quoted(text: &str) -> String {
    let mut out = String::from("'");
    for letter in text.chars() {
        match letter {
            '\'' | '\\' => out.extend(['\\', letter]),
            ' '..='~' => out.push(letter),
            other if u32::from(other) < 0x1_0000 => {
                out.push_str(&format!("\\u{:04x}", u32::from(other)))
            }
            other => out.push_str(&format!("\\U{:08x}", u32::from(other))),
        }
    }
    out.push('\'');
    out
}

/// The script for a wish. One for firmware of every era.
#[must_use]
pub fn script(wish: &Wish) -> String {
    let size = |size: &Size| match size {
        Size::Named(name) => format!("(0, 0, {})", quoted(name)),
        Size::Window { width, height } => format!("({width}, {height}, None)"),
    };
    let list = |items: Vec<String>| format!("[{}]", items.join(", "));
    let model = wish
        .model
        .as_deref()
        .map_or_else(|| "None".to_owned(), quoted);
    let power = wish.power.unwrap_or(Window {
        chip: 0,
        pause: 0,
        work: 0,
    });
    let parameters = format!(
        "P = {{'model': {model}, 'sizes': {}, 'pixels': {}, 'frames': {}, 'warm': {}, 'chip': {}, 'pause': {}, 'window': {}, 'pin': {}}}",
        list(wish.sizes.iter().map(size).collect()),
        list(wish.pixels.iter().map(|name| quoted(name)).collect()),
        wish.frames,
        wish.warm,
        power.chip,
        power.pause,
        power.work,
        wish.pin
            .as_deref()
            .map_or_else(|| "None".to_owned(), quoted),
    );
    TEMPLATE.replace("P = {}  # parameters", &parameters)
}
