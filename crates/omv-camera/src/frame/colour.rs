//! Raw pixels to RGB.

use super::Bayer;

/// Bits of a row, lowest first, in words of 32.
pub(super) fn binary(data: &[u8], width: usize, out: &mut Vec<u8>) {
    let row = width.div_ceil(32) * 4;
    for row in data.chunks_exact(row.max(1)) {
        for x in 0..width {
            let set = row.get(x / 8).is_some_and(|byte| byte >> (x % 8) & 1 == 1);
            out.extend([if set { 255 } else { 0 }; 3]);
        }
    }
}

pub(super) fn grayscale(data: &[u8], out: &mut Vec<u8>) {
    for &pixel in data {
        out.extend([pixel; 3]);
    }
}

/// Widens 5 and 6 bits to 8 so that the largest value becomes 255.
pub(super) fn rgb565(data: &[u8], swapped: bool, out: &mut Vec<u8>) {
    for pair in data.as_chunks::<2>().0 {
        let pixel = match swapped {
            true => u16::from_be_bytes(*pair),
            false => u16::from_le_bytes(*pair),
        };
        let (r, g, b) = (pixel >> 11, pixel >> 5 & 0x3F, pixel & 0x1F);
        out.extend([
            (r << 3 | r >> 2) as u8,
            (g << 2 | g >> 4) as u8,
            (b << 3 | b >> 2) as u8,
        ]);
    }
}

/// Two pixels share their colour: `Y U Y V`. Full range, the numbers of JPEG.
pub(super) fn yuv422(data: &[u8], red_first: bool, out: &mut Vec<u8>) {
    for &[y0, c0, y1, c1] in data.as_chunks::<4>().0 {
        let (u, v) = if red_first { (c1, c0) } else { (c0, c1) };
        out.extend(yuv(y0, u, v));
        out.extend(yuv(y1, u, v));
    }
}

fn yuv(y: u8, u: u8, v: u8) -> [u8; 3] {
    let (y, u, v) = (i32::from(y) << 16, i32::from(u) - 128, i32::from(v) - 128);
    let clamp = |value: i32| ((value + 0x8000) >> 16).clamp(0, 255) as u8;
    [
        clamp(y + 91_881 * v),
        clamp(y - 22_554 * u - 46_802 * v),
        clamp(y + 116_130 * u),
    ]
}

/// Bilinear: a missing colour is the mean of its nearest neighbours that have it.
pub(super) fn bayer(data: &[u8], width: usize, height: usize, order: Bayer, out: &mut Vec<u8>) {
    // Where the red pixel of each square of four is.
    let (red_x, red_y) = match order {
        Bayer::Rggb => (0, 0),
        Bayer::Grbg => (1, 0),
        Bayer::Gbrg => (0, 1),
        Bayer::Bggr => (1, 1),
    };
    let at = |x: isize, y: isize| {
        // Mirrored at the edges, which keeps a neighbour's colour.
        let mirror = |n: isize, size: usize| match n {
            -1 => 1.min(size - 1),
            n if n as usize >= size => size.saturating_sub(2),
            n => n as usize,
        };
        let index = mirror(y, height) * width + mirror(x, width);
        data.get(index).copied().map_or(0, u32::from)
    };
    for y in 0..height as isize {
        for x in 0..width as isize {
            let own = at(x, y);
            let sides = at(x - 1, y) + at(x + 1, y);
            let ends = at(x, y - 1) + at(x, y + 1);
            let corners = at(x - 1, y - 1) + at(x + 1, y - 1) + at(x - 1, y + 1) + at(x + 1, y + 1);
            let (on_red_column, on_red_row) = (x & 1 == red_x, y & 1 == red_y);
            let [r, g, b] = match (on_red_column, on_red_row) {
                (true, true) => [own, (sides + ends) / 4, corners / 4],
                (false, true) => [sides / 2, own, ends / 2],
                (true, false) => [ends / 2, own, sides / 2],
                (false, false) => [corners / 4, (sides + ends) / 4, own],
            };
            out.extend([r as u8, g as u8, b as u8]);
        }
    }
}
