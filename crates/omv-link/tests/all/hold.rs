//! One job per socket, between processes.

use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use omv_link::LinkError;
use omv_link::hold::Hold;

const FOLDER: &str = "OMV_TEST_LOCK_FOLDER";
const KEY: &str = "usb 1-4.2";

/// Runs as the second process of the other tests; alone it has nothing to do.
#[test]
fn the_other_process() {
    let Some(folder) = std::env::var_os(FOLDER) else {
        return;
    };
    let _hold = Hold::take_in(Path::new(&folder), KEY, "omv flash").unwrap();
    println!("\nheld");
    let _ = std::io::stdin().read(&mut [0]);
}

/// Starts a process that holds the lock, and waits until it does.
fn other_process(folder: &Path) -> Child {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "hold::the_other_process", "--nocapture"])
        .env(FOLDER, folder)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::new(child.stdout.as_mut().unwrap()).lines();
    assert!(lines.map_while(Result::ok).any(|line| line == "held"));
    child
}

#[test]
fn a_place_held_by_another_process_names_it_and_is_free_when_it_is_killed() {
    let root = tempfile::tempdir().unwrap();
    let folder = root.path().join("locks");
    let mut child = other_process(&folder);

    let Err(LinkError::Busy { holder }) = Hold::take_in(&folder, KEY, "omv list") else {
        panic!("not held");
    };
    assert_eq!(holder, Some(format!("omv flash (process {})", child.id())));
    Hold::take_in(&folder, "usb 1-4.1", "omv list").unwrap();

    child.kill().unwrap();
    child.wait().unwrap();
    Hold::take_in(&folder, KEY, "omv list").unwrap();
}

#[test]
fn a_shorter_name_leaves_nothing_of_the_longer_one_before_it() {
    let root = tempfile::tempdir().unwrap();
    let folder = root.path().join("locks");
    drop(Hold::take_in(&folder, KEY, "omv with a very long name").unwrap());
    let _hold = Hold::take_in(&folder, KEY, "omv").unwrap();
    let Err(LinkError::Busy { holder }) = Hold::take_in(&folder, KEY, "omv") else {
        panic!("not held");
    };
    assert_eq!(
        holder,
        Some(format!("omv (process {})", std::process::id()))
    );
}

#[cfg(unix)]
mod traps {
    use std::os::unix::fs::{PermissionsExt, symlink};

    use super::*;

    fn refusal(folder: &Path) -> String {
        Hold::take_in(folder, KEY, "omv").unwrap_err().to_string()
    }

    #[test]
    fn a_folder_made_here_is_this_users_alone() {
        let root = tempfile::tempdir().unwrap();
        let folder = root.path().join("omv/locks");
        let _hold = Hold::take_in(&folder, KEY, "omv").unwrap();
        for folder in [&folder, &root.path().join("omv")] {
            let mode = fs::metadata(folder).unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o700);
        }
    }

    #[test]
    fn a_link_in_the_place_of_the_folder_is_refused() {
        let root = tempfile::tempdir().unwrap();
        fs::create_dir(root.path().join("elsewhere")).unwrap();
        let folder = root.path().join("locks");
        symlink(root.path().join("elsewhere"), &folder).unwrap();
        assert!(refusal(&folder).contains("is not a folder"));
        assert!(refusal(&folder.join("deeper")).contains("is not a folder"));
        assert_eq!(
            fs::read_dir(root.path().join("elsewhere")).unwrap().count(),
            0
        );
    }

    #[test]
    fn a_folder_others_can_write_to_is_refused() {
        let root = tempfile::tempdir().unwrap();
        let folder = root.path().join("locks");
        fs::create_dir(&folder).unwrap();
        fs::set_permissions(&folder, fs::Permissions::from_mode(0o777)).unwrap();
        assert!(refusal(&folder).contains("can be written by other users"));
        assert!(refusal(&folder.join("deeper")).contains("can be written by other users"));
    }
}
