//! `omv recover` without arguments, as a person at a terminal meets it. The virtual camera is reached
//! through a server that hides that it is one, for everything about a virtual camera is known.
#![cfg(unix)]

mod common;

use std::fs::File;
use std::io::{self, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use common::{Desk, text};
use omv_sim::dfu::{Generation, sample};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};

/// Longest wait for anything.
const PATIENCE: Duration = Duration::from_secs(60);

/// A person's terminal, with the program in it.
struct Terminal {
    keys: File,
    shown: Arc<Mutex<String>>,
    /// Up to where it was read.
    read: usize,
    child: Child,
}

impl Terminal {
    fn new(mut command: Command) -> Self {
        let far = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
        grantpt(&far).unwrap();
        unlockpt(&far).unwrap();
        let path = ptsname(&far, Vec::new()).unwrap().into_string().unwrap();
        let near = File::options().read(true).write(true).open(path).unwrap();
        let end = || Stdio::from(near.try_clone().unwrap());
        let child = command.stdin(end()).stdout(end()).stderr(end()).spawn();
        let far = File::from(far);
        let shown = Arc::new(Mutex::new(String::new()));
        let (mut reader, page) = (far.try_clone().unwrap(), Arc::clone(&shown));
        thread::spawn(move || {
            let mut buffer = [0; 4096];
            while let Ok(count @ 1..) = reader.read(&mut buffer) {
                let text = String::from_utf8_lossy(&buffer[..count]);
                page.lock().unwrap().push_str(&text);
            }
        });
        Self {
            keys: far,
            shown,
            read: 0,
            child: child.expect("the program starts"),
        }
    }

    /// Waits until something is said that was not read yet; tells what came before it.
    fn hears(&mut self, words: &str) -> String {
        let until = Instant::now() + PATIENCE;
        loop {
            let shown = self.shown.lock().unwrap();
            if let Some(at) = shown[self.read..].find(words) {
                let before = shown[self.read..self.read + at].to_owned();
                self.read += at + words.len();
                return before;
            }
            assert!(Instant::now() < until, "no `{words}` in:\n{shown}");
            drop(shown);
            thread::sleep(Duration::from_millis(20));
        }
    }

