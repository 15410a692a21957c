//! Whether two pictures look alike: which of two neighbours in a coarse grid is brighter.

use crate::shot::Shot;

/// Cells across and down; each but the last of a row is compared with its right neighbour.
const GRID: (usize, usize) = (17, 16);
/// Cells that differ by less are equal: noise does not make two pictures of one.
const NOISE: u32 = 3;

/// The gist of a picture, 256 bits: for each pair of neighbours, whether the right one is brighter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Likeness([u64; 4]);

impl Likeness {
    /// That of a picture; none for one that is not whole.
    pub fn of(shot: &Shot) -> Option<Self> {
        let (width, height) = (shot.width as usize, shot.height as usize);
        let rgb = shot.rgb()?;
        let cell = |x: usize, y: usize| {
            let columns =
                x * width / GRID.0..((x + 1) * width / GRID.0).max(x * width / GRID.0 + 1);
            let rows =
                y * height / GRID.1..((y + 1) * height / GRID.1).max(y * height / GRID.1 + 1);
            let (mut sum, mut count) = (0_u32, 0_u32);
            for row in rows.clone() {
                for column in columns.clone() {
                    let at = (row.min(height - 1) * width + column.min(width - 1)) * 3;
                    // Green stands for brightness well enough.
                    sum += u32::from(rgb.get(at + 1).copied().unwrap_or(0));
                    count += 1;
                }
            }
            sum / count.max(1)
        };
        if width == 0 || height == 0 {
            return None;
        }
        let mut bits = [0_u64; 4];
        for y in 0..GRID.1 {
            for x in 0..GRID.0 - 1 {
                if cell(x + 1, y) > cell(x, y) + NOISE {
                    let bit = y * (GRID.0 - 1) + x;
                    bits[bit / 64] |= 1 << (bit % 64);
                }
            }
        }
        Some(Self(bits))
    }

    /// In how many bits two differ.
    pub fn distance(&self, other: &Self) -> u32 {
        let pairs = self.0.iter().zip(&other.0);
        pairs.map(|(a, b)| (a ^ b).count_ones()).sum()
    }
}
