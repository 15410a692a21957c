//! DfuSe: memories by address, commands, and files with addresses inside.
//!
//! dfu-util sets the address pointer before each block and sleeps as long as the device says even
//! when it is done; here block numbers rise, and the device is asked again at once. It waits for ever
//! where revision V of the STM32H74x never reports the end of an erase; here that erase is ended
//! as [`Kick`] describes, and both ends of the page are read to prove it.
//!
//! Source: dfu-util 0.11, src/dfuse.c; its ticket 88.

use std::fs::File as Into;
use std::io::Write;
use std::time::Duration;

use omv_link::{Link, drive};
use omv_wire::dfu::dfuse::{
    Access, Erased, File, Host, Kick, Layout, Left, Page, Region, Segment, Target,
};
use omv_wire::dfu::{Conversation, Failure};
use omv_wire::{Input, Machine, Turn};

use super::file::Content;
use super::options::{Given, Wishes};
use super::{Session, Trouble, code};
use crate::dropin::stop::Stop;

/// What is read where nothing says how much there is.
const DEFAULT_LENGTH: u32 = 0x4000;
/// Bytes looked at on either end of a page that should be blank.
const PROOF: u32 = 1024;
/// How serial numbers of ROMs without the trouble begin: the chip is of revision Y.
const REVISION_Y: &str = "1003";

