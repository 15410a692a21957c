//! The few things of the FlatBuffers format that a model needs, every offset checked.
//!
//! ```text
//!   table --i32 back--> vtable: u16 its bytes | u16 table's bytes | u16 offset of field 0 | ...
//!   offset (u32, forward) --> table | vector: u32 count, elements | string: a vector of bytes
//! ```
//!
//! A field whose vtable offset is zero, or lies behind the vtable's end, has its default.
//!
//! Source: flatbuffers.dev, "FlatBuffers internals".

use super::Error;

/// A table inside a buffer.
#[derive(Clone, Copy, Debug)]
pub(super) struct Table<'a> {
    bytes: &'a [u8],
    at: usize,
    vtable: usize,
    fields: usize,
}

/// A vector of fixed-size elements.
#[derive(Clone, Copy, Debug)]
pub(super) struct Vector<'a> {
    bytes: &'a [u8],
    at: usize,
    count: usize,
}

fn read<const N: usize>(bytes: &[u8], at: usize) -> Result<[u8; N], Error> {
    let end = at.checked_add(N).ok_or(Error::Outside { at })?;
    let slice = bytes.get(at..end).ok_or(Error::Outside { at })?;
    slice.try_into().map_err(|_| Error::Outside { at })
}

fn word(bytes: &[u8], at: usize) -> Result<usize, Error> {
    let value = u32::from_le_bytes(read(bytes, at)?);
    usize::try_from(value).map_err(|_| Error::Outside { at })
}

/// Where a forward offset leads.
fn follow(bytes: &[u8], at: usize) -> Result<usize, Error> {
    at.checked_add(word(bytes, at)?)
        .filter(|target| *target < bytes.len())
        .ok_or(Error::Outside { at })
}

impl<'a> Table<'a> {
    /// The root table.
    pub(super) fn root(bytes: &'a [u8]) -> Result<Self, Error> {
        Self::at(bytes, follow(bytes, 0)?)
    }

    fn at(bytes: &'a [u8], at: usize) -> Result<Self, Error> {
        let back = i64::from(i32::from_le_bytes(read(bytes, at)?));
        let start = i64::try_from(at).map_err(|_| Error::Outside { at })?;
        let vtable = usize::try_from(start - back).map_err(|_| Error::Outside { at })?;
        let size = usize::from(u16::from_le_bytes(read(bytes, vtable)?));
        // The vtable's own two lengths come first.
        let fields = size.saturating_sub(4) / 2;
        let end = vtable.checked_add(size);
        if end.is_none_or(|end| end > bytes.len()) {
            return Err(Error::Outside { at: vtable });
        }
        Ok(Self {
            bytes,
            at,
            vtable,
            fields,
        })
    }

    /// Where a field's value stands; none: it has its default.
    fn field(&self, index: usize) -> Result<Option<usize>, Error> {
        if index >= self.fields {
            return Ok(None);
        }
        let offset = u16::from_le_bytes(read(self.bytes, self.vtable + 4 + 2 * index)?);
        Ok((offset != 0).then(|| self.at + usize::from(offset)))
    }

    fn scalar<const N: usize>(&self, index: usize) -> Result<Option<[u8; N]>, Error> {
        let at = self.field(index)?;
        at.map(|at| read(self.bytes, at)).transpose()
    }

    pub(super) fn u8(&self, index: usize, default: u8) -> Result<u8, Error> {
        Ok(self.scalar(index)?.map_or(default, u8::from_le_bytes))
    }

    pub(super) fn bool(&self, index: usize, default: bool) -> Result<bool, Error> {
        Ok(self.u8(index, default.into())? != 0)
    }

    pub(super) fn i32(&self, index: usize, default: i32) -> Result<i32, Error> {
        Ok(self.scalar(index)?.map_or(default, i32::from_le_bytes))
    }

    pub(super) fn u32(&self, index: usize, default: u32) -> Result<u32, Error> {
        Ok(self.scalar(index)?.map_or(default, u32::from_le_bytes))
    }

    pub(super) fn u64(&self, index: usize, default: u64) -> Result<u64, Error> {
        Ok(self.scalar(index)?.map_or(default, u64::from_le_bytes))
    }

    pub(super) fn f32(&self, index: usize, default: f32) -> Result<f32, Error> {
        Ok(self.scalar(index)?.map_or(default, f32::from_le_bytes))
    }

    /// A table this one points to.
    pub(super) fn table(&self, index: usize) -> Result<Option<Table<'a>>, Error> {
        let Some(at) = self.field(index)? else {
            return Ok(None);
        };
        Table::at(self.bytes, follow(self.bytes, at)?).map(Some)
    }

    /// A vector of elements of `size` bytes; an absent one is empty.
    pub(super) fn vector(&self, index: usize, size: usize) -> Result<Vector<'a>, Error> {
        let Some(field) = self.field(index)? else {
            return Ok(Vector {
                bytes: self.bytes,
                at: 0,
                count: 0,
            });
        };
        let start = follow(self.bytes, field)?;
        let count = word(self.bytes, start)?;
        let at = start + 4;
        let end = count.checked_mul(size).and_then(|all| all.checked_add(at));
        if end.is_none_or(|end| end > self.bytes.len()) {
            return Err(Error::Outside { at: start });
        }
        Ok(Vector {
            bytes: self.bytes,
            at,
            count,
        })
    }

    /// Bytes of a vector of bytes; an absent one is empty.
    pub(super) fn bytes(&self, index: usize) -> Result<&'a [u8], Error> {
        let vector = self.vector(index, 1)?;
        let whole = vector.bytes.get(vector.at..vector.at + vector.count);
        whole.ok_or(Error::Outside { at: vector.at })
    }

    /// Text, cut to what anybody would read; what is not UTF-8 is replaced.
    pub(super) fn text(&self, index: usize) -> Result<String, Error> {
        const LONGEST: usize = 256;
        let bytes = self.bytes(index)?;
        let cut = bytes.get(..bytes.len().min(LONGEST)).unwrap_or(bytes);
        Ok(String::from_utf8_lossy(cut).into_owned())
    }

    /// The whole buffer.
    pub(super) fn buffer(&self) -> &'a [u8] {
        self.bytes
    }
}

impl<'a> Vector<'a> {
    pub(super) fn count(&self) -> usize {
        self.count
    }

    fn element<const N: usize>(&self, index: usize) -> Result<[u8; N], Error> {
        if index >= self.count {
            return Err(Error::Outside { at: self.at });
        }
        read(self.bytes, self.at + index * N)
    }

    pub(super) fn table(&self, index: usize) -> Result<Table<'a>, Error> {
        let at = self.at + index * 4;
        if index >= self.count {
            return Err(Error::Outside { at });
        }
        Table::at(self.bytes, follow(self.bytes, at)?)
    }

    pub(super) fn i32s(&self) -> Result<Vec<i32>, Error> {
        let read = |index| self.element(index).map(i32::from_le_bytes);
        (0..self.count).map(read).collect()
    }

    pub(super) fn i64s(&self) -> Result<Vec<i64>, Error> {
        let read = |index| self.element(index).map(i64::from_le_bytes);
        (0..self.count).map(read).collect()
    }

    pub(super) fn f32s(&self) -> Result<Vec<f32>, Error> {
        let read = |index| self.element(index).map(f32::from_le_bytes);
        (0..self.count).map(read).collect()
    }
}
