//! `omv profile`: where the firmware spends its time, by the counters of firmware that was built
//! with its profiler. The ELF file of that firmware gives the functions their names.

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use object::{Object, ObjectSymbol, SymbolKind};
use omv_camera::session::{Options, ProfileRecord};
use serde_json::json;

use super::live::Live;
use crate::cli::{Common, Profile};
use crate::fail::Fail;
use crate::output::{Output, clean};

/// More than any firmware's ELF file with all its symbols, bytes.
const LIMIT: u64 = 512 << 20;
const LOOK: Duration = Duration::from_millis(50);

/// Names of functions by address.
#[derive(Default)]
struct Symbols {
    /// Start, size and name, by start.
    functions: Vec<(u64, u64, String)>,
}

impl Symbols {
    fn read(path: &Path) -> Result<Self, Fail> {
        let broken = |what: String| Fail::Usage {
            what: format!("{}: {what}", path.display()),
            help: "Give the ELF file the camera's firmware was made from, `firmware.elf`.".into(),
        };
        let about = fs::metadata(path).map_err(|error| Fail::file(path, "reading", error))?;
        if about.len() > LIMIT {
            return Err(broken("this is too large for firmware".into()));
        }
        let bytes = fs::read(path).map_err(|error| Fail::file(path, "reading", error))?;
        Self::parse(&bytes).map_err(broken)
    }

    fn parse(bytes: &[u8]) -> Result<Self, String> {
        let file = object::File::parse(bytes).map_err(|error| format!("no ELF file: {error}"))?;
        let functions = file
            .symbols()
            .filter(|symbol| symbol.kind() == SymbolKind::Text);
        // Bit 0 of an address says that the function is Thumb code.
        let mut functions: Vec<_> = functions
            .filter_map(|s| Some((s.address() & !1, s.size(), clean(s.name().ok()?))))
            .collect();
        functions.sort();
        if functions.is_empty() {
            return Err("it names no functions".into());
        }
        Ok(Self { functions })
    }

    /// The function an address is in.
    fn name(&self, address: u32) -> String {
        let address = u64::from(address) & !1;
        let before = self
            .functions
            .partition_point(|(start, ..)| *start <= address);
        let found = before.checked_sub(1).and_then(|at| self.functions.get(at));
        match found {
            Some((start, size, name)) if address < start + (*size).max(2) => name.clone(),
            _ => format!("{address:08x}"),
        }
    }
}

/// Runs the command.
pub fn run(common: &Common, args: &Profile, output: &Output) -> Result<(), Fail> {
    let symbols = args
        .elf
        .as_deref()
        .map(Symbols::read)
        .transpose()?
        .unwrap_or_default();
    let live = Live::open(common, "omv profile", Options::default())?;
    let session = &live.session;
    if args.exclusive {
        session.profile_mode(true)?;
    }
    if let Some(seconds) = args.seconds {
        session.profile_reset()?;
        let until = Instant::now() + Duration::from_secs(seconds);
        while Instant::now() < until && !live.bench.stop.asked() {
            std::thread::sleep(LOOK);
        }
    }
    let mut records = session.profile()?.records;
    live.close()?;
    records.sort_by_key(|record| std::cmp::Reverse(record.total_ticks));
    let all: u64 = records.iter().map(|record| record.total_ticks).sum();
    if output.json {
        let one = |r: &ProfileRecord| {
            json!({
                "function": symbols.name(r.function), "caller": symbols.name(r.caller),
                "address": r.function, "caller_address": r.caller, "calls": r.calls,
                "min_ticks": r.min_ticks, "max_ticks": r.max_ticks, "total_ticks": r.total_ticks,
                "total_cycles": r.total_cycles, "events": r.events,
            })
        };
        return output.result(json!({ "records": records.iter().map(one).collect::<Vec<_>>() }));
    }
    if records.is_empty() {
        return output.line("Nothing was counted yet.");
    }
    output.line("SHARE     CALLS       TOTAL         MIN         MAX  FUNCTION  < CALLER")?;
    for r in records.iter().take(args.top) {
        let share = r.total_ticks as f64 * 100.0 / all.max(1) as f64;
        let line = format!(
            "{share:4.1}% {:9} {:11} {:11} {:11}  {}  < {}",
            r.calls,
            r.total_ticks,
            r.min_ticks,
            r.max_ticks,
            symbols.name(r.function),
            symbols.name(r.caller)
        );
        output.line(&line)?;
    }
    if args.elf.is_none() {
        output.line("With --elf FILE functions have names.")?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn functions_are_found_by_any_address_inside_them() {
        let function = |start, size, name: &str| (start, size, name.to_owned());
        let functions = vec![function(0x1000, 0x20, "main"), function(0x1020, 0, "spin")];
        let symbols = Symbols { functions };
        let names = [0x1001, 0x101E, 0x1021, 0x1023, 0xFFE].map(|at| symbols.name(at));
        assert_eq!(names, ["main", "main", "spin", "00001022", "00000ffe"]);
    }

    #[test]
    fn names_are_read_from_an_elf_file_and_what_is_none_is_refused() {
        // This very test program has symbols.
        let program = fs::read(std::env::current_exe().unwrap()).unwrap();
        let symbols = Symbols::parse(&program).unwrap();
        assert!(
            symbols
                .functions
                .iter()
                .any(|(.., name)| name.contains("names_are_read_from_an_elf"))
        );
        assert!(Symbols::parse(b"\x7FELF\x01\x01").is_err());
        assert!(Symbols::parse(b"print(1)").is_err());
    }
}
