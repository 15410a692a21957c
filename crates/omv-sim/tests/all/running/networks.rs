//! `ml` and `tf` in scripts, on firmware of every era.

use std::path::Path;
use std::time::Duration;

use omv_wire::romfs::{Item, Layout, write};

use super::common::{Host, Old, bus_with, millis, python};

/// What a script says on a camera with these networks and label files on its disk.
fn says_with(version: &str, names: &[&str], script: &str) -> String {
    let files: Vec<(&str, Vec<u8>)> = names.iter().map(|name| (*name, model(name))).collect();
    let files: Vec<(&str, &[u8])> = files
        .iter()
        .map(|(name, bytes)| (*name, &**bytes))
        .collect();
    says(version, &files, &[], script)
}

fn says(version: &str, files: &[(&str, &[u8])], rom: &[u8], script: &str) -> String {
    let bus = bus_with(version, python(), files, rom);
    if !version.starts_with('5') {
        return Old::says_on(&bus, script);
    }
    let mut host = Host::new(&bus);
    host.stop();
    host.watch(&bus, millis(400));
    let text = host.run(&bus, script, Duration::from_secs(60));
    let (said, _) = text.split_once("MPY: soft reboot").expect("an end");
    said.to_owned()
}

fn model(name: &str) -> Vec<u8> {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../omv-wire/tests/models");
    std::fs::read(Path::new(folder).join(name)).expect("a model")
}

/// A grey room with a blue ball, as the networks know it; `picture` is it.
const BALL: &str = "\
try:
    import csi
except ImportError:
    csi = None
if csi and hasattr(csi, 'CSI'):
    camera = csi.CSI()
    camera.reset()
    camera.pixformat(csi.RGB565)
    camera.framesize(csi.QVGA)
    camera.window((96, 96))
else:
    import sensor as camera
    camera.reset()
    camera.set_pixformat(camera.RGB565)
    camera.set_framesize(camera.QVGA)
    camera.set_windowing((96, 96))
picture = camera.snapshot()
picture.draw_rectangle((0, 0, 96, 96), color=(120, 120, 120), fill=True)
picture.draw_circle((40, 50, 16), color=(25, 50, 190), fill=True)
picture.draw_circle((37, 46, 8), color=(30, 60, 230), fill=True)
";
/// Scores of a classifier, by whatever this firmware has.
const SCORES: &str = "\
try:
    import ml
    model = ml.Model(PATH)
    scores = model.predict([picture])[0].flatten().tolist()
except ImportError:
    import tf
    model = tf.load(PATH)
    scores = model.classify(picture)[0].output()
print([round(s * 256) for s in scores])
";

fn scores(version: &str, path: &str, files: &[&str]) -> Vec<i64> {
    let script = format!("{BALL}PATH = '{path}'\n{SCORES}");
    let said = says_with(version, files, &script);
    let list = serde_json::from_str(said.trim());
    list.unwrap_or_else(|error| panic!("{version}: {error}: {said}"))
}

#[test]
fn one_picture_has_the_same_scores_in_every_era_and_is_a_ball() {
    let all = ["4.5.2", "4.5.6", "4.7.0", "5.0.0"].map(|version| {
        let root = if version < "4.6" { "" } else { "/flash" };
        scores(version, &format!("{root}/toy96.tflite"), &["toy96.tflite"])
    });
    assert!(all.iter().all(|scores| *scores == all[0]), "{all:?}");
    assert!(all[0][1] > 200, "{all:?}");
    // Floating point and unsigned ends see the same.
    let script = format!(
        "{BALL}for PATH in ('toy96_float.tflite', 'toy96_uint8.tflite'):\n    import ml\n    scores = ml.Model(PATH).predict([picture])[0].flatten().tolist()\n    print(scores[1] > 0.8, len(scores))\n"
    );
    let said = says_with(
        "5.0.0",
        &["toy96_float.tflite", "toy96_uint8.tflite"],
        &script,
    );
    assert_eq!(said, "True 3\r\nTrue 3\r\n");
}

#[test]
fn labels_are_read_by_the_releases_that_read_them() {
    let script = |root: &str| format!("import ml\nprint(ml.Model('{root}/toy96.tflite').labels)\n");
    let files = ["toy96.tflite", "toy96.txt"];
    let found = "['background', 'ball', 'figure']\r\n";
    assert_eq!(says_with("5.0.0", &files, &script("/flash")), found);
    assert_eq!(says_with("4.7.0", &files, &script("/flash")), found);
    assert_eq!(says_with("4.5.9", &files, &script("")), "None\r\n");
}

