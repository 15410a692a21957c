//! Label files, and where a camera looks for them.

use omv_boards::Version;
use omv_wire::tflite::Model;

use crate::Refusal;

/// The first release whose `ml.Model` reads labels by itself.
const LABELS_SINCE: Version = Version {
    major: 4,
    minor: 7,
    patch: 0,
};

/// The file that the camera's `ml.Model` reads labels from: the model's path up to its *first*
/// dot, with `.txt`. None: this firmware reads none, a script has to.
///
/// A dot in a folder's name leads it astray, and `labels.txt` is never looked for.
///
/// Source: openmv/openmv `scripts/libraries/ml` (`model.py`), v4.7.0 to v5.0.0.
#[must_use]
pub fn label_file(model: &str, version: Option<Version>) -> Option<String> {
    let reads = version.is_none_or(|version| version >= LABELS_SINCE);
    let stem = model.split('.').next().unwrap_or(model);
    reads.then(|| format!("{stem}.txt"))
}

/// The labels of a file, one a line, checked against a model's outputs. FOMO's first class is the
/// background, which some exports name and some do not.
///
/// # Errors
/// When it is no text, or no output has as many classes.
pub fn labels(file: &str, bytes: &[u8], model: &Model<'_>) -> Result<Vec<String>, Refusal> {
    let differ = |labels: usize, outputs: String| Refusal::LabelsDiffer {
        file: file.to_owned(),
        labels,
        outputs,
    };
    let text = std::str::from_utf8(bytes).map_err(|_| differ(0, "text".to_owned()))?;
    let text = text.strip_prefix('\u{FEFF}').unwrap_or(text);
    let found: Vec<String> = text
        .lines()
        .map(str::trim)
        .filter(|line| !line.is_empty())
        .map(str::to_owned)
        .collect();
    let Some(graph) = model.main() else {
        return Ok(found);
    };
    let outputs = graph.outputs.iter().filter_map(|i| graph.tensors.get(*i));
    let shapes: Vec<&[i32]> = outputs.map(|tensor| &*tensor.shape).collect();
    let classes = |shape: &&[i32]| {
        let last = shape.last().and_then(|n| usize::try_from(*n).ok());
        let is_grid = shape.len() == 4;
        last == Some(found.len()) || (is_grid && last == Some(found.len() + 1))
    };
    if found.is_empty() || !shapes.iter().any(classes) {
        let shown = shapes.iter().map(|shape| format!("{shape:?}"));
        return Err(differ(found.len(), shown.collect::<Vec<_>>().join(", ")));
    }
    Ok(found)
}
