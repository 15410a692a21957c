//! In the guest: keeps one virtual camera plugged into one port of the kernel's virtual hub.
//!
//! ```text
//!   status: port is free --> import over TCP --> "PORT SOCKET DEVICE SPEED" into `attach`
//!        ^                     | not on the bus: look again soon          |
//!        +---------------------+------------- the kernel has it until it leaves
//! ```
//!
//! A server cannot push a device, so this asks. The port stays the same over all resets, as a
//! socket does.
//!
//! Source: Linux kernel, Documentation/usb/usbip_protocol.rst and drivers/usb/usbip/vhci_sysfs.c.

use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::os::fd::AsRawFd;
use std::path::Path;
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result};

const CONTROLLER: &str = "/sys/devices/platform/vhci_hcd.0";
/// The devices on the virtual hub, which is bus 1 where there is no other controller.
const SOCKETS: &str = "/sys/bus/usb/devices/1-";
/// The state of a port without a device.
const FREE: &str = "004";
/// How often the port and the server are looked at.
const EVERY: Duration = Duration::from_millis(15);
/// Longest wait for the server's answer.
const PATIENCE: Duration = Duration::from_secs(5);

/// Plugs the camera that `address` serves into `port`, for ever.
///
/// # Errors
/// When the kernel has no virtual hub, or does not take the device.
pub fn attach(port: &str, address: &str) -> Result<std::process::ExitCode> {
    let controller = Path::new(CONTROLLER);
    let port: usize = port.parse().context("a port is a number")?;
    let socket = format!("{SOCKETS}{}", port + 1);
    let socket = Path::new(&socket);
    loop {
        let status = fs::read_to_string(controller.join("status")).context("no vhci_hcd")?;
        // A port is free before the drivers have let go of the last visitor. What they still
        // cancel would go to the next one, and the hub's thread has been seen to hang on that.
        if state_of(&status, port) == Some(FREE)
            && !socket.exists()
            && let Ok((stream, device, speed)) = import(address)
        {
            let line = format!("{port} {} {device} {speed}", stream.as_raw_fd());
            fs::write(controller.join("attach"), &line).with_context(|| line.clone())?;
            println!("{line}");
        }
        thread::sleep(EVERY);
    }
}

/// The state of a port in the kernel's table: `hs  0000 004 000 00000000 000000 0-0`.
fn state_of(status: &str, port: usize) -> Option<&str> {
    status.lines().skip(1).find_map(|line| {
        let mut words = line.split_whitespace().skip(1);
        (words.next()?.parse() == Ok(port)).then(|| words.next())?
    })
}

/// Imports device `1-1`: the connection, the device's number (bus and address) and its speed.
fn import(address: &str) -> Result<(TcpStream, u32, u32)> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    // Version 1.1.1, OP_REQ_IMPORT, status 0; the bus id, padded with zeros to 32 bytes.
    let mut request = [0; 40];
    request[..4].copy_from_slice(&[0x01, 0x11, 0x80, 0x03]);
    request[8..11].copy_from_slice(b"1-1");
    stream.write_all(&request)?;
    let mut head = [0; 8];
    stream.read_exact(&mut head)?;
    let word = |bytes: &[u8]| {
        bytes
            .iter()
            .fold(0, |all, byte| all << 8 | u32::from(*byte))
    };
    anyhow::ensure!(word(&head[4..]) == 0, "the device is not there");
    let mut record = [0; 312];
    stream.read_exact(&mut record)?;
    stream.set_read_timeout(None)?;
    let device = word(&record[288..292]) << 16 | word(&record[292..296]);
    Ok((stream, device, word(&record[296..300])))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_state_of_a_port_is_read_from_the_kernels_table() {
        let status = "hub port sta spd dev      sockfd local_busid\n\
                      hs  0000 006 003 00010002 000003 1-1\n\
                      hs  0001 004 000 00000000 000000 0-0\n";
        assert_eq!(state_of(status, 0), Some("006"));
        assert_eq!(state_of(status, 1), Some(FREE));
        assert_eq!(state_of(status, 2), None);
    }
}
