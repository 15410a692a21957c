//! Commands and responses: one packet layout for every transport.
//!
//! ```text
//!   tag u8 | flags u8, bit 0: a data phase follows | 0 | word count u8 | words u32 LE ...
//! ```
//!
//! Source: SPSDK 3.12.0, spsdk/mboot/commands.py; answers observed by executing the loaders
//! shipped on every RT1062.

use crate::Malformed;

/// Bit 0 of a packet's flags: data packets follow.
pub const DATA_FOLLOWS: u8 = 1;

/// Most words a command may have, so that it fits the smallest packet of 32 bytes.
pub const COMMAND_WORDS: usize = 7;

/// Tags of commands. Tags that are not here can be sent all the same.
pub mod tag {
    /// Erase a whole memory.
    pub const FLASH_ERASE_ALL: u8 = 0x01;
    /// Erase a range.
    pub const FLASH_ERASE_REGION: u8 = 0x02;
    /// Read a range; data come in.
    pub const READ_MEMORY: u8 = 0x03;
    /// Write a range; data go out.
    pub const WRITE_MEMORY: u8 = 0x04;
    /// Fill a range with one word.
    pub const FILL_MEMORY: u8 = 0x05;
    /// Unlock with an 8-byte key.
    pub const FLASH_SECURITY_DISABLE: u8 = 0x06;
    /// Ask for a property.
    pub const GET_PROPERTY: u8 = 0x07;
    /// Send an SB file; data go out.
    pub const RECEIVE_SB_FILE: u8 = 0x08;
    /// Jump, not to return.
    pub const EXECUTE: u8 = 0x09;
    /// Jump and return.
    pub const CALL: u8 = 0x0A;
    /// Restart the chip.
    pub const RESET: u8 = 0x0B;
    /// Change a property.
    pub const SET_PROPERTY: u8 = 0x0C;
    /// Erase everything and unlock.
    pub const FLASH_ERASE_ALL_UNSECURE: u8 = 0x0D;
    /// Burn a fuse word, for ever.
    pub const FLASH_PROGRAM_ONCE: u8 = 0x0E;
    /// Read a fuse word.
    pub const FLASH_READ_ONCE: u8 = 0x0F;
    /// Read a special resource; data come in.
    pub const FLASH_READ_RESOURCE: u8 = 0x10;
    /// Set up an external memory from an option block in RAM.
    pub const CONFIGURE_MEMORY: u8 = 0x11;
    /// Swap application images.
    pub const RELIABLE_UPDATE: u8 = 0x12;
    /// Send a key (data go out), or fetch its blob (data come in).
    pub const GENERATE_KEY_BLOB: u8 = 0x13;
    /// Burn fuses from data that go out, for ever.
    pub const FUSE_PROGRAM: u8 = 0x14;
    /// Key store operations.
    pub const KEY_PROVISIONING: u8 = 0x15;
    /// Trust provisioning operations.
    pub const TRUST_PROVISIONING: u8 = 0x16;
    /// Read fuses; data come in.
    pub const FUSE_READ: u8 = 0x17;
    /// Move the chip to another life cycle, for ever.
    pub const UPDATE_LIFE_CYCLE: u8 = 0x18;
    /// Talk to the EdgeLock enclave.
    pub const ELE_MESSAGE: u8 = 0x19;
    /// EL2GO provisioning.
    pub const EL2GO: u8 = 0x20;
    /// Bus pal bridge: set up I2C.
    pub const CONFIGURE_I2C: u8 = 0xC1;
    /// Bus pal bridge: set up SPI.
    pub const CONFIGURE_SPI: u8 = 0xC2;
    /// Bus pal bridge: set up CAN.
    pub const CONFIGURE_CAN: u8 = 0xC3;
}

/// Tags of responses.
pub mod reply {
    /// Status and the tag it answers; ends every exchange with a data phase.
    pub const GENERIC: u8 = 0xA0;
    /// Status and length, before data that come in.
    pub const READ_MEMORY: u8 = 0xA3;
    /// Status and values; the status alone when it is an error.
    pub const GET_PROPERTY: u8 = 0xA7;
    /// Status, byte count, words; a byte count of 0 and no words when it is an error.
    pub const FLASH_READ_ONCE: u8 = 0xAF;
    /// Status and length, before data that come in.
    pub const FLASH_READ_RESOURCE: u8 = 0xB0;
    /// Status and length, before data that come in.
    pub const KEY_BLOB: u8 = 0xB3;
    /// Status and length.
    pub const KEY_PROVISIONING: u8 = 0xB5;
    /// Status and values.
    pub const TRUST_PROVISIONING: u8 = 0xB6;
}

