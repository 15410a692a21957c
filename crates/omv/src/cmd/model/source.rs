//! What a person names as a network: a file, an export, a folder; and what a camera makes of it.

use std::path::Path;

use omv_boards::{Board, Version};
use omv_plan::Refusal;
use omv_plan::model::{Finding, export, labels, suit};
use omv_wire::tflite::{self, Model};

use crate::fail::Fail;
use crate::files;

/// Larger label files are none.
const LARGEST_LABELS: usize = 1 << 20;
/// Larger networks fit no camera.
const LARGEST_MODEL: u64 = 64 << 20;

/// A network and its labels.
pub struct Given {
    /// The network's name in its source.
    pub name: String,
    /// The network.
    pub bytes: Vec<u8>,
    /// Name and content of the label file, if there is one.
    pub labels: Option<(String, Vec<u8>)>,
}

/// What a camera makes of it.
pub struct Judged {
    /// The labels, if there are any.
    pub labels: Vec<String>,
    /// What to know beforehand.
    pub notes: Vec<String>,
}

/// Reads a network out of what was named, with its labels: those that were named, else those
/// inside or beside.
pub fn open(file: &Path, named: Option<&Path>) -> Result<Given, Fail> {
    let mut source = files::open(file)?;
    let own = file.file_name().map(|name| name.to_string_lossy());
    let (name, bytes, inside) = match source.names().as_slice() {
        // A file by itself is judged by its content, whatever it is called.
        [name] if own.as_deref() == Some(name) => {
            let name = name.clone();
            let bytes = source.read(&name, LARGEST_MODEL)?;
            (name, bytes, None)
        }
        _ => {
            let export = export(&mut *source)?;
            (export.model_name, export.model, export.labels)
        }
    };
    let labels = match named {
        Some(path) => Some((path.display().to_string(), small(path)?)),
        None => inside.or_else(|| beside(file)),
    };
    Ok(Given {
        name,
        bytes,
        labels,
    })
}

impl Given {
    /// Its name without folders.
    pub fn base(&self) -> &str {
        self.name.rsplit(['/', '\\']).next().unwrap_or(&self.name)
    }

    /// Whether a camera takes it, with these labels. What speaks against it is an error.
    pub fn judge(&self, board: &Board, version: Option<Version>) -> Result<Judged, Fail> {
        let suit = suit(&self.name, &self.bytes, board, version)?;
        if let Some(refusal) = suit.refusal() {
            return Err(refusal.clone().into());
        }
        let mut names = Vec::new();
        if let (Some((file, text)), false) = (&self.labels, tflite::is_st_edge_ai(&self.bytes)) {
            let model = Model::read(&self.bytes).map_err(|error| Refusal::NotAModel {
                file: self.name.clone(),
                why: error.to_string(),
            })?;
            names = labels(file, text, &model)?;
        }
        let notes = suit.findings.iter().filter_map(|finding| match finding {
            Finding::Mind(text) => Some(text.clone()),
            Finding::Refused(_) => None,
        });
        Ok(Judged {
            labels: names,
            notes: notes.collect(),
        })
    }
}

fn small(path: &Path) -> Result<Vec<u8>, Fail> {
    let mut bytes = files::read(path)?;
    bytes.truncate(LARGEST_LABELS);
    Ok(bytes)
}

/// A label file that lies beside a loose model: its own, else `labels.txt`.
fn beside(model: &Path) -> Option<(String, Vec<u8>)> {
    let own = model.with_extension("txt");
    let usual = model.with_file_name("labels.txt");
    let path = [own, usual]
        .into_iter()
        .find(|path| path.is_file() && path != model)?;
    let bytes = small(&path).ok()?;
    Some((path.display().to_string(), bytes))
}
