//! What stands in a camera's text that is no text.
//!
//! ```text
//!   FE | groups of four bytes 10xxxxxx, the least significant six bits first | FE    a picture
//!   ESC [40O NL                                        a picture was too large and left out
//!   ESC [64OMV                                         the script wants the picture kept
//! ```
//!
//! Three bytes of a picture become four in the text, two become three, one becomes two. Firmware
//! up to 4.7 prints a picture that does not fit its buffer; scripts can print them themselves
//! (`compressed_for_ide`). FE is no byte of UTF-8.
//!
//! Source: openmv/openmv `lib/imlib/framebuffer.c`, `py_image.c` at tags v4.5.2 and v4.8.1.

/// The largest picture taken out of the text, encoded; a longer one is dropped.
const LARGEST: usize = 8 << 20;
const MARK: u8 = 0xFE;
const TOO_LARGE: &[u8] = b"\x1B[40O";
const SAVE: &[u8] = b"\x1B[64OMV";

/// Part of what a console carried.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Piece {
    /// Text, cut anywhere.
    Text(Vec<u8>),
    /// A picture file, most likely a JPEG.
    Image(Vec<u8>),
    /// The camera left a picture out because it was too large.
    TooLarge,
    /// The script asks for the picture of now to be kept.
    SaveFrame,
}

/// Takes pictures and marks out of a stream of text.
#[derive(Clone, Debug, Default)]
pub struct Console {
    /// Six-bit bytes of a picture that has begun.
    image: Option<Vec<u8>>,
    /// The beginning of what may become a mark.
    held: Vec<u8>,
    /// A line end behind a mark belongs to it.
    swallow: bool,
}

impl Console {
    /// Takes any slice of the text. What may be the beginning of a mark is held back until more
    /// comes; a script that prints a lone ESC last shows it with the next text, or at
    /// [`flush`](Self::flush).
    pub fn feed(&mut self, bytes: &[u8]) -> Vec<Piece> {
        let mut pieces = Vec::new();
        let mut text = Vec::new();
        for &byte in bytes {
            self.take(byte, &mut text, &mut pieces);
        }
        end_text(&mut text, &mut pieces);
        pieces
    }

    /// What is held back, when nothing more will come. A picture that has not ended is dropped.
    pub fn flush(&mut self) -> Vec<Piece> {
        self.image = None;
        self.swallow = false;
        match std::mem::take(&mut self.held) {
            held if held.is_empty() => Vec::new(),
            held => vec![Piece::Text(held)],
        }
    }

    fn take(&mut self, byte: u8, text: &mut Vec<u8>, pieces: &mut Vec<Piece>) {
        if let Some(image) = &mut self.image {
            match byte {
                MARK => {
                    let data = decode(image);
                    self.image = None;
                    self.swallow = true;
                    if !data.is_empty() {
                        end_text(text, pieces);
                        pieces.push(Piece::Image(data));
                    }
                    return;
                }
                0x80..=0xBF if image.len() < LARGEST => {
                    image.push(byte);
                    return;
                }
                // Not a picture after all, or one without an end.
                _ => self.image = None,
            }
        }
        if std::mem::take(&mut self.swallow) && matches!(byte, b'\r' | b'\n') {
            // Both of CR LF.
            self.swallow = byte == b'\r';
            return;
        }
        if byte == MARK {
            text.append(&mut self.held);
            self.image = Some(Vec::new());
            return;
        }
        self.held.push(byte);
        for (mark, piece) in [(TOO_LARGE, Piece::TooLarge), (SAVE, Piece::SaveFrame)] {
            if self.held == mark {
                self.held.clear();
                self.swallow = piece == Piece::TooLarge;
                end_text(text, pieces);
                pieces.push(piece);
                return;
            }
        }
        if !TOO_LARGE.starts_with(&self.held) && !SAVE.starts_with(&self.held) {
            // The last byte may begin a mark of its own.
            let again = (self.held.len() > 1 && byte == 0x1B).then(|| self.held.pop());
            text.append(&mut self.held);
            self.held.extend(again.flatten());
        }
    }
}

fn end_text(text: &mut Vec<u8>, pieces: &mut Vec<Piece>) {
    if !text.is_empty() {
        pieces.push(Piece::Text(std::mem::take(text)));
    }
}

fn decode(image: &[u8]) -> Vec<u8> {
    let mut data = Vec::with_capacity(image.len() / 4 * 3);
    for group in image.chunks(4) {
        let bits = group
            .iter()
            .rev()
            .fold(0_u32, |bits, byte| bits << 6 | u32::from(byte & 0x3F));
        let count = group.len().saturating_sub(1);
        data.extend(bits.to_le_bytes().iter().take(count));
    }
    data
}

/// A picture as a camera prints it.
#[must_use]
pub fn encode_image(data: &[u8]) -> Vec<u8> {
    let mut text = vec![MARK];
    for group in data.chunks(3) {
        let bits = group
            .iter()
            .rev()
            .fold(0_u32, |bits, byte| bits << 8 | u32::from(*byte));
        let digits = (0..=group.len() as u32).map(|n| 0x80 | (bits >> (6 * n)) as u8 & 0x3F);
        text.extend(digits);
    }
    text.push(MARK);
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(text: &str) -> Piece {
        Piece::Text(text.as_bytes().to_vec())
    }

    /// Pieces of a text fed in slices of this many bytes, text joined.
    fn fed(bytes: &[u8], step: usize) -> Vec<Piece> {
        let mut console = Console::default();
        let mut pieces: Vec<Piece> = Vec::new();
        let all = bytes
            .chunks(step)
            .flat_map(|part| console.feed(part))
            .collect::<Vec<_>>();
        for piece in all.into_iter().chain(console.flush()) {
            match (pieces.last_mut(), piece) {
                (Some(Piece::Text(last)), Piece::Text(more)) => last.extend(more),
                (_, piece) => pieces.push(piece),
            }
        }
        pieces
    }

    #[test]
    fn pictures_and_marks_leave_the_text_whatever_its_slices() {
        let picture: Vec<u8> = (0..=255).collect();
        let mut bytes = b"before\n".to_vec();
        bytes.extend(encode_image(&picture));
        bytes.extend(b"\r\nmiddle \x1B[40O\nand \x1B[64OMVend \x1B[31mred\x1B");
        let expected = [
            text("before\n"),
            Piece::Image(picture),
            text("middle "),
            Piece::TooLarge,
            text("and "),
            Piece::SaveFrame,
            text("end \u{1B}[31mred\u{1B}"),
        ];
        for step in [1, 2, 3, 5, 7, 64, bytes.len()] {
            assert_eq!(fed(&bytes, step), expected, "slices of {step}");
        }
    }

    #[test]
    fn three_bytes_are_four_and_the_rest_of_a_picture_one_more() {
        for length in 0..10 {
            let data: Vec<u8> = (0..length).map(|n| 0xF0 | n).collect();
            let encoded = encode_image(&data);
            let rest = match length % 3 {
                0 => 0,
                rest => rest + 1,
            };
            assert_eq!(encoded.len(), 2 + usize::from(length / 3 * 4 + rest));
            let expected = if length == 0 {
                vec![]
            } else {
                vec![Piece::Image(data)]
            };
            assert_eq!(fed(&encoded, 1), expected);
        }
    }

    #[test]
    fn a_picture_that_does_not_end_costs_no_text_behind_it() {
        let mut bytes = encode_image(b"abcdef");
        bytes.pop();
        bytes.extend(b"still here\n");
        assert_eq!(fed(&bytes, 4), [text("still here\n")]);
    }
}