/// One command packet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Command {
    tag: u8,
    flags: u8,
    words: Vec<u32>,
}

impl Command {
    /// Any command, known or not. `data_follows` says that the host sends data afterwards.
    ///
    /// # Errors
    /// [`Malformed::Field`] for more than [`COMMAND_WORDS`] words.
    pub fn new(tag: u8, data_follows: bool, words: &[u32]) -> Result<Self, Malformed> {
        if words.len() > COMMAND_WORDS {
            return Err(Malformed::Field {
                field: "parameter count",
                value: words.len() as u64,
            });
        }
        Ok(Self::of(tag, data_follows, words))
    }

    fn of(tag: u8, data_follows: bool, words: &[u32]) -> Self {
        Self {
            tag,
            flags: if data_follows { DATA_FOLLOWS } else { 0 },
            words: words.to_vec(),
        }
    }

    /// Erases all of `memory`.
    #[must_use]
    pub fn flash_erase_all(memory: u32) -> Self {
        Self::of(tag::FLASH_ERASE_ALL, false, &[memory])
    }

    /// Erases `size` bytes from `start`; the device rounds outwards to whole sectors.
    #[must_use]
    pub fn flash_erase_region(start: u32, size: u32, memory: u32) -> Self {
        Self::of(tag::FLASH_ERASE_REGION, false, &[start, size, memory])
    }

    /// Reads `size` bytes from `start`.
    #[must_use]
    pub fn read_memory(start: u32, size: u32, memory: u32) -> Self {
        Self::of(tag::READ_MEMORY, false, &[start, size, memory])
    }

    /// Writes `size` bytes, sent as data, to `start`.
    #[must_use]
    pub fn write_memory(start: u32, size: u32, memory: u32) -> Self {
        Self::of(tag::WRITE_MEMORY, true, &[start, size, memory])
    }

    /// Fills `size` bytes from `start` with `pattern`, lowest byte first.
    #[must_use]
    pub fn fill_memory(start: u32, size: u32, pattern: u32) -> Self {
        Self::of(tag::FILL_MEMORY, false, &[start, size, pattern])
    }

    /// Unlocks with the two halves of a key.
    #[must_use]
    pub fn flash_security_disable(key_low: u32, key_high: u32) -> Self {
        Self::of(tag::FLASH_SECURITY_DISABLE, false, &[key_low, key_high])
    }

    /// Asks for a property. `index` is a region number, or a memory id for
    /// [`EXTERNAL_MEMORY_ATTRIBUTES`](super::property::EXTERNAL_MEMORY_ATTRIBUTES).
    #[must_use]
    pub fn get_property(property: u32, index: u32) -> Self {
        Self::of(tag::GET_PROPERTY, false, &[property, index])
    }

    /// Changes a property.
    #[must_use]
    pub fn set_property(property: u32, value: u32) -> Self {
        Self::of(tag::SET_PROPERTY, false, &[property, value])
    }

    /// Sends an SB file of `size` bytes as data.
    #[must_use]
    pub fn receive_sb_file(size: u32) -> Self {
        Self::of(tag::RECEIVE_SB_FILE, true, &[size])
    }

    /// Starts the code at `address` with r0 = `argument`; 0 as `stack` keeps the stack.
    #[must_use]
    pub fn execute(address: u32, argument: u32, stack: u32) -> Self {
        Self::of(tag::EXECUTE, false, &[address, argument, stack])
    }

    /// Calls the function at `address` with r0 = `argument`.
    #[must_use]
    pub fn call(address: u32, argument: u32) -> Self {
        Self::of(tag::CALL, false, &[address, argument])
    }

    /// Restarts the chip.
    #[must_use]
    pub fn reset() -> Self {
        Self::of(tag::RESET, false, &[])
    }

    /// Erases everything and unlocks.
    #[must_use]
    pub fn flash_erase_all_unsecure() -> Self {
        Self::of(tag::FLASH_ERASE_ALL_UNSECURE, false, &[])
    }

    /// Burns fuse word `index`, for ever. The byte count sent is 4.
    #[must_use]
    pub fn efuse_program_once(index: u32, word: u32) -> Self {
        Self::of(tag::FLASH_PROGRAM_ONCE, false, &[index, 4, word])
    }

    /// Burns two words from `index` on, for ever. The byte count sent is 8.
    #[must_use]
    pub fn flash_program_once_long(index: u32, low: u32, high: u32) -> Self {
        Self::of(tag::FLASH_PROGRAM_ONCE, false, &[index, 8, low, high])
    }

