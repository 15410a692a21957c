//! Protocol v1 against upstream's own client: what passed between it and a virtual camera, held against
//! both ends of ours. `omv-sim` holds the whole virtual camera against the same record.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::rc::Rc;
use std::time::Duration;

use crate::running::*;
use omv_wire::v1::camera::{Camera, Personality, Stack};
use omv_wire::v1::codec::{Arch, Command, HEADER_SIZE, Opcode};
use omv_wire::v1::desk::Desk;
use omv_wire::v1::host::Identify;
use omv_wire::v1::state::{FrameSize, Kind};
use omv_wire::{Input, Machine, Turn};

const CLIENT: &str = include_str!("../vectors/v1-client.txt");

/// A command of the client's, its data, and the answer it got.
struct Asked {
    command: Command,
    data: Vec<u8>,
    answer: Vec<u8>,
}

/// The record, taken apart by the lengths in the commands and nothing else.
fn conversation() -> Vec<Asked> {
    let way = |from_host| -> VecDeque<u8> {
        let chunks = recording(CLIENT).into_iter();
        let chunks = chunks.filter(move |chunk| chunk.from_host == from_host);
        chunks.flat_map(|chunk| chunk.bytes).collect()
    };
    let (mut said, mut answered) = (way(true), way(false));
    let mut asked = Vec::new();
    while !said.is_empty() {
        let header: Vec<u8> = said.drain(..HEADER_SIZE).collect();
        let command = Command::decode(header.try_into().unwrap()).unwrap();
        let length = command.length as usize;
        let (data, answer) = match command.opcode.is_answered() {
            true => (Vec::new(), answered.drain(..length).collect()),
            false => (said.drain(..length).collect(), Vec::new()),
        };
        asked.push(Asked {
            command,
            data,
            answer,
        });
    }
    assert!(
        answered.is_empty(),
        "the camera said more than it was asked"
    );
    asked
}

fn answers(opcode: Opcode) -> Vec<Vec<u8>> {
    let all = conversation().into_iter();
    let all = all.filter(|asked| asked.command.opcode == opcode);
    all.map(|asked| asked.answer).collect()
}

#[test]
fn our_host_asks_as_the_client_did_and_understands_the_answers() {
    let asked = conversation();
    let mut host = Identify::new();
    let now = Duration::ZERO;
    for asked in &asked[..2] {
        let said = asked.command.encode().to_vec();
        assert_eq!(host.poll(now), Turn::Send(said));
        host.feed(now, Input::Bytes(&asked.answer));
    }
    let Turn::Done(Ok(identity)) = host.poll(now) else {
        panic!("it is not done");
    };
    assert_eq!(identity.firmware, [4, 5, 2]);
    let arch = identity.arch.unwrap();
    assert_eq!(arch.arch, "OMVRT1060 32768 SDRAM");
    assert_eq!(arch.kind.as_deref(), Some("IMXRT1060"));

    // The client computes a picture's bytes its own way: so many did it ask for.
    let sizes = answers(Opcode::FRAME_SIZE);
    let frames: Vec<FrameSize> = sizes
        .iter()
        .filter_map(|answer| FrameSize::decode(answer).unwrap())
        .collect();
    let dumps = answers(Opcode::FRAME_DUMP);
    assert_eq!((frames.len(), dumps.len()), (2, 2));
    for (frame, dump) in frames.iter().zip(&dumps) {
        assert_eq!((frame.width, frame.height), (32, 24));
        assert_eq!(frame.kind([4, 5, 2]), Kind::File);
        assert_eq!(frame.bytes([4, 5, 2]), dump.len());
        assert!(dump.starts_with(&[0xFF, 0xD8]) && dump.ends_with(&[0xFF, 0xD9]));
    }
}

/// Gives out what the record says that scripts had made.
#[derive(Default)]
struct Made {
    running: bool,
    texts: VecDeque<Vec<u8>>,
    frames: VecDeque<([u32; 3], Vec<u8>)>,
    done: Vec<String>,
}

