//! What a script asks of the memory for frames, read from its text.

use omv_python::{Kind, Token, tokenize};

/// Frame sizes by name. Source: openmv/openmv common/omv_csi.h and its table of resolutions.
const SIZES: [(&str, u64, u64); 28] = [
    ("QQCIF", 88, 72),
    ("QCIF", 176, 144),
    ("CIF", 352, 288),
    ("QQSIF", 88, 60),
    ("QSIF", 176, 120),
    ("SIF", 352, 240),
    ("QQQQVGA", 40, 30),
    ("QQQVGA", 80, 60),
    ("QQVGA", 160, 120),
    ("QVGA", 320, 240),
    ("VGA", 640, 480),
    ("HQVGA", 240, 160),
    ("HVGA", 480, 320),
    ("B64X64", 64, 64),
    ("B128X128", 128, 128),
    ("WVGA", 720, 480),
    ("WVGA2", 752, 480),
    ("SVGA", 800, 600),
    ("XGA", 1024, 768),
    ("SXGA", 1280, 1024),
    ("SXGAM", 1280, 960),
    ("UXGA", 1600, 1200),
    ("HD", 1280, 720),
    ("FHD", 1920, 1080),
    ("QHD", 2560, 1440),
    ("QXGA", 2048, 1536),
    ("WQXGA", 2560, 1600),
    ("WQXGA2", 2592, 1944),
];

/// Frames a script asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wanted {
    /// `VGA`.
    pub size: String,
    /// `RGB565`.
    pub format: String,
    /// Bytes of one frame.
    pub bytes: u64,
    /// Pixels of it.
    pub pixels: u64,
    /// How many buffers it asks for; none: the firmware chooses.
    pub buffers: Option<u64>,
}

/// What a script asks for; none where that cannot be told from its text: several sizes, a window,
/// a compressed format.
pub fn wanted(text: &str) -> Option<Wanted> {
    let (tokens, _) = tokenize(text);
    let one = |names: [&str; 2]| {
        let mut all = values(text, &tokens, names);
        all.dedup();
        match all.len() {
            1 => all.pop(),
            _ => None,
        }
    };
    if !values(text, &tokens, ["set_windowing", "window"]).is_empty() {
        return None;
    }
    let size = one(["set_framesize", "framesize"])?;
    let format = one(["set_pixformat", "pixformat"])?;
    let (_, width, height) = SIZES.iter().find(|(name, ..)| *name == size)?;
    let bits = match &*format {
        "BINARY" => 1,
        "GRAYSCALE" | "BAYER" => 8,
        "RGB565" | "YUV422" => 16,
        _ => return None,
    };
    let buffers = one(["set_framebuffers", "framebuffers"]);
    let buffers = buffers.and_then(|text| match &*text {
        "SINGLE_BUFFER" => Some(1),
        "DOUBLE_BUFFER" => Some(2),
        "TRIPLE_BUFFER" => Some(3),
        number => number.parse().ok(),
    });
    Some(Wanted {
        bytes: width * height * bits / 8,
        pixels: width * height,
        size,
        format,
        buffers,
    })
}

/// The last word of the first argument of each call of these: `VGA` of `set_framesize(sensor.VGA)`.
fn values(text: &str, tokens: &[Token], names: [&str; 2]) -> Vec<String> {
    let mut found = Vec::new();
    for (at, token) in tokens.iter().enumerate() {
        let is_call = token.kind == Kind::Name
            && names.contains(&token.of(text))
            && tokens.get(at + 1).is_some_and(|next| next.of(text) == "(");
        if !is_call {
            continue;
        }
        let inside = tokens.get(at + 2..).unwrap_or_default().iter();
        let words = inside.map(|token| token.of(text));
        let last = words.take_while(|word| !matches!(*word, ")" | ",")).last();
        found.extend(last.map(str::to_owned));
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_interfaces_are_read_and_what_cannot_be_told_is_not_said() {
        let old = "import sensor\nsensor.set_pixformat(sensor.RGB565)\nsensor.set_framesize(sensor.VGA)\n";
        let wanted_old = wanted(old).unwrap();
        assert_eq!((wanted_old.bytes, wanted_old.buffers), (614_400, None));
        let new =
            "c = csi.CSI()\nc.pixformat(csi.GRAYSCALE)\nc.framesize(csi.HD)\nc.framebuffers(2)\n";
        let wanted_new = wanted(new).unwrap();
        assert_eq!((wanted_new.bytes, wanted_new.buffers), (921_600, Some(2)));
        for silent in [
            "sensor.set_pixformat(sensor.RGB565)\n".to_owned(),
            format!("{old}sensor.set_framesize(sensor.QVGA)\n"),
            format!("{old}sensor.set_windowing((640, 80))\n"),
            "# sensor.set_framesize(sensor.VGA)\n".to_owned(),
        ] {
            assert_eq!(wanted(&silent), None, "{silent}");
        }
    }
}
