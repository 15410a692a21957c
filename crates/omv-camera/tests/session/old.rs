//! A camera with protocol v1 that lies about its pictures, or stops in the middle of one.

use std::collections::VecDeque;
use std::time::Duration;

use omv_camera::session::{Appetite, Ended, Frames, Limits, Notice, Options, Preview, Session};
use omv_wire::v1::camera::{Camera, Personality, Stack};
use omv_wire::v1::codec::Arch;
use omv_wire::v1::desk::Desk;
use omv_wire::{Input, Machine, Turn};

use crate::acting::bus::{Acts, Stand};

const SECOND: Duration = Duration::from_secs(1);
/// What a desk tells about a picture, and its bytes.
type Picture = ([u32; 3], Vec<u8>);

/// A script says `spin` and runs until it is stopped; another one is over at once.
#[derive(Default)]
struct Stage {
    running: bool,
    on: bool,
    text: VecDeque<u8>,
    waiting: VecDeque<Picture>,
    shown: Option<Picture>,
    given_back: u32,
}

impl Stage {
    fn end(&mut self) {
        self.running = false;
        self.text.extend(b"MPY: soft reboot\r\n");
    }
}

impl Desk for Stage {
    fn is_running(&self) -> bool {
        self.running
    }

    fn stop(&mut self) {
        if self.running {
            self.text.clear();
            self.end();
        }
    }

    fn execute(&mut self, script: &[u8]) {
        self.running = true;
        self.text.extend(b"begun\r\n");
        if !script.starts_with(b"spin") {
            self.end();
        }
    }

    fn text_size(&self) -> u32 {
        self.text.len() as u32
    }

    fn text(&mut self, most: u32) -> Vec<u8> {
        let count = self.text.len().min(most as usize);
        self.text.drain(..count).collect()
    }

    fn sensor(&self) -> Option<u32> {
        Some(0x5640)
    }

    fn enable(&mut self, on: bool) {
        self.on = on;
        self.given_back += u32::from(self.shown.take().is_some());
    }

    fn take_frame(&mut self) -> Option<[u32; 3]> {
        // A locked one keeps the next from coming.
        if self.on && self.running && self.shown.is_none() {
            self.shown = self.waiting.pop_front();
            return self.shown.as_ref().map(|(sizes, _)| *sizes);
        }
        None
    }

    fn frame(&self) -> Vec<u8> {
        self.shown.clone().map_or_else(Vec::new, |(_, data)| data)
    }

    fn release_frame(&mut self) {
        self.shown = None;
    }
}

/// The camera.
struct Old {
    camera: Camera<Stage>,
    /// Bytes it still says before it says nothing more.
    mute_after: Option<usize>,
}

impl Acts for Old {
    fn feed(&mut self, now: Duration, bytes: &[u8]) {
        self.camera.feed(now, Input::Bytes(bytes));
    }

    fn take(&mut self, now: Duration, _limit: usize) -> Vec<u8> {
        let Turn::Send(mut bytes) = self.camera.poll(now) else {
            return Vec::new();
        };
        if let Some(left) = &mut self.mute_after {
            bytes.truncate(*left);
            *left -= bytes.len();
        }
        bytes
    }
}

fn stand(firmware: [u8; 3]) -> Stand<Old> {
    let personality = Personality {
        stack: match firmware >= [4, 8, 0] {
            true => Stack::StreamForgiving,
            false => Stack::StreamFatal,
        },
        firmware,
        arch: Arch {
            arch: "OMVRT1060 32768".into(),
            kind: Some("IMXRT1060".into()),
            uid: Some([1, 2, 3]),
        },
        sensor: Some(0x5640),
        running: false,
    };
    Stand::of(Old {
        camera: Camera::with(personality, Stage::default()),
        mute_after: None,
    })
}

fn open(stand: &Stand<Old>) -> Session {
    stand.open(Options::default().preview(Preview::Jpeg))
}

/// Puts pictures on the stage.
fn show(stand: &Stand<Old>, pictures: impl Into<VecDeque<Picture>>) {
    stand.world().actor.camera.desk_mut().waiting = pictures.into();
}

