//! The stand-ins against the tools they stand in for, on one virtual device, in turns: start, a
//! question, a write of 3 MiB, memory, size. Prints one table; asserts nothing but that every run
//! did its work. What the acknowledged write costs is mostly what the machine asks for waking another
//! thread, six thousand times: the least that a client can do takes its turn too.
//!
//! Needs SPSDK, so `cargo xtask bench spsdk` runs it: that sets `OMV_JUDGES` (where SPSDK is) and
//! `OMV_PROGRAM` (the program as it is released). SPSDK runs without its debug log and with warm
//! caches, which is the best it can do.

#[cfg(unix)]
fn main() {
    let words: Vec<String> = std::env::args().skip(1).collect();
    if let [first, port, image] = words.as_slice()
        && first == bench::LEAST
    {
        return bench::write_least(port, image);
    }
    // `cargo test --benches` and a plain `cargo bench` run this too.
    match std::env::var_os("OMV_JUDGES") {
        Some(judges) if words.iter().any(|word| word == "--bench") => bench::run(judges.into()),
        _ => println!("beside SPSDK: `cargo xtask bench spsdk`"),
    }
}

#[cfg(not(unix))]
fn main() {}

#[cfg(unix)]
mod bench {
    use std::fs;
    use std::io::{BufRead, BufReader, Read, Write};
    use std::path::{Path, PathBuf};
    use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
    use std::time::Duration;

    use omv_sim::nor::Speed;
    use omv_sim::rt1062::chip::Chip;
    use omv_sim::serve::uart::Pty;
    use omv_wire::mboot::Command as Order;
    use omv_wire::mboot::uart::{PACKET, encode_command, encode_data};
    use serde_json::{Value, json};

    /// Bytes of the write.
    const IMAGE: usize = 3 << 20;
    const MIB: f64 = 1_048_576.0;
    /// Runs of each, ours and theirs in turns.
    const STARTS: usize = 11;
    const WRITES: usize = 5;
    /// A write of SPSDK's may lose an acknowledgement on a pseudo terminal and end with an error.
    const TRIES: usize = 3;

    /// What one run cost.
    #[derive(Clone, Copy)]
    struct Cost {
        /// Seconds.
        wall: f64,
        /// Seconds of processor time.
        cpu: f64,
        /// KiB; 0 when nobody looked.
        peak: f64,
    }

    pub fn run(judges: PathBuf) {
        let mut bench = Bench::new(&judges);
        println!(
            "{} processors, load {}\n",
            std::thread::available_parallelism().map_or(1, usize::from),
            load()
        );
        println!(
            "{:<30}{:>24}{:>26}{:>9}  goals",
            "median (least to most)", "omv", "SPSDK 3.12.0", "ratio"
        );
        bench.starts();
        bench.writes();
        bench.sizes();
        println!("\nload {}; runs repeated: {}", load(), bench.repeated);
    }

    struct Bench {
        meter: Meter,
        omv: PathBuf,
        spsdk: PathBuf,
        folder: tempfile::TempDir,
        repeated: usize,
    }

    /// Whose program.
    #[derive(Clone, Copy)]
    enum Who {
        Ours,
        Theirs,
        /// The least that a client can do: this program again, as [`LEAST`].
        Least,
    }

    impl Bench {
        fn new(judges: &Path) -> Self {
            let omv = std::env::var_os("OMV_PROGRAM").map(PathBuf::from);
            let spsdk = judges.join("spsdk");
            Self {
                meter: Meter::start(&spsdk.join("bin/python")),
                omv: omv.unwrap_or_else(|| env!("CARGO_BIN_EXE_omv").into()),
                spsdk,
                folder: tempfile::tempdir().expect("a folder"),
                repeated: 0,
            }
        }

