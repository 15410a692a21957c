//! Pictures of every format a camera sends, against other people's decoders, and damaged.

use omv_camera::{Bayer, Frame, FrameError, PixelFormat};

const VECTORS: &str = include_str!("../vectors/frames.txt");

fn hex(text: &str) -> Vec<u8> {
    let digit = |at: usize| u8::from_str_radix(&text[at..at + 2], 16).unwrap();
    (0..text.len()).step_by(2).map(digit).collect()
}

fn rgb(format: PixelFormat, width: u32, height: u32, data: Vec<u8>) -> Result<Vec<u8>, FrameError> {
    let frame = Frame::new(1, width, height, format, data);
    frame.to_rgb().map(|rgb| rgb.pixels)
}

/// The picture of this name in the vectors: format, width, height, data, RGB.
fn vector(name: &str) -> (u32, u32, Vec<u8>, Vec<u8>) {
    let line = VECTORS.lines().find(|line| line.starts_with(name)).unwrap();
    let parts: Vec<&str> = line.split(' ').collect();
    let side = |at: usize| parts[at].parse().unwrap();
    (side(1), side(2), hex(parts[3]), hex(parts[4]))
}

#[test]
fn pictures_decode_as_other_peoples_programs_decode_them() {
    for (name, format, off) in [
        ("grayscale", PixelFormat::Grayscale, 0),
        // The package cuts where we round: 5 and 6 bits become 8.
        ("rgb565", PixelFormat::Rgb565, 1),
        ("jpeg", PixelFormat::Jpeg, 3),
        ("png", PixelFormat::Png, 0),
    ] {
        let (width, height, data, expected) = vector(name);
        let pixels = rgb(format, width, height, data).unwrap();
        assert_eq!(pixels.len(), expected.len(), "{name}");
        for (ours, theirs) in pixels.iter().zip(&expected) {
            assert!(
                ours.abs_diff(*theirs) <= off,
                "{name}: {pixels:?} is not {expected:?}"
            );
        }
    }
}

#[test]
fn old_firmware_sends_the_bytes_of_rgb565_the_other_way_round() {
    let (width, height, data, _) = vector("rgb565");
    let swapped: Vec<u8> = data.chunks(2).flat_map(|pair| [pair[1], pair[0]]).collect();
    assert_eq!(
        rgb(PixelFormat::Rgb565Swapped, width, height, swapped),
        rgb(PixelFormat::Rgb565, width, height, data)
    );
}

#[test]
fn a_binary_picture_has_its_rows_in_words_lowest_bit_first() {
    let mut data = vec![0; 2 * 8];
    data[0] = 0b1;
    data[4] = 0b10;
    data[8 + 3] = 0b1000_0000;
    let pixels = rgb(PixelFormat::Binary, 34, 2, data).unwrap();
    let set: Vec<usize> = (0..68).filter(|at| pixels[3 * at] == 255).collect();
    assert_eq!(set, [0, 33, 34 + 31]);
}

#[test]
fn gray_in_yuv_is_gray_and_the_colours_are_those_of_jpeg() {
    let gray = rgb(PixelFormat::Yuv422, 2, 1, vec![77, 128, 200, 128]).unwrap();
    assert_eq!(gray, [77, 77, 77, 200, 200, 200]);
    // Red of JPEG: Y 76, Cb 85, Cr 255.
    let red = rgb(PixelFormat::Yuv422, 2, 1, vec![76, 85, 76, 255]).unwrap();
    assert!(red[0] >= 253 && red[1] <= 2 && red[2] <= 2, "{red:?}");
    assert_eq!(
        rgb(PixelFormat::Yvu422, 2, 1, vec![76, 255, 76, 85]).unwrap(),
        red
    );
}

#[test]
fn one_colour_behind_a_bayer_filter_is_that_colour_everywhere() {
    let (red, green, blue) = (200, 100, 50);
    for (order, square) in [
        (Bayer::Rggb, [[red, green], [green, blue]]),
        (Bayer::Bggr, [[blue, green], [green, red]]),
        (Bayer::Grbg, [[green, red], [blue, green]]),
        (Bayer::Gbrg, [[green, blue], [red, green]]),
    ] {
        let data = (0..6 * 8).map(|at| square[at / 8 % 2][at % 2]).collect();
        let pixels = rgb(PixelFormat::Bayer(order), 8, 6, data).unwrap();
        assert!(
            pixels.chunks(3).all(|pixel| pixel == [red, green, blue]),
            "{order:?}"
        );
    }
}

#[test]
fn a_picture_cut_short_is_an_error_and_never_a_gray_rest() {
    // The last four bytes of a PNG are the checksum of nothing.
    for (name, format, end) in [("jpeg", PixelFormat::Jpeg, 1), ("png", PixelFormat::Png, 4)] {
        let (width, height, data, _) = vector(name);
        for length in 0..data.len() - end {
            let cut = data[..length].to_vec();
            assert!(
                rgb(format, width, height, cut).is_err(),
                "{name} of {length} bytes"
            );
        }
    }
    let short = rgb(PixelFormat::Grayscale, 10, 10, vec![0; 99]);
    assert_eq!(short, Err(FrameError::Size { need: 100, got: 99 }));
    let large = rgb(PixelFormat::Grayscale, 16_000, 16_000, Vec::new());
    assert!(matches!(large, Err(FrameError::TooLarge { .. })));
}

#[test]
fn damaged_files_are_errors_or_pictures_and_never_a_panic() {
    let mut state = 0x2545_F491_4F6C_DD1D_u64;
    let mut random = move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state
    };
    for (name, format) in [("jpeg", PixelFormat::Jpeg), ("png", PixelFormat::Png)] {
        let (width, height, data, _) = vector(name);
        let mut decoded = 0;
        for _ in 0..1000 {
            let mut damaged = data.clone();
            for _ in 0..1 + random() % 4 {
                let at = random() as usize % damaged.len();
                damaged[at] = random() as u8;
            }
            if let Ok(pixels) = rgb(format, width, height, damaged) {
                assert_eq!(pixels.len() % 3, 0);
                decoded += 1;
            }
        }
        assert!(decoded < 1000, "{name}: nothing was ever found damaged");
    }
}
