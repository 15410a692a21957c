//! Meters: what is asked for with `--power`, and reading them while a script runs.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use omv_bench::Error;
use omv_bench::power::{Wave, ppk2, scpi};
use omv_link::native::{NativeBus, open_path};
use omv_link::{Bus, Function, Heard, Link};

use crate::fail::Fail;

/// How long a meter may take for an answer.
const PATIENCE: Duration = Duration::from_secs(3);
/// Readings that tell how fast a meter is.
const TRIAL: u32 = 5;
/// How often a thread looks whether it is told to stop.
const LOOK: Duration = Duration::from_millis(50);
/// The rate of a kit's port, which is none of its business.
const KIT_RATE: u32 = 115_200;
/// An answer is never longer.
const ANSWER: u64 = 512;

/// Where the current is measured.
pub enum Meter {
    /// A file that another program wrote.
    Csv(PathBuf, Option<f64>),
    /// A bench meter on the network, or on a serial port.
    Scpi(Address, f64),
    /// Nordic's Power Profiler Kit II, on the serial port that is named, or the one there is.
    Ppk2(Option<String>, f64),
    /// A sensor that the kernel reads: `curr1_input`, in milliampere.
    Hwmon(PathBuf, f64),
}

/// Where a meter that speaks SCPI is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Address {
    /// Host and port.
    Net(String),
    /// A serial port and its rate.
    Port(String, u32),
}

fn usage(what: &str) -> Fail {
    Fail::Usage {
        what: what.to_owned(),
        help: "Write csv:FILE, ppk2[:PORT], scpi:HOST[:5025], scpi:/dev/ttyUSB0[@9600] or hwmon:/sys/class/hwmon/hwmonN/curr1_input, and --volts where the voltage is not in the file.".into(),
    }
}

impl Meter {
    /// From the command line.
    pub fn parse(text: &str, volts: Option<f64>) -> Result<Self, Fail> {
        if volts.is_some_and(|volts| !(0.5..=60.0).contains(&volts)) {
            return Err(usage("a camera has between half a volt and sixty"));
        }
        let needed = || volts.ok_or_else(|| usage("the voltage is needed"));
        match text.split_once(':') {
            Some(("csv", path)) => Ok(Self::Csv(path.into(), volts)),
            Some(("hwmon", path)) => Ok(Self::Hwmon(path.into(), needed()?)),
            Some(("ppk2", port)) => Ok(Self::Ppk2(Some(port.to_owned()), needed()?)),
            None if text == "ppk2" => Ok(Self::Ppk2(None, needed()?)),
            Some(("scpi", port)) if port.starts_with("/dev/") || port.starts_with("COM") => {
                let (port, rate) = port.split_once('@').unwrap_or((port, "9600"));
                let rate = rate.parse().map_err(|_| usage("that is no rate"))?;
                Ok(Self::Scpi(Address::Port(port.to_owned(), rate), needed()?))
            }
            Some(("scpi", host)) => {
                let has_port = host
                    .rsplit(':')
                    .next()
                    .is_some_and(|p| p.parse::<u16>().is_ok());
                let address = match has_port && host.contains(':') {
                    true => host.to_owned(),
                    false => format!("{host}:{}", scpi::PORT),
                };
                Ok(Self::Scpi(Address::Net(address), needed()?))
            }
            _ => Err(usage(&format!("`{text}` is no meter"))),
        }
    }

    /// Begins to watch; none where the samples come from a file afterwards.
    pub fn watch(&self) -> Result<Option<Watcher>, Fail> {
        match self {
            Self::Csv(..) => Ok(None),
            Self::Hwmon(path, volts) => {
                let path = path.clone();
                // The kernel's sensors are new at most every few milliseconds.
                let read = move || {
                    std::thread::sleep(Duration::from_millis(2));
                    sensor(&path)
                };
                Watcher::start(Box::new(read), *volts, real_time()).map(Some)
            }
            Self::Ppk2(port, volts) => {
                let link = match port {
                    Some(path) => open_path(path, KIT_RATE)?,
                    None => kit_there()?,
                };
                watch_kit(link, *volts).map(Some)
            }
            Self::Scpi(address, volts) => {
                let mut line = Line::open(address)?;
                scpi::name(&line.ask(scpi::WHO)?).map_err(Fail::Bench)?;
                let read = move || scpi::reading(&line.ask(scpi::CURRENT)?).map_err(Fail::Bench);
                Watcher::start(Box::new(read), *volts, real_time()).map(Some)
            }
        }
    }

