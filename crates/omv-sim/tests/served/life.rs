//! A server from start to end: its entry, its control socket, its state file.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::thread;
use std::time::{Duration, Instant};

use crate::common::{self, ask, open_loader, ordinary, patient, serve, succeed};
use omv_link::usbip::UsbIpBus;
use omv_sim::rt1062::{Quirks, Rt1062, chip::Chip};
use omv_sim::serve::{
    ControlError, Options, Request, Running, ServeError, Server, control, find_servers,
};
use omv_sim::state::{self, Keeper, StateError};
use omv_sim::{Hand, nor};
use omv_wire::mboot::{Command, Data};

#[test]
fn a_server_is_found_while_it_lives() {
    let bench = serve(ordinary(), 1.0);
    let folder = bench.folder.path();
    let running = Running {
        name: "bench".into(),
        endpoint: bench.server.address().to_string(),
        board: "OPENMV_RT1060".into(),
    };
    assert_eq!(find_servers(folder), [running]);
    let entry = bench.server.entry().to_owned();
    assert!(entry.join("state").exists());
    bench.server.stop().unwrap();
    assert_eq!(find_servers(folder), []);
    assert!(!entry.exists(), "nothing is left behind");
}

#[test]
fn a_name_is_taken_only_as_long_as_its_owner_lives() {
    let bench = serve(ordinary(), 1.0);
    let options = Options::new("bench", bench.folder.path());
    match Server::start(ordinary(), options.clone()).map(|_| ()) {
        Err(ServeError::NameTaken {
            name,
            holder: Some(who),
        }) => {
            assert!(name == "bench" && who.contains("process"), "{who}");
        }
        unexpected => panic!("{unexpected:?}"),
    }
    let folder = bench.folder;
    drop(bench.server);
    // What a killed process leaves behind: the files, but not the lock.
    let entry = folder.path().join("bench");
    fs::create_dir(&entry).unwrap();
    fs::write(entry.join("pid"), "999999999\n").unwrap();
    fs::write(entry.join("endpoint"), "127.0.0.1:1\n").unwrap();
    let server = Server::start(ordinary(), options).unwrap();
    assert_eq!(find_servers(folder.path()).len(), 1);
    drop(server);
}

#[test]
fn dead_entries_are_removed_and_foreign_files_are_not() {
    let folder = tempfile::tempdir().unwrap();
    let dead = folder.path().join("dead");
    fs::create_dir(&dead).unwrap();
    let own = std::process::id().to_string();
    for (file, text) in [
        ("pid", own.as_str()),
        ("endpoint", "127.0.0.1:1"),
        ("board", "X"),
    ] {
        fs::write(dead.join(file), text).unwrap();
    }
    let foreign = folder.path().join("photos");
    fs::create_dir(&foreign).unwrap();
    fs::write(foreign.join("cat.jpg"), "meow").unwrap();
    let start = Instant::now();
    assert_eq!(find_servers(folder.path()), []);
    assert!(start.elapsed() < Duration::from_millis(200));
    assert!(!dead.exists() && foreign.join("cat.jpg").exists());
}

#[test]
fn names_that_are_none_and_impossible_speeds_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    for name in ["", "../x", "locks"] {
        let options = Options::new(name, folder.path());
        let refused = Server::start(ordinary(), options).map(|_| ());
        assert!(matches!(refused, Err(ServeError::BadName(_))), "{name}");
    }
    for speed in [0.0, -1.0, f64::NAN, f64::INFINITY] {
        let mut options = Options::new("bench", folder.path());
        options.speed = speed;
        let refused = Server::start(ordinary(), options).map(|_| ());
        assert!(matches!(refused, Err(ServeError::BadSpeed(_))), "{speed}");
    }
}

#[test]
#[cfg(unix)]
fn a_folder_that_others_prepared_is_refused() {
    use std::os::unix::fs::{PermissionsExt, symlink};

    let outer = tempfile::tempdir().unwrap();
    let real = outer.path().join("real");
    fs::create_dir(&real).unwrap();
    let link = outer.path().join("link");
    symlink(&real, &link).unwrap();
    let start = |folder: &std::path::Path| Server::start(ordinary(), Options::new("a", folder));
    assert!(matches!(
        start(&link).map(|_| ()),
        Err(ServeError::Folder(_))
    ));
    fs::set_permissions(&real, fs::Permissions::from_mode(0o777)).unwrap();
    assert!(matches!(
        start(&real).map(|_| ()),
        Err(ServeError::Folder(_))
    ));
}

