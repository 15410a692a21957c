//! The list of what is said to both: conversations of reports.

use omv_boards::State;
use omv_wire::mboot::tag;

use crate::ranges;

/// One conversation, usually a command and its data.
#[derive(Clone, Debug)]
pub struct Case {
    pub name: String,
    /// Transfers of the host, report id first.
    pub out: Vec<Vec<u8>>,
}

/// A report of any id with this payload, its length told right.
pub fn report(id: u8, payload: &[u8]) -> Vec<u8> {
    let [low, high] = (payload.len() as u16).to_le_bytes();
    [&[id, 0, low, high], payload].concat()
}

/// A command report.
pub fn command(tag: u8, flags: u8, words: &[u32]) -> Vec<u8> {
    report(1, &packet(tag, flags, words.len() as u8, words))
}

fn packet(tag: u8, flags: u8, count: u8, words: &[u32]) -> Vec<u8> {
    let mut bytes = vec![tag, flags, 0, count];
    bytes.extend(words.iter().flat_map(|word| word.to_le_bytes()));
    bytes
}

/// A data report.
pub fn data(bytes: &[u8]) -> Vec<u8> {
    report(2, bytes)
}

/// A pattern that says where a byte stands.
fn counting(size: usize) -> Vec<u8> {
    (0..size).map(|at| (at % 251) as u8).collect()
}

/// A list in the making.
#[derive(Default)]
pub struct List(Vec<Case>);

impl List {
    fn add(&mut self, name: impl Into<String>, out: Vec<Vec<u8>>) {
        let name = name.into();
        self.0.push(Case { name, out });
    }

    /// A command without data.
    pub fn say(&mut self, name: &str, tag: u8, words: &[u32]) {
        let shown: Vec<_> = words.iter().map(|word| format!("{word:x}")).collect();
        let name = format!("{name} {}", shown.join(" "));
        self.add(name.trim_end(), vec![command(tag, 0, words)]);
    }

    pub fn read(&mut self, start: u32, size: u32) {
        self.say("read", tag::READ_MEMORY, &[start, size, 0]);
    }

    pub fn erase(&mut self, start: u32, size: u32, memory: u32) {
        let words = [start, size, memory];
        self.say("erase", tag::FLASH_ERASE_REGION, &words);
    }

    pub fn fill(&mut self, start: u32, size: u32, pattern: u32) {
        self.say("fill", tag::FILL_MEMORY, &[start, size, pattern]);
    }

    /// A write of counting bytes, in packets of this size.
    pub fn write(&mut self, start: u32, size: usize, packet: usize) {
        let bytes = counting(size);
        let mut out = vec![command(tag::WRITE_MEMORY, 1, &[start, size as u32, 0])];
        out.extend(bytes.chunks(packet).map(data));
        self.add(
            format!("write {start:x} {size} in packets of {packet}"),
            out,
        );
    }

    /// A write of `size` bytes, and then these reports.
    fn broken_write(&mut self, name: &str, start: u32, size: u32, then: Vec<Vec<u8>>) {
        let mut out = vec![command(tag::WRITE_MEMORY, 1, &[start, size, 0])];
        out.extend(then);
        self.add(format!("write {start:x} {size}, {name}"), out);
    }
}

/// The whole list, in the order in which it is said to one loader.
pub fn all(which: State) -> Vec<Case> {
    let mut list = List::default();
    properties(&mut list);
    before_set_up(&mut list);
    if which == State::Flashloader {
        // Flash it does not know yet; the resident one would go there.
        list.say("execute", tag::EXECUTE, &[0x6004_3001, 0, 0x2002_0000]);
    }
    unknown(&mut list);
    ranges::ram(&mut list);
    options(&mut list);
    ranges::flash(&mut list);
    ranges::erase(&mut list);
    boot_block(&mut list);
    data_phases(&mut list);
    fuses(&mut list);
    malformed(&mut list);
    refused_jumps(&mut list);
    security(&mut list);
    if which == State::Flashloader {
        whole_chip(&mut list);
    }
    nothing(&mut list);
    list.0
}

