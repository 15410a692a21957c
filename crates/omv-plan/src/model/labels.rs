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

/// The labels of a file, one a line, checked against a model's outputs.
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
    if !shapes.iter().any(|shape| names(shape, found.len())) {
        let shown = shapes.iter().map(|shape| format!("{shape:?}"));
        return Err(differ(found.len(), shown.collect::<Vec<_>>().join(", ")));
    }
    Ok(found)
}

/// Whether so many labels name the classes of an output.
///
/// FOMO's first class is the background, which some exports name and some do not. Networks of the YOLO
/// family have the four numbers of a box, and most of them a score, beside those of the classes.
///
/// Source of the latter: openmv/openmv `scripts/libraries/ml`, `ultralytics.py` and `darknet.py`.
fn names(shape: &[i32], labels: usize) -> bool {
    let Some(count) = i32::try_from(labels)
        .ok()
        .filter(|count| (1..1 << 20).contains(count))
    else {
        return false;
    };
    let last = shape.last() == Some(&count);
    match *shape {
        [_, rows, columns] => last || rows == count + 4 || columns == count + 5,
        // Five anchors for each cell.
        [_, _, _, channels] => last || channels == count + 1 || channels == 5 * (count + 5),
        _ => last,
    }
}

#[cfg(test)]
mod tests {
    use super::names;

    #[test]
    fn two_labels_name_classifiers_grids_and_the_yolo_family_and_nothing_else() {
        let named: [&[i32]; 8] = [
            &[1, 2],
            &[1, 1, 1, 2],
            &[1, 12, 12, 2],
            &[1, 12, 12, 3],
            &[1, 6, 756],
            &[1, 2268, 7],
            &[1, 6, 6, 35],
            &[1, 5, 2],
        ];
        for shape in named {
            assert!(names(shape, 2), "{shape:?}");
        }
        let others: [&[i32]; 6] = [
            &[],
            &[1, 3],
            &[1, 756, 6],
            &[1, 7, 2268],
            &[1, 6, 6, 36],
            &[2, 1],
        ];
        for shape in others {
            assert!(!names(shape, 2), "{shape:?}");
        }
        assert!(!names(&[1, 0], 0) && !names(&[1, 4, 5], 0));
    }
}
