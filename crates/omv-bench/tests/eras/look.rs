//! The script that shows what a network sees, on the same stubs: by shape, labels and attribute.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use serde_json::Value;

use super::{ERAS, says};

const LOOK: &str = include_str!("../../../omv/src/cmd/model/look.py");
/// Networks of the stubs, and labels.
const CASES: [(&str, &str); 7] = [
    ("toy", "none\nball\nfigure\n"),
    ("fomo", "ball\nfigure\n"),
    ("yolo8", "ball\nfigure\n"),
    ("yolo5", "ball\nfigure\n"),
    ("yolo8", ""),
    ("depth", ""),
    ("depth", "a\nb\n"),
];

/// What one prediction said, for every era and case.
type Seen = BTreeMap<(&'static str, &'static str, &'static str), Vec<Value>>;

/// All of them: starting the interpreter is what takes time, so each era has one.
static SEEN: LazyLock<Seen> = LazyLock::new(|| {
    let mut all = Seen::new();
    for era in ERAS {
        // The oldest shows every grid that nobody named as a detector's.
        let cases = CASES.iter().filter(|(network, labels)| {
            era != "4.5.5" || *network != "depth" && !labels.is_empty()
        });
        let cases: Vec<_> = cases.collect();
        let scripts = cases.iter().map(|(network, labels)| {
            let names =
                format!("with open('labels.txt', 'w') as file:\n    file.write({labels:?})\n");
            let model = format!("MODEL = '/rom/{network}.tflite'");
            let look = LOOK
                .replacen("MODEL = None", &model, 1)
                .replacen("LABELS = None", "LABELS = 'labels.txt'", 1)
                .replacen("ONCE = False", "ONCE = True", 1);
            format!("{names}{look}\nprint('NEXT')\n")
        });
        let text = says(era, &scripts.collect::<String>());
        for ((network, labels), text) in cases.iter().zip(text.split("NEXT")) {
            let records = text.lines().filter_map(|line| line.strip_prefix("OMV!"));
            let records = records.map(|record| serde_json::from_str(record).expect("JSON"));
            all.insert((era, network, labels), records.collect());
        }
    }
    all
});

#[test]
fn scores_and_grids_are_shown_alike_in_all_four_eras() {
    for era in ERAS {
        let scores = &SEEN[&(era, "toy", "none\nball\nfigure\n")];
        assert_eq!(scores.len(), 4, "{era}: {scores:?}");
        let best = (&scores[0]["label"], &scores[0]["score"]);
        assert_eq!(best, (&"ball".into(), &0.7.into()), "{era}");
        let things = &SEEN[&(era, "fomo", "ball\nfigure\n")];
        assert_eq!(things.len(), 2, "{era}: {things:?}");
        let thing = &things[0];
        let place = (&thing["label"], &thing["x"], &thing["y"]);
        assert_eq!(place, (&"ball".into(), &180.into(), &60.into()), "{era}");
    }
}

#[test]
fn boxes_come_from_the_firmware_where_it_has_them_and_else_numbers_that_say_so() {
    for network in ["yolo8", "yolo5"] {
        for era in ERAS {
            let said = &SEEN[&(era, network, "ball\nfigure\n")];
            assert_eq!(said.len(), 2, "{era} {network}: {said:?}");
            if ["4.7.0", "5.0.0"].contains(&era) {
                let one = &said[0];
                let told = (&one["label"], &one["score"], &one["x"], &one["y"]);
                let wanted = (&"figure".into(), &0.75.into(), &25.into(), &40.into());
                assert_eq!(told, wanted, "{era}: {said:?}");
                assert_eq!(said[1]["found"], 1);
            } else {
                let numbers = (&said[0]["output"], &said[1]["found"]);
                assert_eq!(numbers, (&0.into(), &0.into()), "{era}");
                let shape = said[0]["shape"].as_array();
                assert!(shape.is_some_and(|shape| shape.len() > 2), "{said:?}");
            }
        }
    }
}

#[test]
fn an_output_that_is_not_understood_is_shown_as_it_is() {
    for era in &ERAS[1..] {
        // A map of depths, and boxes whose classes nobody named.
        for (network, labels, most) in [
            ("depth", "", 3.5),
            ("depth", "a\nb\n", 3.5),
            ("yolo8", "", 47.0 / 48.0),
        ] {
            let numbers = &SEEN[&(*era, network, labels)];
            assert_eq!(numbers.len(), 2, "{era} {network}: {numbers:?}");
            let found = numbers[0]["most"].as_f64().unwrap();
            assert!((found - most).abs() < 1e-3, "{era} {network}: {numbers:?}");
            assert_eq!(numbers[1]["found"], 0);
        }
    }
}
