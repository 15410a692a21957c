//! Pictures and events as answers that do not end: `multipart/x-mixed-replace` and server-sent
//! events. Each viewer takes the latest when it is ready for it; none keeps more than one picture.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use futures_util::stream::{self, Stream, StreamExt};
use hyper::body::{Bytes, Frame};
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until, timeout};

use super::hub::{Hub, Picture};
use crate::shot::Shot;

/// What parts of a stream are separated by.
pub const BOUNDARY: &str = "frame";
/// How long an event stream is silent before it says that it lives.
const PULSE: Duration = Duration::from_secs(15);

/// Counts a viewer as long as it looks.
pub struct Viewer(pub Arc<Hub>);

impl Viewer {
    /// One more.
    pub fn new(hub: &Arc<Hub>) -> Self {
        hub.viewers.fetch_add(1, Ordering::Relaxed);
        Self(Arc::clone(hub))
    }
}

impl Drop for Viewer {
    fn drop(&mut self) {
        self.0.viewers.fetch_sub(1, Ordering::Relaxed);
    }
}

/// The pictures one viewer gets.
pub struct Pictures {
    viewer: Viewer,
    slot: watch::Receiver<Option<Picture>>,
    last: Option<u64>,
    /// Least time between two pictures, and when the next may come.
    pace: Duration,
    next: Instant,
}

impl Pictures {
    /// All of them, or at most so many a second.
    pub fn new(hub: &Arc<Hub>, most: Option<f64>) -> Self {
        let pace = most.filter(|most| *most > 0.0).map(|most| 1.0 / most);
        let pace = pace.and_then(|pace| Duration::try_from_secs_f64(pace).ok());
        let mut slot = hub.pictures();
        // The picture that is there is news for somebody who just came.
        slot.mark_changed();
        Self {
            viewer: Viewer::new(hub),
            slot,
            last: None,
            pace: pace.unwrap_or_default().min(Duration::from_secs(60)),
            next: Instant::now(),
        }
    }

    /// Waits for the next; what was there meanwhile is counted as skipped.
    pub async fn next(&mut self) -> Option<Picture> {
        if !self.pace.is_zero() {
            sleep_until(self.next).await;
        }
        loop {
            self.slot.changed().await.ok()?;
            let Some(picture) = self.slot.borrow_and_update().clone() else {
                continue;
            };
            let missed = self
                .last
                .map_or(0, |last| picture.sequence.saturating_sub(last + 1));
            self.viewer.0.skip(missed);
            self.last = Some(picture.sequence);
            self.next = Instant::now() + self.pace;
            return Some(picture);
        }
    }
}

/// The bytes of a picture's JPEG, shared with the other viewers.
pub fn jpeg(shot: &Arc<Shot>) -> Option<Bytes> {
    struct Owner(Arc<Shot>);
    impl AsRef<[u8]> for Owner {
        fn as_ref(&self) -> &[u8] {
            self.0.jpeg().unwrap_or_default()
        }
    }
    shot.jpeg()?;
    Some(Bytes::from_owner(Owner(Arc::clone(shot))))
}

/// Seconds since 1970.
pub fn seconds(time: SystemTime) -> f64 {
    time.duration_since(UNIX_EPOCH)
        .unwrap_or_default()
        .as_secs_f64()
}

/// Parts of a `multipart/x-mixed-replace`, for as long as the viewer stays.
pub fn parts(pictures: Pictures) -> impl Stream<Item = Frame<Bytes>> + Send {
    let parts = stream::unfold(pictures, |mut pictures| async move {
        loop {
            let picture = pictures.next().await?;
            let Some(jpeg) = jpeg(&picture.shot) else {
                continue;
            };
            let (sequence, time) = (picture.sequence, seconds(picture.time));
            let (length, number) = (jpeg.len(), picture.shot.number);
            let head = format!(
                "--{BOUNDARY}\r\nContent-Type: image/jpeg\r\nContent-Length: {length}\r\n\
                 X-Sequence: {sequence}\r\nX-Camera-Frame: {number}\r\nX-Time: {time:.6}\r\n\r\n"
            );
            let pieces = [Bytes::from(head), jpeg, Bytes::from_static(b"\r\n")];
            return Some((stream::iter(pieces.map(Frame::data)), pictures));
        }
    });
    parts.flatten()
}

/// Server-sent events from a place in the ring on.
pub fn events(hub: Arc<Hub>, place: u64) -> impl Stream<Item = Frame<Bytes>> + Send {
    let news = hub.news();
    stream::unfold((hub, news, place), |(hub, mut news, place)| async move {
        loop {
            news.mark_unchanged();
            let found = hub.since(place);
            if found.lines.is_empty() {
                match timeout(PULSE, news.changed()).await {
                    Ok(Ok(())) => continue,
                    Ok(Err(_)) => return None,
                    Err(_) => {
                        let pulse = Frame::data(Bytes::from_static(b": alive\n\n"));
                        return Some((pulse, (hub, news, place)));
                    }
                }
            }
            let mut text = String::new();
            if found.missed > 0 {
                text.push_str(&format!(
                    "data: {{\"event\":\"missed\",\"events\":{}}}\n\n",
                    found.missed
                ));
            }
            let first = found.next - found.lines.len() as u64;
            for (number, line) in (first + 1..).zip(&found.lines) {
                text.push_str(&format!("id: {number}\ndata: {line}\n\n"));
            }
            return Some((Frame::data(Bytes::from(text)), (hub, news, found.next)));
        }
    })
}
