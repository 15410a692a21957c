//! A virtual RT1062 behind a pseudo terminal, for programs that open a serial port: other people's
//! clients of the camera's protocols. What passes is written down.
//!
//!     cargo run -p omv-sim --example terminal -- 4.5.2 RECORD
//!
//! prints the path of the terminal and serves it until its standard input ends. With `OMV_JUDGES` set
//! scripts are executed by MicroPython, otherwise only their `# omv-sim:` lines are.
//!
//! A record has one line for each write, as the other recordings in `omv-wire/tests/vectors` have:
//! seconds of the camera's clock, `>` or `<`, bytes in hex.

#[cfg(not(unix))]
fn main() {
    eprintln!("there are no pseudo terminals here");
}

#[cfg(unix)]
fn main() -> std::io::Result<()> {
    unix::main()
}

#[cfg(unix)]
mod unix {
    use std::fs::File;
    use std::io::{self, Read, Write};
    use std::path::Path;
    use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
    use std::time::{Duration, Instant};

    use omv_link::{Bus, Function, Heard, Link};
    use omv_sim::engine::micropython::Interpreter;
    use omv_sim::rt1062::{Quirks, Rt1062, sample};
    use omv_sim::{Setup, VirtualBus};
    use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
    use rustix::termios::{OptionalActions, tcgetattr, tcsetattr};

    const TICK: Duration = Duration::from_millis(1);

    pub fn main() -> io::Result<()> {
        let words: Vec<String> = std::env::args().skip(1).collect();
        let [version, record] = words.as_slice() else {
            return Err(io::Error::other("terminal VERSION RECORD"));
        };
        let bus = camera(version)?;
        let seen = bus.list().map_err(io::Error::other)?.remove(0);
        let mut device = bus.open(&seen).map_err(io::Error::other)?;
        let link = device.link(Function::Console { baud: 921_600 });
        let mut link = link.map_err(io::Error::other)?;

        let far = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY)?;
        grantpt(&far)?;
        unlockpt(&far)?;
        let path = ptsname(&far, Vec::new())?;
        let path = path.into_string().map_err(io::Error::other)?;
        // Held open, so that a client that closes it does not end it, and raw from the start.
        let near = File::options().read(true).write(true).open(&path)?;
        let mut settings = tcgetattr(&near)?;
        settings.make_raw();
        tcsetattr(&near, OptionalActions::Now, &settings)?;
        println!("{path}");
        let mut record = File::create(record)?;
        serve(&mut *link, File::from(far), &mut record)
    }

    fn camera(version: &str) -> io::Result<VirtualBus> {
        let engine = match std::env::var_os("OMV_JUDGES") {
            Some(folder) => {
                let file = Path::new(&folder).join("micropython.wasm");
                let interpreter = Interpreter::load(&file).map_err(io::Error::other)?;
                Some(interpreter.engine())
            }
            None => None,
        };
        let mut camera = Rt1062::new(&sample::firmware(version, 0x8000), Quirks::default());
        camera.set_up(Setup {
            formats: true,
            engine,
            ..Setup::default()
        });
        let bus = VirtualBus::new("terminal", vec![Box::new(camera)]);
        bus.pass(Duration::from_secs(5));
        Ok(bus)
    }

    /// Hands bytes on, and lets the camera live as fast as the world.
    fn serve(link: &mut dyn Link, mut far: File, record: &mut File) -> io::Result<()> {
        let (said, says) = channel();
        let reader = far.try_clone()?;
        let ends = said.clone();
        std::thread::spawn(move || listen(reader, &said));
        std::thread::spawn(move || {
            // Standard input has no other use than to end.
            let _ = io::stdin().read_to_end(&mut Vec::new());
            let _ = ends.send(Vec::new());
        });
        let (begun, first) = (Instant::now(), link.now());
        loop {
            match says.recv_timeout(TICK) {
                Ok(bytes) if bytes.is_empty() => return Ok(()),
                Ok(bytes) => {
                    note(record, link.now(), '>', &bytes)?;
                    link.send(&bytes).map_err(io::Error::other)?;
                }
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return Ok(()),
            }
            loop {
                let until = first + begun.elapsed();
                match link.wait(until).map_err(io::Error::other)? {
                    Some(Heard::Bytes(bytes)) => {
                        note(record, link.now(), '<', &bytes)?;
                        far.write_all(&bytes)?;
                    }
                    Some(Heard::Gone) => return Ok(()),
                    Some(Heard::Stall) | None => break,
                }
            }
        }
    }

    fn listen(mut reader: File, said: &Sender<Vec<u8>>) {
        let mut buffer = [0; 4096];
        while let Ok(count @ 1..) = reader.read(&mut buffer) {
            if said.send(buffer[..count].to_vec()).is_err() {
                return;
            }
        }
    }

    fn note(record: &mut File, at: Duration, way: char, bytes: &[u8]) -> io::Result<()> {
        let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        writeln!(record, "{:.6} {way} {hex}", at.as_secs_f64())
    }
}
