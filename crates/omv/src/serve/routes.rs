//! What there is to ask for. Documented for users in `docs/serve.md`.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt;
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full, Limited, StreamBody};
use hyper::body::{Bytes, Incoming};
use hyper::header::{
    ALLOW, CACHE_CONTROL, CONNECTION, CONTENT_DISPOSITION, CONTENT_SECURITY_POLICY, CONTENT_TYPE,
    HOST, HeaderName, HeaderValue, REFERRER_POLICY, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_KEY,
    UPGRADE, X_CONTENT_TYPE_OPTIONS,
};
use hyper::{Method, Request, Response, StatusCode};
use omv_camera::session::MAX_SCRIPT;
use serde_json::{Value, json};
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;

use super::camera::Camera;
use super::door::{Door, Turned, random, unescaped, value};
use super::socket::{self, Want};
use super::stream::{self, BOUNDARY, Pictures};
use crate::fail::Fail;
use crate::fields;
use crate::output::clean;

/// The page: one file, which asks for nothing from elsewhere.
const PAGE: &str = include_str!("page.html");
/// Stands in the page where the nonce of this answer belongs.
const NONCE: &str = "{{nonce}}";
/// How long `/frame.jpg` waits for a picture.
const PATIENCE: Duration = Duration::from_secs(10);
/// Most bytes read from a channel at a time.
const CHANNEL: usize = 1 << 20;

type Body = UnsyncBoxBody<Bytes, Infallible>;

/// What is served, and who may see it.
pub struct House {
    /// Who may come in.
    pub door: Door,
    /// The camera.
    pub camera: Arc<Camera>,
}

/// One connection.
#[derive(Clone)]
pub struct Guest {
    /// Where it arrived.
    pub local: SocketAddr,
    /// Its place among those there is room for; a WebSocket keeps it.
    pub _place: Arc<OwnedSemaphorePermit>,
}