fn properties(list: &mut List) {
    for property in (0..=40).chain([0x63, 0xFE, 0xFF, 0x100, 0x101, 0x10B, 0x8000_0001]) {
        list.say("get-property", tag::GET_PROPERTY, &[property, 0]);
    }
    for property in [12, 14, 15, 18] {
        for index in [1, 2, 3, 4, 9, 255, 256, 257, u32::MAX] {
            list.say("get-property", tag::GET_PROPERTY, &[property, index]);
        }
    }
    for memory in [
        1,
        4,
        8,
        9,
        0xA,
        0xFF,
        0x100,
        0x101,
        0x108,
        0x109,
        0x110,
        0x111,
        0x120,
        0x121,
        0x200,
        u32::MAX,
    ] {
        list.say("get-property", tag::GET_PROPERTY, &[25, memory]);
    }
    list.say("get-property", tag::GET_PROPERTY, &[]);
    list.say("get-property", tag::GET_PROPERTY, &[11]);
    list.say("get-property", tag::GET_PROPERTY, &[11, 0, 0, 0, 0, 0, 0]);
    for property in (0..=40).chain([0xFF, 0x10A]) {
        list.say("set-property", tag::SET_PROPERTY, &[property, 1]);
    }
    list.say("set-property", tag::SET_PROPERTY, &[10, 0]);
    list.say("set-property", tag::SET_PROPERTY, &[10]);
}

fn before_set_up(list: &mut List) {
    list.erase(0x6040_0000, 0x1000, 0);
    list.erase(0x6040_0000, 0, 0);
    list.erase(0x6FFF_F000, 0x1000, 0);
    list.erase(0x7000_0000, 0x1000, 0);
    list.read(0x6000_0000, 16);
    list.read(0x6000_0000, 0);
    list.read(0x6F00_0000, 16);
    list.fill(0x6040_1000, 16, 0x1122_3344);
    list.write(0x6040_2000, 300, 1012);
    list.write(0x6040_3000, 3000, 1012);
    list.write(0x6040_3000, 0, 1012);
    list.write(0x6F00_0000, 16, 1012);
    list.say("configure", tag::CONFIGURE_MEMORY, &[9, 0x2000]);
    list.fill(0x2000, 4, 0xF000_000F);
    list.say("configure", tag::CONFIGURE_MEMORY, &[9, 0x2000]);
    for memory in [0, 1, 7, 0x10, 0x77, 0x200] {
        list.say("erase all", tag::FLASH_ERASE_ALL, &[memory]);
    }
    list.say("erase all", tag::FLASH_ERASE_ALL, &[]);
}

fn unknown(list: &mut List) {
    let known = [
        tag::FLASH_ERASE_ALL,
        tag::FLASH_ERASE_REGION,
        tag::READ_MEMORY,
        tag::WRITE_MEMORY,
        tag::FILL_MEMORY,
        tag::GET_PROPERTY,
        tag::RECEIVE_SB_FILE,
        tag::EXECUTE,
        tag::CALL,
        tag::RESET,
        tag::SET_PROPERTY,
        tag::FLASH_PROGRAM_ONCE,
        tag::FLASH_READ_ONCE,
        tag::CONFIGURE_MEMORY,
        tag::GENERATE_KEY_BLOB,
    ];
    for tag in (0..=0x30).chain([0x7F, 0x80, 0xA0, 0xA7, 0xC1, 0xC2, 0xC3, 0xFF]) {
        if !known.contains(&tag) {
            list.say(&format!("command {tag:x}"), tag, &[1, 2, 3]);
        }
    }
    list.add(
        "command 6 that announces data",
        vec![command(6, 1, &[1, 2]), data(&[1; 8])],
    );
}

fn options(list: &mut List) {
    list.say("configure", tag::CONFIGURE_MEMORY, &[9, 0]);
    list.say("configure", tag::CONFIGURE_MEMORY, &[9, 0x1_FF00]);
    list.say("configure", tag::CONFIGURE_MEMORY, &[9, 0x202C_0000]);
    list.say("configure", tag::CONFIGURE_MEMORY, &[9, 0x7000_0000]);
    list.say("configure", tag::CONFIGURE_MEMORY, &[9, 0x6040_0000]);
    for word in [
        0,
        0x1234_5678,
        0xA000_0000,
        0xD000_0000,
        0xF000_0001,
        u32::MAX,
    ] {
        list.fill(0x2000, 4, word);
        list.say("configure", tag::CONFIGURE_MEMORY, &[9, 0x2000]);
    }
    list.fill(0x2000, 4, 0xC000_0008);
    for memory in [0, 1, 4, 0x10, 0x77, 0x109, 0x200] {
        list.say("configure", tag::CONFIGURE_MEMORY, &[memory, 0x2000]);
    }
    list.say("configure", tag::CONFIGURE_MEMORY, &[9]);
    list.say("configure", tag::CONFIGURE_MEMORY, &[9, 0x2000]);
    list.say("configure", tag::CONFIGURE_MEMORY, &[9, 0x2000]);
    for memory in [0, 1, 4, 9, 0x77] {
        list.say("get-property", tag::GET_PROPERTY, &[25, memory]);
    }
}