    /// Reads `count` bytes, 4 or 8, of the fuses from word `index` on.
    #[must_use]
    pub fn efuse_read_once(index: u32, count: u32) -> Self {
        Self::of(tag::FLASH_READ_ONCE, false, &[index, count])
    }

    /// Reads `size` bytes of a resource chosen by `option`.
    #[must_use]
    pub fn flash_read_resource(start: u32, size: u32, option: u32) -> Self {
        Self::of(tag::FLASH_READ_RESOURCE, false, &[start, size, option])
    }

    /// Sets up external `memory` from the option block at `address` in RAM.
    #[must_use]
    pub fn configure_memory(memory: u32, address: u32) -> Self {
        Self::of(tag::CONFIGURE_MEMORY, false, &[memory, address])
    }

    /// Swaps to the application image at `address`.
    #[must_use]
    pub fn reliable_update(address: u32) -> Self {
        Self::of(tag::RELIABLE_UPDATE, false, &[address])
    }

    /// First half of making a key blob: the key of `size` bytes goes out as data.
    #[must_use]
    pub fn key_blob_send_key(selector: u32, size: u32) -> Self {
        Self::of(tag::GENERATE_KEY_BLOB, true, &[selector, size, 0])
    }

    /// Second half of making a key blob: the blob of `size` bytes comes in as data.
    #[must_use]
    pub fn key_blob_receive(selector: u32, size: u32) -> Self {
        Self::of(tag::GENERATE_KEY_BLOB, false, &[selector, size, 1])
    }

    /// Burns `size` bytes, sent as data, into the fuses at `start`, for ever.
    #[must_use]
    pub fn fuse_program(start: u32, size: u32, memory: u32) -> Self {
        Self::of(tag::FUSE_PROGRAM, true, &[start, size, memory])
    }

    /// Reads `size` bytes of fuses from `start`.
    #[must_use]
    pub fn fuse_read(start: u32, size: u32, memory: u32) -> Self {
        Self::of(tag::FUSE_READ, false, &[start, size, memory])
    }

    /// Moves the chip to another life cycle, for ever.
    #[must_use]
    pub fn update_life_cycle(life_cycle: u32) -> Self {
        Self::of(tag::UPDATE_LIFE_CYCLE, false, &[life_cycle])
    }

    /// Passes a message of `request_words` words at `request` to the EdgeLock enclave, its answer
    /// to `response`.
    #[must_use]
    pub fn ele_message(
        request: u32,
        request_words: u32,
        response: u32,
        response_words: u32,
    ) -> Self {
        let words = [0, request, request_words, response, response_words];
        Self::of(tag::ELE_MESSAGE, false, &words)
    }

    /// What the command asks for; see [`tag`].
    #[must_use]
    pub fn tag(&self) -> u8 {
        self.tag
    }

    /// The flags as sent; see [`DATA_FOLLOWS`].
    #[must_use]
    pub fn flags(&self) -> u8 {
        self.flags
    }

    /// The parameters.
    #[must_use]
    pub fn words(&self) -> &[u32] {
        &self.words
    }

    /// A parameter, or 0 where the packet has none: a loader clears its buffer before it reads.
    ///
    /// Source: nxp-mcuxpresso/sbl component/mcu_isp/packet/src/serial_packet.c.
    #[must_use]
    pub fn word(&self, at: usize) -> u32 {
        self.words.get(at).copied().unwrap_or(0)
    }

    /// Whether the device is expected to be gone afterwards, so that silence is no failure.
    #[must_use]
    pub fn leaves(&self) -> bool {
        matches!(self.tag, tag::RESET | tag::EXECUTE | tag::CALL)
    }

    /// The tag of the response this command gets when it does not get the generic one.
    #[must_use]
    pub fn typed_reply(&self) -> Option<u8> {
        match self.tag {
            tag::GET_PROPERTY => Some(reply::GET_PROPERTY),
            tag::READ_MEMORY | tag::FUSE_READ => Some(reply::READ_MEMORY),
            tag::FLASH_READ_ONCE => Some(reply::FLASH_READ_ONCE),
            tag::FLASH_READ_RESOURCE => Some(reply::FLASH_READ_RESOURCE),
            tag::GENERATE_KEY_BLOB => Some(reply::KEY_BLOB),
            tag::KEY_PROVISIONING => Some(reply::KEY_PROVISIONING),
            tag::TRUST_PROVISIONING => Some(reply::TRUST_PROVISIONING),
            _ => None,
        }
    }

