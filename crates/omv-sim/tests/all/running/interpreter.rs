//! Scripts in a real MicroPython, in virtual time.

use std::time::Duration;

use omv_sim::Setup;
use omv_sim::medium::{MemoryCard, Shared};
use omv_sim::scene::{Scene, read_number};

use super::common::{Host, STREAM, bus, millis, python};

const SECOND: Duration = Duration::from_secs(1);

/// What a script says on firmware 5.0.0, without the end of the interpreter.
fn says(script: &str) -> String {
    says_on("5.0.0", script)
}

pub fn says_on(version: &str, script: &str) -> String {
    let bus = bus(version, python());
    let mut host = Host::new(&bus);
    host.stop();
    host.watch(&bus, millis(400));
    let text = host.run(&bus, script, 60 * SECOND);
    let (said, _) = text.split_once("MPY: soft reboot").expect("an end");
    said.to_owned()
}

#[test]
fn a_script_is_executed_for_real() {
    let script = "def f(n):\n    return n if n < 2 else f(n - 1) + f(n - 2)\nprint([f(n) for n in range(10)], 7 / 2, 'ä')\n";
    assert_eq!(says(script), "[0, 1, 1, 2, 3, 5, 8, 13, 21, 34] 3.5 ä\r\n");
}

#[test]
fn an_exception_has_its_traceback_and_no_line_of_ours() {
    let text = says("import sensor\n\ndef f():\n    sensor.set_pixformat(99)\n\nf()\n");
    let wanted = "Traceback (most recent call last):\r\n  File \"<stdin>\", line 6, in <module>\r\n  File \"<stdin>\", line 4, in f\r\nRuntimeError: Pixel format is not supported.\r\n";
    assert_eq!(text, wanted);
}

#[test]
fn a_syntax_error_names_its_line() {
    let text = says("x = 1\ndef :\n");
    assert!(
        text.contains("line 2") && text.contains("SyntaxError"),
        "{text}"
    );
}

#[test]
fn sleeping_takes_camera_time_and_the_clock_shows_it() {
    let script = "import time\na = time.ticks_ms()\ntime.sleep_ms(1500)\nprint(time.ticks_diff(time.ticks_ms(), a))\n";
    let passed: u32 = says(script).trim().parse().unwrap();
    assert!((1500..1520).contains(&passed), "{passed}");
}

#[test]
fn a_busy_loop_takes_time_and_stop_ends_it_with_its_finally() {
    let bus = bus("5.0.0", python());
    let mut host = Host::new(&bus);
    host.stop();
    host.watch(&bus, millis(400));
    host.start("try:\n    while True:\n        pass\nfinally:\n    print('cleaned up')\n");
    assert!(!host.watch(&bus, millis(300)));
    host.text.clear();
    let asked = host.now();
    host.stop();
    assert!(host.watch(&bus, SECOND), "it does not stop");
    assert!(host.now() - asked < millis(200));
    assert!(host.text.starts_with("cleaned up\r\n"), "{}", host.text);
    assert!(host.text.contains("KeyboardInterrupt"), "{}", host.text);
}

#[test]
fn snapshots_reach_the_host_with_their_numbers() {
    let bus = bus("5.0.0", python());
    let mut host = Host::new(&bus);
    host.stop();
    host.watch(&bus, millis(400));
    host.ioctl(STREAM, 0, &[1]);
    host.ioctl(STREAM, 1, &[1]);
    host.ioctl(STREAM, 2, &[640, 480]);
    host.start(
        "import sensor\nsensor.reset()\nsensor.set_pixformat(sensor.GRAYSCALE)\nsensor.set_framesize(sensor.QVGA)\nwhile True:\n    img = sensor.snapshot()\n",
    );
    let mut last = None;
    for _ in 0..8 {
        let (header, bytes) = host.frame(&bus);
        assert_eq!(header[..2], [320, 240]);
        let number = read_number(&bytes, 320, 240);
        assert!(
            number.is_some() && number > last,
            "{number:?} after {last:?}"
        );
        last = number;
    }
}

#[test]
fn the_class_of_csi_works_and_pixels_are_what_the_scene_shows() {
    let script = "import csi\nc = csi.CSI()\nc.reset()\nc.pixformat(csi.RGB565)\nc.framesize(csi.QQVGA)\nimg = c.snapshot()\nprint(img.width(), img.height(), len(img.bytearray()), img.get_pixel(4, 4), img.get_pixel(12, 4))\nimg.draw_rectangle((10, 60, 20, 20), color=(255, 0, 0), fill=True)\nprint(img.get_pixel(15, 65))\nprint(len(img.to_jpeg(quality=80, copy=True).bytearray()) > 500)\n";
    let text = says(script);
    assert_eq!(
        text,
        "160 120 38400 (255, 255, 255) (0, 0, 0)\r\n(255, 0, 0)\r\nTrue\r\n"
    );
}

#[test]
fn files_of_the_disk_are_read_written_and_imported() {
    let script = "import os\nprint(os.getcwd())\nwith open('helper.py', 'w') as f:\n    f.write('def two():\\n    return 2\\n')\nimport helper\nprint(helper.two())\nos.mkdir('logs')\nwith open('logs/a.txt', 'a') as f:\n    f.write('one\\n')\nwith open('logs/a.txt', 'a') as f:\n    f.write('two\\n')\nprint(open('/flash/logs/a.txt').read(), sorted(os.listdir('/flash')), os.stat('logs/a.txt')[6])\nos.remove('logs/a.txt')\nos.rmdir('logs')\ntry:\n    open('logs/a.txt')\nexcept OSError as e:\n    print(e)\nprint(os.statvfs('/flash')[:3])\n";
    let text = says(script);
    let wanted = "/flash\r\n2\r\none\r\ntwo\r\n ['.openmv_disk', 'README.txt', 'helper.py', 'logs', 'main.py'] 8\r\n[Errno 2] ENOENT\r\n(4096, 4096, 1018)\r\n";
    assert_eq!(text, wanted);
}