    /// What a file has.
    pub fn samples(&self) -> Result<Wave, Fail> {
        match self {
            Self::Csv(path, volts) => {
                let bytes = crate::files::read(path)?;
                Wave::csv(&String::from_utf8_lossy(&bytes), *volts).map_err(Fail::Bench)
            }
            _ => Err(usage("this meter has to watch while the script runs")),
        }
    }
}

fn meter(why: &str) -> Fail {
    Fail::Bench(Error::Meter(why.to_owned()))
}

fn sensor(path: &Path) -> Result<f64, Fail> {
    let text = std::fs::read_to_string(path).map_err(|error| Fail::file(path, "reading", error))?;
    let value: Result<f64, _> = text.trim().parse();
    let value = value.map_err(|_| meter("the sensor's file has no number"))?;
    Ok(value / 1e3)
}

/// A conversation in lines, over the network or a serial port.
enum Line {
    Net(BufReader<TcpStream>),
    Port(Box<dyn Link>, Vec<u8>),
}

impl Line {
    fn open(address: &Address) -> Result<Self, Fail> {
        let address = match address {
            Address::Port(path, rate) => {
                return Ok(Self::Port(open_path(path, *rate)?, Vec::new()));
            }
            Address::Net(address) => address,
        };
        let meter = |error: std::io::Error| meter(&format!("{address}: {error}"));
        let stream = TcpStream::connect(address).map_err(meter)?;
        stream.set_read_timeout(Some(PATIENCE)).map_err(meter)?;
        stream.set_write_timeout(Some(PATIENCE)).map_err(meter)?;
        stream.set_nodelay(true).map_err(meter)?;
        Ok(Self::Net(BufReader::new(stream)))
    }

    fn ask(&mut self, question: &str) -> Result<String, Fail> {
        let failed = |error: std::io::Error| meter(&error.to_string());
        let line = format!("{question}\n");
        let mut answer = Vec::new();
        match self {
            Self::Net(reader) => {
                let written = reader.get_mut().write_all(line.as_bytes());
                written.map_err(failed)?;
                let mut limited = reader.by_ref().take(ANSWER);
                limited.read_until(b'\n', &mut answer).map_err(failed)?;
            }
            Self::Port(link, rest) => {
                link.send(line.as_bytes())?;
                let until = link.now() + PATIENCE;
                loop {
                    if let Some(end) = rest.iter().position(|byte| *byte == b'\n') {
                        answer = rest.drain(..=end).collect();
                        break;
                    }
                    match link.wait(until)? {
                        Some(Heard::Bytes(bytes)) if rest.len() < ANSWER as usize => {
                            rest.extend(bytes);
                        }
                        _ => break,
                    }
                }
            }
        }
        if answer.last() != Some(&b'\n') {
            return Err(meter("it ended in the middle of an answer"));
        }
        Ok(String::from_utf8_lossy(&answer).into_owned())
    }
}

/// The one kit that is plugged in.
fn kit_there() -> Result<Box<dyn Link>, Fail> {
    let bus = NativeBus::new("omv bench");
    let kits = bus.list()?.into_iter();
    let mut kits = kits.filter(|seen| (seen.vid, seen.pid) == ppk2::USB);
    let kit = kits.next().ok_or_else(|| meter("no kit is plugged in"))?;
    if kits.next().is_some() {
        return Err(usage("several kits are plugged in"));
    }
    let mut device = bus.open(&kit)?;
    Ok(device.link(Function::Console { baud: KIT_RATE })?)
}

/// Ends what a kit still does for a program that went away, and lets pass what is on the way: it would
/// be taken for the answer.
fn hush(link: &mut dyn Link) -> Result<(), Fail> {
    link.send(&ppk2::STOP)?;
    let until = link.now() + PATIENCE;
    while link.now() < until {
        match link.wait(link.now() + LOOK)? {
            Some(Heard::Bytes(_)) => {}
            Some(_) => return Err(meter("it left")),
            None => return Ok(()),
        }
    }
    Err(meter("it does not stop sending"))
}

