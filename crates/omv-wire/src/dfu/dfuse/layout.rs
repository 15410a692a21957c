//! The name of an alternate setting as a map of memory.
//!
//! ```text
//!   @Internal Flash   /0x08000000/04*016Kg,01*064Kg,07*128Kg
//!    name              address    |   |  |+- access: a..g
//!                                 |   |  +-- unit: B or blank, K, M
//!                                 |   +----- size of a page
//!                                 +--------- pages; the segments follow each other
//! ```
//!
//! Source: STMicroelectronics UM0424, section 10.3.2; what devices really say: dfu-util
//! src/dfuse_mem.c.

use std::fmt;

use crate::Malformed;

/// Most segments over all regions. A string descriptor has no room for more.
const MAX_SEGMENTS: usize = 64;

/// What may be done with a segment: three bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Access(u8);

impl Access {
    /// Nothing.
    pub const NONE: Self = Self(0);
    /// Reading.
    pub const READ: Self = Self(1);
    /// Erasing.
    pub const ERASE: Self = Self(2);
    /// Writing.
    pub const WRITE: Self = Self(4);
    /// Everything.
    pub const ALL: Self = Self(7);

    /// What both allow together.
    #[must_use]
    pub const fn with(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Whether all of `other` is allowed.
    #[must_use]
    pub const fn allows(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// The letter `a` to `g`; nothing allowed has none.
    #[must_use]
    pub const fn letter(self) -> Option<char> {
        match self.0 {
            0 => None,
            bits => Some((b'`' + bits) as char),
        }
    }

    fn of(letter: char) -> Option<Self> {
        match letter {
            'a'..='g' => Some(Self((u32::from(letter) & 7) as u8)),
            _ => None,
        }
    }
}

/// Pages of the same size and access.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Segment {
    /// How many pages; some devices list memories of none.
    pub count: u32,
    /// Bytes of one page.
    pub size: u32,
    /// What may be done.
    pub access: Access,
}

impl Segment {
    /// Bytes of all pages.
    #[must_use]
    pub const fn bytes(&self) -> u64 {
        self.count as u64 * self.size as u64
    }
}

/// Segments that follow each other from one address on.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Region {
    /// Where the first segment starts.
    pub address: u32,
    /// The segments, in order.
    pub segments: Vec<Segment>,
}

impl Region {
    /// Each segment with the address it starts at.
    pub fn placed(&self) -> impl Iterator<Item = (u64, &Segment)> {
        let start = u64::from(self.address);
        self.segments.iter().scan(start, |next, segment| {
            let at = *next;
            *next = next.saturating_add(segment.bytes());
            Some((at, segment))
        })
    }
}

/// One page: the least that can be erased.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Page {
    /// Address of its first byte.
    pub start: u32,
    /// Bytes.
    pub size: u32,
    /// What may be done.
    pub access: Access,
}

impl Page {
    /// The address after its last byte.
    #[must_use]
    pub const fn end(&self) -> u64 {
        self.start as u64 + self.size as u64
    }
}

/// One memory of a device.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Layout {
    /// Its name, with the blanks devices pad it with.
    pub name: String,
    /// Where it lies. No region reaches over the end of 32-bit addresses.
    pub regions: Vec<Region>,
}

impl Layout {
    /// Reads the name of an alternate setting. Beyond the format it accepts what devices in the
    /// field say: a unit that is missing or blank, a missing access letter (nothing is allowed
    /// then), segments of no pages, and any letter for the STM32F4's "Device Feature" (which is
    /// then `e`).
    ///
    /// # Errors
    /// [`Malformed::Field`] when it does not begin with `@`, a number is missing or too large, a
    /// region reaches over the end of 32-bit addresses, or there are more than 64 segments.
    pub fn parse(text: &str) -> Result<Self, Malformed> {
        let mut parts = text.strip_prefix('@').ok_or(wrong("layout", 0))?.split('/');
        let name = parts.next().unwrap_or_default().to_owned();
        let any_letter = name.trim() == "Device Feature";
        let mut regions = Vec::new();
        let mut left = MAX_SEGMENTS;
        while let Some(address) = parts.next() {
            let digits = address.trim();
            let digits = digits.strip_prefix("0x").or(digits.strip_prefix("0X"));
            let address = digits
                .filter(|digits| digits.bytes().all(|digit| digit.is_ascii_hexdigit()))
                .and_then(|digits| u32::from_str_radix(digits, 16).ok())
                .ok_or(wrong("layout address", 0))?;
            let list = parts.next().ok_or(wrong("layout segments", 0))?;
            let mut region = Region {
                address,
                segments: Vec::new(),
            };
            for one in list.split(',') {
                left = left.checked_sub(1).ok_or(wrong("layout segments", 65))?;
                region.segments.push(segment(one, any_letter)?);
            }
            let end = region.segments.iter().map(Segment::bytes).sum::<u64>();
            if end + u64::from(address) > 1 << 32 {
                return Err(wrong("layout address", end + u64::from(address)));
            }
            regions.push(region);
        }
        Ok(Self { name, regions })
    }

