//! Windows: what its plug-and-play manager says of USB devices.
//!
//! A DFU interface has no driver on board. Until WinUSB is bound to its id, Windows never
//! configures the device, so OpenMV's bootloader leaves after a second and nothing that opens
//! devices ever sees why. The problem code is the only witness, and it is told without opening.
//!
//! Judging is pure and works everywhere; only the asking needs Windows.
//!
//! Sources: Microsoft, "Device Manager error messages" and `cfg.h` (`CM_PROB_*`); openmv/qt-creator
//! `tools/usbproblems.cpp`.

/// A USB device, or one function of it, as the plug-and-play manager sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PnpDevice {
    /// The instance id: `USB\VID_37C5&PID_9203\357835603033`.
    pub instance: String,
    /// USB vendor id; 0 where the device did not even say who it is.
    pub vid: u16,
    /// USB product id.
    pub pid: u16,
    /// The serial number, where the device has one; Windows makes one up otherwise, and that is
    /// left out.
    pub serial: Option<String>,
    /// The problem code; 0 for none.
    pub code: u32,
    /// The driver's service: `WinUSB`, `usbser`, `STTub30`.
    pub service: Option<String>,
}

/// What a problem code means for somebody who wants to reach a camera.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Problem {
    /// No driver is bound.
    NoDriver,
    /// A driver is bound and its signature is not accepted.
    Signature,
    /// The device or its driver did not start.
    NotStarted,
    /// Somebody disabled the device.
    Disabled,
    /// Anything else.
    Other,
}

/// What a problem code means; none for 0, a device that works.
pub const fn problem(code: u32) -> Option<Problem> {
    Some(match code {
        0 => return None,
        // Not configured; drivers not installed.
        1 | 28 => Problem::NoDriver,
        // Failed start; needs restart; reinstall; failed add; driver failed to load; failed after
        // it had started.
        10 | 14 | 18 | 31 | 37 | 38 | 39 | 43 => Problem::NotStarted,
        // Disabled by its own request; disabled by a person; disabled service.
        22 | 29 | 32 => Problem::Disabled,
        // Driver blocked; unsigned driver.
        48 | 52 => Problem::Signature,
        _ => Problem::Other,
    })
}

impl PnpDevice {
    /// What is wrong with it.
    pub const fn problem(&self) -> Option<Problem> {
        problem(self.code)
    }

    /// Whether another maker's driver keeps WinUSB away: ST's own for the ROM of its chips.
    pub fn has_foreign_driver(&self) -> bool {
        self.service
            .as_deref()
            .is_some_and(|service| service.eq_ignore_ascii_case("STTub30"))
    }
}

/// Reads lines of instance id, problem code and service, parted by tabs. Lines that are not about
/// USB devices are left out.
pub fn parse(text: &str) -> Vec<PnpDevice> {
    text.lines().filter_map(device).collect()
}

fn device(line: &str) -> Option<PnpDevice> {
    let mut fields = line.trim_end().split('\t');
    let instance = fields.next()?.trim();
    let code = fields.next()?.trim().parse().ok()?;
    let service = fields.next().map(str::trim).filter(|text| !text.is_empty());
    let upper = instance.to_ascii_uppercase();
    let mut parts = upper.strip_prefix("USB\\")?.splitn(2, '\\');
    let ids = parts.next()?;
    let number = |name: &str| {
        let digits = ids.split('&').find_map(|part| part.strip_prefix(name))?;
        u16::from_str_radix(digits, 16).ok()
    };
    // An id with `&` was made up by Windows, and so was that of one function of a device.
    let serial = parts
        .next()
        .filter(|serial| !serial.is_empty() && !serial.contains('&') && !ids.contains("&MI_"));
    Some(PnpDevice {
        vid: number("VID_")?,
        pid: number("PID_")?,
        serial: serial.map(str::to_owned),
        instance: instance.to_owned(),
        code,
        service: service.map(str::to_owned),
    })
}

