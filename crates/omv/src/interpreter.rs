//! The interpreter of virtual cameras: where it is kept, and how it gets there.
//!
//! It is the file `micropython.wasm` of the npm package
//! `@micropython/micropython-webassembly-pyscript` 1.27.0, under the MIT licence.

use std::path::PathBuf;

use omv_sim::engine::micropython::Interpreter;

use crate::fail::Fail;

/// Names the file, instead of the user's data folder.
const VARIABLE: &str = "OMV_INTERPRETER";
/// Its name in that folder.
const NAME: &str = "micropython.wasm";

/// Where an installed interpreter lies; none where there is no home.
pub fn place() -> Option<PathBuf> {
    let data = std::env::var_os("XDG_DATA_HOME").map(PathBuf::from);
    let home = || Some(PathBuf::from(std::env::var_os("HOME")?).join(".local/share"));
    let roaming = || std::env::var_os("APPDATA").map(PathBuf::from);
    let folder = data.or_else(home).or_else(roaming)?;
    Some(folder.join("omv").join(NAME))
}

/// The interpreter of this machine; none where none is installed. One that is named must be there.
pub fn found() -> Result<Option<Interpreter>, Fail> {
    let named = std::env::var_os(VARIABLE).map(PathBuf::from);
    let installed = || place().filter(|path| path.exists());
    let Some(path) = named.or_else(installed) else {
        return Ok(None);
    };
    let loaded = Interpreter::load(&path).map_err(|error| Fail::Simulator {
        what: error.to_string(),
    })?;
    Ok(Some(loaded))
}
