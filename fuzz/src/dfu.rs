//! DFU: maps and files from strangers, a host towards a device that says anything, and devices
//! towards a host that asks anything.
//!
//! ```text
//!   files   a DFU or DfuSe file; the same bytes as the name of a memory
//!   host    first byte: which operation; then a script
//!   device  first byte: which device; then
//!             kind & 7  request  value u16  length u8  data (OUT)   a request, 0 to 255 bytes long
//! ```

use std::time::Duration;

use omv_wire::dfu::dfuse::{self, File, Kick, Layout, Manners, Page};
use omv_wire::dfu::{
    Answer, Camera, Conversation, Host, Limits, Outcome, Partition, Partitions, Report, Status,
    Suffix, describe,
};
use omv_wire::usb::Setup;

use crate::script::{Limits as Bounds, Script, Stage, take};

const BOUNDS: Bounds = Bounds {
    frames: 8,
    frame: 8 + 4096,
};
/// Requests that are made at most.
const REQUESTS: usize = 512;
const START: u32 = 0x0800_0000;
const H7: &str = "@Internal Flash   /0x08000000/16*128Kg";

/// Files, maps and reports.
pub fn files(bytes: &[u8]) {
    if let Ok((content, Some(suffix))) = Suffix::split(bytes) {
        let mut again = content.to_vec();
        suffix.append(&mut again);
        assert_eq!(Suffix::split(&again), Ok((content, Some(suffix))));
    }
    if let Ok(file) = File::read(bytes) {
        // A name of no UTF-8 grows when it is read, and may then be too long.
        if let Ok(again) = file.write() {
            assert_eq!(File::read(&again).map(|f| f.targets), Ok(file.targets));
        }
    }
    if let Ok(report) = Report::decode(bytes) {
        assert_eq!(report.encode(), bytes);
    }
    let Ok(layout) = Layout::parse(&String::from_utf8_lossy(bytes)) else {
        return;
    };
    assert_eq!(Layout::parse(&layout.to_string()).as_ref(), Ok(&layout));
    for region in &layout.regions {
        for page in layout.pages(region.address, 1 << 20).take(1000).flatten() {
            assert!(page.end() <= 1 << 32 && page.size > 0);
        }
    }
}

fn play<T>(conversation: Conversation<T>, script: &[u8]) {
    let mut stage = Stage::new(conversation, BOUNDS);
    stage.play(Script::new(script));
    stage.must_end();
}

/// One operation towards a device that says anything.
pub fn host(bytes: &[u8]) {
    let Some((&choice, script)) = bytes.split_first() else {
        return;
    };
    let plain = Host::new(0, 1024);
    let host = dfuse::Host::new(plain);
    let layout = Layout::parse(H7).expect("the map of an H7");
    let page = layout.page(0x0810_0000).expect("a page of it");
    let data = || vec![0xC3; 3000].into();
    match choice % 14 {
        0 => play(describe(Limits::default()), script),
        1 => play(plain.claim(0, 1), script),
        2 => play(plain.to_idle(), script),
        3 => play(plain.get_status(), script),
        4 => play(plain.write(0, data()), script),
        5 => play(plain.manifest(), script),
        6 => play(plain.read(0, 3000), script),
        7 => play(plain.detach(1000), script),
        8 => play(host.erase(page, Kick::for_page(&layout, &page)), script),
        9 => play(host.erase_all(), script),
        10 => play(host.read_unprotect(), script),
        11 => play(host.write(&layout, START, data()), script),
        12 => play(host.read(&layout, START, 3000), script),
        _ => play(host.leave(Some(START)), script),
    }
}

/// A bootloader or a ROM to which a host says anything.
pub fn device(bytes: &[u8]) {
    let Some((&choice, mut rest)) = bytes.split_first() else {
        return;
    };
    let manners = match choice & 3 {
        0 => Manners::rom(),
        1 => Manners::rom_h7_revision_v(),
        2 => Manners::arduino(),
        _ => {
            return serve(&mut rest, Camera::new(Flash::new(false)), |c, now, s, d| {
                let (answer, _) = c.request(now, s, d);
                (answer, c.busy_until())
            });
        }
    };
    let flash = Flash::new(choice & 4 != 0);
    serve(
        &mut rest,
        dfuse::Camera::new(manners, flash),
        |c, now, s, d| {
            let (answer, _) = c.request(now, s, d);
            (answer, c.busy_until())
        },
    );
}