fn boot_block(list: &mut List) {
    list.fill(0x2000, 4, 0xF000_000F);
    list.say("configure", tag::CONFIGURE_MEMORY, &[9, 0x2000]);
    list.erase(0x6000_0000, 0x1000, 0);
    list.say("configure", tag::CONFIGURE_MEMORY, &[9, 0x2000]);
    list.read(0x6000_0000, 0x200);
    list.say("configure", tag::CONFIGURE_MEMORY, &[9, 0x2000]);
    list.read(0x6000_0000, 0x210);
    list.say("configure", tag::CONFIGURE_MEMORY, &[9, 0x6000_0000]);
    list.say("configure", tag::CONFIGURE_MEMORY, &[9, 0x60FF_FF00]);
}

fn data_phases(list: &mut List) {
    let property = || command(tag::GET_PROPERTY, 0, &[1, 0]);
    for start in [0x4000, 0x6050_0000] {
        list.broken_write("given up at once", start, 100, vec![data(&[])]);
        list.broken_write(
            "given up after 50",
            start,
            100,
            vec![data(&[7; 50]), data(&[])],
        );
        let far = start + 0x1000;
        list.broken_write(
            "a command instead",
            far,
            100,
            vec![data(&[7; 50]), property()],
        );
        list.broken_write("a command at once", far, 100, vec![property(), property()]);
        let far = start + 0x1400;
        list.broken_write(
            "a report 5 instead",
            far,
            600,
            vec![data(&[7; 300]), report(5, &[1])],
        );
        let mut claims = data(&[7; 300]);
        claims[2] += 1;
        let far = start + 0x1800;
        list.broken_write(
            "a report that claims too much",
            far,
            600,
            vec![claims, data(&[7])],
        );
        let far = start + 0x2000;
        list.broken_write(
            "more than that",
            far,
            100,
            vec![data(&[9; 300]), data(&[9; 20])],
        );
        let far = start + 0x3000;
        list.broken_write("without the flag", far, 8, vec![data(&[5; 8])]);
        list.read(start, 128);
        list.read(start + 0x1000, 0xA00);
        list.read(start + 0x2000, 400);
    }
    list.add(
        "a write without the flag",
        vec![
            command(tag::WRITE_MEMORY, 0, &[0x4000, 8, 0]),
            data(&[3; 8]),
        ],
    );
    list.add(
        "a read with the flag",
        vec![command(tag::READ_MEMORY, 1, &[0x4000, 8, 0])],
    );
    list.add(
        "a write with its data twice",
        vec![
            command(tag::WRITE_MEMORY, 1, &[0x4000, 8, 0]),
            data(&[1; 8]),
            data(&[2; 8]),
        ],
    );
    list.add(
        "a refused write with all its data",
        vec![
            command(tag::WRITE_MEMORY, 1, &[0x7000_0000, 3000, 0]),
            data(&[0; 1012]),
            data(&[0; 1012]),
            data(&[0; 976]),
            property(),
        ],
    );
    for memory in [
        1,
        8,
        9,
        0xFF,
        0x100,
        0x101,
        0x110,
        0x111,
        0x120,
        0x121,
        0x200,
        0x1000,
        0x1100,
        u32::MAX,
    ] {
        list.erase(0x4000, 8, memory);
        list.say("read", tag::READ_MEMORY, &[0x4000, 8, memory]);
        list.say("read", tag::READ_MEMORY, &[0x6000_0000, 8, memory]);
        list.add(
            format!("write 4000 8 {memory:x}"),
            vec![
                command(tag::WRITE_MEMORY, 1, &[0x4000, 8, memory]),
                data(&[6; 8]),
            ],
        );
    }
    list.say("read", tag::READ_MEMORY, &[0x4000]);
    list.add("data while idle", vec![data(&[0; 8])]);
    list.add("no data while idle", vec![data(&[])]);
    list.add("after that", vec![property()]);
}

fn fuses(list: &mut List) {
    for index in (0..0x30).chain([0x30, 0x3F, 0x40, 0x64, 0x100, 0x0100_0006, u32::MAX]) {
        list.say("read fuse", tag::FLASH_READ_ONCE, &[index, 4]);
    }
    for count in [0, 1, 3, 5, 8, 0x104] {
        list.say("read fuse", tag::FLASH_READ_ONCE, &[6, count]);
    }
    list.say("read fuse", tag::FLASH_READ_ONCE, &[6]);
    for (index, count, bits) in [
        (7, 4, 0x20),
        (7, 4, 0x20),
        (7, 4, 0x40),
        (7, 4, 0),
        (6, 4, 0x10),
        (7, 8, 1),
        (7, 0, 1),
        (0x40, 4, 1),
        (0x0100_0007, 4, 1),
    ] {
        list.say("burn", tag::FLASH_PROGRAM_ONCE, &[index, count, bits]);
    }
    list.say("read fuse", tag::FLASH_READ_ONCE, &[7, 4]);
}

