//! `omv serve`: the page and the endpoints.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use serde_json::json;

use crate::bench::Bench;
use crate::cli::{Common, Serve};
use crate::fail::Fail;
use crate::output::Output;
use crate::serve::{self, Options};
use crate::signals::stop_on_interrupt;

/// Runs the command.
pub fn run(common: &Common, args: &Serve, output: &Output) -> Result<(), Fail> {
    let bench = Bench::new(common, "omv serve", stop_on_interrupt())?;
    let options = Options {
        listen: SocketAddr::new(args.listen, args.port),
        token: args.token.as_deref(),
        names: &args.host,
        folder: &args.folder,
        capture: args.capture.as_deref(),
    };
    serve::serve(bench, &options, |address, token| {
        let shown = reachable(address);
        let page = format!("http://{shown}/?token={token}");
        let stream = format!("http://{shown}/stream.mjpg?token={token}");
        if output.json {
            let event = json!({ "event": "serving", "page": page, "stream": stream, "address": shown.to_string(), "token": token });
            return output.object(&event);
        }
        output.line(&format!("The page:  {page}"))?;
        output.line(&format!("MJPEG:     {stream}"))?;
        if !shown.ip().is_loopback() {
            output.line("Everyone on the network who has this address can use the camera; it travels unencrypted.")?;
        }
        output.line("Ctrl-C ends it.")
    })?;
    match output.json {
        true => output.result(json!({})),
        false => Ok(()),
    }
}

/// An address that can be typed: where it listens everywhere, this machine's own.
fn reachable(address: SocketAddr) -> SocketAddr {
    let ip = match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    SocketAddr::new(ip, address.port())
}
