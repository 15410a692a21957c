//! Reads what the kernel's usbmon wrote down: the reports that passed between a tool and a device.
//!
//! Each event is a head of 48 bytes, then what was captured of the data. Source: Linux kernel,
//! Documentation/usb/usbmon.rst, "Raw binary format and API", with what read() gives.

use std::collections::BTreeSet;

use anyhow::{Context, Result, ensure};

const HEAD: usize = 48;
/// Longest data of one event that is believed.
const MOST: usize = 1 << 20;
/// Transfer type of interrupt endpoints.
const INTERRUPT: u8 = 1;
/// Transfer type of control endpoints.
const CONTROL: u8 = 2;
/// HID's request for a report that goes out.
const SET_REPORT: [u8; 2] = [0x21, 0x09];

/// One report, id first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// Microseconds since 1970.
    pub time: u64,
    /// Number of the device on the bus.
    device: u8,
    /// Whether it went to the device.
    pub out: bool,
    /// All of it.
    pub bytes: Vec<u8>,
}

/// The reports in a tap, in their order.
///
/// # Errors
/// When it breaks off, or the kernel has not kept all of a report.
pub fn reports(mut tap: &[u8]) -> Result<Vec<Report>> {
    let mut reports = Vec::new();
    while !tap.is_empty() {
        let (head, rest) = tap.split_at_checked(HEAD).context("it breaks off")?;
        let word = |at: usize| u32::from_le_bytes([0, 1, 2, 3].map(|byte| head[at + byte]));
        let size = word(36) as usize;
        ensure!(size <= MOST, "an event of {size} bytes");
        let (data, rest) = rest.split_at_checked(size).context("it breaks off")?;
        tap = rest;
        let [kind, transfer, endpoint] = [head[8], head[9], head[10]];
        let out = match (kind, transfer, endpoint & 0x80 != 0) {
            (b'S', INTERRUPT, false) => true,
            (b'S', CONTROL, _) if head[14] == 0 && head[40..42] == SET_REPORT => true,
            // One that ended with an error carries nothing: the device left, or nobody listens.
            (b'C', INTERRUPT, true) if word(28) == 0 => false,
            _ => continue,
        };
        let length = word(32) as usize;
        ensure!(
            size == length,
            "only {size} of the {length} bytes of a report were kept"
        );
        let seconds = u64::from(word(16)) | u64::from(word(20)) << 32;
        reports.push(Report {
            time: seconds * 1_000_000 + u64::from(word(24)),
            device: head[11],
            out,
            bytes: data.to_vec(),
        });
    }
    // A serial port has interrupts of its own; only who is sent reports sends some.
    let spoken_to: BTreeSet<u8> = reports.iter().filter(|r| r.out).map(|r| r.device).collect();
    reports.retain(|report| spoken_to.contains(&report.device));
    Ok(reports)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(kind: u8, transfer: u8, endpoint: u8, status: i32, data: &[u8]) -> Vec<u8> {
        let mut bytes = vec![0; HEAD];
        bytes[8..11].copy_from_slice(&[kind, transfer, endpoint]);
        bytes[16] = 2;
        bytes[24] = 5;
        bytes[28..32].copy_from_slice(&status.to_le_bytes());
        bytes[32] = data.len() as u8;
        bytes[36] = data.len() as u8;
        bytes[40..42].copy_from_slice(&SET_REPORT);
        bytes.extend(data);
        bytes
    }

    #[test]
    fn reports_are_told_from_the_rest_of_the_traffic() {
        let mut other = event(b'C', INTERRUPT, 0x81, 0, &[7]);
        other[11] = 1;
        let tap = [
            event(b'S', CONTROL, 0, -115, &[1, 2]),
            event(b'C', CONTROL, 0, 0, &[]),
            event(b'S', INTERRUPT, 0x02, -115, &[3]),
            event(b'S', INTERRUPT, 0x81, -115, &[]),
            event(b'C', INTERRUPT, 0x81, 0, &[4, 5]),
            event(b'C', INTERRUPT, 0x81, -108, &[]),
            event(b'S', 3, 0x02, -115, &[6]),
            other,
        ];
        let reports = reports(&tap.concat()).unwrap();
        let seen: Vec<_> = reports.iter().map(|r| (r.out, r.bytes.clone())).collect();
        assert_eq!(
            seen,
            [(true, vec![1, 2]), (true, vec![3]), (false, vec![4, 5])]
        );
        assert!(reports.iter().all(|report| report.time == 2_000_005));
    }

    #[test]
    fn a_tap_with_a_hole_is_refused() {
        let mut cut = event(b'S', INTERRUPT, 0x02, -115, &[3, 4]);
        assert!(reports(&cut[..HEAD + 1]).is_err());
        assert!(reports(&cut[..HEAD - 1]).is_err());
        cut[32] = 3;
        assert!(reports(&cut).is_err());
    }
}