impl Session<'_> {
    fn dfuse(&self) -> Host {
        Host::new(self.host)
    }

    /// Whether one pointer reaches more than one block: the device counts blocks of its own size.
    fn counts_alike(&self) -> bool {
        self.size == self.functional.transfer_size
    }

    /// The map of the memory at this place among those that are meant.
    fn layout(&mut self, place: usize) -> Result<Layout, Stop> {
        let Some(found) = self.found.get(place) else {
            return Err(self.say.stop(code::IO, "No memory layout"));
        };
        let (number, parsed) = (found.alternate, Layout::parse(&found.map));
        let shown = found.name.strip_prefix('@').unwrap_or_default();
        let name = shown.split('/').next().unwrap_or_default();
        let name = format!("DfuSe interface name: \"{name}\"");
        let is_map = found.map.starts_with('@');
        let Ok(layout) = parsed else {
            if !is_map {
                self.say.warn("Could not read name, sscanf returned 0");
            }
            let text = format!("Failed to parse memory layout for alternate interface {number}");
            return Err(self.say.stop(code::IO, &text));
        };
        self.say.line(&name);
        if self.say.verbose > 0 {
            self.tell_segments(&layout);
        }
        Ok(layout)
    }

    fn tell_segments(&mut self, layout: &Layout) {
        for region in &layout.regions {
            for (address, one) in region.placed() {
                let mut access = String::new();
                for (bit, letter) in [
                    (Access::READ, 'r'),
                    (Access::ERASE, 'e'),
                    (Access::WRITE, 'w'),
                ] {
                    if one.access.allows(bit) {
                        access.push(letter);
                    }
                }
                let (count, size, all) = (one.count, one.size, one.bytes());
                self.say.line(&format!(
                    "Memory segment at 0x{address:08x} {count:3} x {size:4} = {all:5} ({access})"
                ));
            }
        }
    }

    /// Reads memory into a file.
    pub(super) fn dfuse_upload(&mut self, given: &Given, into: &mut Into) -> Result<(), Stop> {
        let wishes = Wishes::read(given.dfuse.as_deref(), &mut self.say)?;
        let mut limit = wishes.length;
        if let Some(address) = wishes.address {
            let layout = self.layout(0)?;
            let readable = layout.allows(address, 1, Access::READ);
            if !wishes.force && !readable {
                let text = format!("Page at 0x{address:08x} is not readable");
                return Err(self.say.stop(code::USAGE, &text));
            }
            if limit == 0 {
                limit = segment_left(&layout, address).unwrap_or(DEFAULT_LENGTH);
                let what = match layout.page(address) {
                    Some(_) => "Limiting upload to end of memory segment,",
                    None => "Limiting upload to",
                };
                self.say.line(&format!("{what} {limit} bytes"));
            }
            self.set_address(address)?;
            self.abort_to_idle()?;
        } else {
            if limit == 0 {
                let text = "Unbound upload not supported on DfuSe devices";
                self.say.warn(text);
                limit = DEFAULT_LENGTH;
            }
            let text = format!("Limiting default upload to {limit} bytes");
            self.say.line(&text);
        }
        self.say.bar("Upload", 0, 1);
        let mut done = 0;
        let mut block = omv_wire::dfu::dfuse::FIRST_BLOCK;
        loop {
            let length = (limit - done).min(self.size.into());
            let piece = u16::try_from(length).unwrap_or(self.size);
            let bytes = match self.talk(self.host.upload(block, piece)) {
                Ok(bytes) => bytes,
                Err(trouble) => {
                    let name = trouble.name();
                    let text = format!("dfuse_upload: control transfer failed ({name})");
                    return Err(self.stopped(&text, &trouble));
                }
            };
            if let Err(error) = into.write_all(&bytes) {
                return Err(self
                    .say
                    .stop(code::IO, &format!("Could not write: {error}")));
            }
            done += u32::try_from(bytes.len()).unwrap_or(u32::MAX);
            if bytes.len() < usize::from(piece) || done >= limit {
                break;
            }
            self.say.bar("Upload", done.into(), limit.into());
            match (block.checked_add(1), wishes.address) {
                (Some(next), _) if self.counts_alike() => block = next,
                (_, Some(address)) => {
                    self.abort_to_idle()?;
                    self.set_address(address.wrapping_add(done))?;
                    self.abort_to_idle()?;
                    block = omv_wire::dfu::dfuse::FIRST_BLOCK;
                }
                (Some(next), None) => block = next,
                (None, None) => break,
            }
        }
        self.say.bar("Upload", done.into(), done.into());
        self.abort_to_idle()?;
        self.leave_if_asked(&wishes)
    }

    /// Writes a file, or does what `-s` asks for alone.
    pub(super) fn dfuse_download(
        &mut self,
        given: &Given,
        content: Option<&Content>,
    ) -> Result<(), Stop> {
        let mut wishes = Wishes::read(given.dfuse.as_deref(), &mut self.say)?;
        let layouts = (0..self.found.len()).map(|place| self.layout(place));
        let layouts = layouts.collect::<Result<Vec<_>, _>>()?;
        if wishes.unprotect {
            if !wishes.force {
                // Two words grown together: so dfu-util says it.
                let text = "The read unprotect command will erase the flash memoryand can only be used with force\n";
                return Err(self.say.stop(code::USAGE, text));
            }
            self.command(self.dfuse().read_unprotect(), "READ_UNPROTECT")?;
            let text = "Device disconnects, erases flash and resets now";
            self.say.line(text);
            return Ok(());
        }
        if wishes.mass_erase {
            if !wishes.force {
                let text = "The mass erase command can only be used with force";
                return Err(self.say.stop(code::USAGE, text));
            }
            let text = "Performing mass erase, this can take a moment";
            self.say.line(text);
            self.command(self.dfuse().erase_all(), "MASS_ERASE")?;
        }
        match (content, wishes.address) {
            (None, _) => self.say.line("DfuSe command mode"),
            (Some(content), Some(_)) if content.is_dfuse() => {
                let text = "This is a DfuSe file, not meant for raw download";
                return Err(self.say.stop(code::USAGE, text));
            }
            (Some(content), Some(address)) => {
                let size = content.data.len();
                self.say.line(&format!(
                    "Downloading element to address = 0x{address:08x}, size = {size}"
                ));
                if let Some(layout) = layouts.first() {
                    self.element(layout, address, &content.data, &wishes)?;
                }
                self.say.line("File downloaded successfully");
            }
            (Some(content), None) if !content.is_dfuse() => {
                let text = "Only DfuSe file version 1.1a is supported";
                self.say.warn(text);
                let text = "(for raw binary download, use the --dfuse-address option)";
                return Err(self.say.stop(code::USAGE, text));
            }
            (Some(content), None) => self.targets(content, &layouts, &mut wishes)?,
        }
        if !wishes.will_reset {
            self.abort_to_idle()?;
        }
        self.leave_if_asked(&wishes)
    }

    /// Writes a DfuSe file. It is read whole before any of it is written.
    fn targets(
        &mut self,
        content: &Content,
        layouts: &[Layout],
        wishes: &mut Wishes,
    ) -> Result<(), Stop> {
        let file = match File::read(&content.whole) {
            Ok(file) => file,
            Err(error) => {
                let text = format!("Not a valid DfuSe file: {error}");
                return Err(self.say.stop(code::DATA, &text));
            }
        };
        let count = file.targets.len();
        self.say.line(&format!("File contains {count} DFU images"));
        for (number, target) in file.targets.iter().enumerate() {
            self.tell_target(number + 1, target);
            let same = |found: &super::Found| found.alternate == target.alternate;
            let layout = self.found.iter().position(same);
            let layout = layout.and_then(|place| layouts.get(place));
            match layout {
                Some(_) => self.select(target.alternate)?,
                None => self.say.warn(&format!(
                    "No alternate setting {} (skipping elements)",
                    target.alternate
                )),
            }
            for (number, element) in target.elements.iter().enumerate() {
                let (address, size) = (element.address, element.data.len());
                let number = number + 1;
                self.say.line(&format!(
                    "Parsing element {number}, address = 0x{address:08x}, size = {size}"
                ));
                wishes.address.get_or_insert(address);
                if let Some(layout) = layout {
                    self.element(layout, address, element.data, wishes)?;
                }
            }
        }
        self.say.line("Done parsing DfuSe file");
        Ok(())
    }

    fn tell_target(&mut self, number: usize, target: &Target<'_>) {
        self.say.line(&format!("Parsing DFU image {number}"));
        match &target.name {
            Some(name) => {
                let name = crate::output::clean(name);
                self.say.line(&format!("Target name: {name}"));
            }
            None => self.say.line("No target name"),
        }
        let sizes = target.elements.iter().map(|one| 8 + one.data.len());
        self.say.line(&format!(
            "Image for alternate setting {}, ({} elements, total size = {})",
            target.alternate,
            target.elements.len(),
            sizes.sum::<usize>()
        ));
    }

    /// Erases the pages that data lie in, then writes them.
    fn element(
        &mut self,
        layout: &Layout,
        address: u32,
        data: &[u8],
        wishes: &Wishes,
    ) -> Result<(), Stop> {
        let size = u32::try_from(data.len()).unwrap_or(u32::MAX);
        let Some(last) = size.checked_sub(1) else {
            return Ok(());
        };
        let last = address.wrapping_add(last);
        if !wishes.force && !layout.allows(last, 1, Access::WRITE) {
            let text = format!("Last page at 0x{last:08x} is not writeable");
            return Err(self.say.stop(code::USAGE, &text));
        }
        // dfu-util finds this out in the middle of its work.
        let pages: Vec<Result<Page, u64>> = layout.pages(address, size).collect();
        let known =
            |page: &Result<Page, u64>| page.is_ok_and(|one| one.access.allows(Access::WRITE));
        let bad = pages.iter().find(|page| !known(page));
        if let Some(bad) = bad.filter(|_| !wishes.force) {
            let at = bad.map_or_else(|at| at, |page| page.start.max(address).into());
            let text = format!("Page at 0x{at:08x} is not writeable");
            return Err(self.say.stop(code::USAGE, &text));
        }
        let total = u64::from(size);
        if self.say.verbose == 0 {
            self.say.bar("Erase   ", 0, 1);
        }
        for page in pages.iter().flatten() {
            if page.access.allows(Access::ERASE) && !wishes.mass_erase {
                self.erase(layout, *page)?;
            }
            if self.say.verbose == 0 {
                let done = page.end().saturating_sub(address.into());
                self.say.bar("Erase   ", done.min(total - 1), total);
            }
        }
        if self.say.verbose == 0 {
            self.say.bar("Erase   ", total, total);
            self.say.bar("Download", 0, 1);
        }
        let everywhere = everywhere();
        let layout = if wishes.force { &everywhere } else { layout };
        let step = match self.counts_alike() {
            true => data.len(),
            false => self.size.into(),
        };
        for (number, piece) in data.chunks(step.max(1)).enumerate() {
            let done = (number * step) as u64;
            let at = address.wrapping_add(done as u32);
            let write = self.dfuse().write(layout, at, piece.into());
            match self.watched(write, (done, total)) {
                Ok(()) => {}
                Err(Trouble::Failure(Failure::Gone)) if wishes.will_reset => {
                    self.say.line("The device reset, as expected");
                    return Ok(());
                }
                Err(Trouble::Failure(Failure::Status { status, .. })) => {
                    self.refused(status);
                    let text = "Failed to write whole chunk";
                    return Err(self.say.stop(code::IO, text));
                }
                Err(trouble @ Trouble::Failure(Failure::Refused { what: "DNLOAD" })) => {
                    return Err(self.stopped("Error during download", &trouble));
                }
                Err(trouble) => {
                    return Err(self.stopped("Error during download get_status", &trouble));
                }
            }
        }
        if self.say.verbose == 0 {
            self.say.bar("Download", total, total);
        }
        Ok(())
    }

    /// Erases a page, also where the chip never says that it did.
    fn erase(&mut self, layout: &Layout, page: Page) -> Result<(), Stop> {
        let (start, size) = (page.start, page.size);
        if self.say.verbose > 0 {
            self.say.complain(&format!(
                "Erasing page size {size} at address 0x{start:08x}, page starting at 0x{start:08x}"
            ));
        }
        let serial = self.found.first().map(|one| one.serial.clone());
        let sound = serial.is_some_and(|serial| serial.starts_with(REVISION_Y));
        let kick = Kick::for_page(layout, &page).filter(|_| !sound);
        // A kick that came too early cut the erase short: the second one is given its time.
        for _ in 0..2 {
            match self.command(self.dfuse().erase(page, kick), "ERASE_PAGE")? {
                Erased::Said => return Ok(()),
                Erased::Kicked => self.say.warn(&format!(
                    "the chip never reports that it erased 0x{start:08x} (known of revision V); stopped waiting, reading it back"
                )),
            }
            if self.is_blank(layout, page)? {
                return Ok(());
            }
        }
        let text = format!("ERASE_PAGE not correctly executed: 0x{start:08x} is not blank");
        Err(self.say.stop(code::IO, &text))
    }

    fn is_blank(&mut self, layout: &Layout, page: Page) -> Result<bool, Stop> {
        let length = PROOF.min(page.size);
        for start in [page.start, page.start + (page.size - length)] {
            let read = self.dfuse().read(layout, start, length);
            let bytes = self.command(read, "SET_ADDRESS")?;
            if bytes.iter().any(|byte| *byte != 0xFF) {
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn set_address(&mut self, address: u32) -> Result<(), Stop> {
        self.command(self.dfuse().set_address(address), "SET_ADDRESS")
    }

    fn abort_to_idle(&mut self) -> Result<(), Stop> {
        match self.talk(self.host.to_idle()) {
            Ok(()) => Ok(()),
            Err(trouble) => {
                let text = "Failed to enter idle state on abort";
                Err(self.stopped(text, &trouble))
            }
        }
    }

    fn leave_if_asked(&mut self, wishes: &Wishes) -> Result<(), Stop> {
        if !wishes.leave {
            return Ok(());
        }
        if let Some(address) = wishes.address {
            self.set_address(address)?;
        }
        self.say.line("Submitting leave request...");
        match self.talk(self.dfuse().leave(None)) {
            Ok(Left::Said) => {
                self.say.line("Transitioning to dfuMANIFEST state");
                Ok(())
            }
            Ok(Left::Silent) => {
                let text = "the device went without a word; what was written is written";
                self.say.warn(text);
                let text = "Error during download get_status";
                Err(self.say.stop(code::IO, text))
            }
            Err(trouble) => Err(self.stopped("Error during download", &trouble)),
        }
    }

    /// One command of DfuSe, by the name dfu-util gives it.
    fn command<T>(&mut self, operation: Conversation<T>, name: &str) -> Result<T, Stop> {
        let trouble = match self.talk(operation) {
            Ok(done) => return Ok(done),
            Err(trouble) => trouble,
        };
        match &trouble {
            Trouble::Failure(Failure::Status { .. }) => {
                let text = format!("{name} not correctly executed");
                Err(self.stopped(&text, &trouble))
            }
            Trouble::Failure(Failure::State { .. }) => {
                let text = format!("Wrong state after command \"{name}\" download");
                Err(self.say.stop(code::PROTOCOL, &text))
            }
            Trouble::Failure(Failure::Refused { what }) if *what != "GETSTATUS" => {
                let text = format!("Error during special command \"{name}\" download");
                Err(self.stopped(&text, &trouble))
            }
            _ => {
                let text = format!("Error during special command \"{name}\" get_status");
                Err(self.stopped(&text, &trouble))
            }
        }
    }

    /// Runs a write, and shows how far it is.
    fn watched(
        &mut self,
        mut operation: Conversation<()>,
        (before, total): (u64, u64),
    ) -> Result<(), Trouble> {
        let Self { say, found, .. } = self;
        let Some(first) = found.first() else {
            return Err(Trouble::Failure(Failure::Gone));
        };
        let mut tell = |done: u64| {
            if say.verbose == 0 {
                say.bar("Download", (before + done).min(total - 1), total);
            }
        };
        let mut watched = Watched {
            operation: &mut operation,
            tell: &mut tell,
        };
        let mut opened = first.opened.borrow_mut();
        let link: &mut dyn Link = &mut *opened.link;
        Ok(drive(&mut watched, link)??)
    }
}

/// Bytes from an address to the end of its segment.
fn segment_left(layout: &Layout, address: u32) -> Option<u32> {
    let wanted = u64::from(address);
    layout.regions.iter().find_map(|region| {
        let ends = region
            .placed()
            .map(|(start, one)| (start, start + one.bytes()));
        let mut ends = ends.filter(|(start, end)| (*start..*end).contains(&wanted));
        let (_, end) = ends.next()?;
        u32::try_from(end - wanted).ok()
    })
}

/// A map that allows everything: what `force` means.
fn everywhere() -> Layout {
    let segment = Segment {
        count: 4095,
        size: 1 << 20,
        access: Access::ALL,
    };
    Layout {
        name: String::new(),
        regions: vec![Region {
            address: 0,
            segments: vec![segment],
        }],
    }
}

/// An operation that is watched.
struct Watched<'a> {
    operation: &'a mut Conversation<()>,
    tell: &'a mut dyn FnMut(u64),
}

impl Machine for Watched<'_> {
    type Output = Result<(), Failure>;

    fn feed(&mut self, now: Duration, input: Input<'_>) {
        self.operation.feed(now, input);
    }

    fn poll(&mut self, now: Duration) -> Turn<Self::Output> {
        let turn = self.operation.poll(now);
        (self.tell)(self.operation.progress().0);
        turn
    }
}