#[test]
fn a_network_is_used_where_it_lies_in_the_rom_file_system() {
    let items = [Item::File {
        name: "toy96.tflite".to_owned(),
        bytes: model("toy96.tflite"),
        alignment: 16,
    }];
    let image = write(&items, Layout::OpenMv).unwrap();
    let script = format!(
        "{BALL}import os\nprint(os.listdir('/rom'))\nPATH = '/rom/toy96.tflite'\n{SCORES}try:\n    open('/rom/x', 'w')\nexcept OSError as e:\n    print(e.errno)\n"
    );
    let said = says("5.0.0", &[], &image, &script);
    assert!(said.starts_with("['toy96.tflite']\r\n["), "{said}");
    let (_, rest) = said.split_once("\r\n").unwrap();
    let (scores, written) = rest.split_once("\r\n").unwrap();
    assert_eq!(written.trim(), "30", "nothing can be written there");
    let scores: Vec<i64> = serde_json::from_str(scores.trim()).unwrap();
    assert!(scores[1] > 200, "{scores:?}");
    // Before 4.7.0 there is no such place.
    let script = "import os\nprint('rom' in os.listdir('/'))\n";
    assert_eq!(says("4.6.20", &[], &image, script), "False\r\n");
}

#[test]
fn what_a_camera_would_not_load_raises_as_there() {
    let names = ["spectrum", "too_large", "toy96_dynamic"].map(|name| format!("{name}.tflite"));
    let mut names: Vec<&str> = names.iter().map(|name| &**name).collect();
    names.push("toy96.txt");
    let load = |version: &str, call: &str| {
        let script = format!(
            "{call}\nfor name in {names:?} + ['none.tflite']:\n    try:\n        load(name)\n    except Exception as e:\n        print('!', name, type(e).__name__, e)\n"
        );
        let said = says_with(version, &names, &script);
        let lines = said.lines().filter(|line| line.starts_with('!'));
        (lines.map(str::to_owned).collect::<Vec<_>>(), said.clone())
    };
    let (raised, said) = load("5.0.0", "import ml\nload = ml.Model");
    let wanted = [
        "! spectrum.tflite ValueError Failed to allocate tensors",
        "! too_large.tflite ValueError Failed to allocate tensors",
        "! toy96_dynamic.tflite ValueError Failed to allocate tensors",
        "! toy96.txt ValueError Unsupported model schema",
        "! none.tflite OSError [Errno 2] ENOENT",
    ];
    assert_eq!(raised, wanted, "{said}");
    // The runtime's own words go to the console.
    assert!(
        said.contains("Didn't find op for builtin opcode 'RFFT2D'"),
        "{said}"
    );
    assert!(
        said.contains("Failed to resize buffer. Requested: "),
        "{said}"
    );
    // Before 4.5.6 they are the exception.
    let (raised, said) = load("4.5.2", "import tf\nload = tf.load");
    let begins = [
        "Didn't find op for builtin opcode 'RFFT2D'",
        "Failed to resize buffer. Requested: ",
    ];
    for (line, begin) in raised.iter().zip(begins) {
        assert!(line.contains(&format!(" OSError {begin}")), "{said}");
    }
    assert_eq!(raised.len(), 5, "{said}");
}

#[test]
fn a_detector_finds_the_ball_where_it_is() {
    let newest = "import ml\nfrom ml.postprocessing.edgeimpulse import Fomo\nmodel = ml.Model('/flash/fomo96.tflite', postprocess=Fomo(threshold=0.4))\nfor label, found in enumerate(model.predict([picture])):\n    for (x, y, w, h), score in found:\n        print(label, x + w // 2, y + h // 2)\n";
    let module = "import ml\nfrom ml.postprocessing import fomo_postprocess\nmodel = ml.Model('/flash/fomo96.tflite')\nfor label, found in enumerate(model.predict([picture], callback=fomo_postprocess())):\n    for (x, y, w, h), score in found if label else ():\n        print(label, x + w // 2, y + h // 2)\n";
    let oldest = "import tf\nmodel = tf.load('/fomo96.tflite')\nfor label, found in enumerate(model.detect(picture, thresholds=[(102, 255)])):\n    for d in found if label else ():\n        x, y, w, h = d.rect()\n        print(label, x + w // 2, y + h // 2)\n";
    for (version, script) in [("5.0.0", newest), ("4.7.0", module), ("4.5.2", oldest)] {
        let said = says_with(version, &["fomo96.tflite"], &format!("{BALL}{script}"));
        let places: Vec<Vec<i64>> = said
            .lines()
            .map(|line| line.split(' ').map(|n| n.parse().expect(&said)).collect())
            .collect();
        // A ball, within one cell of 8 pixels.
        let near = |p: &Vec<i64>| p[0] == 1 && (p[1] - 40).abs() <= 10 && (p[2] - 50).abs() <= 10;
        assert!(
            !places.is_empty() && places.iter().all(near),
            "{version}: {said}"
        );
    }
}