        /// What a run cost; none when it failed.
        fn measure(&mut self, who: Who, words: &[&str], watch: bool) -> Option<Cost> {
            let (program, first): (_, &[&str]) = match who {
                Who::Ours => (self.omv.clone(), &["blhost"]),
                Who::Theirs => (self.spsdk.join("bin/blhost"), &[]),
                Who::Least => (std::env::current_exe().expect("this program"), &[LEAST]),
            };
            let program = program.to_str().expect("a path");
            let argv = [&[program], first, words].concat();
            let cost = self.meter.measure(&argv, self.folder.path(), watch);
            self.repeated += usize::from(cost.is_none());
            cost
        }

        fn once(&mut self, who: Who, words: &[&str]) -> Cost {
            let mut costs = (0..TRIES).filter_map(|_| self.measure(who, words, false));
            costs.next().expect("one of the runs succeeds")
        }

        /// Runs of both in turns; what it costs to fill caches is not counted.
        fn turns(&mut self, count: usize, words: &[&str]) -> [Vec<Cost>; 2] {
            let mut costs = [Vec::new(), Vec::new()];
            for turn in 0..=count {
                for (who, costs) in [Who::Ours, Who::Theirs].into_iter().zip(&mut costs) {
                    let cost = self.once(who, words);
                    if turn > 0 {
                        costs.push(cost);
                    }
                }
            }
            costs
        }

        fn starts(&mut self) {
            let chip = Chip::new([1, 2], QUICK);
            let pty = Pty::open(&chip).expect("a terminal");
            let port = pty.path().to_str().expect("a path").to_owned();
            let all: [(&str, Vec<&str>); 2] = [
                ("--version, ms", vec!["--version"]),
                ("get-property 1, ms", vec!["-p", &port, "get-property", "1"]),
            ];
            for (what, words) in all {
                let [ours, theirs] = self.turns(STARTS, &words);
                let millis = |cost: &Cost| cost.wall * 1e3;
                let (ours, theirs) = (spread(&ours, millis), spread(&theirs, millis));
                let ratio = theirs.median / ours.median;
                row(what, &ours, &theirs, ratio)
                    .goal("ratio >= 100", ratio >= 100.0)
                    .goal("< 3 ms", ours.median < 3.0)
                    .end();
            }
        }

        fn writes(&mut self) {
            let image = self.folder.path().join("image.bin");
            let bytes: Vec<u8> = (0..IMAGE as u32).map(|at| (at % 251) as u8).collect();
            fs::write(&image, bytes).expect("an image");
            let image = image.to_str().expect("a path").to_owned();
            let mut costs = [Vec::new(), Vec::new(), Vec::new()];
            let mut peaks = costs.clone();
            // The last turn is watched and not timed.
            for turn in 0..=WRITES {
                for (at, who) in [Who::Ours, Who::Theirs, Who::Least].into_iter().enumerate() {
                    let cost = self.write(who, &image, turn == WRITES);
                    [&mut costs, &mut peaks][usize::from(turn == WRITES)][at].push(cost);
                }
            }
            let [ours, theirs, least] = &costs;
            let cpu = |cost: &Cost| cost.cpu * 1e3;
            let (our_cpu, their_cpu) = (spread(ours, cpu), spread(theirs, cpu));
            let wall = |cost: &Cost| cost.wall * 1e3;
            let (our_wall, their_wall) = (spread(ours, wall), spread(theirs, wall));
            let ratio = their_wall.median / our_wall.median;
            row("write 3 MiB on a pty, ms", &our_wall, &their_wall, ratio)
                .goal("ratio >= 15", ratio >= 15.0)
                .goal("< 250 ms", our_wall.median < 250.0)
                .end();
            let ratio = their_cpu.median / our_cpu.median;
            row("  of it processor, ms", &our_cpu, &their_cpu, ratio)
                .goal("ratio >= 30", ratio >= 30.0)
                .goal("< 80 ms", our_cpu.median < 80.0)
                .end();
            let (wall, cpu) = (spread(least, wall), spread(least, cpu));
            let shares = (our_wall.median / wall.median, our_cpu.median / cpu.median);
            println!(
                "  a minimal client: {} ms, omv {:.2} of it; processor {} ms, omv {:.2} of it",
                wall.show(),
                shares.0,
                cpu.show(),
                shares.1
            );
            let [ours, theirs, _] = &peaks;
            let peak = |cost: &Cost| cost.peak / 1024.0;
            let (ours, theirs) = (spread(ours, peak), spread(theirs, peak));
            row(
                "  peak memory, MiB",
                &ours,
                &theirs,
                theirs.median / ours.median,
            )
            .end();
        }

