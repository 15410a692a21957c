//! Pictures to RGB, whatever their format, and a cheap look whether they are whole.

use zune_jpeg::JpegDecoder;
use zune_jpeg::zune_core::bytestream::ZCursor;
use zune_jpeg::zune_core::colorspace::ColorSpace;
use zune_jpeg::zune_core::options::DecoderOptions;

use super::{Frame, FrameError, PixelFormat, Rgb, colour};

/// Most pixels of a picture: four times the largest sensor of any camera.
const MAX_PIXELS: u64 = 20_000_000;
/// Bytes a camera may leave behind the end of a JPEG file.
const PADDING: usize = 64;

pub(super) fn check(frame: &Frame) -> Result<(), FrameError> {
    let (width, height, data) = (frame.width, frame.height, &frame.data);
    if u64::from(width) * u64::from(height) > MAX_PIXELS {
        return Err(FrameError::TooLarge { width, height });
    }
    if let Some(need) = frame.format.data_size(width, height) {
        let got = data.len();
        return match got == need {
            true => Ok(()),
            false => Err(FrameError::Size { need, got }),
        };
    }
    match frame.format {
        PixelFormat::Png => {
            const SIGNATURE: [u8; 8] = *b"\x89PNG\r\n\x1a\n";
            let ends = data
                .windows(4)
                .rev()
                .take(PADDING)
                .any(|four| four == b"IEND");
            match data.starts_with(&SIGNATURE) && ends {
                true => Ok(()),
                false => Err(damaged("PNG", "it is cut off")),
            }
        }
        _ if !data.starts_with(&[0xFF, 0xD8, 0xFF]) => Err(damaged("JPEG", "it is none")),
        _ if jpeg_end(data).is_none() => Err(damaged("JPEG", "it is cut off")),
        _ => Ok(()),
    }
}

pub(super) fn to_rgb(frame: &Frame) -> Result<Rgb, FrameError> {
    check(frame)?;
    let data = &frame.data;
    match frame.format {
        PixelFormat::Jpeg => return jpeg(data),
        PixelFormat::Png => return png(data),
        _ => {}
    }
    let (width, height) = (frame.width as usize, frame.height as usize);
    let mut pixels = Vec::with_capacity(3 * width * height);
    match frame.format {
        PixelFormat::Binary => colour::binary(data, width, &mut pixels),
        PixelFormat::Grayscale => colour::grayscale(data, &mut pixels),
        PixelFormat::Rgb565 => colour::rgb565(data, false, &mut pixels),
        PixelFormat::Rgb565Swapped => colour::rgb565(data, true, &mut pixels),
        PixelFormat::Yuv422 => colour::yuv422(data, false, &mut pixels),
        PixelFormat::Yvu422 => colour::yuv422(data, true, &mut pixels),
        PixelFormat::Bayer(order) => colour::bayer(data, width, height, order, &mut pixels),
        PixelFormat::Jpeg | PixelFormat::Png => {}
    }
    // Pairs of pixels leave an odd last column without a partner.
    let (need, got) = (3 * width * height, pixels.len());
    match need == got {
        true => Ok(Rgb {
            width: frame.width,
            height: frame.height,
            pixels,
        }),
        false => Err(FrameError::Size { need, got }),
    }
}

fn damaged(kind: &'static str, why: impl ToString) -> FrameError {
    let why = why.to_string();
    FrameError::Damaged { kind, why }
}

/// Bytes up to and with the mark that ends a JPEG file. The decoder shows a gray rest where a
/// file is cut off, so its end has to be looked for.
fn jpeg_end(data: &[u8]) -> Option<usize> {
    let from = data.len().saturating_sub(PADDING + 2);
    let behind = data.get(from..)?;
    let at = behind.windows(2).rposition(|pair| pair == [0xFF, 0xD9])?;
    Some(from + at + 2)
}

fn jpeg(data: &[u8]) -> Result<Rgb, FrameError> {
    let options = DecoderOptions::new_fast()
        .set_strict_mode(true)
        .jpeg_set_out_colorspace(ColorSpace::RGB)
        .set_max_width(1 << 14)
        .set_max_height(1 << 14);
    let mut decoder = JpegDecoder::new_with_options(ZCursor::new(data), options);
    let damaged = |error| damaged("JPEG", format!("{error:?}"));
    decoder.decode_headers().map_err(damaged)?;
    let (width, height) = decoder.dimensions().unwrap_or_default();
    let (width, height) = size(width as u64, height as u64)?;
    let pixels = decoder.decode().map_err(damaged)?;
    whole(width, height, pixels)
}

fn png(data: &[u8]) -> Result<Rgb, FrameError> {
    let mut decoder = png::Decoder::new(std::io::Cursor::new(data));
    decoder.set_transformations(png::Transformations::normalize_to_color8());
    let damaged = |error| damaged("PNG", error);
    let mut reader = decoder.read_info().map_err(damaged)?;
    let (width, height) = (reader.info().width, reader.info().height);
    let (width, height) = size(width.into(), height.into())?;
    let mut bytes = vec![0; reader.output_buffer_size().unwrap_or(0)];
    let info = reader.next_frame(&mut bytes).map_err(damaged)?;
    bytes.truncate(info.buffer_size());
    let pixels = match info.color_type.samples() {
        1 => bytes.iter().flat_map(|gray| [*gray; 3]).collect(),
        2 => bytes
            .as_chunks::<2>()
            .0
            .iter()
            .flat_map(|[gray, _]| [*gray; 3])
            .collect(),
        3 => bytes,
        _ => bytes
            .as_chunks::<4>()
            .0
            .iter()
            .flat_map(|[r, g, b, _]| [*r, *g, *b])
            .collect(),
    };
    whole(width, height, pixels)
}

fn size(width: u64, height: u64) -> Result<(u32, u32), FrameError> {
    let small = |side: u64| u32::try_from(side).unwrap_or(u32::MAX);
    let (small_width, small_height) = (small(width), small(height));
    match width.saturating_mul(height) <= MAX_PIXELS {
        true => Ok((small_width, small_height)),
        false => Err(FrameError::TooLarge {
            width: small_width,
            height: small_height,
        }),
    }
}

fn whole(width: u32, height: u32, pixels: Vec<u8>) -> Result<Rgb, FrameError> {
    let (need, got) = (3 * width as usize * height as usize, pixels.len());
    match need == got {
        true => Ok(Rgb {
            width,
            height,
            pixels,
        }),
        false => Err(FrameError::Size { need, got }),
    }
}