fn jpeg(size: usize) -> Vec<u8> {
    let mut file = vec![0x55; size];
    file[..4].copy_from_slice(&[0xFF, 0xD8, 0xFF, 0xE0]);
    file[size - 2..].copy_from_slice(&[0xFF, 0xD9]);
    file
}

fn whole(size: usize) -> Picture {
    ([320, 240, size as u32], jpeg(size))
}

/// Before 4.5.6 sizes are asked for one by one, after it they come with the text.
const ERAS: [[u8; 3]; 2] = [[4, 5, 2], [4, 8, 1]];

#[test]
fn a_header_that_lies_costs_its_picture_and_nothing_else() {
    let lies: [Picture; 6] = [
        ([u32::MAX, 240, 5000], jpeg(5000)),
        ([320, 0, 5000], jpeg(5000)),
        ([320, 240, u32::MAX], jpeg(5000)),
        // Pixels, says its size; more than any camera has.
        ([32_000, 32_000, 2], jpeg(5000)),
        // Longer than the file: what lies behind it is no end of a JPEG.
        ([320, 240, 9000], jpeg(5000)),
        ([320, 240, 5000], vec![0x55; 5000]),
    ];
    for firmware in ERAS {
        for (sizes, data) in &lies {
            let stand = stand(firmware);
            let session = open(&stand);
            let watch = session.watch_with(Appetite {
                frames: Frames::All { bytes: 64 << 20 },
                text: 1 << 20,
            });
            session.run(b"spin\n").unwrap();
            // A picture that waits while a script starts is of the one before, and dropped.
            show(&stand, [whole(7000), (*sizes, data.clone()), whole(7001)]);
            let (mut frames, mut text) = (Vec::new(), Vec::new());
            while frames.len() < 2 {
                match watch.next(10 * SECOND) {
                    Some(Notice::Frame(frame)) => frames.push(frame.data.len()),
                    Some(Notice::Text(more)) => text.extend_from_slice(&more),
                    Some(Notice::Started) => {}
                    other => panic!("{firmware:?} {sizes:?}: {other:?} behind {frames:?}"),
                }
            }
            assert_eq!(frames, [7000, 7001], "{firmware:?} {sizes:?}");
            assert_eq!(text, b"begun\r\n", "{firmware:?} {sizes:?}");
            let host = session.statistics().unwrap().host;
            let counted = (host.corrupt_frames, host.connections);
            assert_eq!(counted, (1, 1), "{firmware:?} {sizes:?}");
            session.close();
        }
    }
}

#[test]
fn an_old_camera_that_stops_in_the_middle_of_a_picture_is_lost_soon_and_comes_back() {
    for firmware in ERAS {
        let stand = stand(firmware);
        let session = open(&stand);
        let watch = session.watch_with(Appetite {
            frames: Frames::All { bytes: 64 << 20 },
            text: 0,
        });
        session.run(b"spin\n").unwrap();
        let before = stand.world().now;
        // The first picture is whole, the second is large: half of it comes.
        stand.world().actor.mute_after = Some(2_000_000);
        show(&stand, [whole(7000), whole(4_000_000)]);
        while !matches!(watch.next(10 * SECOND).expect("one"), Notice::Frame(_)) {}
        let ended = loop {
            match watch.next(30 * SECOND).expect("an end") {
                Notice::Frame(frame) => panic!("{} bytes shown", frame.data.len()),
                Notice::Ended(ended) => break ended,
                _ => {}
            }
        };
        assert_eq!(ended, Ended::Lost);
        let waited = stand.world().now - before;
        assert!(waited < 3 * SECOND, "{firmware:?}: {waited:?}");

        stand.world().actor.mute_after = None;
        while !matches!(
            watch.next(30 * SECOND).expect("it is back"),
            Notice::Connected
        ) {}
        let output = session.execute(b"once\n", &Limits::default()).unwrap();
        assert_eq!(output.text, b"begun\r\n", "{firmware:?}");
        session.close();
    }
}