/// Asks a kit for its calibration and takes its samples until it is told to stop.
fn watch_kit(mut link: Box<dyn Link>, volts: f64) -> Result<Watcher, Fail> {
    hush(&mut *link)?;
    let mut host = ppk2::Host::new(volts);
    link.send(&host.begin())?;
    let until = link.now() + PATIENCE;
    while !host.is_measuring() {
        let Some(Heard::Bytes(bytes)) = link.wait(until)? else {
            return Err(meter("it does not say its calibration"));
        };
        let words = host.hear(&bytes).map_err(Fail::Bench)?;
        if !words.is_empty() {
            link.send(&words)?;
        }
    }
    let stop = Arc::new(AtomicBool::new(false));
    let asked = Arc::clone(&stop);
    let thread = std::thread::spawn(move || {
        while !asked.load(Ordering::Relaxed) {
            match link.wait(link.now() + LOOK)? {
                Some(Heard::Bytes(bytes)) => drop(host.hear(&bytes).map_err(Fail::Bench)?),
                Some(_) => return Err(meter("it left")),
                None => {}
            }
        }
        link.send(&ppk2::STOP)?;
        host.finish().map_err(Fail::Bench)
    });
    let rate = 1.0 / ppk2::PERIOD / f64::from(ppk2::AVERAGED);
    Ok(Watcher { stop, thread, rate })
}

type Reading = Box<dyn FnMut() -> Result<f64, Fail> + Send>;
type Clock = Box<dyn Fn() -> Duration + Send>;

fn real_time() -> Clock {
    let begun = Instant::now();
    Box::new(move || begun.elapsed())
}

/// A thread that reads a meter until it is told to stop.
pub struct Watcher {
    stop: Arc<AtomicBool>,
    thread: JoinHandle<Result<Wave, Fail>>,
    rate: f64,
}

impl Watcher {
    fn start(mut read: Reading, volts: f64, clock: Clock) -> Result<Self, Fail> {
        let begun = clock();
        for _ in 0..TRIAL {
            read()?;
        }
        let took = clock().saturating_sub(begun).as_secs_f64();
        let rate = f64::from(TRIAL) / took.max(1e-6);
        let stop = Arc::new(AtomicBool::new(false));
        let asked = Arc::clone(&stop);
        let thread = std::thread::spawn(move || {
            let mut wave = Wave::default();
            while !asked.load(Ordering::Relaxed) {
                let before = clock();
                let amperes = read()?;
                // A reading belongs to the middle between question and answer.
                let middle = (before + clock()) / 2;
                wave.push(middle.as_secs_f64(), amperes, volts);
            }
            Ok(wave)
        });
        Ok(Self { stop, thread, rate })
    }

    /// Readings a second.
    pub fn rate(&self) -> f64 {
        self.rate
    }

    /// Ends, and gives what was read.
    pub fn finish(self) -> Result<Wave, Fail> {
        self.stop.store(true, Ordering::Relaxed);
        let ended = meter("reading it ended unexpectedly");
        self.thread.join().map_err(|_| ended)?
    }
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;
    use std::sync::atomic::AtomicU64;

    use omv_bench::Marks;
    use omv_bench::power::energy;

    use super::*;

    const VOLTS: f64 = 5.0;
    const CHIP: f64 = 0.03;
    const TURN: f64 = 0.0101;
    const BUSY: f64 = 0.0077;
    const COUNT: u64 = 150;
    const BARKER: [f64; 13] = [1., 1., 1., 1., 1., 0., 0., 1., 1., 0., 1., 0., 1.];

    /// When the lights and the work are, in seconds by the camera's clock.
    fn marks() -> Marks {
        let signature = 13.0 * CHIP;
        let (rest, work) = (signature + 0.2, signature + 0.5);
        #[allow(clippy::cast_precision_loss)]
        let end = work + COUNT as f64 * TURN;
        let micros = |seconds: f64| (seconds * 1e6).round();
        Marks {
            chip: micros(CHIP),
            first: 0.0,
            last: micros(end + 0.2),
            idle: (micros(rest), micros(work)),
            work: (micros(work), micros(end)),
            count: COUNT,
        }
    }

