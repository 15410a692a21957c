//! A session that lasts: 100,000 pictures, 50 soft reboots and 20 unplugged cables, in virtual time. It has a
//! process of its own, so its memory is the process's.

mod acting;

use std::time::{Duration, Instant};

use acting::bus::Stand;
use acting::frame_number;
use omv_camera::session::{Appetite, Ended, Frames, Notice, Options, Preview, Session, Watch};

const SECOND: Duration = Duration::from_secs(1);
/// What a user would notice after hours: nothing.
#[cfg(target_os = "linux")]
const GROWTH: u64 = 1 << 20;

/// What came.
#[derive(Default)]
struct Seen {
    shown: u64,
    last: u32,
    text: String,
}

impl Seen {
    /// Takes in everything until a notice of interest, the script's end at the latest.
    fn until(&mut self, watch: &Watch, wanted: impl Fn(&Notice, u64) -> bool) -> Notice {
        loop {
            let notice = watch.next(60 * SECOND).expect("it goes on");
            match &notice {
                Notice::Frame(frame) => {
                    let number = frame_number(&frame.data).expect("a picture is whole");
                    assert!(number > self.last, "{number} after {}", self.last);
                    self.last = number;
                    self.shown += 1;
                }
                Notice::Text(text) => self.text.push_str(&String::from_utf8_lossy(text)),
                _ => {}
            }
            if wanted(&notice, self.shown) || matches!(notice, Notice::Ended(_)) {
                return notice;
            }
        }
    }
}

fn script(session: &Session, round: u32, pictures: u32) {
    let script =
        format!("print round {round} begins\nframes {pictures} 32 32\nprint round {round} ends");
    session.run(script.as_bytes()).unwrap();
}

/// Bytes of memory this process has.
#[cfg(target_os = "linux")]
fn resident() -> u64 {
    let text = std::fs::read_to_string("/proc/self/statm").unwrap();
    let pages: u64 = text.split(' ').nth(1).unwrap().parse().unwrap();
    pages * 4096
}

#[test]
fn a_hundred_thousand_pictures_fifty_reboots_and_twenty_cables_cost_no_memory_and_lose_nothing() {
    const ROUNDS: u32 = 50;
    const PICTURES: u32 = 2000;
    const UNPLUGGED: u32 = 20;
    let begun = Instant::now();
    let stand = Stand::new();
    let session = stand.open(Options::default().preview(Preview::Jpeg));
    let watch = session.watch_with(Appetite {
        frames: Frames::All { bytes: 8 << 20 },
        text: 1 << 16,
    });
    let mut seen = Seen::default();
    #[cfg(target_os = "linux")]
    let mut warm = None;
    for round in 0..ROUNDS {
        script(&session, round, PICTURES);
        let before = seen.shown;
        let end = seen.until(&watch, |_, _| false);
        assert!(matches!(end, Notice::Ended(Ended::Finished)), "{end:?}");
        // The first may fall to the rule that a picture of the script before is not shown.
        let shown = seen.shown - before;
        assert!(shown + 1 >= u64::from(PICTURES), "round {round}: {shown}");
        for edge in ["begins", "ends"] {
            let line = format!("round {round} {edge}\r\n");
            assert_eq!(seen.text.matches(&line).count(), 1, "{line}{}", seen.text);
        }
        seen.text.clear();
        if round * UNPLUGGED / ROUNDS != (round + 1) * UNPLUGGED / ROUNDS {
            script(&session, round, PICTURES);
            let before = seen.shown;
            seen.until(&watch, |_, shown| shown >= before + 30);
            stand.unplug();
            let end = seen.until(&watch, |_, _| false);
            assert!(matches!(end, Notice::Ended(Ended::Lost)), "{end:?}");
            seen.until(&watch, |notice, _| matches!(notice, Notice::Lost));
            stand.plug();
            seen.until(&watch, |notice, _| matches!(notice, Notice::Connected));
            seen.text.clear();
        }
        #[cfg(target_os = "linux")]
        if seen.shown >= 10_000 {
            warm.get_or_insert_with(resident);
        }
    }
    let host = session.statistics().unwrap().host;
    assert!(seen.shown >= 99_950, "{}", seen.shown);
    assert_eq!(host.connections, u64::from(UNPLUGGED) + 1);
    assert!(host.reboots >= u64::from(ROUNDS), "{}", host.reboots);
    assert_eq!((host.corrupt_frames, host.text_losses), (0, 0));
    assert_eq!((watch.dropped().frames, watch.dropped().text_bytes), (0, 0));
    #[cfg(target_os = "linux")]
    {
        let grown = resident().saturating_sub(warm.unwrap());
        println!(
            "{} pictures, {} reboots: {grown} bytes more",
            seen.shown, host.reboots
        );
        assert!(grown < GROWTH, "{grown} bytes more");
    }
    println!("{:?}", begun.elapsed());
}
