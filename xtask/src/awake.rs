//! Processors that do not fall asleep while something is timed.

use std::process::{Child, Command, Stdio};
use std::thread::available_parallelism;

/// One busy loop per processor, which yields to everybody else.
///
/// Two programs that answer each other leave the processors idle thousands of times a second. Waking one,
/// in a virtual machine above all, takes longer than what either does in its turn, and how much longer
/// changes from minute to minute: it would be most of what is measured, of everybody's.
pub struct Awake(Vec<Child>);

impl Awake {
    /// Keeps all of them awake until dropped. Where the system has no such way it says so.
    pub fn keep() -> Self {
        let count = available_parallelism().map_or(1, usize::from);
        let spin = || {
            let mut nice = Command::new("nice");
            nice.args(["-n", "19", "sh", "-c", "while :; do :; done"]);
            nice.stdin(Stdio::null()).spawn()
        };
        match (0..count).map(|_| spin()).collect() {
            Ok(loops) => Self(loops),
            Err(error) => {
                println!("nice: {error}; times contain what waking a processor takes");
                Self(Vec::new())
            }
        }
    }
}

impl Drop for Awake {
    fn drop(&mut self) {
        for child in &mut self.0 {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}