#[test]
#[cfg(unix)]
fn hands_reach_the_camera_through_the_control_socket() {
    let bench = serve(patient(), 20.0);
    let folder = bench.folder.path();
    let ask = |text: &str| control(folder, "bench", &text.parse().unwrap()).unwrap();
    common::find(&bench.bus(), common::is_loader);
    let status = ask("status");
    assert_eq!(status["state"], "sbl");
    assert_eq!(
        (&status["plugged"], &status["imported"]),
        (&true.into(), &false.into())
    );
    let _link = open_loader(&bench.bus());
    assert_eq!(ask("status")["imported"], true);
    let pulled = ask("unplug");
    assert_eq!(
        (&pulled["plugged"], &pulled["imported"]),
        (&false.into(), &false.into())
    );
    assert_eq!(ask("p11 on")["p11"], true);
    assert_eq!(ask("p11 off")["p11"], false);
    assert_eq!(ask("jumper on")["jumper"], true);
    ask("plug");
    let rom = common::find(&bench.bus(), |seen| seen.vid == 0x1FC9);
    assert!(rom.simulated);
    assert_eq!(ask("status")["state"], "sdp");
    assert!(matches!(
        control(folder, "nobody", &Request::Status),
        Err(ControlError::NotRunning(_))
    ));
}

#[test]
#[cfg(unix)]
fn nonsense_on_the_control_socket_is_answered_and_harms_nobody() {
    use std::os::unix::net::UnixStream;

    let bench = serve(ordinary(), 20.0);
    let path = bench.server.entry().join("control");
    let long = vec![b'x'; 100_000];
    let lines: [&[u8]; 5] = [
        b"paint it black\n",
        b"\n",
        b"\xFF\xFE\n",
        b"power-cut after-bytes 1e9\n",
        &long,
    ];
    for line in lines {
        let mut stream = UnixStream::connect(&path).unwrap();
        // The other end may hang up before it has read everything.
        let _ = stream.write_all(line);
        let mut answer = String::new();
        let _ = BufReader::new(stream).read_line(&mut answer);
        assert!(
            answer.is_empty() || answer.starts_with("{\"error\""),
            "{answer}"
        );
    }
    let silent: Vec<_> = (0..10)
        .map(|_| UnixStream::connect(&path).unwrap())
        .collect();
    let answer = control(bench.folder.path(), "bench", &Request::Status).unwrap();
    assert_eq!(answer["ok"], true);
    drop(silent);
}

/// Serves a patient camera kept in `file`.
fn serve_file(folder: &std::path::Path, file: &std::path::Path, camera: Rt1062) -> Server {
    let mut options = Options::new("bench", folder);
    options.speed = 50.0;
    options.state_file = Some(file.to_owned());
    Server::start(camera, options).unwrap()
}

fn loader_of(server: &Server) -> Box<dyn omv_link::Link> {
    open_loader(&UsbIpBus::new(
        &server.address().to_string(),
        "bench",
        "the test",
    ))
}

#[test]
fn a_camera_survives_a_restart_of_its_server_power_cut_and_all() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("camera.omv");
    let server = serve_file(folder.path(), &file, patient());
    let mut link = loader_of(&server);
    let bytes: Vec<u8> = (0..8192_u32).map(|n| n as u8).collect();
    let erase = Command::flash_erase_region(0x6080_0000, 8192, 0);
    succeed(&mut *link, erase, Data::None);
    // Power fails 5000 bytes on: in the 20th page.
    server.request(&Request::Hand(Hand::PowerCutAfter(5000)));
    let write = Command::write_memory(0x6080_0000, 8192, 0);
    let cut = ask(&mut *link, write, Data::Out(bytes.clone().into()));
    assert!(
        !matches!(cut, Ok(Ok(ref reply)) if reply.status == 0),
        "{cut:?}"
    );
    assert_eq!(server.request(&Request::Status)["plugged"], false);
    server.request(&Request::Hand(Hand::Jumper(true)));
    drop(link);
    server.stop().unwrap();

    let remains = state::load(&file).unwrap();
    assert!(remains.jumper);
    let left = remains.parts.nor.read(0x80_0000, 8192);
    assert_eq!(left[..5000], bytes[..5000]);
    assert!(
        left[5000..].iter().all(|byte| *byte == 0xFF),
        "the rest never came"
    );

    let server = serve_file(
        folder.path(),
        &file,
        Rt1062::from_remains(remains, Quirks::default()),
    );
    server.request(&Request::Hand(Hand::Unplug));
    server.request(&Request::Hand(Hand::Jumper(false)));
    server.request(&Request::Hand(Hand::Plug));
    let mut link = loader_of(&server);
    let read = Command::read_memory(0x6080_0000, 8192, 0);
    assert_eq!(succeed(&mut *link, read, Data::In(8192)).data, left);
}

