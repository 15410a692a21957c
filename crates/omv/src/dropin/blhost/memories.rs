//! `list-memory`: what memories a device has.
//!
//! Source: SPSDK 3.12.0, spsdk/mboot/mcuboot.py, spsdk/mboot/memories.py.

use omv_wire::mboot::{Command, property, status};

use super::lines;
use super::session::Session;
use crate::dropin::grammar::Given;
use crate::dropin::print;
use crate::dropin::stop::Stop;

/// Lists them, whatever the manner of printing.
pub fn list_memory(session: &mut Session, _given: &Given) -> Result<(), Stop> {
    let mut ask = |tag, index| -> Result<(u32, Vec<u32>), Stop> {
        let reply = session.simple(Command::get_property(tag, index))?;
        let values = if reply.status == status::SUCCESS {
            reply.words
        } else {
            Vec::new()
        };
        Ok((reply.status, values))
    };
    print::line("Internal Flash:")?;
    for region in regions(&mut ask, 3, &[4, 5])? {
        let sector = lines::short_size(region.2.into());
        let text = lines::numbered_region(region.0, region.1[0], region.1[1]);
        print::line(&format!("{text} Sector size: {sector}"))?;
    }
    print::line("Internal RAM:")?;
    for region in regions(&mut ask, 14, &[15])? {
        print::line(&lines::numbered_region(region.0, region.1[0], region.1[1]))?;
    }
    print::line("External Memories:")?;
    let (code, version) = ask(property::CURRENT_VERSION, 0)?;
    let Some(version) = version.first() else {
        return match code {
            status::UNKNOWN_PROPERTY => Ok(()),
            _ => Err(Stop::error(
                "SPSDKError",
                "SPSDK: No response to get property command",
            )),
        };
    };
    let old = version & 0xFF_FFFF <= 0x02_0000;
    for (id, name) in EXTERNAL.iter().filter(|(id, _)| !old || *id == 1) {
        let (code, values) = ask(property::EXTERNAL_MEMORY_ATTRIBUTES, *id)?;
        match code {
            status::SUCCESS if values.is_empty() => {
                return Err(Stop::error("SPSDKError", "SPSDK: Other Error"));
            }
            status::SUCCESS => print::line(&format!("{name}:\n  {}", lines::external(&values)))?,
            status::MEMORY_NOT_CONFIGURED => {
                print::line(&format!("{name}:\n  {}", lines::NOT_CONFIGURED))?;
            }
            status::UNKNOWN_PROPERTY => break,
            _ => {}
        }
    }
    Ok(())
}

/// External memories, in the order in which the tool asks for them.
const EXTERNAL: [(u32, &str); 13] = [
    (256, "SEMC-NAND"),
    (1, "QSPI"),
    (257, "SPI-NAND"),
    (288, "SD"),
    (4, "IFR0"),
    (289, "MMC"),
    (8, "SEMC-NOR"),
    (9, "FLEX-SPI-NOR"),
    (10, "SPIFI-NOR"),
    (11, "XSPI-NOR"),
    (16, "FLASH-EXEC"),
    (272, "SPI-MEM"),
    (273, "I2C-MEM"),
];

/// Most regions of one kind a device is believed to have.
const REGIONS: u32 = 64;

/// Regions of internal memory: index, start and size, and the last property asked for.
fn regions(
    ask: &mut impl FnMut(u32, u32) -> Result<(u32, Vec<u32>), Stop>,
    start: u32,
    others: &[u32],
) -> Result<Vec<(u32, [u32; 2], u32)>, Stop> {
    let mut found: Vec<(u32, [u32; 2], u32)> = Vec::new();
    for index in 0..REGIONS {
        let mut values = Vec::new();
        for property in std::iter::once(&start).chain(others) {
            match ask(*property, index)?.1.first() {
                Some(value) => values.push(*value),
                None => return Ok(found),
            }
            // The first region again: there are no more.
            if found.first().is_some_and(|first| first.1[0] == values[0]) {
                return Ok(found);
            }
        }
        let last = values.last().copied().unwrap_or(0);
        found.push((index, [values[0], values[1]], last));
    }
    Ok(found)
}
