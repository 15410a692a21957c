//! The script's parameters, and reading what it prints.

use omv_bench::{Reader, Size, Wish, csv, html, script, svg, table};

fn wish() -> Wish {
    Wish {
        model: Some("/sdcard/it's.tflite".to_owned()),
        sizes: vec!["96x96".parse().unwrap(), "qvga".parse().unwrap()],
        pixels: vec!["RGB565".to_owned()],
        frames: 3,
        warm: 1,
        power: None,
        pin: None,
    }
}

#[test]
fn sizes_are_windows_or_names_and_nothing_else() {
    assert_eq!(
        "QVGA".parse::<Size>().unwrap(),
        Size::Named("QVGA".to_owned())
    );
    for bad in ["", "0x10", "10x", "99999x1", "a'b", "1x1x1", "QVGA;import"] {
        assert!(bad.parse::<Size>().is_err(), "{bad}");
    }
}

#[test]
fn names_cannot_leave_their_quotes() {
    let text = script(&wish());
    assert!(text.contains(r"'model': '/sdcard/it\'s.tflite'"), "{text}");
    let mut wish = wish();
    wish.model = Some("a\nb\\\u{e9}".to_owned());
    assert!(script(&wish).contains(r"'a\u000ab\\\u00e9'"));
}

const LINES: &str = r#"hello
OMV!{"k": "id", "era": "csi", "firmware": "5.0.0", "clock": 600000000}
OMV!{"k": "model", "load": 12000, "place": "heap", "size": 15968, "arena": 50000, "before": {"heap": 400000}, "after": {"heap": 330000}}
OMV!{"k": "begin", "cell": 0, "pixels": "RGB565", "size": "96x96"}
OMV!{"k": "t", "cell": 0, "part": "capture", "v": [8000, 8100, 8200]}
OMV!{"k": "t", "cell": 0, "part": "infer", "v": [5000, 5100, 5200]}
OMV!{"k": "t", "cell": 0, "part": "loop", "v": [13000, 13100, 13200]}
OMV!{"k": "cell", "cell": 0, "w": 96, "h": 96, "low": 320000, "after": {"heap": 330000}}
OMV!{"k": "begin", "cell": 1, "pixels": "RGB565", "size": "<b>QVGA"}
OMV!{"k": "no", "cell": 1, "why": "MemoryError: \u001b[31m"}
OMV!{"k": "end"}
"#;

fn read(text: &str, simulated: bool) -> omv_bench::Run {
    let mut reader = Reader::new(simulated);
    for piece in text.as_bytes().chunks(7) {
        reader.feed(std::str::from_utf8(piece).unwrap());
    }
    reader.finish()
}

#[test]
fn what_a_script_prints_becomes_a_run() {
    let run = read(LINES, false);
    assert_eq!(run.identity["firmware"], "5.0.0");
    assert_eq!(run.cells[0].infer, [5000.0, 5100.0, 5200.0]);
    assert_eq!((run.cells[0].width, run.cells[0].height), (96, 96));
    assert_eq!(run.cells[1].trouble.as_deref(), Some("MemoryError: [31m"));
    assert_eq!(run.loaded.as_ref().unwrap().arena, Some(50000.0));
    assert!(run.trouble.is_empty());
    assert!((run.cells[0].rate().unwrap() - 76.3).abs() < 0.1);
}

#[test]
fn an_end_that_is_missing_and_a_line_that_is_damaged_are_said() {
    let cut = LINES.replace("OMV!{\"k\": \"end\"}\n", "OMV!{\"k\": \"t\", \"cel\n");
    let run = read(&cut, false);
    assert_eq!(run.trouble.len(), 2, "{:?}", run.trouble);
}

#[test]
fn hostile_lines_cost_nothing() {
    let mut reader = Reader::new(false);
    reader.feed(&"x".repeat(1 << 20));
    reader.feed("\nOMV!{\"k\": \"t\", \"cell\": 99999999999, \"part\": \"loop\", \"v\": [1]}\n");
    reader.feed("OMV!{\"k\": \"begin\", \"cell\": 5}\n");
    for _ in 0..1000 {
        reader.feed("OMV!{{{\n");
    }
    let run = reader.finish();
    assert!(run.cells.is_empty() && run.trouble.len() <= 102);
}

#[test]
fn every_form_of_a_simulated_run_says_so_and_no_form_of_a_measured_one_does() {
    for (simulated, times) in [(true, read(LINES, true)), (false, read(LINES, false))] {
        let forms = [table(&times).join("\n"), svg(&times), html(&times)];
        for form in forms {
            assert_eq!(form.contains("simulated"), simulated, "{form}");
        }
        assert_eq!(
            csv(&times).lines().nth(1).unwrap().ends_with("true"),
            simulated
        );
    }
}

#[test]
fn the_page_needs_nothing_else_and_takes_no_markup_from_a_camera() {
    let page = html(&read(LINES, true));
    assert!(page.contains("&lt;b&gt;QVGA") && !page.contains("<b>QVGA"));
    for outside in ["<script", "src=", "http://", "https://", "url("] {
        let page = page.replace("http://www.w3.org/2000/svg", "");
        assert!(!page.contains(outside), "{outside}");
    }
}

#[test]
fn the_table_shows_the_numbers() {
    let lines = table(&read(LINES, false)).join("\n");
    for shown in ["5.100", "13.10 ", "76.3", "did not run: MemoryError"] {
        assert!(lines.contains(shown), "{shown} in\n{lines}");
    }
    assert!(csv(&read(LINES, false)).starts_with("size,pixels,part"));
}