#[test]
fn the_end_of_a_server_is_a_power_cut_for_its_camera() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("camera.omv");
    let camera = common::patient_with(Quirks {
        torn: true,
        ..Quirks::default()
    });
    camera
        .chip()
        .lock()
        .nor
        .place(0x80_0000, &[0; 5 * nor::SECTOR]);
    let mut options = Options::new("bench", folder.path());
    // Five sectors take more than a second.
    options.speed = 0.2;
    options.state_file = Some(file.clone());
    let server = Server::start(camera, options).unwrap();
    let mut link = loader_of(&server);
    let erasing = thread::spawn(move || {
        let erase = Command::flash_erase_region(0x6080_0000, 5 * nor::SECTOR as u32, 0);
        ask(&mut *link, erase, Data::None)
    });
    thread::sleep(Duration::from_millis(350));
    server.stop().unwrap();
    assert!(!matches!(erasing.join().unwrap(), Ok(Ok(_))));
    let flash = state::load(&file).unwrap().parts.nor;
    let sector = |number: usize| flash.read(0x80_0000 + number * nor::SECTOR, nor::SECTOR);
    let whole = |cells: Vec<u8>| cells.iter().all(|byte| *byte == cells[0]);
    assert!(whole(sector(0)), "long done");
    assert!(
        (1..5).any(|number| !whole(sector(number))),
        "one was under way"
    );
}

#[test]
fn what_changes_is_in_the_file_within_two_seconds() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("camera.omv");
    let server = serve_file(folder.path(), &file, patient());
    let mut link = loader_of(&server);
    let write = Command::write_memory(0x6080_0000, 4, 0);
    succeed(&mut *link, write, Data::Out(vec![1, 2, 3, 4].into()));
    let end = Instant::now() + common::LIMIT;
    while state::load(&file).unwrap().parts.nor.read(0x80_0000, 4) != [1, 2, 3, 4] {
        assert!(Instant::now() < end, "it is never saved");
        thread::sleep(Duration::from_millis(50));
    }
}

#[test]
fn a_file_that_is_not_a_camera_is_refused_and_stays_as_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let chip = Chip::new([1, 2], nor::Speed::default());
    let path = folder.path().join("file");
    let whole = {
        drop(Keeper::keep(&path, &chip, false).unwrap());
        fs::read(&path).unwrap()
    };
    let mut other_text = whole.clone();
    other_text[0x100_0000] ^= 1;
    for bytes in [
        &b"a letter"[..],
        &[],
        &whole[..whole.len() - 1],
        &other_text,
    ] {
        fs::write(&path, bytes).unwrap();
        assert!(matches!(
            state::load(&path),
            Err(StateError::Foreign { .. })
        ));
        let refused = Keeper::keep(&path, &chip, false);
        assert!(matches!(refused, Err(StateError::Foreign { .. })));
        assert!(fs::read(&path).unwrap() == bytes, "untouched");
    }
    let missing = state::load(&folder.path().join("none"));
    assert!(matches!(missing, Err(StateError::Missing(_))));
    let odd = state::load(folder.path());
    assert!(matches!(odd, Err(StateError::Foreign { .. })));
}

#[test]
fn one_file_has_one_keeper_and_only_changed_sectors_are_written() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("file");
    let chip = Chip::new([1, 2], nor::Speed::default());
    chip.lock().nor.place(5 * nor::SECTOR, &[0; nor::SECTOR]);
    let mut keeper = Keeper::keep(&path, &chip, false).unwrap();
    assert!(matches!(
        Keeper::keep(&path, &chip, false),
        Err(StateError::InUse(_))
    ));
    // A mark behind the keeper's back, in a sector that does not change.
    let mut bytes = fs::read(&path).unwrap();
    bytes[5 * nor::SECTOR] = 0x77;
    fs::write(&path, &bytes).unwrap();
    chip.lock().nor.place(9 * nor::SECTOR, &[7]);
    // What is blank again must not keep its old bytes in the file.
    chip.lock().nor.place(7 * nor::SECTOR, &[7]);
    keeper.save(true).unwrap();
    chip.lock().nor.place(7 * nor::SECTOR, &[0xFF]);
    keeper.save(true).unwrap();
    drop(keeper);
    let remains = state::load(&path).unwrap();
    assert_eq!(remains.parts.nor.read(5 * nor::SECTOR, 2), [0x77, 0]);
    assert_eq!(remains.parts.nor.read(9 * nor::SECTOR, 2), [7, 0xFF]);
    assert!(remains.parts.nor.is_blank(7 * nor::SECTOR..8 * nor::SECTOR));
    assert!(remains.jumper);
    assert_eq!(remains.parts.fuses, chip.lock().fuses);
    let names: Vec<_> = fs::read_dir(folder.path()).unwrap().flatten().collect();
    assert_eq!(names.len(), 1, "no half-made file is left");
}

#[test]
#[cfg(unix)]
fn blank_flash_takes_no_room() {
    use std::os::unix::fs::MetadataExt;

    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("file");
    let chip = Chip::new([1, 2], nor::Speed::default());
    Keeper::keep(&path, &chip, false).unwrap();
    let found = fs::metadata(&path).unwrap();
    assert!(found.blocks() * 512 < 64 << 10, "{} blocks", found.blocks());
    assert_eq!(found.mode() & 0o777, 0o600);
}
