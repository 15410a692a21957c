//! Half blocks: the upper pixel in the colour of the character, the lower one behind it.

use super::Pixels;

/// Draws a picture from where the cursor is.
pub fn draw(text: &mut Vec<u8>, pixels: &Pixels, true_colour: bool) {
    for y in (0..pixels.height).step_by(2) {
        let mut last = None;
        for x in 0..pixels.width {
            let upper = pixels.pixel(x, y);
            let lower = if y + 1 < pixels.height {
                pixels.pixel(x, y + 1)
            } else {
                [0; 3]
            };
            if last != Some((upper, lower)) {
                let code = match true_colour {
                    true => {
                        let ([r, g, b], [s, h, c]) = (upper, lower);
                        format!("\x1b[38;2;{r};{g};{b};48;2;{s};{h};{c}m")
                    }
                    false => format!("\x1b[38;5;{};48;5;{}m", nearest(upper), nearest(lower)),
                };
                text.extend_from_slice(code.as_bytes());
                last = Some((upper, lower));
            }
            text.extend_from_slice("▀".as_bytes());
        }
        text.extend_from_slice(b"\x1b[0m\x1b[K\r\n");
    }
    text.extend_from_slice(b"\x1b[J");
}

/// The nearest of the 256 colours of xterm: a cube of 6 levels from 16 on, 24 greys from 232 on.
fn nearest([r, g, b]: [u8; 3]) -> u8 {
    let (low, high) = (r.min(g).min(b), r.max(g).max(b));
    if high - low < 10 {
        return match u16::from(g) {
            0..=3 => 16,
            244.. => 231,
            grey => 232 + ((grey.saturating_sub(3)) / 10).min(23) as u8,
        };
    }
    // The levels are 0, 95, 135, 175, 215, 255.
    let level = |part: u8| match part {
        0..48 => 0,
        48..115 => 1,
        _ => (part - 35) / 40,
    };
    16 + 36 * level(r) + 6 * level(g) + level(b)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_rows_share_a_line_and_equal_colours_are_said_once() {
        let rgb = [[255, 0, 0], [255, 0, 0], [0, 0, 255], [0, 0, 255]].concat();
        let pixels = Pixels {
            width: 2,
            height: 2,
            rgb,
        };
        let mut text = Vec::new();
        draw(&mut text, &pixels, true);
        let text = String::from_utf8(text).unwrap();
        assert_eq!(
            text,
            "\x1b[38;2;255;0;0;48;2;0;0;255m▀▀\x1b[0m\x1b[K\r\n\x1b[J"
        );
    }

    #[test]
    fn colours_have_their_nearest_of_256() {
        assert_eq!(nearest([255, 0, 0]), 196);
        assert_eq!(nearest([0, 95, 215]), 26);
        assert_eq!(
            (nearest([0; 3]), nearest([255; 3]), nearest([128; 3])),
            (16, 231, 244)
        );
    }
}