fn malformed(list: &mut List) {
    let known = packet(tag::GET_PROPERTY, 0, 2, &[1, 0]);
    for id in [0, 2, 3, 4, 5, 0x80, 0xFF] {
        list.add(
            format!("the command in report {id}"),
            vec![report(id, &known)],
        );
    }
    for size in 1..4 {
        let name = format!("the first {size} bytes of a report");
        list.add(name, vec![report(1, &known)[..size].to_vec()]);
    }
    for size in 0..12 {
        let name = format!("the first {size} bytes of the command");
        list.add(name, vec![report(1, &known[..size])]);
    }
    let mut padded = report(1, &known);
    padded.resize(1016, 0xEE);
    list.add("a padded report", vec![padded.clone()]);
    padded[1] = 0x55;
    list.add("something in the pad byte", vec![padded.clone()]);
    padded[2..4].copy_from_slice(&1012_u16.to_le_bytes());
    list.add("a whole report", vec![padded.clone()]);
    padded[2..4].copy_from_slice(&1013_u16.to_le_bytes());
    list.add("a report that claims one byte more", vec![padded.clone()]);
    padded[2..4].copy_from_slice(&0xFFFF_u16.to_le_bytes());
    list.add("a report that claims 65535", vec![padded]);
    let mut claims = report(1, &known);
    claims[2] = 13;
    list.add("a short report that claims one byte more", vec![claims]);
    for count in [0, 1, 3, 7, 8, 255] {
        let name = format!("the command with a count of {count}");
        list.add(
            name,
            vec![report(1, &packet(tag::GET_PROPERTY, 0, count, &[1, 0]))],
        );
    }
    list.add(
        "the command with all flags",
        vec![command(tag::GET_PROPERTY, 0xFF, &[1, 0])],
    );
    let mut reserved = known.clone();
    reserved[2] = 0xFF;
    list.add(
        "the command with its reserved byte set",
        vec![report(1, &reserved)],
    );
    list.add(
        "a long command",
        vec![report(1, &[&known[..], &[0xAA; 500]].concat())],
    );
    list.add("an empty command", vec![report(1, &[])]);
    list.add("an empty answer", vec![report(3, &[])]);
}

fn refused_jumps(list: &mut List) {
    for address in [
        0,
        0x2000_2401,
        0x1234_5678,
        0x4000_0001,
        0x6100_0001,
        0x7000_0001,
        0x202C_0001,
        0xFFFF_FFFF,
        0xFFFF_FFFE,
    ] {
        list.say("execute", tag::EXECUTE, &[address, 0, 0]);
        list.say("call", tag::CALL, &[address, 0]);
    }
    for stack in [0x2100_0000, 0x6004_2000, 0x7000_0000, u32::MAX, 0x2002_0004] {
        list.say("execute", tag::EXECUTE, &[0x6004_3001, 0, stack]);
    }
}

/// Files for secure boot, of which none is one. `generate-key-blob` is not here: what it answers
/// with is made by an engine of the chip's that the emulator has not.
fn security(list: &mut List) {
    let property = || command(tag::GET_PROPERTY, 0, &[1, 0]);
    for size in [0, 16, 17, 31, 33, 2000] {
        let packets = counting(size);
        let mut out = vec![command(tag::RECEIVE_SB_FILE, 1, &[size as u32])];
        out.extend(packets.chunks(1012).map(data));
        out.push(property());
        list.add(format!("receive-sb-file {size}"), out);
    }
    let zeros = vec![
        command(tag::RECEIVE_SB_FILE, 1, &[512]),
        data(&[0; 512]),
        property(),
    ];
    list.add("receive-sb-file of zeros", zeros);
    let given_up = vec![
        command(tag::RECEIVE_SB_FILE, 1, &[512]),
        data(&[]),
        property(),
    ];
    list.add("receive-sb-file given up", given_up);
}

/// What only the flashloader may be told: with the resident one it ends no one knows where.
fn whole_chip(list: &mut List) {
    list.say("erase all", tag::FLASH_ERASE_ALL, &[9]);
    list.read(0x6000_0000, 512);
    list.read(0x6004_0000, 2000);
}

/// A transfer of nothing: the loader never asks for another one.
fn nothing(list: &mut List) {
    let property = || command(tag::GET_PROPERTY, 0, &[1, 0]);
    list.add(
        "a transfer of nothing",
        vec![Vec::new(), property(), property()],
    );
}
