//! What of a running camera depends on its board and its firmware's version.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use omv_boards::Version;
use serde::Deserialize;

use crate::disk::Rules;
use crate::run::{Body, Firmware};

/// Per board: sensor, buffers.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Board {
    /// Chip id of the sensor it is sold with.
    sensor: u32,
    /// Name of that sensor.
    sensor_name: String,
    /// Memory a frame must fit in, KiB.
    frame_kib: usize,
    /// Text that waits before firmware 5.0.0, bytes.
    text_v1: usize,
    /// Raw frames go out up to this size.
    raw: Option<(u32, u32)>,
    /// What the interpreter calls the machine.
    machine: String,
}

static BOARDS: LazyLock<BTreeMap<String, Board>> = LazyLock::new(|| {
    // A test reads the file; a mistake in it never leaves this house.
    toml::from_str(include_str!("boards.toml")).unwrap_or_default()
});

/// Facts of one camera with one firmware.
#[derive(Clone, Debug)]
pub struct Facts {
    /// Name of the board.
    pub board: String,
    /// What the interpreter calls the machine.
    pub machine: String,
    /// Version of the firmware.
    pub version: Version,
    /// Architecture string and the type behind it.
    pub arch: (String, String),
    /// Unique id, last word first.
    pub uid: [u32; 3],
    /// Chip id of the sensor.
    pub sensor: u32,
    /// Its name.
    pub sensor_name: String,
    /// Memory a frame must fit in, bytes.
    pub frame_bytes: usize,
    /// Memory for the preview, bytes.
    pub stream_bytes: usize,
    /// Bytes of the text ring.
    pub ring: usize,
    /// JPEG quality of large and of small frames.
    pub quality: (u8, u8),
    /// Raw frames go out up to this size, if they do without being asked for.
    pub raw_box: Option<(u32, u32)>,
}

impl Facts {
    /// Those of this camera.
    pub fn of(firmware: &Firmware, body: &Body) -> Self {
        let known = BOARDS
            .get(&body.board.name)
            .or_else(|| BOARDS.get("OPENMV_RT1060"));
        let v2 = body.board.v2;
        let two = firmware.version.major >= 5;
        let text_v1 = known.map_or(512, |known| known.text_v1);
        Self {
            board: body.board.name.clone(),
            machine: known.map_or_else(String::new, |known| known.machine.clone()),
            version: firmware.version,
            arch: (firmware.arch.clone(), firmware.kind.clone()),
            uid: body.uid,
            sensor: known.map_or(0, |known| known.sensor),
            sensor_name: known.map_or_else(String::new, |known| known.sensor_name.clone()),
            frame_bytes: known.map_or(0, |known| known.frame_kib) << 10,
            stream_bytes: v2.map_or(8, |v2| v2.stream_kib as usize) << 10,
            ring: if two {
                v2.map_or(1024, |v2| v2.stdout_ring as usize)
            } else {
                text_v1
            },
            quality: v2.map_or((35, 60), |v2| (v2.jpeg.low, v2.jpeg.high)),
            raw_box: known.and_then(|known| known.raw).filter(|_| two),
        }
    }

    /// How its disks are mounted.
    pub fn rules(&self) -> Rules {
        if self.since(4, 6, 20) {
            Rules::Both
        } else {
            Rules::One
        }
    }

    /// Whether its firmware is of this version or a later one.
    pub fn since(&self, major: u16, minor: u16, patch: u16) -> bool {
        let version = (self.version.major, self.version.minor, self.version.patch);
        version >= (major, minor, patch)
    }

    /// The first line after a start.
    pub fn banner(&self) -> String {
        format!(
            "OpenMV v{}; MicroPython v{}; {}\r\nType \"help()\" for more information.\r\n>>> ",
            self.version,
            self.micropython(),
            self.machine
        )
    }

    /// Version of the interpreter its firmware has.
    pub fn micropython(&self) -> &'static str {
        match () {
            () if self.since(5, 0, 0) => "1.28.0",
            () if self.since(4, 8, 0) => "1.26.0",
            () if self.since(4, 7, 0) => "1.25.0",
            () if self.since(4, 5, 6) => "1.23.0",
            () => "1.20.0",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_board_that_runs_scripts_has_its_facts() {
        let boards: BTreeMap<String, Board> = toml::from_str(include_str!("boards.toml")).unwrap();
        let with_v2 = omv_boards::all().iter().filter(|board| board.v2.is_some());
        let missing: Vec<_> = with_v2
            .map(|board| board.name.clone())
            .filter(|name| !boards.contains_key(name))
            .collect();
        assert!(missing.is_empty(), "{missing:?}");
    }
}