#[test]
fn main_on_the_disk_runs_after_a_reset_and_boot_before_it() {
    let bus = bus("5.0.0", python());
    let mut host = Host::new(&bus);
    host.stop();
    host.watch(&bus, millis(400));
    let script = "with open('boot.py', 'w') as f:\n    f.write('print(\"boot\")\\n')\nwith open('main.py', 'w') as f:\n    f.write('print(\"main\")\\nraise ValueError(1)\\n')\nimport machine\nmachine.reset()\n";
    host.start(script);
    bus.pass(Duration::from_secs(5));
    drop(host);
    let mut host = Host::new(&bus);
    host.watch(&bus, millis(200));
    let wanted = "boot\r\nmain\r\nTraceback (most recent call last):\r\n  File \"main.py\", line 2, in <module>\r\nValueError: 1\r\n";
    assert!(host.text.starts_with(wanted), "{}", host.text);
}

#[test]
fn a_card_is_where_a_script_begins() {
    let mut image = std::io::Cursor::new(vec![0; 4 << 20]);
    fatfs::format_volume(&mut image, fatfs::FormatVolumeOptions::new()).unwrap();
    let card = Shared::new(MemoryCard::of(&image.into_inner()));
    let setup = Setup {
        card: Some(card.clone()),
        ..python()
    };
    let bus = bus("5.0.0", setup);
    let mut host = Host::new(&bus);
    let text = host.run(
        &bus,
        "import os\nprint(os.getcwd(), os.listdir('/'))\nopen('note', 'w').write('x')\n",
        SECOND,
    );
    assert!(
        text.starts_with("/sdcard ['flash', 'sdcard']\r\n"),
        "{text}"
    );
    let image = std::io::Cursor::new(card.image().unwrap());
    let system = fatfs::FileSystem::new(image, fatfs::FsOptions::new()).unwrap();
    assert!(system.root_dir().open_file("note").is_ok());
}

#[test]
fn a_frame_that_does_not_fit_is_a_memory_error() {
    let script = "import csi\nc = csi.CSI()\nc.reset()\nc.pixformat(csi.RGB565)\nc.framesize((4096, 4096))\nc.snapshot()\n";
    let text = says(script);
    assert!(
        text.contains("MemoryError: Frame buffer overflow!"),
        "{text}"
    );
}

#[test]
fn the_stock_streaming_example_starts() {
    let script = "import network, sensor, rtsp\nsensor.reset()\nsensor.set_framesize(sensor.VGA)\nsensor.set_pixformat(sensor.JPEG)\nn = network.WLAN(network.STA_IF)\nn.active(True)\nn.connect('ssid', 'key')\nserver = rtsp.rtsp_server(n)\nserver.register_setup_cb(print)\ncount = 0\ndef image_callback(path, session):\n    global count\n    count += 1\n    if count > 3:\n        raise SystemExit\n    return sensor.snapshot()\nserver.stream(image_callback)\n";
    let text = says(script);
    assert!(
        text.contains("Running...") && !text.contains("Traceback"),
        "{text}"
    );
}

#[test]
fn a_channel_of_a_script_is_listed_and_sends_events() {
    let bus = bus("5.0.0", python());
    let mut host = Host::new(&bus);
    host.stop();
    host.watch(&bus, millis(400));
    host.start("import protocol\nch = protocol.register(name='mine', flags=0, backend=object())\nch.send_event(7)\nprint('there')\n");
    host.watch(&bus, SECOND);
    let told = |event: &&omv_wire::v2::parser::Event| event.channel == 4 && event.code == Some(7);
    assert!(
        host.events.iter().any(|event| told(&event)),
        "{:?}",
        host.events
    );
}

#[test]
fn the_same_script_twice_is_the_same_to_the_byte_and_the_microsecond() {
    let script = "import time, sensor, random\nsensor.reset()\nsensor.set_pixformat(sensor.RGB565)\nsensor.set_framesize(sensor.QQVGA)\nclock = time.clock()\nfor i in range(5):\n    clock.tick()\n    img = sensor.snapshot()\n    print(i, time.ticks_us(), clock.fps(), img.get_pixel(80, 60), random.getrandbits(16))\n";
    assert_eq!(says(script), says(script));
}

#[test]
fn blobs_are_at_the_places_the_scene_says() {
    let setup = Setup {
        scene: Scene::Blobs,
        ..python()
    };
    let bus = bus("5.0.0", setup);
    let mut host = Host::new(&bus);
    host.stop();
    host.watch(&bus, millis(400));
    let blob = Scene::blobs(0, (320, 240))[0];
    let script = format!(
        "import sensor\nsensor.reset()\nsensor.set_pixformat(sensor.RGB565)\nsensor.set_framesize(sensor.QVGA)\nprint(sensor.snapshot().get_pixel({}, {}))\n",
        blob.x, blob.y
    );
    let text = host.run(&bus, &script, SECOND);
    assert!(text.starts_with("(222, 28, 24)"), "{text}");
}
