//! The picture in a terminal, in the best way that terminal has.
//!
//! ```text
//!   kitty    every pixel, by kitty's graphics protocol (kitty, Ghostty, WezTerm, Konsole)
//!   sixel    every pixel in 256 colours (xterm, foot, mlterm, Windows Terminal)
//!   blocks   two pixels a character, everywhere
//! ```

mod ask;
mod blocks;
mod kitty;
mod sixel;

use std::io::{self, Write};

pub use ask::{Keys, Terminal};

/// How a picture is drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Way {
    /// Kitty's graphics protocol.
    Kitty,
    /// Sixel graphics.
    Sixel,
    /// Half blocks.
    Blocks,
}

/// Pixels, three bytes each.
#[derive(Clone, Debug)]
pub struct Pixels {
    /// Pixels.
    pub width: usize,
    /// Pixels.
    pub height: usize,
    /// Three bytes a pixel.
    pub rgb: Vec<u8>,
}

impl Pixels {
    /// Scales a picture so that it fits and keeps its shape. `aspect` is how much taller than
    /// wide a pixel of the target is.
    pub fn fitted(rgb: &[u8], from: (u32, u32), room: (usize, usize), aspect: f64) -> Self {
        let (width, height) = (from.0 as usize, from.1 as usize);
        if width == 0 || height == 0 || room.0 == 0 || room.1 == 0 {
            return Self {
                width: 0,
                height: 0,
                rgb: Vec::new(),
            };
        }
        let wide = room.0 as f64 / width as f64;
        let high = room.1 as f64 * aspect / height as f64;
        let factor = wide.min(high);
        let edge = |edge: f64, room: usize| (edge.round() as usize).clamp(1, room);
        let to = (
            edge(width as f64 * factor, room.0),
            edge(height as f64 * factor / aspect, room.1),
        );
        Self {
            width: to.0,
            height: to.1,
            rgb: scale(rgb, (width, height), to),
        }
    }

    fn pixel(&self, x: usize, y: usize) -> [u8; 3] {
        let at = (y * self.width + x) * 3;
        match self.rgb.get(at..at + 3) {
            Some([r, g, b]) => [*r, *g, *b],
            _ => [0; 3],
        }
    }
}

/// Averages the source pixels under each target pixel.
fn scale(rgb: &[u8], from: (usize, usize), to: (usize, usize)) -> Vec<u8> {
    let mut out = Vec::with_capacity(to.0 * to.1 * 3);
    for y in 0..to.1 {
        let rows = y * from.1 / to.1..((y + 1) * from.1 / to.1).max(y * from.1 / to.1 + 1);
        for x in 0..to.0 {
            let columns = x * from.0 / to.0..((x + 1) * from.0 / to.0).max(x * from.0 / to.0 + 1);
            let mut sum = [0_u32; 3];
            for row in rows.clone() {
                let start = (row * from.0 + columns.start) * 3;
                let end = (row * from.0 + columns.end) * 3;
                for pixel in rgb.get(start..end).unwrap_or_default().chunks(3) {
                    for (sum, part) in sum.iter_mut().zip(pixel) {
                        *sum += u32::from(*part);
                    }
                }
            }
            let count = (rows.len() * columns.len()) as u32;
            out.extend(sum.map(|sum| (sum / count) as u8));
        }
    }
    out
}

/// Draws a picture at the top of the screen and a line of text under it.
///
/// # Errors
/// Those of writing.
pub fn draw(
    out: &mut impl Write,
    terminal: &Terminal,
    rgb: &[u8],
    size: (u32, u32),
    status: &str,
) -> io::Result<()> {
    let (columns, rows) = terminal.size();
    let rows = rows.saturating_sub(1).max(1);
    let mut text = Vec::new();
    // Synchronised update: terminals that know it show the whole picture at once.
    text.extend_from_slice(b"\x1b[?2026h\x1b[H");
    match terminal.way {
        Way::Blocks => {
            let pixels = Pixels::fitted(rgb, size, (columns, rows * 2), 1.0);
            blocks::draw(&mut text, &pixels, terminal.true_colour);
        }
        Way::Kitty | Way::Sixel => {
            let (wide, high) = terminal.cell;
            // Never larger than the picture: the terminal scales, or it is small.
            let room = (columns * wide, rows * high);
            let pixels = Pixels::fitted(rgb, size, room, 1.0);
            if terminal.way == Way::Kitty {
                kitty::draw(&mut text, &pixels);
            } else {
                sixel::draw(&mut text, &pixels);
            }
        }
    }
    let status: String = status.chars().take(columns.saturating_sub(1)).collect();
    text.extend_from_slice(
        format!("\x1b[{};1H\x1b[0m{status}\x1b[K\x1b[?2026l", rows + 1).as_bytes(),
    );
    out.write_all(&text)?;
    out.flush()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_picture_keeps_its_shape_in_the_room_there_is() {
        let rgb = vec![0; 320 * 240 * 3];
        for (room, fits) in [
            ((80, 48), (64, 48)),
            ((40, 100), (40, 30)),
            ((1, 1), (1, 1)),
        ] {
            let pixels = Pixels::fitted(&rgb, (320, 240), room, 1.0);
            assert_eq!((pixels.width, pixels.height), fits);
            assert_eq!(pixels.rgb.len(), fits.0 * fits.1 * 3);
        }
    }

    #[test]
    fn scaling_averages_and_a_picture_that_is_too_short_is_dark_not_fatal() {
        let rgb = [0, 0, 0, 100, 100, 100, 200, 200, 200, 100, 100, 100];
        assert_eq!(scale(&rgb, (2, 2), (1, 1)), [100, 100, 100]);
        assert_eq!(scale(&rgb[..3], (2, 2), (2, 2)).len(), 12);
        assert_eq!(scale(&rgb, (2, 2), (4, 4)).len(), 48);
        assert_eq!(Pixels::fitted(&rgb, (0, 0), (4, 4), 1.0).width, 0);
    }
}
