//! Models from anywhere.

use omv_wire::tflite::Model;

/// A file that may be a model.
pub fn model(bytes: &[u8]) {
    if let Ok(model) = Model::read(bytes) {
        let cost = model.cost();
        assert!(cost.weights == 0 || !bytes.is_empty());
        assert!(model.used().len() <= model.codes.len());
        assert!(model.compiled().is_none() || !model.codes.is_empty());
    }
}