        /// The erased flash of a new device, which needs no time for it.
        fn erased(&mut self) -> (Chip, Pty, String) {
            let chip = Chip::new([1, 2], QUICK);
            let pty = Pty::open(&chip).expect("a terminal");
            let port = pty.path().to_str().expect("a path").to_owned();
            for words in [
                ["fill-memory", "0x2000", "4", "0xC0000008"].as_slice(),
                &["configure-memory", "9", "0x2000"],
                &["flash-erase-region", "0x60040000", "0x300000"],
            ] {
                let words = [&["-p", port.as_str()], words].concat();
                self.once(Who::Ours, &words);
            }
            (chip, pty, port)
        }

        /// One write.
        fn write(&mut self, who: Who, image: &str, watch: bool) -> Cost {
            for _ in 0..TRIES {
                let (chip, _pty, port) = self.erased();
                let words = match who {
                    Who::Least => vec![port.as_str(), image],
                    _ => vec!["-p", &port, "write-memory", "0x60040000", image],
                };
                let cost = self.measure(who, &words, watch);
                if let Some(cost) = cost {
                    arrived(&chip, image);
                    return cost;
                }
            }
            panic!("the image did not arrive {TRIES} times");
        }

        fn sizes(&mut self) {
            let ours = fs::metadata(&self.omv).expect("the program").len() as f64 / MIB;
            let theirs = size_of(&self.spsdk) / MIB;
            let ratio = theirs / ours;
            row(
                "installed, MiB",
                &Spread::one(ours),
                &Spread::one(theirs),
                ratio,
            )
            .goal("ratio >= 25", ratio >= 25.0)
            .end();
        }
    }

    /// The word that makes this program the least that a client can do.
    pub const LEAST: &str = "--least";

    /// A write by two system calls a packet, without a limit to any wait and without a look at what the
    /// answers say.
    pub fn write_least(port: &str, image: &str) {
        const ACKNOWLEDGED: [u8; 2] = [0x5A, 0xA1];
        const ANSWER: usize = 18;
        let bytes = fs::read(image).expect("the image");
        let mut line = fs::File::options().read(true).write(true).open(port);
        let line = line.as_mut().expect("the terminal");
        let mut answer = [0; ACKNOWLEDGED.len() + ANSWER];
        let mut say = |packet: &[u8], expected: usize| {
            line.write_all(packet).expect("sent");
            line.read_exact(&mut answer[..expected]).expect("answered");
        };
        let order = Order::write_memory(0x6004_0000, bytes.len() as u32, 0);
        say(
            &encode_command(&order.encode()),
            ACKNOWLEDGED.len() + ANSWER,
        );
        say(&ACKNOWLEDGED, 0);
        for packet in bytes.chunks(PACKET) {
            say(&encode_data(packet), ACKNOWLEDGED.len());
        }
        say(&[], ANSWER);
        say(&ACKNOWLEDGED, 0);
    }

    fn arrived(chip: &Chip, image: &str) {
        let flash = chip.lock().nor.read(0x4_0000, IMAGE);
        assert!(flash == fs::read(image).expect("the image"), "it arrived");
    }

    /// Flash that needs no time.
    const QUICK: Speed = Speed {
        erase: Duration::ZERO,
        program: Duration::ZERO,
    };

    /// The process that starts the others and says what they cost.
    struct Meter {
        child: Child,
        ask: Option<ChildStdin>,
        answer: BufReader<ChildStdout>,
    }

