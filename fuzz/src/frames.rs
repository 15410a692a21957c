//! Pictures of both protocols: their headers, and the decoders of every format.
//!
//! The decoders are those of `omv-camera`, whose other dependencies would double the time to build.

use omv_wire::v1::state::{CameraState, FrameSize, Kind};
use omv_wire::v2::stream::FrameHeader;

use self::frame::{Bayer, Frame, PixelFormat};

#[allow(dead_code, reason = "a part of it is used")]
#[path = "../../crates/omv-camera/src/frame/mod.rs"]
mod frame;

const FORMATS: [PixelFormat; 12] = [
    PixelFormat::Binary,
    PixelFormat::Grayscale,
    PixelFormat::Rgb565,
    PixelFormat::Rgb565Swapped,
    PixelFormat::Bayer(Bayer::Bggr),
    PixelFormat::Bayer(Bayer::Gbrg),
    PixelFormat::Bayer(Bayer::Grbg),
    PixelFormat::Bayer(Bayer::Rggb),
    PixelFormat::Yuv422,
    PixelFormat::Yvu422,
    PixelFormat::Jpeg,
    PixelFormat::Png,
];

/// A whole picture as a camera sends it, and as any format.
pub fn picture(bytes: &[u8]) {
    if let Ok(header) = FrameHeader::decode(bytes) {
        let again = FrameHeader::decode(&header.encode());
        assert_eq!(again.map(FrameHeader::encode), Ok(header.encode()));
        if let (Some(format), Ok(data)) =
            (PixelFormat::from_wire(header.format), header.data(bytes))
        {
            decode(header.width, header.height, format, data);
        }
    }
    if let Ok(Some(size)) = FrameSize::decode(bytes) {
        assert_eq!(FrameSize::decode(&size.encode()), Ok(Some(size)));
        for firmware in [[3, 5, 0], [4, 5, 2]] {
            let asked = size.bytes(firmware);
            assert!(size.kind(firmware) == Kind::File || asked <= 1 << 32);
        }
    }
    if let Ok(state) = CameraState::decode(bytes) {
        assert!(state.text.len() <= bytes.len());
    }
    if let Some((&[format, width, height], data)) = bytes.split_first_chunk() {
        let format = FORMATS[usize::from(format) % FORMATS.len()];
        decode(width.into(), height.into(), format, data);
    }
}

fn decode(width: u32, height: u32, format: PixelFormat, data: &[u8]) {
    let frame = Frame::new(1, width, height, format, data.to_vec());
    if let Ok(rgb) = frame.to_rgb() {
        let (width, height) = (rgb.width as usize, rgb.height as usize);
        assert_eq!(rgb.pixels.len(), 3 * width * height);
        assert_eq!(frame.check(), Ok(()), "decoded, and not whole");
    }
}