#[derive(Clone, Default)]
struct Shared(Rc<RefCell<Made>>);

impl Desk for Shared {
    fn is_running(&self) -> bool {
        self.0.borrow().running
    }
    fn stop(&mut self) {
        let mut made = self.0.borrow_mut();
        made.running = false;
        made.done.push("stop".into());
    }
    fn execute(&mut self, script: &[u8]) {
        let first = String::from_utf8_lossy(script);
        let first = first.lines().next().unwrap_or_default();
        let mut made = self.0.borrow_mut();
        // The second one raises, and was over when the client asked.
        made.running = made.done.len() < 3;
        made.done.push(first.into());
    }
    fn text_size(&self) -> u32 {
        let mut made = self.0.borrow_mut();
        let size = made.texts.front().map_or(0, Vec::len);
        if size == 0 {
            made.texts.pop_front();
        }
        size as u32
    }
    fn text(&mut self, most: u32) -> Vec<u8> {
        let text = self.0.borrow_mut().texts.pop_front().unwrap();
        assert_eq!(text.len(), most as usize);
        text
    }
    fn sensor(&self) -> Option<u32> {
        None
    }
    fn enable(&mut self, on: bool) {
        self.0.borrow_mut().done.push(format!("preview {on}"));
    }
    fn take_frame(&mut self) -> Option<[u32; 3]> {
        self.0.borrow().frames.front().map(|frame| frame.0)
    }
    fn frame(&self) -> Vec<u8> {
        self.0.borrow().frames.front().unwrap().1.clone()
    }
    fn release_frame(&mut self) {
        self.0.borrow_mut().frames.pop_front();
    }
}

#[test]
fn our_camera_answers_the_client_byte_for_byte_in_slices_of_any_size() {
    let frames = answers(Opcode::FRAME_SIZE).into_iter();
    let frames = frames.filter_map(|answer| FrameSize::decode(&answer).unwrap());
    let frames = frames.map(|frame| [frame.width, frame.height, frame.size]);
    let frames: VecDeque<_> = frames.zip(answers(Opcode::FRAME_DUMP)).collect();
    let said: Vec<u8> = conversation()
        .into_iter()
        .flat_map(|asked| [asked.command.encode().to_vec(), asked.data].concat())
        .collect();
    let expected: Vec<u8> = conversation()
        .into_iter()
        .flat_map(|asked| asked.answer)
        .collect();
    // Empty where the client asked and there was none.
    let texts = conversation().into_iter().filter_map(|asked| {
        let none = asked.command.opcode == Opcode::TX_BUF_LEN && asked.answer == [0; 4];
        (none || asked.command.opcode == Opcode::TX_BUF).then(|| match none {
            true => Vec::new(),
            false => asked.answer,
        })
    });
    let texts: VecDeque<_> = texts.collect();
    let uid = Arch::decode(&answers(Opcode::ARCH_STR)[0].clone().try_into().unwrap());
    for size in [1, 5, 64, said.len()] {
        let desk = Shared::default();
        {
            let mut made = desk.0.borrow_mut();
            // `main.py` does.
            made.running = true;
            made.texts = texts.clone();
            made.frames = frames.clone();
        }
        let personality = Personality {
            stack: Stack::StreamForgiving,
            firmware: [4, 5, 2],
            arch: uid.clone().unwrap(),
            sensor: None,
            running: false,
        };
        let mut camera = Camera::with(personality, desk.clone());
        let mut got = Vec::new();
        for slice in said.chunks(size) {
            camera.feed(Duration::ZERO, Input::Bytes(slice));
            got.extend(drain(&mut camera, Duration::ZERO));
        }
        assert!(got == expected, "slices of {size}");
        let made = desk.0.borrow();
        assert!(made.texts.is_empty() && made.frames.is_empty());
        assert_eq!(
            made.done,
            [
                "stop",
                "preview true",
                "# omv-sim: print hello from old firmware",
                "stop",
                "# omv-sim: print next",
                "preview false",
            ]
        );
    }
}