fn serve<C>(
    rest: &mut &[u8],
    mut camera: C,
    ask: impl Fn(&mut C, Duration, &Setup, &[u8]) -> (Answer, Duration),
) {
    let mut now = Duration::ZERO;
    for _ in 0..REQUESTS {
        let &[kind, request, v0, v1, length] = take(rest, 5) else {
            return;
        };
        let request_type = match kind & 7 {
            0..=2 => 0x21,
            3..=5 => 0xA1,
            6 => 0x01,
            _ => kind,
        };
        let outward = request_type & 0x80 == 0;
        let data = take(rest, if outward { length.into() } else { 0 });
        let setup = Setup {
            request_type,
            request: if kind & 7 == 6 { 11 } else { request },
            value: u16::from_le_bytes([v0, v1]),
            index: 0,
            length: length.into(),
        };
        let (answer, busy) = ask(&mut camera, now, &setup, data);
        match answer {
            Answer::Data(bytes) => assert!(bytes.len() <= length.into(), "{setup:?}"),
            Answer::Stall => {}
            Answer::Later { until } => assert!(until > now, "{setup:?}"),
        }
        if busy == Duration::MAX {
            return;
        }
        now = now.max(busy) + Duration::from_millis(kind.into());
    }
}

/// Memory that checks where it is asked, and holds zeros.
struct Flash {
    table: Vec<Partition>,
    layouts: Vec<Layout>,
    protected: bool,
}

impl Flash {
    fn new(protected: bool) -> Self {
        let part = |name: &str, size, read_only| Partition {
            name: name.to_owned(),
            size,
            read_only,
            poll: Duration::ZERO,
        };
        Self {
            table: vec![part("BOOT", 8192, true), part("FIRMWARE", 10_000, false)],
            layouts: vec![Layout::parse(H7).expect("the map of an H7")],
            protected,
        }
    }

    fn inside(&self, alternate: u8, offset: u32, size: usize) {
        let partition = &self.table[usize::from(alternate)];
        assert!(offset as usize + size <= partition.size as usize);
    }

    fn addressed(&self, address: u32, size: usize) {
        assert!(!self.protected && address >= START);
        assert!((address - START) as usize + size <= 0x20_0000);
    }
}

impl Partitions for Flash {
    fn table(&self) -> &[Partition] {
        &self.table
    }

    fn read(&mut self, _now: Duration, alternate: u8, offset: u32, size: u16) -> Option<Vec<u8>> {
        self.inside(alternate, offset, size.into());
        Some(vec![0; size.into()])
    }

    fn write(&mut self, _now: Duration, alternate: u8, offset: u32, bytes: &[u8]) -> Outcome {
        self.inside(alternate, offset, bytes.len());
        assert!(!self.table[usize::from(alternate)].read_only);
        Outcome::after(Duration::from_millis(1))
    }
}

impl dfuse::Memory for Flash {
    fn layouts(&self) -> &[Layout] {
        &self.layouts
    }

    fn is_protected(&self) -> bool {
        self.protected
    }

    fn read(&mut self, _now: Duration, address: u32, size: u16) -> Result<Vec<u8>, Status> {
        self.addressed(address, size.into());
        Ok(vec![0; size.into()])
    }

    fn write(&mut self, _now: Duration, address: u32, bytes: &[u8]) -> Outcome {
        self.addressed(address, bytes.len());
        Outcome::after(Duration::from_millis(1))
    }

    fn erase(&mut self, _now: Duration, page: Page) -> Outcome {
        self.addressed(page.start, page.size as usize);
        Outcome::after(Duration::from_millis(900))
    }

    fn erase_all(&mut self, _now: Duration, _alternate: u8) -> Outcome {
        assert!(!self.protected);
        Outcome::after(Duration::from_secs(16))
    }
}
