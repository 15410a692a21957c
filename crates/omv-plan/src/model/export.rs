//! The zip archives that training services hand out for OpenMV cameras.

use crate::{Refusal, Source};

/// Larger models fit no camera.
const LARGEST_MODEL: u64 = 64 << 20;
/// Far more than a label each.
const LARGEST_LABELS: u64 = 1 << 20;

/// What is in an export.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Export {
    /// The model's name in there.
    pub model_name: String,
    /// The model.
    pub model: Vec<u8>,
    /// The label file, if there is one.
    pub labels: Option<(String, Vec<u8>)>,
    /// Names of example scripts; they are shown, never run: most are for older firmware.
    pub scripts: Vec<String>,
}

/// Takes the model and its labels out of an archive or a folder.
///
/// Edge Impulse's "OpenMV library" holds `trained.tflite`, `labels.txt` and a script. A label file
/// named like the model goes before `labels.txt`.
///
/// # Errors
/// When there is no model in it, or more than one.
pub fn export(source: &mut dyn Source) -> Result<Export, Refusal> {
    let names = source.names();
    let ends = |end: &str| {
        let end = end.to_owned();
        let all = names.iter();
        let mut found: Vec<String> = all
            .filter(|name| {
                name.to_ascii_lowercase().ends_with(&end) && !name.starts_with("__MACOSX/")
            })
            .cloned()
            .collect();
        found.sort();
        found
    };
    let models = ends(".tflite");
    let [model_name] = &models[..] else {
        let why = match models.len() {
            0 => "there is no .tflite file in it".to_owned(),
            _ => format!("there are several models in it: {}", models.join(", ")),
        };
        return Err(Refusal::NotAnExport {
            source_name: source.title().to_owned(),
            why,
        });
    };
    let stem = model_name.rsplit_once('.').map_or("", |(stem, _)| stem);
    let texts = ends(".txt");
    let own = texts.iter().find(|name| **name == format!("{stem}.txt"));
    let usual = || {
        let mut all = texts.iter();
        all.find(|name| name.rsplit('/').next() == Some("labels.txt"))
    };
    let labels = match own.or_else(usual) {
        Some(name) => Some((name.clone(), source.read(name, LARGEST_LABELS)?)),
        None => None,
    };
    Ok(Export {
        model: source.read(model_name, LARGEST_MODEL)?,
        model_name: model_name.clone(),
        labels,
        scripts: ends(".py"),
    })
}