/// Asks the system's own shell: the interface below it can only be called with `unsafe`, which
/// this project does without.
#[cfg(windows)]
pub(super) fn ask() -> Vec<PnpDevice> {
    use std::io::Read;
    use std::path::PathBuf;
    use std::process::{Command, Stdio};
    use std::time::{Duration, Instant};

    const SCRIPT: &str = r#"Get-CimInstance Win32_PnPEntity | Where-Object { $_.DeviceID -like 'USB\VID_*' } | ForEach-Object { "{0}`t{1}`t{2}" -f $_.DeviceID, $_.ConfigManagerErrorCode, $_.Service }"#;
    const PATIENCE: Duration = Duration::from_secs(20);
    const LIMIT: u64 = 1 << 20;

    let Some(root) = std::env::var_os("SystemRoot") else {
        return Vec::new();
    };
    let shell = PathBuf::from(root).join("System32/WindowsPowerShell/v1.0/powershell.exe");
    let started = Command::new(shell)
        .args(["-NoProfile", "-NonInteractive", "-Command", SCRIPT])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn();
    let Ok(mut shell) = started else {
        return Vec::new();
    };
    let reader = shell.stdout.take().map(|out| {
        std::thread::spawn(move || {
            let mut text = Vec::new();
            let _ = out.take(LIMIT).read_to_end(&mut text);
            text
        })
    });
    let end = Instant::now() + PATIENCE;
    while Instant::now() < end && matches!(shell.try_wait(), Ok(None)) {
        std::thread::sleep(Duration::from_millis(50));
    }
    // Ends the reader too, where the shell is still at work.
    let _ = shell.kill();
    let _ = shell.wait();
    let text = reader.and_then(|reader| reader.join().ok());
    parse(&String::from_utf8_lossy(&text.unwrap_or_default()))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The form of the instance ids and the codes are those of the reports openmv-ide#260 and
    /// #280, and of Microsoft's list of hardware ids for USB devices.
    const RECORDED: &str = "\
USB\\VID_37C5&PID_9203\\357835603033\t28\t\r
USB\\VID_0483&PID_DF11\\200364500000\t0\tSTTub30\r
USB\\VID_37C5&PID_1204&MI_00\\6&2B1E6D4&0&0000\t0\tusbser\r
USB\\VID_15A2&PID_0073\\5&1A9C7E4&0&3\t0\tHidUsb\r
USB\\VID_0000&PID_0002\\5&1A9C7E4&0&4\t43\t\r
USB\\ROOT_HUB30\\4&1FC9E4C0&0&0\t0\tUSBHUB3\r
ACPI\\PNP0C0A\\1\t0\tCmBatt\r
";

    #[test]
    fn recorded_lines_become_devices_with_ids_codes_and_services() {
        let devices = parse(RECORDED);
        let short: Vec<String> = devices
            .iter()
            .map(|d| {
                let (serial, service) = (d.serial.as_deref(), d.service.as_deref());
                let (serial, service) = (serial.unwrap_or("-"), service.unwrap_or("-"));
                format!("{:04X}:{:04X} {serial} {} {service}", d.vid, d.pid, d.code)
            })
            .collect();
        assert_eq!(
            short,
            [
                "37C5:9203 357835603033 28 -",
                "0483:DF11 200364500000 0 STTub30",
                "37C5:1204 - 0 usbser",
                "15A2:0073 - 0 HidUsb",
                "0000:0002 - 43 -",
            ]
        );
        assert!(devices[1].has_foreign_driver() && !devices[3].has_foreign_driver());
    }

    #[test]
    fn problem_codes_mean_what_microsoft_says() {
        let of = |code| problem(code);
        assert_eq!(of(0), None);
        assert_eq!(of(28), Some(Problem::NoDriver));
        assert_eq!(of(52), Some(Problem::Signature));
        assert_eq!(of(10), Some(Problem::NotStarted));
        assert_eq!(of(43), Some(Problem::NotStarted));
        assert_eq!(of(22), Some(Problem::Disabled));
        assert_eq!(of(45), Some(Problem::Other));
    }

    #[test]
    fn lines_that_are_no_devices_are_left_out() {
        for line in [
            "",
            "\t\t",
            "USB\\VID_37C5&PID_9203",
            "USB\\VID_37C5&PID_9203\\1\tmany\tx",
            "USB\\VID_XYZ&PID_9203\\1\t28\t",
            "USB\\\t28\t",
        ] {
            assert_eq!(parse(line), [], "{line:?}");
        }
    }
}
