//! MP4 through the program `ffmpeg`, where it is installed: there is no free encoder of H.264 to
//! build in.

use std::ffi::OsString;
use std::io::{self, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::time::{Duration, Instant};

/// The variable that names another program than the `ffmpeg` of the search path.
const VARIABLE: &str = "OMV_FFMPEG";
/// How long it may take to write the end of a film.
const PATIENCE: Duration = Duration::from_secs(30);

/// A running `ffmpeg`.
pub struct Ffmpeg {
    child: Child,
    pipe: Option<ChildStdin>,
}

impl Ffmpeg {
    /// Whether the program is there.
    pub fn installed() -> bool {
        let asked = Command::new(program())
            .arg("-version")
            .stdin(Stdio::null())
            .output();
        asked.is_ok_and(|output| output.status.success())
    }

    /// Starts it. The times of the pictures are when they arrive; the file is in fragments, so
    /// that a crash leaves a playable one.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn start(path: &Path) -> io::Result<Self> {
        // A name that starts with a dash would be an option.
        let path = if path.is_relative() {
            Path::new(".").join(path)
        } else {
            path.to_owned()
        };
        let mut command = Command::new(program());
        command
            .args(["-hide_banner", "-loglevel", "error", "-nostdin", "-y"])
            .args([
                "-use_wallclock_as_timestamps",
                "1",
                "-f",
                "mjpeg",
                "-i",
                "-",
            ])
            .args([
                "-vf",
                "pad=ceil(iw/2)*2:ceil(ih/2)*2",
                "-pix_fmt",
                "yuv420p",
            ])
            // Left alone, it repeats and leaves out pictures until their rate is even.
            .args([rate_option(), "passthrough", "-enc_time_base", "1:90000"])
            .args(["-movflags", "+frag_keyframe+empty_moov", "-f", "mp4"])
            .arg(path)
            .stdin(Stdio::piped())
            .stdout(Stdio::null());
        // Ctrl-C is for this program: the other one ends when its input does.
        #[cfg(unix)]
        std::os::unix::process::CommandExt::process_group(&mut command, 0);
        let mut child = command.spawn()?;
        let pipe = child.stdin.take();
        Ok(Self { child, pipe })
    }

    /// Hands a picture over.
    ///
    /// # Errors
    /// When it ended; its own words are on the terminal.
    pub fn add(&mut self, jpeg: &[u8]) -> io::Result<()> {
        match &mut self.pipe {
            Some(pipe) => pipe.write_all(jpeg),
            None => Err(io::ErrorKind::BrokenPipe.into()),
        }
    }

    /// Lets it write the end of the film.
    ///
    /// # Errors
    /// When it says that it failed, or hangs.
    pub fn finish(mut self) -> io::Result<()> {
        drop(self.pipe.take());
        let begun = Instant::now();
        loop {
            match self.child.try_wait()? {
                Some(status) if status.success() => return Ok(()),
                Some(status) => return Err(io::Error::other(format!("ffmpeg failed: {status}"))),
                None if begun.elapsed() > PATIENCE => {
                    self.child.kill()?;
                    return Err(io::Error::other("ffmpeg does not end"));
                }
                None => std::thread::sleep(Duration::from_millis(20)),
            }
        }
    }
}

/// How the program that is there calls its option for an uneven rate: the name was changed in 5.1.
fn rate_option() -> &'static str {
    let asked = Command::new(program())
        .arg("-version")
        .stdin(Stdio::null())
        .output();
    let said = asked.map(|output| output.stdout).unwrap_or_default();
    rate_option_of(&String::from_utf8_lossy(&said))
}

/// The same from what `ffmpeg -version` says; a version without a number is newer than all others.
fn rate_option_of(said: &str) -> &'static str {
    let version = said.strip_prefix("ffmpeg version ").unwrap_or_default();
    let mut numbers = version
        .trim_start_matches('n')
        .split(|letter: char| !letter.is_ascii_digit())
        .map_while(|number| number.parse::<u32>().ok());
    match (numbers.next(), numbers.next()) {
        (Some(major), minor) if (major, minor.unwrap_or(0)) < (5, 1) => "-vsync",
        _ => "-fps_mode",
    }
}

fn program() -> OsString {
    std::env::var_os(VARIABLE).unwrap_or_else(|| "ffmpeg".into())
}

#[cfg(test)]
mod tests {
    use super::rate_option_of;

    #[test]
    fn the_option_has_the_name_of_its_version() {
        for (version, option) in [
            ("4.4.2-0ubuntu0.22.04.1", "-vsync"),
            ("n5.0", "-vsync"),
            ("5.1.6-0+deb12u1", "-fps_mode"),
            ("7.0.2-static", "-fps_mode"),
            ("n7.1", "-fps_mode"),
            ("N-109542-g4a1e8ec5ae", "-fps_mode"),
        ] {
            let said = format!("ffmpeg version {version} Copyright (c) the FFmpeg developers");
            assert_eq!(rate_option_of(&said), option, "{version}");
        }
    }
}
