//! A line that flips, drops and doubles bytes: nothing wrong is ever shown.

use std::time::Duration;

use omv_camera::session::{Appetite, Ended, Frames, Notice, Options, Preview, Reliability};

use crate::acting::bus::{Noise, Stand};
use crate::acting::frame_number;

const SECOND: Duration = Duration::from_secs(1);

/// What came over a bad line: pictures shown, text, bytes the ring threw away, and losses told.
fn over(one_in: u32, seed: u64, reliability: Reliability) -> (u32, String, usize, u64) {
    let stand = Stand::new();
    let options = Options::default()
        .reliability(reliability)
        .preview(Preview::Jpeg);
    let session = stand.open(options);
    stand.world().noise = Noise::one_in(one_in, seed);
    let watch = session.watch_with(Appetite {
        frames: Frames::All { bytes: 64 << 20 },
        text: 1 << 20,
    });
    session.run(b"busy 20\nsleep 3000").unwrap();
    let (mut shown, mut text, mut started) = (0, Vec::new(), false);
    loop {
        match watch.next(120 * SECOND).expect("every session ends") {
            Notice::Frame(frame) => {
                let number = frame_number(&frame.data).expect("no wrong picture is shown");
                assert!(number > 0 && (frame.width, frame.height) == (16, 16));
                shown += 1;
            }
            Notice::Started => started = true,
            Notice::Text(more) if started => text.extend_from_slice(&more),
            Notice::Ended(ended) => {
                assert!(matches!(ended, Ended::Finished | Ended::Lost), "{ended:?}");
                break;
            }
            _ => {}
        }
    }
    stand.world().noise = Noise::default();
    session.stop().unwrap();
    let losses = session.statistics().unwrap().host.text_losses;
    let thrown = stand.world().actor.stage().thrown;
    (
        shown,
        String::from_utf8(text).expect("text is whole"),
        thrown,
        losses,
    )
}

/// The lines in their order, none twice; how many there are.
fn lines(text: &str) -> usize {
    let numbers: Vec<u32> = text
        .lines()
        .filter_map(|line| line.strip_prefix("line ")?.parse().ok())
        .collect();
    assert!(numbers.is_sorted_by(|a, b| a < b), "{text}");
    numbers.len()
}

#[test]
fn one_damaged_byte_in_a_hundred_shows_no_wrong_picture_and_hides_no_loss() {
    let mut shown = 0;
    for seed in 1..=4 {
        let (pictures, text, thrown, losses) = over(100, seed * 7919, Reliability::Lossy);
        shown += pictures;
        let lines = lines(&text);
        assert!(
            lines == 20 || thrown > 0 || losses > 0,
            "seed {seed}: {text}"
        );
    }
    assert!(shown > 0, "{shown} pictures");
}

#[test]
fn one_damaged_byte_in_two_thousand_loses_no_text_at_all() {
    for seed in 1..=4 {
        let (pictures, text, thrown, losses) = over(2000, seed * 104_729, Reliability::Lossy);
        assert_eq!(
            (lines(&text), losses, thrown),
            (20, 0, 0),
            "seed {seed}: {text}"
        );
        assert!(pictures > 10, "{pictures}");
    }
}
