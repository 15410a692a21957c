//! Kitty's graphics protocol: the pixels, compressed, in pieces of base64. Each picture takes the
//! place of the one before.
//!
//! Source: <https://sw.kovidgoyal.net/kitty/graphics-protocol/>.

use std::io::Write;

use data_encoding::BASE64;
use flate2::Compression;
use flate2::write::ZlibEncoder;

use super::Pixels;

/// Longest piece of base64, bytes.
const PIECE: usize = 4096;

/// Draws a picture where the cursor is, which stays there.
pub fn draw(text: &mut Vec<u8>, pixels: &Pixels) {
    let mut packed = ZlibEncoder::new(Vec::new(), Compression::fast());
    // Writing into memory does not fail.
    let _ = packed.write_all(&pixels.rgb);
    let packed = BASE64.encode(&packed.finish().unwrap_or_default());
    let (width, height) = (pixels.width, pixels.height);
    let mut head = format!("a=T,f=24,o=z,s={width},v={height},i=1,p=1,C=1,q=2,");
    let mut pieces = packed.as_bytes().chunks(PIECE).peekable();
    while let Some(piece) = pieces.next() {
        let more = u8::from(pieces.peek().is_some());
        text.extend_from_slice(format!("\x1b_G{head}m={more};").as_bytes());
        text.extend_from_slice(piece);
        text.extend_from_slice(b"\x1b\\");
        head.clear();
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use super::*;

    #[test]
    fn the_pieces_put_together_are_the_pixels() {
        let noise = |i: u32| (i.wrapping_mul(i).wrapping_mul(0x9E37_79B9) >> 21) as u8;
        let rgb: Vec<u8> = (0..64 * 48 * 3).map(noise).collect();
        let pixels = Pixels {
            width: 64,
            height: 48,
            rgb,
        };
        let mut text = Vec::new();
        draw(&mut text, &pixels);
        let text = String::from_utf8(text).unwrap();
        let pieces: Vec<_> = text.split_terminator("\x1b\\").collect();
        assert!(pieces.len() > 1 && pieces[0].starts_with("\x1b_Ga=T,f=24,o=z,s=64,v=48,"));
        let more: String = pieces
            .iter()
            .map(|piece| {
                let at = piece.find("m=").unwrap();
                &piece[at + 2..at + 3]
            })
            .collect();
        assert_eq!(more, format!("{}0", "1".repeat(pieces.len() - 1)));
        let packed: String = pieces
            .iter()
            .filter_map(|p| p.split_once(';'))
            .map(|p| p.1)
            .collect();
        let mut back = Vec::new();
        let packed = BASE64.decode(packed.as_bytes()).unwrap();
        flate2::read::ZlibDecoder::new(&packed[..])
            .read_to_end(&mut back)
            .unwrap();
        assert_eq!(back, pixels.rgb);
    }
}