    fn answers(&mut self, line: &str) {
        self.keys.write_all(format!("{line}\n").as_bytes()).unwrap();
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Passes everything on to a server of ours, and takes the mark off its devices. Returns the address.
fn disguised(server: String) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let pass = |mut from: TcpStream, mut to: TcpStream, hides: bool| {
        thread::spawn(move || -> io::Result<()> {
            let mut buffer = vec![0; 1 << 16];
            while let Ok(count @ 1..) = from.read(&mut buffer) {
                let bytes = &mut buffer[..count];
                let mark = bytes.windows(5).position(|some| some == b"/omv/");
                if let Some(at) = mark.filter(|_| hides) {
                    bytes[at..at + 5].copy_from_slice(b"/sys/");
                }
                to.write_all(bytes)?;
            }
            to.shutdown(std::net::Shutdown::Both)
        });
    };
    thread::spawn(move || {
        for near in listener.incoming().flatten() {
            let Ok(far) = TcpStream::connect(&server) else {
                continue;
            };
            pass(near.try_clone().unwrap(), far.try_clone().unwrap(), false);
            pass(far, near, true);
        }
    });
    address
}

/// A simulator that ends with its test.
struct Server(Child);

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A virtual camera of this model, and the address it has for who is not meant to know.
fn camera(desk: &Desk, model: &str, state: &str) -> (Server, String) {
    let mut command = desk.command(&["--json", "sim", model, "--name", "bench", "--speed", "4"]);
    let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
    let mut line = String::new();
    let mut out = io::BufReader::new(child.stdout.take().unwrap());
    io::BufRead::read_line(&mut out, &mut line).unwrap();
    // Whatever else it says is nobody's, and must not block it.
    thread::spawn(move || io::copy(&mut out, &mut io::sink()));
    let said: serde_json::Value = serde_json::from_str(&line).unwrap();
    let address = disguised(said["address"].as_str().unwrap().to_owned());
    // It is served before it is on the bus, and the wizard of somebody without a camera asks other things.
    let until = Instant::now() + PATIENCE;
    while !desk.omv(&["list", "--usbip", &address]).out.contains(state) {
        assert!(Instant::now() < until, "the camera does not appear");
    }
    (Server(child), address)
}

/// A folder with what a release has for a board.
fn release(desk: &Desk, name: &str) -> String {
    let board = omv_boards::by_name(name).unwrap();
    let folder = desk.path(&format!("release {name}"));
    std::fs::create_dir(&folder).unwrap();
    let generation = Generation::of_release("5.0.0".parse().unwrap());
    let files = [
        ("firmware.bin", sample::firmware(board, "5.0.0", 0x1_0000)),
        ("bootloader.bin", sample::bootloader(board, generation)),
    ];
    for (name, bytes) in files {
        std::fs::write(folder.join(name), bytes).unwrap();
    }
    text(&folder).to_owned()
}

fn recover(desk: &Desk, address: &str) -> Terminal {
    let mut command = desk.command(&["recover", "--usbip", address]);
    // Somebody else's folder: the camera is not looked for where ours are entered.
    command.env("XDG_RUNTIME_DIR", desk.path("elsewhere"));
    command
        .env("HOME", desk.path("elsewhere"))
        .env("TERM", "xterm");
    Terminal::new(command)
}

/// What a person does to the camera.
fn hands(desk: &Desk, all: &[&[&str]]) {
    for hand in all {
        let words: Vec<&str> = ["sim", "ctl", "bench"]
            .iter()
            .chain(*hand)
            .copied()
            .collect();
        let done = desk.omv(&words);
        assert_eq!(done.code, Some(0), "{hand:?}: {}", done.err);
    }
}

#[test]
fn an_h7_that_waits_in_its_bootloader_needs_its_firmware_and_no_hands() {
    let desk = Desk::new();
    let (_sim, address) = camera(&desk, "h7,state=dfu", "dfu");
    let release = release(&desk, "h7");
    // The file alone, as somebody has it who took it out of the release.
    let firmware = desk.path("firmware.bin");
    std::fs::copy(format!("{release}/firmware.bin"), &firmware).unwrap();
    let mut person = recover(&desk, &address);
    person.hears("waits in its bootloader.");
    let before = person.hears("Which firmware?");
    assert!(!before.contains("Which board"), "{before}");
    let page = desk.write("README.md", b"For the OpenMV N6.");
    person.answers(text(&page));
    person.hears("it is text, not firmware");
    person.hears("Which firmware?");
    person.answers(text(&firmware));
    let said = person.hears("runs firmware 5.0.0.");
    assert!(!said.contains("Unplug") && !said.contains("wire"), "{said}");
    assert!(person.child.wait().unwrap().success());
}

#[test]
fn a_dead_m7_is_known_by_its_chip_and_asked_for_one_thing_at_a_time_until_it_runs() {
    let desk = Desk::new();
    let (_sim, address) = camera(&desk, "m7,state=st-rom", "st-rom");
    let (right, wrong) = (release(&desk, "m7"), release(&desk, "h7"));
    let mut person = recover(&desk, &address);

    person.hears("waits in its chip's ROM.");
    // No list of nine boards: the map of the flash says which one it is.
    let before = person.hears("Which firmware?");
    assert!(before.contains("Only the OpenMV Cam M7"), "{before}");
    assert!(!before.contains("Which board"), "{before}");
    person.answers("/no/such/file.zip");
    person.hears("there is no such file");
    person.hears("Which firmware?");
    // What is for another board is not the end of it.
    person.answers(&wrong);
    person.hears("is for OPENMV4");
    person.hears("Which firmware?");
    // Dragged into the terminal it comes in quotes.
    person.answers(&format!("'{right}'"));
    person.hears("Go on? [y/N]");
    person.answers("y");
    // The step that waits says what it waits for.
    person.hears("-> Unplug the camera, remove the wire, plug in again.");
    hands(&desk, &[&["unplug"], &["jumper", "off"], &["plug"]]);
    person.hears("runs firmware 5.0.0.");
    assert!(person.child.wait().unwrap().success());
}

#[test]
fn ctrl_c_at_a_question_leaves_at_once() {
    let desk = Desk::new();
    let mut person = recover(&desk, "127.0.0.1:1");
    let shown = person.hears("Which board is it?");
    assert!(
        shown.contains("Nothing on USB looks like a camera."),
        "{shown}"
    );
    let process = person.child.id().to_string();
    let told = Command::new("kill").args(["-INT", &process]).status();
    assert!(told.unwrap().success());
    let until = Instant::now() + PATIENCE;
    while person.child.try_wait().unwrap().is_none() {
        assert!(Instant::now() < until, "it stays");
        thread::sleep(Duration::from_millis(20));
    }
}
