//! From the last byte of a picture that the camera sent to the first byte on a viewer's socket,
//! with one viewer that reads and one that does not.
//!
//!     cargo bench -p omv --bench serve
//!
//! Both times are this computer's: the server says in `X-Time` when the picture had arrived.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Command, Stdio};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde_json::Value;

const SCRIPT: &str = include_str!("../tests/browser/stream.py");
/// Pictures that are measured, after some to get warm.
const MEASURED: usize = 500;
const WARM: usize = 20;
/// What the 99th of a hundred may take.
const LIMIT: Duration = Duration::from_millis(10);

fn now() -> f64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0.0, |since| since.as_secs_f64())
}

fn connect(address: &str, request: &str) -> TcpStream {
    let mut stream = TcpStream::connect(address).expect("the server listens");
    let timeout = Some(Duration::from_secs(20));
    stream.set_read_timeout(timeout).expect("a timeout");
    stream.write_all(request.as_bytes()).expect("a request");
    stream
}

fn main() {
    let camera = std::env::var("OMV_TEST_CAMERA").unwrap_or_else(|_| "sim:rt1062".into());
    let mut server = Command::new(env!("CARGO_BIN_EXE_omv"))
        .args(["serve", "--json", "-c", &camera])
        .stdout(Stdio::piped())
        .spawn()
        .expect("the program starts");
    let mut said = String::new();
    let mut out = BufReader::new(server.stdout.take().expect("a pipe"));
    out.read_line(&mut said).expect("a first line");
    let place: Value = serde_json::from_str(&said).expect("JSON");
    let text = |name: &str| place[name].as_str().unwrap_or_default().to_owned();
    let (address, token) = (text("address"), text("token"));
    let line = |method: &str, path: &str| {
        format!("{method} {path}?token={token} HTTP/1.1\r\nHost: {address}\r\n")
    };
    loop {
        let request = format!(
            "{}Content-Length: {}\r\nConnection: close\r\n\r\n{SCRIPT}",
            line("POST", "/api/run"),
            SCRIPT.len()
        );
        let mut answer = String::new();
        connect(&address, &request)
            .read_to_string(&mut answer)
            .expect("an answer");
        if !answer.starts_with("HTTP/1.1 503") {
            assert!(answer.contains("\"ok\":true"), "{answer}");
            break;
        }
        std::thread::sleep(Duration::from_millis(100));
    }
    let request = format!("{}\r\n", line("GET", "/stream.mjpg"));
    let _stalled = connect(&address, &request);
    let mut times = measure(connect(&address, &request));
    times.sort_by(f64::total_cmp);
    let at = |share: f64| times[((times.len() - 1) as f64 * share) as usize] * 1000.0;
    println!(
        "{} pictures, one viewer reads and one does not:",
        times.len()
    );
    println!(
        "  median {:.2} ms, 90 % {:.2} ms, 99 % {:.2} ms, most {:.2} ms",
        at(0.5),
        at(0.9),
        at(0.99),
        at(1.0)
    );
    server
        .kill()
        .and_then(|()| server.wait())
        .expect("the server ends");
    assert!(
        at(0.99) < LIMIT.as_secs_f64() * 1000.0,
        "99 % is over {LIMIT:?}"
    );
}

/// Seconds from a picture's arrival to its first byte here.
fn measure(mut stream: TcpStream) -> Vec<f64> {
    let mut times = Vec::new();
    let mut kept: Vec<u8> = Vec::new();
    // When the bytes came of which each was the first.
    let mut marks: Vec<(usize, f64)> = Vec::new();
    let mut buffer = vec![0; 256 * 1024];
    let mut seen = 0;
    while times.len() < MEASURED {
        let length = stream.read(&mut buffer).expect("pictures come");
        assert!(length > 0, "the stream ended");
        marks.push((kept.len(), now()));
        kept.extend_from_slice(&buffer[..length]);
        while let Some((start, time, end)) = part(&kept) {
            let came = marks
                .iter()
                .rev()
                .find(|(at, _)| *at <= start)
                .map_or(0.0, |mark| mark.1);
            seen += 1;
            if seen > WARM {
                times.push(came - time);
            }
            kept.drain(..end);
            marks = marks
                .iter()
                .map(|(at, when)| (at.saturating_sub(end), *when))
                .collect();
            let last = marks.iter().rposition(|(at, _)| *at == 0).unwrap_or(0);
            marks.drain(..last);
        }
    }
    times
}

/// Where the first whole head of a part begins, its `X-Time`, and where the head ends.
fn part(bytes: &[u8]) -> Option<(usize, f64, usize)> {
    let find = |from: usize, what: &[u8]| {
        let rest = bytes.get(from..)?;
        Some(from + rest.windows(what.len()).position(|window| window == what)?)
    };
    let start = find(0, b"--frame\r\n")?;
    let end = find(start, b"\r\n\r\n")?;
    let head = std::str::from_utf8(bytes.get(start..end)?).ok()?;
    let time = head
        .split("X-Time: ")
        .nth(1)?
        .lines()
        .next()?
        .trim()
        .parse()
        .ok()?;
    Some((start, time, end))
}
