//! A network from its export to a table of numbers, on virtual cameras that execute scripts.
//!
//! The interpreter is one of the judges: `cargo xtask test judges`.

mod common;

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use common::{Desk, text};
use serde_json::{Value, json};

/// What virtual cameras execute scripts with.
fn interpreter() -> PathBuf {
    let judges = std::env::var_os("OMV_JUDGES").expect("run `cargo xtask test judges`");
    Path::new(&judges).join("micropython.wasm")
}

fn model(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../omv-wire/tests/models");
    folder.join(format!("{name}.tflite"))
}

/// A virtual camera that is kept in a file between commands.
struct Camera {
    folder: tempfile::TempDir,
    name: String,
}

impl Camera {
    fn new(firmware: &str) -> Self {
        Self::of("rt1062", firmware)
    }

    fn of(board: &str, firmware: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("camera");
        let name = format!("sim:{board},firmware={firmware}@{}", file.display());
        Self { folder, name }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn output(&self, words: &[&str]) -> Output {
        let mut omv = Command::new(env!("CARGO_BIN_EXE_omv"));
        omv.args(["-c", &self.name]).args(words);
        omv.env("OMV_INTERPRETER", interpreter());
        let output = omv.env_remove("OMV_CAMERA").current_dir(self.folder.path());
        output.output().expect("it can be started")
    }

    /// Exit code and result of a command.
    fn omv(&self, words: &[&str]) -> (Option<i32>, Value) {
        let output = self.output(&[&["--json"], words].concat());
        let text = String::from_utf8_lossy(&output.stdout);
        let last = text.lines().last().unwrap_or_else(|| panic!("{output:?}"));
        let result = serde_json::from_str(last).expect("JSON");
        (output.status.code(), result)
    }

    /// What a script prints.
    fn says(&self, script: &str) -> String {
        fs::write(self.path("ask.py"), script).unwrap();
        let output = self.output(&["run", "ask.py"]);
        assert!(output.status.success(), "{output:?}");
        String::from_utf8_lossy(&output.stdout).trim().to_owned()
    }

    fn zip(&self, name: &str, files: &[(&str, &[u8])]) -> String {
        let path = self.path(name);
        let mut archive = zip::ZipWriter::new(fs::File::create(&path).unwrap());
        for (name, bytes) in files {
            let options = zip::write::SimpleFileOptions::default();
            archive.start_file(*name, options).unwrap();
            archive.write_all(bytes).unwrap();
        }
        archive.finish().unwrap();
        path.display().to_string()
    }
}

const LABELS: &[u8] = b"background\nball\nfigure\n";

/// Deploys the export of the report and measures it over its frame sizes.
fn report(firmware: &str, root: &str, interface: [&str; 2], script: &[&str]) {
    let camera = Camera::new(firmware);
    let network = fs::read(model("toy96")).unwrap();
    let files = [("trained.tflite", &*network), ("labels.txt", LABELS)];
    let export = camera.zip("export.zip", &files);
    let words = ["model", "deploy", &export];
    let (exit, result) = camera.omv(&[&words, script].concat());
    assert_eq!(exit, Some(0), "{result}");
    assert_eq!(
        (&result["simulated"], &result["labels"][2]),
        (&json!(true), &json!("figure"))
    );
    let paths = result["files"]
        .as_array()
        .unwrap()
        .iter()
        .map(|file| &file["path"]);
    let names = ["trained.tflite", "trained.txt", "labels.txt", "main.py"];
    let names = &names[..if script.is_empty() { 3 } else { 4 }];
    let wanted: Vec<String> = names.iter().map(|name| format!("{root}/{name}")).collect();
    assert_eq!(paths.collect::<Vec<_>>(), wanted.iter().collect::<Vec<_>>());
    let scores = result["prediction"].as_array().unwrap();
    let scores = scores.iter().filter(|score| score["label"].is_string());
    let labels: Vec<&str> = scores
        .map(|score| score["label"].as_str().unwrap())
        .collect();
    assert!(labels.len() == 3 && labels.contains(&"ball"), "{result}");

    let path = format!("{root}/trained.tflite");
    let sizes = "240x240,320x320,640x640,1024x1024,4000x4000";
    let (exit, result) = camera.omv(&[
        "bench",
        &path,
        "--sizes",
        sizes,
        "--frames",
        "3",
        "--warmup",
        "1",
        "--html",
        "page.html",
        "--svg",
        "bars.svg",
    ]);
    assert_eq!(exit, Some(0), "{result}");
    let run = &result["run"];
    assert_eq!(run["trouble"], json!([]));
    assert_eq!(
        [&run["identity"]["era"], &run["identity"]["engine"]],
        interface.map(|text| json!(text)).each_ref()
    );
    for name in [
        "uid", "firmware", "sensor", "script", "sha-256", "link", "exposure", "preview",
    ] {
        assert!(run["identity"][name].is_string(), "{name}: {run}");
    }
    let cells = run["cells"].as_array().unwrap();
    let medians = cells[..4].iter().map(|cell| {
        assert_eq!(cell["trouble"], Value::Null, "{cell}");
        let mut times: Vec<f64> = serde_json::from_value(cell["infer"].clone()).unwrap();
        assert_eq!(times.len(), 3);
        times.sort_by(f64::total_cmp);
        times[1]
    });
    let medians: Vec<f64> = medians.collect();
    // As the report has it: a larger frame takes longer, because it has to be scaled.
    assert!(
        medians.windows(2).all(|pair| pair[0] < pair[1]),
        "{medians:?}"
    );
    let why = cells[4]["trouble"].as_str().unwrap();
    assert!(why.contains("no frame size holds it"), "{why}");
    for name in ["page.html", "bars.svg"] {
        let text = fs::read_to_string(camera.path(name)).unwrap();
        assert!(
            text.contains("simulated") && text.contains("1024x1024"),
            "{name}"
        );
    }
}

#[test]
fn the_report_goes_through_on_the_newest_firmware() {
    let script = ["--to", "flash", "--script", "--replace-main"];
    report("5.0.0", "/flash", ["csi", "ml"], &script);
}

#[test]
fn the_report_goes_through_on_the_firmware_it_was_written_with() {
    report("4.5.2", "", ["sensor", "tf"], &[]);
}

#[test]
fn one_script_measures_a_file_of_this_computer_on_the_eras_between_and_leaves_nothing() {
    for firmware in ["4.5.6", "4.7.0"] {
        let camera = Camera::new(firmware);
        let before = camera.says("import os\nprint(sorted(os.listdir()))\n");
        let file = model("toy96").display().to_string();
        let words = [
            "bench",
            &file,
            "--sizes",
            "qvga",
            "--frames",
            "2",
            "--warmup",
            "0",
            "--html",
            "page.html",
            "--csv",
        ];
        let output = camera.output(&words);
        let text = String::from_utf8_lossy(&output.stdout);
        let row = text.lines().find(|line| line.contains(",infer,2,"));
        assert!(row.is_some_and(|row| row.ends_with(",true")), "{output:?}");
        let page = fs::read_to_string(camera.path("page.html")).unwrap();
        for (name, value) in [("era", "sensor"), ("engine", "ml")] {
            let told = format!("<th>{name}</th><td>{value}</td>");
            assert!(page.contains(&told), "{firmware} {name}");
        }
        assert_eq!(
            camera.says("import os\nprint(sorted(os.listdir()))\n"),
            before
        );
    }
}

#[test]
fn what_the_camera_would_not_run_is_refused_before_anything_is_written() {
    let camera = Camera::new("5.0.0");
    camera.says("print('it exists from now on')\n");
    let before = fs::read(camera.path("camera")).unwrap();
    let photos = camera.zip("photos.zip", &[("a.jpg", &[0xFF; 10])]);
    fs::write(camera.path("two.txt"), "ball\nfigure\n").unwrap();
    let file = |name| model(name).display().to_string();
    let (large, foreign, toy) = (file("too_large"), file("spectrum"), file("toy96"));
    let cases: [(&[&str], &str); 4] = [
        (&[&large], "model-too-large"),
        (&[&foreign], "no-operator"),
        (&[&toy, "--labels", "two.txt"], "labels-differ"),
        (&[&photos], "not-an-export"),
    ];
    for (words, code) in cases {
        let (exit, result) = camera.omv(&[&["model", "deploy"], words].concat());
        let said = result["error"]["code"].as_str().unwrap_or("none");
        assert_eq!((exit, said), (Some(9), code), "{words:?}");
        assert!(
            fs::read(camera.path("camera")).unwrap() == before,
            "{code} wrote"
        );
    }
}

#[test]
fn a_main_py_of_somebody_elses_stays_until_it_is_told_otherwise() {
    let camera = Camera::new("5.0.0");
    camera.says("with open('/flash/main.py', 'w') as f:\n    f.write('# mine')\n");
    let file = model("fomo96").display().to_string();
    let deploy = |more: &[&str]| {
        let words = ["model", "deploy", &file, "--name", "finder", "--script"];
        let (exit, result) = camera.omv(&[&words, more].concat());
        assert_eq!(exit, Some(0), "{result}");
        result
    };
    let deployed = deploy(&[]);
    assert_eq!(deployed["main_kept"], true);
    // The internal disk is written from here, with a note that mends it after a cut.
    assert_eq!(deployed["noted"], true);
    let show = "print(open('/flash/main.py').read()[:30])\n";
    assert_eq!(camera.says(show), "# mine");
    let (exit, report) = camera.omv(&["model", "info", ":/flash/finder.tflite"]);
    assert_eq!(exit, Some(0), "{report}");
    assert_eq!(report["sha256"], deployed["files"][0]["sha256"]);
    assert_eq!(report["boards"][0]["firmware"], "5.0.0");
    let (exit, report) = camera.omv(&["model", "info", ":/flash/none.tflite"]);
    let code = &report["error"]["code"];
    assert_eq!((exit, code), (Some(9), &json!("disk-no-file")));
    assert_eq!(deploy(&["--replace-main"])["main_kept"], false);
    assert!(camera.says(show).starts_with("# Shows what a network sees"));
}

#[test]
fn a_network_joins_what_is_in_the_rom_file_system_and_is_used_there() {
    let camera = Camera::of("h7", "5.0.0");
    let deploy = |name: &str, more: &[&str]| {
        let file = model(name).display().to_string();
        camera.omv(&[&["model", "deploy", &file], more].concat())
    };
    // Nobody says where: there it takes no heap.
    let (exit, first) = deploy("fomo96", &["--name", "finder"]);
    assert_eq!((exit, &first["place"]), (Some(0), &json!("romfs")));
    let (exit, second) = deploy("toy96", &["--to", "romfs"]);
    assert_eq!(exit, Some(0), "{second}");
    assert_eq!(second["files"][1]["path"], "/rom/toy96.txt");
    assert!(second["prediction"][0]["label"].is_string(), "{second}");
    let there = "import os\nprint(sorted(os.listdir('/rom')))\n";
    let all = "['finder.tflite', 'finder.txt', 'sample.txt', 'toy96.tflite', 'toy96.txt']";
    assert_eq!(camera.says(there), all);
    // One that has no room, alone or beside the others, changes nothing.
    let before = fs::read(camera.path("camera")).unwrap();
    for kibibytes in [128, 100] {
        let full = [fs::read(model("toy96")).unwrap(), vec![0; kibibytes << 10]].concat();
        fs::write(camera.path("full.tflite"), full).unwrap();
        let (exit, refused) = camera.omv(&["model", "deploy", "full.tflite", "--to", "romfs"]);
        let code = &refused["error"]["code"];
        assert_eq!((exit, code), (Some(9), &json!("too-large")), "{kibibytes}");
        assert!(
            fs::read(camera.path("camera")).unwrap() == before,
            "{kibibytes}"
        );
    }
    let (exit, image) = camera.omv(&["romfs", "read", "-o", "rom.img"]);
    assert_eq!(exit, Some(0), "{image}");
    let bytes = fs::read(camera.path("rom.img")).unwrap();
    let image = omv_wire::romfs::read(&bytes).unwrap();
    assert_eq!(image.entries.len(), 5);
    for entry in &image.entries {
        let omv_wire::romfs::Node::File(Some(content)) = entry.node else {
            panic!("{entry:?}");
        };
        let network = entry.name.ends_with(b".tflite");
        assert!(!network || content.offset % 16 == 0, "{}", content.offset);
    }
}

#[test]
fn what_was_in_the_rom_file_system_outlives_a_cable_that_is_pulled_while_it_is_written() {
    let desk = Desk::new();
    let command = |words: &[&str]| {
        let mut command = desk.command(words);
        command.env("OMV_INTERPRETER", interpreter());
        command
    };
    let new = ["sim", "h7", "--firmware", "5.0.0", "--name", "kit"];
    let _sim = desk.serve(command(&new), "kit");
    desk.until("kit", "run");
    let backup = ["-c", "kit", "backup", "romfs", "-o", "before.img"];
    let ran = desk.omv(&backup);
    assert_eq!(ran.code, Some(0), "{}", ran.err);
    let file = model("toy96");
    let words = ["-c", "kit", "model", "deploy", text(&file), "--to", "romfs"];
    let mut deploy = command(&words);
    let deploy = deploy.stderr(Stdio::piped()).stdout(Stdio::null());
    let mut deploy = deploy.spawn().unwrap();
    let mut lines = BufReader::new(deploy.stderr.take().unwrap()).lines();
    // The next step erases for a second.
    let before_it = |line: String| line.contains("compare");
    while !before_it(lines.next().expect("it goes on").unwrap()) {}
    assert_eq!(desk.omv(&["sim", "ctl", "kit", "unplug"]).code, Some(0));
    let told = lines.map(Result::unwrap).collect::<Vec<_>>().join("\n");
    assert_eq!(deploy.wait().unwrap().code(), Some(1), "{told}");
    assert!(told.contains("error[device-gone]"), "{told}");
    let (_, kept) = told.split_once("`omv restore ").expect("a way back");
    let (kept, _) = kept.split_once('`').unwrap();
    let kept: Vec<&str> = kept.split(' ').collect();
    let [saved, "--region", "ROMFS0"] = *kept else {
        panic!("{told}");
    };
    let before = fs::read(desk.path("before.img")).unwrap();
    assert!(fs::read(saved).unwrap() == before);

    assert_eq!(desk.omv(&["sim", "ctl", "kit", "plug"]).code, Some(0));
    desk.until("kit", "run");
    let ran = desk.omv(&[["-c", "kit", "restore"].as_slice(), &kept, &["--yes"]].concat());
    assert_eq!(ran.code, Some(0), "{}", ran.err);
    fs::remove_dir_all(Path::new(saved).parent().unwrap()).unwrap();
}

#[test]
fn a_release_without_rom_file_system_refuses_a_network_for_it() {
    let camera = Camera::new("4.5.9");
    camera.says("print('it exists from now on')\n");
    let before = fs::read(camera.path("camera")).unwrap();
    let file = model("toy96").display().to_string();
    let (exit, refused) = camera.omv(&["model", "deploy", &file, "--to", "romfs"]);
    let code = &refused["error"]["code"];
    assert_eq!((exit, code), (Some(9), &json!("before-romfs")));
    assert!(fs::read(camera.path("camera")).unwrap() == before);
}

#[test]
fn pictures_for_training_are_taken_by_time_and_by_the_script() {
    let camera = Camera::new("5.0.0");
    let take = |words: &[&str]| {
        let words = [&["capture", "set", "--label"], words].concat();
        let (exit, result) = camera.omv(&words);
        assert_eq!(exit, Some(0), "{result}");
        result
    };
    let kept = take(&["ball", "--every", "0.1", "--count", "2", "--all"]);
    assert_eq!(kept["kept"], 2);
    let script = "import csi\nc = csi.CSI()\nc.reset()\nc.pixformat(csi.RGB565)\nc.framesize(csi.QVGA)\nfor n in range(3):\n    c.snapshot(time=200)\n    print('omv-capture', 10 * n, 20, 30, 40)\n    c.snapshot(time=200)\n";
    fs::write(camera.path("take.py"), script).unwrap();
    let kept = take(&["figure", "--on-script", "--script", "take.py", "--all"]);
    assert_eq!(kept["kept"], 3, "{kept}");
    let (exit, done) = camera.omv(&["capture", "set", "--export", "coco", "--to", "out"]);
    assert_eq!(
        (exit, &done["pictures"], &done["without_boxes"]),
        (Some(0), &json!(5), &json!(2))
    );
    let text = fs::read_to_string(camera.path("out/annotations.json")).unwrap();
    let coco: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(coco["annotations"][4]["bbox"], json!([20, 20, 30, 40]));
}

#[test]
fn the_link_itself_is_measured_in_both_protocols() {
    for (firmware, forms) in [("5.0.0", 3), ("4.5.2", 2)] {
        let (exit, result) = Camera::new(firmware).omv(&["bench", "link"]);
        assert_eq!(
            (exit, &result["simulated"]),
            (Some(0), &json!(true)),
            "{result}"
        );
        let carried = result["carried"].as_array().unwrap();
        assert_eq!(carried.len(), forms, "{result}");
        let rates = carried
            .iter()
            .map(|one| one["bytes_per_second"].as_f64().unwrap());
        assert!(rates.fold(f64::MAX, f64::min) > 1000.0, "{result}");
    }
}