    /// The page that contains an address.
    #[must_use]
    pub fn page(&self, address: u32) -> Option<Page> {
        let wanted = u64::from(address);
        self.regions.iter().find_map(|region| {
            let (start, segment) = region
                .placed()
                .find(|(start, segment)| (*start..start + segment.bytes()).contains(&wanted))?;
            let into = u32::try_from(wanted - start).ok()?;
            Some(Page {
                start: address - into % segment.size,
                size: segment.size,
                access: segment.access,
            })
        })
    }

    /// The pages that hold any of `size` bytes from `address` on, in order. The first address that
    /// is in no page ends them with an error; it has 64 bits because it may lie behind the last
    /// one there is.
    pub fn pages(&self, address: u32, size: u32) -> impl Iterator<Item = Result<Page, u64>> {
        let end = u64::from(address) + u64::from(size);
        let mut next = u64::from(address);
        std::iter::from_fn(move || {
            if next >= end {
                return None;
            }
            let at = u32::try_from(next).ok();
            let Some(page) = at.and_then(|at| self.page(at)) else {
                return Some(Err(std::mem::replace(&mut next, end)));
            };
            next = page.end();
            Some(Ok(page))
        })
    }

    /// Whether each of `size` bytes from `address` on lies in a page that allows `access`.
    #[must_use]
    pub fn allows(&self, address: u32, size: u32, access: Access) -> bool {
        let end = u64::from(address) + u64::from(size);
        let mut next = u64::from(address);
        // Whole segments at a time: a memory may have a million pages.
        while next < end {
            let found = self.regions.iter().find_map(|region| {
                let mut placed = region.placed();
                placed.find(|(start, one)| (*start..start + one.bytes()).contains(&next))
            });
            match found {
                Some((start, one)) if one.access.allows(access) => next = start + one.bytes(),
                _ => return false,
            }
        }
        true
    }
}

fn wrong(field: &'static str, value: u64) -> Malformed {
    Malformed::Field { field, value }
}

/// Reads `count * size unit access`.
fn segment(text: &str, any_letter: bool) -> Result<Segment, Malformed> {
    let bad = wrong("layout segments", 0);
    let (count, rest) = text.trim_start().split_once('*').ok_or(bad)?;
    let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
    let (size, rest) = rest.split_at_checked(digits).ok_or(bad)?;
    let (count, size) = (number(count).ok_or(bad)?, number(size).ok_or(bad)?);
    let mut letters = rest.chars().peekable();
    let unit = letters.next_if(|c| matches!(c, ' ' | 'B' | 'K' | 'M'));
    let size = match unit {
        Some('K') => size.checked_mul(1024),
        Some('M') => size.checked_mul(1024 * 1024),
        _ => Some(size),
    };
    let access = match (letters.next(), letters.next()) {
        (None, None) => Access::NONE,
        (Some(letter), None) => match Access::of(letter) {
            Some(access) => access,
            None if any_letter => Access::READ.with(Access::WRITE),
            None => return Err(bad),
        },
        _ => return Err(bad),
    };
    let size = size.ok_or(bad)?;
    if size == 0 && count > 0 {
        return Err(bad);
    }
    Ok(Segment {
        count,
        size,
        access,
    })
}

/// Decimal digits and nothing else.
fn number(text: &str) -> Option<u32> {
    let plain = text.bytes().all(|digit| digit.is_ascii_digit());
    plain.then(|| text.parse().ok()).flatten()
}

impl fmt::Display for Layout {
    /// Writes it with the largest unit that fits and without leading zeros.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "@{}", self.name)?;
        for region in &self.regions {
            write!(f, "/0x{:08X}/", region.address)?;
            for (place, segment) in region.segments.iter().enumerate() {
                let comma = if place == 0 { "" } else { "," };
                let (size, unit) = match segment.size {
                    size if size > 0 && size % (1 << 20) == 0 => (size >> 20, 'M'),
                    size if size > 0 && size % 1024 == 0 => (size >> 10, 'K'),
                    size => (size, ' '),
                };
                write!(f, "{comma}{}*{size}{unit}", segment.count)?;
                if let Some(letter) = segment.access.letter() {
                    write!(f, "{letter}")?;
                }
            }
        }
        Ok(())
    }
}
