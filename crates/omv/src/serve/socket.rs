//! The WebSocket: events as text, pictures as binary, wishes as text.
//!
//! ```text
//!   <- {"event":"text","text":"hello\n"}                       as on /events
//!   <- {"event":"picture","sequence":7,"width":320,...}         then its JPEG, binary
//!   -> {"shown":7}                                              with ?pictures=acked
//! ```
//!
//! With `pictures=acked` no more than two pictures are on their way: a page that shows them slowly
//! sees the present and not what the network kept for it.

use std::sync::Arc;
use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use hyper::upgrade::Upgraded;
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::time::{MissedTickBehavior, interval};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::protocol::{Role, WebSocketConfig};
use tokio_tungstenite::tungstenite::{Error, Message};

use super::hub::{Hub, Picture};
use super::stream::{Pictures, jpeg, seconds};

/// How many pictures may be on their way to a viewer that says what it has shown.
const AHEAD: u64 = 2;
/// A viewer that is silent is asked whether it lives.
const PULSE: Duration = Duration::from_secs(20);
/// Longest message from a viewer, bytes: they only say small things.
const LONGEST: usize = 4096;

/// Which pictures a viewer wants.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Want {
    /// None: events alone.
    #[default]
    None,
    /// As fast as the connection takes them.
    All,
    /// As fast as the viewer says it shows them.
    Acked,
}

impl Want {
    /// Reads `pictures=` of the query.
    pub fn read(word: Option<&str>) -> Self {
        match word {
            Some("all") => Self::All,
            Some("acked") => Self::Acked,
            _ => Self::None,
        }
    }
}

/// Serves one viewer until it goes.
pub async fn serve(upgraded: Upgraded, hub: Arc<Hub>, want: Want, most: Option<f64>) {
    let mut config = WebSocketConfig::default();
    config.max_message_size = Some(LONGEST);
    config.max_frame_size = Some(LONGEST);
    // A picture is sent when it is there, not when a buffer is full.
    config.write_buffer_size = 0;
    let stream = TokioIo::new(upgraded);
    let mut socket = WebSocketStream::from_raw_socket(stream, Role::Server, Some(config)).await;
    // Whatever ends it, the viewer is gone.
    let _ = talk(&mut socket, &hub, want, most).await;
    let _ = socket.close(None).await;
}

async fn talk<S>(
    socket: &mut WebSocketStream<S>,
    hub: &Arc<Hub>,
    want: Want,
    most: Option<f64>,
) -> Result<(), Error>
where
    S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin,
{
    let mut pictures = (want != Want::None).then(|| Pictures::new(hub, most));
    let mut news = hub.news();
    news.mark_changed();
    let mut place = 0;
    let (mut sent, mut shown) = (0_u64, 0_u64);
    let mut pulse = interval(PULSE);
    pulse.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        let ready = match want {
            Want::None => false,
            Want::All => true,
            Want::Acked => sent.saturating_sub(shown) < AHEAD,
        };
        tokio::select! {
            biased;
            message = socket.next() => match message {
                Some(Ok(Message::Text(text))) => {
                    let wish: Value = serde_json::from_str(&text).unwrap_or_default();
                    if wish.get("shown").is_some_and(Value::is_u64) {
                        shown = (shown + 1).min(sent);
                    }
                }
                Some(Ok(Message::Close(_))) | None => return Ok(()),
                Some(Ok(_)) => {}
                Some(Err(error)) => return Err(error),
            },
            changed = news.changed() => {
                if changed.is_err() {
                    return Ok(());
                }
                let found = hub.since(place);
                place = found.next;
                if found.missed > 0 {
                    let line = json!({ "event": "missed", "events": found.missed });
                    socket.feed(Message::text(line.to_string())).await?;
                }
                for line in found.lines {
                    socket.feed(Message::text(line.to_string())).await?;
                }
                socket.flush().await?;
            }
            picture = next(&mut pictures), if ready => {
                let Some(picture) = picture else { return Ok(()) };
                let Some(bytes) = jpeg(&picture.shot) else { continue };
                sent += 1;
                let line = json!({
                    "event": "picture",
                    "sequence": picture.sequence,
                    "camera_frame": picture.shot.number,
                    "width": picture.shot.width,
                    "height": picture.shot.height,
                    "bytes": bytes.len(),
                    "time": seconds(picture.time),
                });
                socket.feed(Message::text(line.to_string())).await?;
                socket.send(Message::Binary(bytes)).await?;
            }
            _ = pulse.tick() => socket.send(Message::Ping(Default::default())).await?,
        }
    }
}

async fn next(pictures: &mut Option<Pictures>) -> Option<Picture> {
    match pictures {
        Some(pictures) => pictures.next().await,
        None => std::future::pending().await,
    }
}