    /// What flows, 0.4 s after the meter's first reading being the camera's zero.
    fn current(seconds: f64) -> f64 {
        let (marks, t) = (marks(), seconds - 0.4);
        let light = |start: f64| {
            let at = ((t - start / 1e6) / CHIP).floor();
            #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
            if (0.0..13.0).contains(&at) {
                BARKER[at as usize] * 0.03
            } else {
                0.0
            }
        };
        let from = marks.work.0 / 1e6;
        let works = (from..marks.work.1 / 1e6).contains(&t) && (t - from) % TURN < BUSY;
        0.1 + light(marks.first) + light(marks.last) + if works { 0.04 } else { 0.0 }
    }

    /// A meter on the network whose current is known at every moment. Its clock is its own: half
    /// a millisecond passes with each reading. Gives its address, and that clock.
    fn virtual_meter(answers: fn(f64) -> String) -> (String, Arc<AtomicU64>) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let clock = Arc::new(AtomicU64::new(0));
        let micros = Arc::clone(&clock);
        std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            stream.set_nodelay(true).unwrap();
            let reader = BufReader::new(stream.try_clone().unwrap());
            for line in reader.lines().map_while(Result::ok) {
                let answer = match line.as_str() {
                    scpi::WHO => "ACME,VIRTUAL,1,1.0\n".to_owned(),
                    _ => {
                        let now = micros.fetch_add(500, Ordering::SeqCst) + 500;
                        answers(Duration::from_micros(now).as_secs_f64())
                    }
                };
                if stream.write_all(answer.as_bytes()).is_err() {
                    break;
                }
            }
        });
        (address, clock)
    }

    #[test]
    fn a_virtual_meter_gives_the_known_energy_within_one_per_cent() {
        let (address, micros) = virtual_meter(|t| format!("{:+.6E}\n", current(t)));
        let mut line = Line::open(&Address::Net(address)).unwrap();
        assert_eq!(
            scpi::name(&line.ask(scpi::WHO).unwrap()).unwrap(),
            "ACME VIRTUAL"
        );
        let read = move || scpi::reading(&line.ask(scpi::CURRENT)?).map_err(Fail::Bench);
        let now = Arc::clone(&micros);
        let clock = move || Duration::from_micros(now.load(Ordering::SeqCst));
        let watcher = Watcher::start(Box::new(read), VOLTS, Box::new(clock)).unwrap();
        assert!((watcher.rate() - 2000.0).abs() < 1.0);
        let end = marks().last / 1e6 + 13.0 * CHIP + 1.0;
        let over = || Duration::from_micros(micros.load(Ordering::SeqCst)).as_secs_f64() > end;
        for _ in 0..60_000 {
            if over() {
                break;
            }
            std::thread::sleep(Duration::from_millis(1));
        }
        let found = energy(&watcher.finish().unwrap(), &marks()).unwrap();
        let off = found.per_inference / (0.04 * VOLTS * BUSY * 1e3) - 1.0;
        assert!(off.abs() < 0.01, "off by {off}: {found:?}");
    }

    /// A link to a meter in memory. Its clock moves with what is heard.
    struct Wire<A> {
        answer: A,
        waiting: Vec<u8>,
        /// Most bytes that come at once.
        cut: usize,
        now: Arc<AtomicU64>,
    }

    impl<A: FnMut(&[u8], f64) -> Vec<u8> + Send> Link for Wire<A> {
        fn now(&self) -> Duration {
            Duration::from_micros(self.now.load(Ordering::SeqCst))
        }

        fn send(&mut self, frame: &[u8]) -> Result<(), omv_link::LinkError> {
            let now = self.now().as_secs_f64();
            let answer = (self.answer)(frame, now);
            self.waiting.extend(answer);
            Ok(())
        }

        fn wait(&mut self, _until: Duration) -> Result<Option<Heard>, omv_link::LinkError> {
            let micros = self.now.fetch_add(500, Ordering::SeqCst) + 500;
            let more = (self.answer)(&[], micros as f64 / 1e6);
            self.waiting.extend(more);
            let count = self.waiting.len().min(self.cut);
            let bytes: Vec<u8> = self.waiting.drain(..count).collect();
            Ok((!bytes.is_empty()).then_some(Heard::Bytes(bytes)))
        }
    }

    #[test]
    fn a_virtual_kit_gives_the_known_energy_within_one_per_cent() {
        const TEXT: &str = "R0: 1031.64\nR1: 101.65\nR2: 10.15\nR3: 0.94\nR4: 0.043\nEND\n";
        let now = Arc::new(AtomicU64::new(0));
        let mut kit = ppk2::Kit::new(TEXT).unwrap();
        let mut sent = 0_u64;
        let answer = move |bytes: &[u8], seconds: f64| {
            let mut out = kit.hear(bytes);
            while (sent as f64) * ppk2::PERIOD < seconds {
                let amperes = current(sent as f64 * ppk2::PERIOD);
                match kit.sample(amperes) {
                    Some(sample) => out.extend(sample),
                    None => {
                        sent = (seconds / ppk2::PERIOD) as u64;
                        break;
                    }
                }
                sent += 1;
            }
            out
        };
        let wire = Wire {
            answer,
            waiting: Vec::new(),
            cut: 203,
            now: Arc::clone(&now),
        };
        let watcher = watch_kit(Box::new(wire), VOLTS).unwrap();
        assert!((watcher.rate() - 10_000.0).abs() < 1.0);
        let end = ((marks().last / 1e6 + 13.0 * CHIP + 1.0) * 1e6) as u64;
        while now.load(Ordering::SeqCst) < end {
            std::thread::sleep(Duration::from_millis(1));
        }
        let found = energy(&watcher.finish().unwrap(), &marks()).unwrap();
        let off = found.per_inference / (0.04 * VOLTS * BUSY * 1e3) - 1.0;
        assert!(off.abs() < 0.01, "off by {off}: {found:?}");
    }

    #[test]
    fn a_meter_on_a_serial_port_answers_in_lines_cut_anywhere() {
        let answer = |bytes: &[u8], _| match bytes {
            b"*IDN?\n" => b"ACME,SERIAL,1,1.0\r\n".to_vec(),
            b"MEAS:CURR?\n" => [&b"+1.5E-01"[..], &[b' '; 90], b"\r\n"].concat(),
            _ => Vec::new(),
        };
        let wire = Wire {
            answer,
            waiting: Vec::new(),
            cut: 61,
            now: Arc::default(),
        };
        let mut line = Line::Port(Box::new(wire), Vec::new());
        let name = scpi::name(&line.ask(scpi::WHO).unwrap()).unwrap();
        assert_eq!(name, "ACME SERIAL");
        let reading = scpi::reading(&line.ask(scpi::CURRENT).unwrap()).unwrap();
        assert_eq!(reading, 0.15);
        assert_eq!(line.ask("SILENCE").unwrap_err().code(), "meter");
    }

    #[test]
    fn a_meter_that_says_something_else_is_an_error() {
        for answers in [
            (|_| "9.9E37\n".to_owned()) as fn(f64) -> String,
            |_| "-113,\"Undefined header\"\n".to_owned(),
            |_| "x".repeat(10_000),
        ] {
            let (address, _) = virtual_meter(answers);
            let meter = Meter::parse(&format!("scpi:{address}"), Some(5.0));
            let error = meter.unwrap().watch().err().expect("an error");
            assert_eq!(error.code(), "meter");
        }
    }

    #[test]
    fn what_is_no_meter_is_refused() {
        for text in ["", "csv", "scpi:host", "hwmon:/x", "ppk9:/dev/ttyACM0"] {
            assert!(Meter::parse(text, None).is_err(), "{text}");
        }
        assert!(Meter::parse("scpi:host", Some(500.0)).is_err());
        let address = |text: &str| match Meter::parse(text, Some(5.0)).unwrap() {
            Meter::Scpi(address, _) => address,
            _ => panic!("{text}"),
        };
        assert_eq!(address("scpi:host"), Address::Net("host:5025".into()));
        let port = Address::Port("/dev/ttyUSB0".into(), 115_200);
        assert_eq!(address("scpi:/dev/ttyUSB0@115200"), port);
        assert!(Meter::parse("ppk2", Some(5.0)).is_ok());
        assert!(Meter::parse("ppk2", None).is_err());
    }

    #[test]
    fn the_kernels_sensor_is_read_in_milliampere() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), "123\n").unwrap();
        assert_eq!(sensor(file.path()).unwrap(), 0.123);
        std::fs::write(file.path(), "many\n").unwrap();
        assert_eq!(sensor(file.path()).unwrap_err().code(), "meter");
    }
}
