//! Protocol v2 before the engine without an interpreter.

use omv_sim::Setup;
use omv_sim::scene::read_number;
use omv_wire::v2::parser::Event;

use super::common::{Host, STDIN, STREAM, bus, millis};

const SCRIPT: &str = "\
# omv-sim: print hello\n\
# omv-sim: wait 300\n\
# omv-sim: print bye\n";

#[test]
fn a_script_prints_and_then_the_interpreter_begins_anew() {
    let bus = bus("5.0.0", Setup::default());
    let mut host = Host::new(&bus);
    let text = host.run(&bus, SCRIPT, millis(1000));
    assert_eq!(text, "hello\r\nbye\r\nMPY: soft reboot\r\n");
    let event = |code| Event {
        channel: STDIN,
        code: Some(code),
    };
    // main.py ended for it, then it began and ended.
    let told: Vec<_> = host.events.iter().filter(|e| e.channel == STDIN).collect();
    assert_eq!(told, [&event(0), &event(1), &event(0)]);
    host.watch(&bus, millis(200));
    assert!(
        host.text.contains("OpenMV v5.0.0; MicroPython v"),
        "{}",
        host.text
    );
    assert_eq!(host.poll(), 0);
}

#[test]
fn main_runs_after_a_reset_and_counts_as_running() {
    let bus = bus("5.0.0", Setup::default());
    let mut host = Host::new(&bus);
    assert_eq!(host.poll() & 2, 2);
    host.stop();
    assert!(
        !host.watch(&bus, millis(100)),
        "a stopped main.py leads to the prompt"
    );
    assert_eq!(host.poll() & 2, 0);
    assert!(host.text.contains("KeyboardInterrupt"), "{}", host.text);
}

#[test]
fn stop_ends_an_endless_loop_within_its_time() {
    let bus = bus("5.0.0", Setup::default());
    let mut host = Host::new(&bus);
    host.start("# omv-sim: deaf 200\n# omv-sim: loop\n# omv-sim: repeat\n");
    assert!(!host.watch(&bus, millis(500)));
    host.stop();
    let asked = host.now();
    assert!(host.watch(&bus, millis(1000)));
    assert!(host.now() - asked < millis(260));
}

#[test]
fn a_second_script_while_one_runs_only_stops_it() {
    let bus = bus("5.0.0", Setup::default());
    let mut host = Host::new(&bus);
    host.start("# omv-sim: loop\n# omv-sim: wait 10\n# omv-sim: repeat\n");
    host.watch(&bus, millis(50));
    let text = host.run(&bus, "# omv-sim: print second\n", millis(500));
    assert!(
        text.contains("KeyboardInterrupt") && !text.contains("second"),
        "{text}"
    );
}

#[test]
fn an_exception_names_the_line() {
    let bus = bus("5.0.0", Setup::default());
    let mut host = Host::new(&bus);
    let text = host.run(&bus, "\n# omv-sim: raise ValueError no good\n", millis(500));
    let wanted = "Traceback (most recent call last):\r\n  File \"<stdin>\", line 2, in <module>\r\nValueError: no good\r\n";
    assert!(text.starts_with(wanted), "{text}");
}

#[test]
fn a_script_without_directives_is_answered_that_nothing_was_executed() {
    let bus = bus("5.0.0", Setup::default());
    let text = Host::new(&bus).run(&bus, "print(1)\n", millis(500));
    assert!(text.contains("nothing of it was executed"), "{text}");
}

#[test]
fn frames_carry_their_number_and_none_is_doubled_or_torn() {
    let bus = bus("5.0.0", Setup::default());
    let mut host = Host::new(&bus);
    host.ioctl(STREAM, 0, &[1]);
    host.ioctl(STREAM, 1, &[1]);
    host.ioctl(STREAM, 2, &[640, 480]);
    host.start("# omv-sim: loop\n# omv-sim: frame 320 240 GRAYSCALE\n# omv-sim: repeat\n");
    let mut last = None;
    for _ in 0..30 {
        let (header, bytes) = host.frame(&bus);
        assert_eq!(header[..5], [320, 240, 0x0802_0001, 1, 32]);
        let number = read_number(&bytes, 320, 240);
        assert!(
            number.is_some() && number > last,
            "{number:?} after {last:?}"
        );
        last = number;
    }
    let fps = f32::from_bits(host.frame(&bus).0[5]);
    assert!((55.0..65.0).contains(&fps), "{fps}");
}

#[test]
fn frames_are_compressed_unless_asked_for_raw() {
    let bus = bus("5.0.0", Setup::default());
    let mut host = Host::new(&bus);
    host.ioctl(STREAM, 0, &[1]);
    host.start("# omv-sim: loop\n# omv-sim: frame 640 480\n# omv-sim: repeat\n");
    let (header, bytes) = host.frame(&bus);
    assert_eq!(header[..3], [640, 480, 0x0606_0000]);
    assert_eq!(header[3] as usize, bytes.len());
    assert!(bytes.starts_with(&[0xFF, 0xD8]));
}

#[test]
fn text_that_nobody_reads_is_lost_from_the_front() {
    let bus = bus("5.0.0", Setup::default());
    let mut host = Host::new(&bus);
    host.read_text();
    host.text.clear();
    let script = "# omv-sim: loop\n# omv-sim: print 0123456789abcdef\n# omv-sim: repeat 100\n# omv-sim: wait 5000\n";
    host.start(script);
    bus.pass(millis(50));
    host.read_text();
    // The ring has 1024 bytes and is emptied whenever it is full.
    assert!((18..1024).contains(&host.text.len()), "{}", host.text.len());
    assert!(host.text.ends_with("abcdef\r\n"));
}

#[test]
fn a_reset_out_of_a_script_enumerates_anew_and_main_runs() {
    let bus = bus("5.0.0", Setup::default());
    let visit = bus.with(0, |camera, _| camera.visit());
    Host::new(&bus).start("# omv-sim: reset\n");
    bus.pass(millis(6000));
    assert!(bus.with(0, |camera, _| camera.visit()) > visit);
    assert_eq!(Host::new(&bus).poll() & 2, 2);
}

#[test]
fn deep_sleep_leaves_the_bus_for_its_time_and_comes_back() {
    let bus = bus("5.0.0", Setup::default());
    Host::new(&bus).start("# omv-sim: sleep 20000\n");
    bus.pass(millis(10_000));
    assert!(omv_link::Bus::list(&bus).unwrap().is_empty());
    bus.pass(millis(20_000));
    assert_eq!(Host::new(&bus).poll() & 2, 2);
}

#[test]
fn the_same_conversation_twice_is_the_same_to_the_byte() {
    let talk = || {
        let bus = bus("5.0.0", Setup::default());
        let mut host = Host::new(&bus);
        host.ioctl(STREAM, 0, &[1]);
        host.start(
            "# omv-sim: loop\n# omv-sim: frame 160 120\n# omv-sim: print x\n# omv-sim: repeat\n",
        );
        let frames: Vec<_> = (0..5).map(|_| host.frame(&bus)).collect();
        host.read_text();
        (frames, host.text, host.events, bus.with(0, |_, now| now))
    };
    assert_eq!(talk(), talk());
}