/// Answers one request.
pub async fn answer(
    house: Arc<House>,
    request: Request<Incoming>,
    guest: Guest,
) -> Result<Response<Body>, Infallible> {
    let query = request.uri().query();
    let mut response = match house.door.enter(request.headers(), query, guest.local) {
        Ok(()) => route(&house, request, guest).await,
        Err(turned) => turn_away(turned),
    };
    let headers = response.headers_mut();
    for (name, value) in [
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (REFERRER_POLICY, "no-referrer"),
        (CACHE_CONTROL, "no-store"),
        (
            HeaderName::from_static("cross-origin-resource-policy"),
            "same-origin",
        ),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    Ok(response)
}

fn turn_away(turned: Turned) -> Response<Body> {
    let status = match turned {
        Turned::Host => StatusCode::MISDIRECTED_REQUEST,
        Turned::Site => StatusCode::FORBIDDEN,
        Turned::Token => StatusCode::UNAUTHORIZED,
    };
    whole(
        status,
        "text/plain; charset=utf-8",
        format!("{}\n", turned.sentence()),
    )
}

fn whole(status: StatusCode, kind: &'static str, body: impl Into<Bytes>) -> Response<Body> {
    let mut response = Response::new(Full::new(body.into()).boxed_unsync());
    *response.status_mut() = status;
    response
        .headers_mut()
        .insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    response
}

fn object(status: StatusCode, value: &Value) -> Response<Body> {
    whole(status, "application/json", value.to_string())
}

fn endless<S>(kind: &'static str, frames: S) -> Response<Body>
where
    S: futures_util::Stream<Item = hyper::body::Frame<Bytes>> + Send + 'static,
{
    let body = StreamBody::new(frames.map(Ok)).boxed_unsync();
    let mut response = Response::new(body);
    response
        .headers_mut()
        .insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    response
}

async fn route(house: &Arc<House>, request: Request<Incoming>, guest: Guest) -> Response<Body> {
    let path = request.uri().path().to_owned();
    let query = request.uri().query().map(str::to_owned);
    let query = query.as_deref();
    let hub = &house.camera.hub;
    let most = value(query, "fps").and_then(|most| most.parse().ok());
    let get = request.method() == Method::GET;
    match (path.as_str(), get) {
        ("/", true) => page(&request),
        ("/stream.mjpg", true) => {
            const { assert!(matches!(BOUNDARY.as_bytes(), b"frame")) };
            let kind = "multipart/x-mixed-replace; boundary=frame";
            endless(kind, stream::parts(Pictures::new(hub, most)))
        }
        ("/frame.jpg", true) => picture(house, query).await,
        ("/events", true) => {
            let last = request.headers().get("last-event-id");
            let last = last
                .and_then(|id| id.to_str().ok())
                .or(value(query, "since"));
            let place = last.and_then(|id| id.parse().ok()).unwrap_or(0);
            endless("text/event-stream", stream::events(Arc::clone(hub), place))
        }
        ("/ws", true) => upgrade(
            house,
            request,
            Want::read(value(query, "pictures")),
            most,
            guest,
        ),
        ("/api/state", true) => object(StatusCode::OK, &house.camera.state()),
        ("/api/cameras", true) => {
            let camera = Arc::clone(&house.camera);
            work(move || Ok(json!({ "cameras": camera.cameras() }))).await
        }
        ("/api/channels", true) => {
            let camera = Arc::clone(&house.camera);
            work(move || {
                let channels = camera.session()?.channels();
                let one = |c: &omv_camera::session::ChannelInfo| json!({ "id": c.id, "name": clean(&c.name), "flags": c.flags });
                Ok(json!({ "channels": channels.iter().map(one).collect::<Vec<_>>() }))
            })
            .await
        }
        (other, true) if other.starts_with("/api/channels/") => {
            let name = unescaped(other.trim_start_matches("/api/channels/"));
            let camera = Arc::clone(&house.camera);
            let read = move || {
                camera
                    .session()?
                    .channel_read(&name, CHANNEL)
                    .map_err(Fail::from)
            };
            match blocking(read).await {
                Ok(bytes) if value(query, "as") == Some("fields") => {
                    let all = omv_wire::v2::fields::decode(&bytes);
                    let all = all.map(|all| fields::json(&all));
                    object(StatusCode::OK, &json!({ "ok": true, "fields": all }))
                }
                Ok(bytes) => whole(StatusCode::OK, "application/octet-stream", bytes),
                Err(fail) => failed(&fail),
            }
        }
        (other, false) if request.method() == Method::POST && other.starts_with("/api/") => {
            act(house, request).await
        }
        (_, true) => whole(
            StatusCode::NOT_FOUND,
            "text/plain",
            "There is nothing here.\n",
        ),
        _ => {
            let mut response = whole(
                StatusCode::METHOD_NOT_ALLOWED,
                "text/plain",
                "GET, and POST below /api/.\n",
            );
            response
                .headers_mut()
                .insert(ALLOW, HeaderValue::from_static("GET, POST"));
            response
        }
    }
}

/// The page, with a policy that lets it speak to this server and to nobody else.
fn page(request: &Request<Incoming>) -> Response<Body> {
    let Ok(nonce) = random() else {
        return whole(
            StatusCode::INTERNAL_SERVER_ERROR,
            "text/plain",
            "No random numbers.\n",
        );
    };
    // The door has looked at it.
    let host = request
        .headers()
        .get(HOST)
        .and_then(|host| host.to_str().ok())
        .unwrap_or_default();
    let policy = format!(
        "default-src 'none'; script-src 'nonce-{nonce}'; style-src 'nonce-{nonce}'; \
         img-src 'self' blob: data:; connect-src 'self' ws://{host}; base-uri 'none'; \
         form-action 'none'; frame-ancestors 'none'"
    );
    let page = PAGE.replace(NONCE, &nonce);
    let mut response = whole(StatusCode::OK, "text/html; charset=utf-8", page);
    match HeaderValue::from_str(&policy) {
        Ok(policy) => drop(
            response
                .headers_mut()
                .insert(CONTENT_SECURITY_POLICY, policy),
        ),
        Err(_) => return whole(StatusCode::BAD_REQUEST, "text/plain", "A strange Host.\n"),
    }
    response
}

/// The latest picture, or the first after `after=`.
async fn picture(house: &Arc<House>, query: Option<&str>) -> Response<Body> {
    let after = value(query, "after")
        .and_then(|after| after.parse::<u64>().ok())
        .unwrap_or(0);
    let mut pictures = Pictures::new(&house.camera.hub, None);
    let next = async {
        while let Some(picture) = pictures.next().await {
            if picture.sequence > after
                && let Some(jpeg) = stream::jpeg(&picture.shot)
            {
                return Some((picture, jpeg));
            }
        }
        None
    };
    let Ok(Some((picture, jpeg))) = timeout(PATIENCE, next).await else {
        let text = "No picture came. Does a script take pictures?\n";
        return whole(StatusCode::SERVICE_UNAVAILABLE, "text/plain", text);
    };
    let mut response = whole(StatusCode::OK, "image/jpeg", jpeg);
    let headers = response.headers_mut();
    headers.insert(
        HeaderName::from_static("x-sequence"),
        picture.sequence.into(),
    );
    headers.insert(
        HeaderName::from_static("x-camera-frame"),
        picture.shot.number.into(),
    );
    if let Ok(time) = HeaderValue::from_str(&format!("{:.6}", stream::seconds(picture.time))) {
        headers.insert(HeaderName::from_static("x-time"), time);
    }
    if value(query, "download").is_some() {
        let file = HeaderValue::from_static("attachment; filename=\"snapshot.jpg\"");
        headers.insert(CONTENT_DISPOSITION, file);
    }
    response
}

fn upgrade(
    house: &Arc<House>,
    mut request: Request<Incoming>,
    want: Want,
    most: Option<f64>,
    guest: Guest,
) -> Response<Body> {
    let key = request.headers().get(SEC_WEBSOCKET_KEY).cloned();
    let wanted = request
        .headers()
        .get(UPGRADE)
        .is_some_and(|to| to.as_bytes().eq_ignore_ascii_case(b"websocket"));
    let (Some(key), true) = (key, wanted) else {
        return whole(
            StatusCode::UPGRADE_REQUIRED,
            "text/plain",
            "This is a WebSocket.\n",
        );
    };
    let hub = Arc::clone(&house.camera.hub);
    let upgrading = hyper::upgrade::on(&mut request);
    tokio::spawn(async move {
        let _guest = guest;
        if let Ok(upgraded) = upgrading.await {
            socket::serve(upgraded, hub, want, most).await;
        }
    });
    let mut response = whole(StatusCode::SWITCHING_PROTOCOLS, "text/plain", Bytes::new());
    let headers = response.headers_mut();
    headers.insert(CONNECTION, HeaderValue::from_static("Upgrade"));
    headers.insert(UPGRADE, HeaderValue::from_static("websocket"));
    if let Ok(accept) = HeaderValue::from_str(&derive_accept_key(key.as_bytes())) {
        headers.insert(SEC_WEBSOCKET_ACCEPT, accept);
    }
    response
}

/// Everything that changes something.
async fn act(house: &Arc<House>, request: Request<Incoming>) -> Response<Body> {
    let path = request.uri().path().trim_start_matches("/api/").to_owned();
    let field = value(request.uri().query(), "field").map(unescaped);
    let camera = Arc::clone(&house.camera);
    let limited = Limited::new(request.into_body(), MAX_SCRIPT);
    let body = match timeout(PATIENCE, limited.collect()).await {
        Ok(Ok(body)) => body.to_bytes(),
        Ok(Err(_)) => {
            let what = json!({ "ok": false, "error": { "code": "script-too-large", "message": format!("more than {MAX_SCRIPT} bytes"), "help": "Send less." } });
            return object(StatusCode::PAYLOAD_TOO_LARGE, &what);
        }
        Err(_) => return whole(StatusCode::REQUEST_TIMEOUT, "text/plain", "Too slow.\n"),
    };
    work(move || match path.as_str() {
        "run" => {
            camera.run(&body)?;
            Ok(json!({}))
        }
        "stop" => {
            camera.session()?.stop()?;
            Ok(json!({}))
        }
        "reset" => {
            camera.session()?.reset()?;
            Ok(json!({}))
        }
        "input" => {
            camera.session()?.input(&body)?;
            Ok(json!({}))
        }
        "capture" => camera.capture(&String::from_utf8_lossy(&body)),
        "camera" => {
            camera.turn_to(String::from_utf8_lossy(&body).trim())?;
            Ok(json!({}))
        }
        "record/start" => {
            let seconds = stream::seconds(std::time::SystemTime::now()) as u64;
            let path = camera.begin_film(&format!("omv-{seconds}.avi"))?;
            Ok(json!({ "file": path.display().to_string() }))
        }
        "record/stop" => Ok(match camera.end_film()? {
            Some(film) => json!({
                "file": film.files.first().map(|file| file.display().to_string()),
                "frames": film.frames,
                "seconds": film.span.as_secs_f64(),
            }),
            None => json!({ "file": null }),
        }),
        other => match other.strip_prefix("channels/") {
            Some(name) => {
                let (name, session) = (unescaped(name), camera.session()?);
                match &field {
                    Some(field) => {
                        let value = String::from_utf8_lossy(&body);
                        fields::set(&session, &name, &[(field.as_str(), &*value)])?;
                    }
                    None => session.channel_write(&name, &body)?,
                }
                Ok(json!({ "bytes": body.len() }))
            }
            None => Err(Fail::Usage {
                what: "there is nothing of that name to be done".into(),
                help: "docs/serve.md lists what there is.".into(),
            }),
        },
    })
    .await
}

/// Does something that waits for the camera, away from the thread that serves.
async fn blocking<T: Send + 'static>(
    act: impl FnOnce() -> Result<T, Fail> + Send + 'static,
) -> Result<T, Fail> {
    match tokio::task::spawn_blocking(act).await {
        Ok(done) => done,
        Err(_) => Err(Fail::Camera(omv_camera::Error::NoCamera)),
    }
}

async fn work(act: impl FnOnce() -> Result<Value, Fail> + Send + 'static) -> Response<Body> {
    match blocking(act).await {
        Ok(mut fields) => {
            if let Some(fields) = fields.as_object_mut() {
                fields.insert("ok".into(), true.into());
            }
            object(StatusCode::OK, &fields)
        }
        Err(fail) => failed(&fail),
    }
}

fn failed(fail: &Fail) -> Response<Body> {
    let status = match fail.code() {
        "no-camera" | "not-this-one" | "camera-gone" | "no-frame" => {
            StatusCode::SERVICE_UNAVAILABLE
        }
        "usage" | "script-not-text" | "script-too-large" | "no-channel" => StatusCode::BAD_REQUEST,
        _ => StatusCode::BAD_GATEWAY,
    };
    let error =
        json!({ "code": fail.code(), "message": clean(&fail.message()), "help": fail.help() });
    object(status, &json!({ "ok": false, "error": error }))
}