    impl Meter {
        fn start(python: &Path) -> Self {
            let script = concat!(env!("CARGO_MANIFEST_DIR"), "/benches/measure.py");
            let mut child = Command::new(python)
                .args(["-S", "-E", script])
                .stdin(Stdio::piped())
                .stdout(Stdio::piped())
                .spawn()
                .expect("the Python of SPSDK");
            Self {
                ask: child.stdin.take(),
                answer: BufReader::new(child.stdout.take().expect("a pipe")),
                child,
            }
        }

        /// What a run cost; none when it failed.
        fn measure(&mut self, argv: &[&str], home: &Path, watch: bool) -> Option<Cost> {
            let env = json!({ "HOME": home, "SPSDK_DEBUG_LOGGING_DISABLED": "1" });
            let ask = self.ask.as_mut().expect("a pipe");
            writeln!(
                ask,
                "{}",
                json!({ "argv": argv, "env": env, "watch": watch })
            )
            .expect("asked");
            ask.flush().expect("asked");
            let mut line = String::new();
            self.answer.read_line(&mut line).expect("an answer");
            let answer: Value = serde_json::from_str(&line).expect("an answer");
            let number = |key: &str| answer[key].as_f64().expect("a number");
            (answer["code"] == 0).then(|| Cost {
                wall: number("wall"),
                cpu: number("cpu"),
                peak: number("peak"),
            })
        }
    }

    impl Drop for Meter {
        fn drop(&mut self) {
            self.ask = None;
            let _ = self.child.wait();
        }
    }

    struct Spread {
        median: f64,
        least: f64,
        most: f64,
    }

    impl Spread {
        fn one(value: f64) -> Self {
            let (median, least, most) = (value, value, value);
            Self {
                median,
                least,
                most,
            }
        }

        fn show(&self) -> String {
            if self.least == self.most {
                return short(self.median);
            }
            let [median, least, most] = [self.median, self.least, self.most].map(short);
            format!("{median} ({least} to {most})")
        }
    }

    fn short(value: f64) -> String {
        if value < 100.0 {
            format!("{value:.1}")
        } else {
            format!("{value:.0}")
        }
    }

    fn spread(costs: &[Cost], of: impl Fn(&Cost) -> f64) -> Spread {
        let mut values: Vec<f64> = costs.iter().map(of).collect();
        values.sort_by(f64::total_cmp);
        Spread {
            median: values[values.len() / 2],
            least: values[0],
            most: values[values.len() - 1],
        }
    }

    /// A line of the table that is not ended yet.
    struct Row(String);

    fn row(what: &str, ours: &Spread, theirs: &Spread, ratio: f64) -> Row {
        let (ours, theirs, ratio) = (ours.show(), theirs.show(), short(ratio));
        Row(format!("{what:<30}{ours:>24}{theirs:>26}{ratio:>9}"))
    }

    impl Row {
        fn goal(mut self, goal: &str, met: bool) -> Self {
            let mark = if met { "met" } else { "MISSED" };
            self.0.push_str(&format!("  {goal}: {mark}"));
            self
        }

        fn end(self) {
            println!("{}", self.0);
        }
    }

    /// Bytes of all files below a folder.
    fn size_of(folder: &Path) -> f64 {
        let entries = fs::read_dir(folder).into_iter().flatten().flatten();
        let size = entries.map(|entry| match entry.metadata() {
            Ok(about) if about.is_dir() => size_of(&entry.path()),
            Ok(about) if about.is_file() => about.len() as f64,
            _ => 0.0,
        });
        size.sum()
    }

    /// The three numbers of the system, which say whether the machine was free; Linux only.
    fn load() -> String {
        let text = fs::read_to_string("/proc/loadavg").unwrap_or_default();
        let words: Vec<&str> = text.split_whitespace().take(3).collect();
        words.join(" ")
    }
}