    /// The packet's bytes.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        encode(self.tag, self.flags, &self.words)
    }

    /// Reads a packet. Bytes after the last word are ignored, as loaders do.
    ///
    /// # Errors
    /// [`Malformed`] when the words announced are not there, or are too many.
    pub fn decode(bytes: &[u8]) -> Result<Self, Malformed> {
        let (tag, flags, words) = decode(bytes)?;
        let mut command = Self::new(tag, false, &words)?;
        command.flags = flags;
        Ok(command)
    }
}

/// One response packet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Response {
    tag: u8,
    flags: u8,
    words: Vec<u32>,
}

impl Response {
    /// Any response. At most 255 words are kept: the count is one byte.
    #[must_use]
    pub fn new(tag: u8, data_follows: bool, words: &[u32]) -> Self {
        Self {
            tag,
            flags: if data_follows { DATA_FOLLOWS } else { 0 },
            words: words.iter().take(usize::from(u8::MAX)).copied().collect(),
        }
    }

    /// The answer most commands get, and the end of every data phase.
    #[must_use]
    pub fn generic(status: u32, command: u8) -> Self {
        Self::new(reply::GENERIC, false, &[status, command.into()])
    }

    /// The answer to get-property: values, or a status other than 0 and nothing else.
    #[must_use]
    pub fn get_property(answer: Result<&[u32], u32>) -> Self {
        let words = match answer {
            Ok(values) => [&[0], values].concat(),
            Err(status) => vec![status],
        };
        Self::new(reply::GET_PROPERTY, false, &words)
    }

    /// Announces `size` bytes of data for read-memory.
    #[must_use]
    pub fn read_memory(status: u32, size: u32) -> Self {
        Self::new(reply::READ_MEMORY, true, &[status, size])
    }

    /// The answer to reading fuses: words, or a status other than 0 and a byte count of 0.
    #[must_use]
    pub fn flash_read_once(answer: Result<&[u32], u32>) -> Self {
        let words = match answer {
            Ok(values) => {
                let bytes = u32::try_from(values.len() * 4).unwrap_or(0);
                [&[0, bytes], values].concat()
            }
            Err(status) => vec![status, 0],
        };
        Self::new(reply::FLASH_READ_ONCE, false, &words)
    }

    /// Which kind of answer; see [`reply`].
    #[must_use]
    pub fn tag(&self) -> u8 {
        self.tag
    }

    /// The flags as sent; see [`DATA_FOLLOWS`].
    #[must_use]
    pub fn flags(&self) -> u8 {
        self.flags
    }

    /// All words; the first is the status.
    #[must_use]
    pub fn words(&self) -> &[u32] {
        &self.words
    }

    /// The status, and the words after it.
    ///
    /// # Errors
    /// [`Malformed::Short`] when there is no word at all.
    pub fn status(&self) -> Result<(u32, &[u32]), Malformed> {
        match self.words.split_first() {
            Some((status, rest)) => Ok((*status, rest)),
            None => Err(Malformed::Short { need: 8, got: 4 }),
        }
    }

    /// The packet's bytes.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        encode(self.tag, self.flags, &self.words)
    }

    /// Reads a packet. Bytes after the last word are ignored.
    ///
    /// # Errors
    /// [`Malformed`] when the words announced are not there.
    pub fn decode(bytes: &[u8]) -> Result<Self, Malformed> {
        let (tag, flags, words) = decode(bytes)?;
        Ok(Self { tag, flags, words })
    }
}

fn encode(tag: u8, flags: u8, words: &[u32]) -> Vec<u8> {
    let count = u8::try_from(words.len()).unwrap_or(u8::MAX);
    let mut bytes = Vec::with_capacity(4 + 4 * words.len());
    bytes.extend([tag, flags, 0, count]);
    bytes.extend(words.iter().flat_map(|word| word.to_le_bytes()));
    bytes
}

fn decode(bytes: &[u8]) -> Result<(u8, u8, Vec<u32>), Malformed> {
    let short = |need| Malformed::Short {
        need,
        got: bytes.len(),
    };
    let Some(([tag, flags, _, count], rest)) = bytes.split_first_chunk() else {
        return Err(short(4));
    };
    let size = usize::from(*count) * 4;
    let words = rest.get(..size).ok_or(short(4 + size))?;
    let words = words
        .chunks_exact(4)
        .filter_map(|word| word.try_into().ok())
        .map(u32::from_le_bytes)
        .collect();
    Ok((*tag, *flags, words))
}
