//! Sixel graphics: bands of six rows, a pass for each colour of a band.
//!
//! The colours are fixed, a cube of six levels and forty greys, and dithered: choosing them anew
//! for every picture would cost more than the camera takes for one.
//!
//! Source: DEC, "VT330/VT340 Programmer Reference Manual", chapter 14.

use super::Pixels;

const CUBE: usize = 216;
const GREYS: usize = 40;
const COLOURS: usize = CUBE + GREYS;
/// Thresholds of ordered dithering, 0 to 15.
const BAYER: [[i32; 4]; 4] = [[0, 8, 2, 10], [12, 4, 14, 6], [3, 11, 1, 9], [15, 7, 13, 5]];

/// Draws a picture where the cursor is.
pub fn draw(text: &mut Vec<u8>, pixels: &Pixels) {
    let (width, height) = (pixels.width, pixels.height);
    text.extend_from_slice(format!("\x1bP0;1q\"1;1;{width};{height}").as_bytes());
    for colour in 0..COLOURS {
        let [r, g, b] = percent(colour);
        text.extend_from_slice(format!("#{colour};2;{r};{g};{b}").as_bytes());
    }
    // For each colour of a band and each column, which of the six rows have it.
    let mut rows = vec![0_u8; COLOURS * width];
    for band in (0..height).step_by(6) {
        rows.fill(0);
        let mut used = [false; COLOURS];
        for y in band..height.min(band + 6) {
            for x in 0..width {
                let colour = nearest(pixels.pixel(x, y), BAYER[y % 4][x % 4]);
                used[colour] = true;
                rows[colour * width + x] |= 1 << (y - band);
            }
        }
        for colour in (0..COLOURS).filter(|colour| used[*colour]) {
            text.extend_from_slice(format!("#{colour}").as_bytes());
            runs(text, &rows[colour * width..(colour + 1) * width]);
            text.push(b'$');
        }
        text.push(b'-');
    }
    text.extend_from_slice(b"\x1b\\");
}

/// One pass over a band, equal columns said once.
fn runs(text: &mut Vec<u8>, columns: &[u8]) {
    for run in columns.chunk_by(|a, b| a == b) {
        let sixel = b'?' + run[0];
        match run.len() {
            1..=3 => text.extend(std::iter::repeat_n(sixel, run.len())),
            more => {
                text.extend_from_slice(format!("!{more}").as_bytes());
                text.push(sixel);
            }
        }
    }
}

/// The place in the palette.
fn nearest([r, g, b]: [u8; 3], threshold: i32) -> usize {
    // Rounds up where the rest is above the threshold.
    let level = |part: u8, steps: i32| {
        let scaled = i32::from(part) * steps * 16 / 255;
        ((scaled + threshold) / 16).min(steps) as usize
    };
    if r.max(g).max(b) - r.min(g).min(b) < 12 {
        return CUBE + level(g, GREYS as i32 - 1);
    }
    level(r, 5) * 36 + level(g, 5) * 6 + level(b, 5)
}

fn percent(colour: usize) -> [usize; 3] {
    match colour.checked_sub(CUBE) {
        Some(grey) => [grey * 100 / (GREYS - 1); 3],
        None => [colour / 36, colour / 6 % 6, colour % 6].map(|level| level * 20),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Paints what the text says: the colour of each pixel, in percent.
    fn paint(text: &str, width: usize, height: usize) -> Vec<Option<[usize; 3]>> {
        let body = text
            .strip_prefix("\x1bP0;1q\"")
            .unwrap()
            .strip_suffix("\x1b\\")
            .unwrap();
        let mut out = vec![None; width * height];
        let (mut x, mut band, mut colour, mut repeat) = (0, 0, 0, 1);
        let mut palette = std::collections::HashMap::new();
        let mut chars = body.chars().skip_while(|c| *c != '#').peekable();
        while let Some(c) = chars.next() {
            let numbers = |chars: &mut std::iter::Peekable<_>| {
                let mut text = String::new();
                while let Some(c) = chars.next_if(|c: &char| c.is_ascii_digit() || *c == ';') {
                    text.push(c);
                }
                text.split(';')
                    .map(|n| n.parse::<usize>().unwrap())
                    .collect::<Vec<_>>()
            };
            match c {
                '#' => match numbers(&mut chars)[..] {
                    [name] => colour = name,
                    [name, 2, r, g, b] => drop(palette.insert(name, [r, g, b])),
                    _ => panic!("a colour"),
                },
                '!' => repeat = numbers(&mut chars)[0],
                '$' => x = 0,
                '-' => (x, band) = (0, band + 6),
                sixel => {
                    let bits = sixel as usize - 63;
                    for _ in 0..std::mem::replace(&mut repeat, 1) {
                        for row in (0..6).filter(|row| bits >> row & 1 == 1) {
                            out[(band + row) * width + x] = Some(palette[&colour]);
                        }
                        x += 1;
                    }
                }
            }
        }
        out
    }

    #[test]
    fn every_pixel_is_painted_in_about_its_colour() {
        let (width, height) = (40, 13);
        let colours = [
            [255, 0, 0],
            [0, 255, 0],
            [51, 102, 204],
            [0, 0, 0],
            [128, 128, 128],
        ];
        let rgb = (0..width * height)
            .flat_map(|i| colours[i / 7 % 5])
            .collect();
        let pixels = Pixels { width, height, rgb };
        let mut text = Vec::new();
        draw(&mut text, &pixels);
        let painted = paint(&String::from_utf8(text).unwrap(), width, height);
        for (at, colour) in painted.into_iter().enumerate() {
            let meant = pixels.pixel(at % width, at / width);
            let colour = colour.unwrap_or_else(|| panic!("pixel {at} is not painted"));
            for (is, meant) in colour.into_iter().zip(meant) {
                assert!(
                    (is as i32 * 255 / 100 - i32::from(meant)).abs() < 30,
                    "{at}: {colour:?}"
                );
            }
        }
    }
}
