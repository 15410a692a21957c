//! One measuring script, run by MicroPython on stubs of four eras of firmware.
//!
//! MicroPython is the npm package of its WebAssembly build, run by Node; `cargo xtask test judges
//! models` fetches and runs it.

use std::path::{Path, PathBuf};
use std::process::Command;

use omv_bench::{Reader, Run, Size, Wish, script};

mod look;

const ERAS: [&str; 4] = ["4.5.5", "4.5.6", "4.7.0", "5.0.0"];

fn run(era: &str, wish: &Wish) -> Run {
    let mut reader = Reader::new(true);
    reader.feed(&says(era, &script(wish)));
    reader.finish()
}

/// What a script prints on stubs of an era.
fn says(era: &str, script: &str) -> String {
    let judges = std::env::var_os("OMV_JUDGES").expect("run `cargo xtask test judges models`");
    let package = Path::new(&judges).join("webassembly/package");
    let here = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/eras");
    let name = format!(
        "{era}-{}.py",
        std::thread::current()
            .name()
            .unwrap_or("x")
            .replace("::", "-")
    );
    let file: PathBuf = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    std::fs::write(&file, script).expect("a place for the script");
    let mut node = Command::new("node");
    node.arg(here.join("driver.mjs"))
        .arg(package)
        .arg(era)
        .arg(&file);
    let output = node
        .output()
        .expect("Node can be started (`apt-get install nodejs`)");
    let text = String::from_utf8_lossy(&output.stdout);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{era}: {text}\n{errors}");
    // The smallest ring of a console has 512 bytes.
    assert!(
        text.lines().all(|line| line.len() < 500),
        "{era}: a line is too long"
    );
    text.into_owned()
}

fn wish(model: Option<&str>) -> Wish {
    let sizes = ["96x96", "QVGA", "640x480", "1024x1024", "UXGA"];
    Wish {
        model: model.map(str::to_owned),
        sizes: sizes
            .iter()
            .map(|size| size.parse::<Size>().unwrap())
            .collect(),
        pixels: vec![
            "RGB565".to_owned(),
            "GRAYSCALE".to_owned(),
            "BAYER".to_owned(),
        ],
        frames: 8,
        warm: 2,
        power: None,
        pin: None,
    }
}

#[test]
fn one_script_measures_on_all_four_eras() {
    for era in ERAS {
        let run = run(era, &wish(Some("/sdcard/trained.tflite")));
        assert!(run.trouble.is_empty(), "{era}: {:?}", run.trouble);
        let (interface, engine) = match era {
            "4.5.5" => ("sensor", "tf"),
            "5.0.0" => ("csi", "ml"),
            _ => ("sensor", "ml"),
        };
        assert_eq!(
            (&*run.identity["era"], &*run.identity["engine"]),
            (interface, engine),
            "{era}"
        );
        assert_eq!(run.identity["uid"], "010203");
        assert_eq!(run.identity["exposure"], "automatic, 8333 us", "{era}");
        let loaded = run.loaded.as_ref().expect("a network");
        assert_eq!(
            (loaded.size, loaded.arena),
            (Some(15968.0), Some(50000.0)),
            "{era}"
        );
        assert_eq!(run.cells.len(), 15);
        for cell in &run.cells[..3] {
            assert_eq!(cell.trouble, None, "{era} {}", cell.name());
            for (part, list) in cell.parts() {
                assert_eq!(list.len(), 8, "{era} {} {part}", cell.name());
            }
            assert!(
                cell.infer.iter().all(|micros| *micros >= 500.0),
                "{era}: {:?}",
                cell.infer
            );
        }
        assert_eq!((run.cells[0].width, run.cells[0].height), (96, 96));
        assert_eq!((run.cells[1].width, run.cells[1].height), (320, 240));
        // Too large for the frame buffer, and unknown to the sensor.
        assert!(
            run.cells[3]
                .trouble
                .as_ref()
                .unwrap()
                .starts_with("MemoryError"),
            "{era}"
        );
        assert!(run.cells[4].trouble.is_some(), "{era}");
        let bayer = run.cells[10].trouble.as_ref().unwrap();
        assert!(bayer.starts_with("AttributeError"), "{era}: {bayer}");
    }
}

#[test]
fn a_network_that_does_not_fit_the_heap_is_tried_in_the_frame_buffer() {
    for era in ERAS {
        let run = run(era, &wish(Some("/sdcard/large.tflite")));
        let place = run.loaded.expect("a network").place;
        let expected = if era == "5.0.0" {
            "heap"
        } else {
            "frame buffer"
        };
        assert_eq!(place, expected, "{era}");
    }
}

#[test]
fn pictures_are_measured_without_a_network() {
    for era in ERAS {
        let run = run(era, &wish(None));
        assert!(
            run.cells[0].infer.is_empty() && run.cells[0].capture.len() == 8,
            "{era}"
        );
    }
}

#[test]
fn the_lights_and_a_pin_give_a_signature_in_every_era() {
    for era in ERAS {
        let mut wish = wish(Some("/sdcard/trained.tflite"));
        wish.sizes.truncate(1);
        wish.pixels.truncate(1);
        wish.power = Some(omv_bench::Window {
            chip: 5,
            pause: 20,
            work: 100,
        });
        wish.pin = Some("P0".to_owned());
        // The stubs tell what was done to pin and lights, one letter for each element.
        let tell = "\nprint('PIN', ''.join(str(v) for v in Pin.levels), len(LED.lit) > 0)\n";
        let text = says(era, &(script(&wish) + tell));
        let pattern = "1111100110101".to_owned() + "0";
        assert!(
            text.contains(&format!("PIN {pattern}{pattern} True")),
            "{era}: {text}"
        );
        let mut reader = Reader::new(true);
        reader.feed(&text);
        let marks = reader.finish().marks.expect("marks");
        assert_eq!(marks.chip, 5000.0);
        // Thirteen elements and two rests before the work, one rest and the work before the last.
        assert!(marks.idle.0 >= 13.0 * 5000.0 + 20_000.0, "{era}: {marks:?}");
        assert!(
            marks.work.1 - marks.work.0 >= 100_000.0 && marks.count >= 2,
            "{era}: {marks:?}"
        );
        assert!(marks.last >= marks.work.1 + 20_000.0, "{era}: {marks:?}");
    }
}
