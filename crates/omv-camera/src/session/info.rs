//! What a running camera tells of itself.

use omv_boards::Board;
use omv_link::Place;
use omv_wire::identify::{Generation, Who};
use omv_wire::v2::records::{Caps, Channel, Stats};

/// Who a camera is. Strings are printable ASCII, and still the camera's own word.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Info {
    /// The board.
    pub board: &'static Board,
    /// Where it is plugged in.
    pub place: Place,
    /// The serial number its USB shows.
    pub serial: Option<String>,
    /// Protocol, firmware, unique id and the rest of what it says at first.
    pub who: Who,
    /// Ids of the image sensors found; empty if none, or if the firmware does not tell.
    pub sensors: Vec<u32>,
    /// What was agreed on; protocol v2 alone.
    pub caps: Option<Caps>,
    /// Its channels; protocol v2 alone.
    pub channels: Vec<ChannelInfo>,
}

impl Info {
    /// Which protocol it speaks.
    pub fn generation(&self) -> Generation {
        self.who.generation
    }

    /// Dotted version of its firmware.
    pub fn firmware(&self) -> String {
        crate::look::version(&self.who)
    }
}

/// One channel of protocol v2.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ChannelInfo {
    /// What events carry.
    pub id: u8,
    /// Such as `stdout`; up to 13 characters.
    pub name: String,
    /// Bits of `omv_wire::v2::channels::flag`.
    pub flags: u8,
}

impl From<&Channel> for ChannelInfo {
    fn from(channel: &Channel) -> Self {
        Self {
            id: channel.id,
            name: channel.name(),
            flags: channel.flags,
        }
    }
}

impl ChannelInfo {
    /// Whether it has one of these flags.
    pub fn has(&self, flag: u8) -> bool {
        self.flags & flag != 0
    }
}

/// Counters of both ends.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Statistics {
    /// Of the camera, since it was switched on; protocol v2 alone.
    pub camera: Option<Stats>,
    /// Of this session.
    pub host: HostStatistics,
}

/// Counters of this end, since the session was opened.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct HostStatistics {
    /// Pictures told.
    pub frames: u64,
    /// Bytes of them.
    pub frame_bytes: u64,
    /// Pictures left out because they were damaged or cut off.
    pub corrupt_frames: u64,
    /// Bytes of text told.
    pub text_bytes: u64,
    /// Reads of the console whose answer was lost, so that text may be missing.
    pub text_losses: u64,
    /// Times the protocol had to be started over, other than after a reboot.
    pub resyncs: u64,
    /// Soft reboots seen.
    pub reboots: u64,
    /// Connections made.
    pub connections: u64,
}

/// What a profiler counted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Profile {
    /// One per pair of function and caller.
    pub records: Vec<ProfileRecord>,
}

/// One function called from one place. Addresses are the firmware's: its ELF file has the names.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ProfileRecord {
    /// Address of the function.
    pub function: u32,
    /// Address it was called from.
    pub caller: u32,
    /// Calls.
    pub calls: u32,
    /// Ticks of the shortest call.
    pub min_ticks: u32,
    /// Ticks of the longest call.
    pub max_ticks: u32,
    /// Ticks of all calls.
    pub total_ticks: u64,
    /// Cycles of all calls.
    pub total_cycles: u64,
    /// Counters of the processor, where it has some.
    pub events: Vec<u64>,
}

impl Profile {
    /// Reads packed records of `size` bytes each: five `u32`, two `u64`, a `u64` per counter, one
    /// `u32` to ignore. A cut record at the end is left out.
    ///
    /// Source: openmv/openmv `common/omv_profiler.h`.
    pub fn decode(bytes: &[u8], size: usize) -> Self {
        const FIXED: usize = 40;
        if size < FIXED {
            return Self::default();
        }
        let record = |record: &[u8]| {
            let word = |at: usize| {
                let bytes = record.get(at..).and_then(|rest| rest.first_chunk());
                bytes.copied().map_or(0, u32::from_le_bytes)
            };
            let long = |at: usize| u64::from(word(at)) | u64::from(word(at + 4)) << 32;
            ProfileRecord {
                function: word(0),
                caller: word(4),
                calls: word(8),
                min_ticks: word(12),
                max_ticks: word(16),
                total_ticks: long(20),
                total_cycles: long(28),
                events: (0..(size - FIXED) / 8).map(|n| long(36 + 8 * n)).collect(),
            }
        };
        let records = bytes.chunks_exact(size).map(record).collect();
        Self { records }
    }
}