/// Numbers as a network of the YOLO family gives them, of chance that repeats; and what was found.
const YOLO: &str = "\
from ulab import numpy as np
from ml.postprocessing.ultralytics import YoloV5, YoloV8
class Model:
    input_shape, output_scale, output_zero_point, output_dtype = [(1, 96, 96, 3)], [1 / 256], [-128], ['b']
class Input:
    roi = (20, 10, 240, 120)
for kind, shape in ((YoloV8, (1, 6, 40)), (YoloV5, (1, 40, 7))):
    seed, values = 7, []
    for _ in range(shape[1] * shape[2]):
        seed = (seed * 1103515245 + 12345) & 0x7fffffff
        values.append((seed >> 16 & 255) - 128)
    Model.output_shape = [shape]
    found = kind(threshold=0.9)(Model, [Input], [np.array(values).reshape(shape)])
    print([[(list(box), round(score, 4)) for box, score in group] for group in found])
    print(kind(threshold=1)(Model, [Input], [np.array(values).reshape(shape)]))
";

/// What openmv/openmv's `ml.postprocessing.ultralytics` and `ml.utils` of v5.0.0 find in the same numbers,
/// run by CPython with NumPy in the place of ulab.
const FOUND: &str = "\
[[([27, 13, 55, 115], 0.9141)], [([190, 10, 42, 65], 0.918)]]\r
()\r
[[([222, 40, 35, 72], 0.7648)], [([202, 33, 55, 18], 0.9805), ([192, 48, 10, 80], 0.9688), ([20, 80, 40, 11], 0.9648)]]\r
()\r
";

#[test]
fn boxes_of_the_yolo_family_are_those_of_the_firmware() {
    assert_eq!(says_with("5.0.0", &[], YOLO), FOUND);
}

#[test]
fn predictions_take_the_time_of_the_cost_model_and_repeat_exactly() {
    let script = format!(
        "{BALL}import ml, time\nmodel = ml.Model('/flash/toy96.tflite')\nfor n in range(3):\n    a = time.ticks_us()\n    model.predict([picture])\n    b = time.ticks_us()\n    c = time.ticks_us()\n    print(time.ticks_diff(b, a), time.ticks_diff(c, b))\n"
    );
    let once = says_with("5.0.0", &["toy96.tflite"], &script);
    assert_eq!(once, says_with("5.0.0", &["toy96.tflite"], &script));
    let network = omv_sim::infer::Network::load(&model("toy96.tflite")).unwrap();
    let board = omv_boards::by_name("rt1062").unwrap();
    let model = omv_sim::infer::Speed::of(board, 1).infer(&network, 96, 96, 1);
    let model = model.as_micros() as i64;
    for line in once.lines() {
        let (took, clock) = line.split_once(' ').expect("two numbers");
        let (took, clock): (i64, i64) = (took.parse().unwrap(), clock.parse().unwrap());
        // Asking the clock takes time here, and so do the two calls around the network.
        let rest = took - model;
        assert!(
            (0..4 * clock).contains(&rest),
            "{took} and {clock} for {model}"
        );
    }
}

#[test]
fn arrays_go_in_and_out_and_wrong_ones_are_refused() {
    let script = "import ml\nfrom ulab import numpy as np\nmodel = ml.Model('/flash/needle.tflite')\nshape = model.input_shape[0]\nout = model.predict([np.zeros(shape)])[0]\nprint(out.shape, len(out.flatten().tolist()))\ntry:\n    model.predict([np.zeros((1, 2, 3))])\nexcept ValueError as e:\n    print(e)\ntry:\n    model.predict(np.zeros(shape))\nexcept ValueError as e:\n    print(e)\na = np.array([[1, 5, 2], [7, 0, 3]])\nprint(np.max(a, axis=1).tolist(), np.argmax(a, axis=0).tolist(), a[:, 1].tolist(), (a * 2 + 1)[1][0])\n";
    let said = says_with("5.0.0", &["needle.tflite"], script);
    assert_eq!(
        said,
        "(1, 1) 1\r\nInput shape does not match the model input shape\r\nUnsupported input type. Expected a list\r\n[5, 7] [1, 0, 1] [5, 0] 15\r\n"
    );
}
