//! One start of the guest: a folder that it shares with this machine, and QEMU.

use std::fs::{self, File};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use super::kernel::Kernel;
use crate::run::Shop;

const GUEST: &str = include_str!("../../../rig/guest.sh");
const SCENE: &str = include_str!("../../../rig/scene.sh");
/// How often a running guest is looked at.
const EVERY: Duration = Duration::from_millis(50);

/// A guest that can be started once.
pub struct Machine {
    kernel: Kernel,
    share: PathBuf,
    /// See [`Machine::steady`].
    steady: bool,
    /// Held, so that two rigs of one clone do not share a folder.
    _lock: File,
}

impl Machine {
    /// Makes an empty share of this name. Another rig of this clone that uses it is waited for.
    ///
    /// # Errors
    /// What the system says.
    pub fn new(shop: &Shop, kernel: &Kernel, name: &str) -> Result<Self> {
        let folder = shop.target.join("rig");
        let lock = File::create(folder.join(format!("{name}.lock")))?;
        lock.lock()?;
        let share = folder.join(name);
        let _ = fs::remove_dir_all(&share);
        for name in ["bin", "scenes"] {
            fs::create_dir_all(share.join(name))?;
        }
        // The guest mounts it at this very path, which a link must not change.
        let share = share.canonicalize()?;
        fs::write(share.join("guest.sh"), GUEST)?;
        fs::write(share.join("scene.sh"), SCENE)?;
        Ok(Self {
            kernel: kernel.clone(),
            share,
            steady: false,
            _lock: lock,
        })
    }

    /// Gives the guest a clock that counts instructions, 500 million a second, and real time only where
    /// it has nothing to do. What is measured by that clock does not depend on how fast this machine
    /// emulates, or on what else it does; a real computer is some times as fast.
    #[must_use]
    pub fn steady(self) -> Self {
        let steady = true;
        Self { steady, ..self }
    }

    /// The folder that both sides see.
    pub fn share(&self) -> &Path {
        &self.share
    }

    /// What a scene finds and leaves.
    pub fn scene_folder(&self, name: &str) -> PathBuf {
        let scenes = self.share.join("scenes");
        let entries = fs::read_dir(&scenes).into_iter().flatten().flatten();
        let mut names = entries.filter_map(|entry| entry.file_name().into_string().ok());
        let found = names.find(|entry| entry.split_once('-').is_some_and(|(_, one)| one == name));
        scenes.join(found.unwrap_or_else(|| name.to_owned()))
    }

    /// Brings a program into the guest under a name, small: it is copied through 9p.
    ///
    /// # Errors
    /// What `strip` says.
    pub fn program(&self, shop: &Shop, file: &Path, name: &str) -> Result<()> {
        let job = shop.program("strip").args(["-o"]);
        let target = self.share.join("bin").join(name);
        job.args([target.as_path(), file]).output().map(drop)
    }

    /// Adds a scene: a bash script with `limit` seconds. They run in the order they come in.
    ///
    /// # Errors
    /// What the system says.
    pub fn scene(&self, name: &str, limit: u64, script: &str) -> Result<()> {
        let scenes = self.share.join("scenes");
        let number = fs::read_dir(&scenes)?.count();
        let folder = scenes.join(format!("{number:02}-{name}"));
        fs::create_dir(&folder)?;
        fs::write(folder.join("script"), script)?;
        fs::write(folder.join("limit"), limit.to_string()).map_err(Into::into)
    }

    /// Runs the guest until it ends itself. What grows in the file `echo` is printed meanwhile.
    ///
    /// # Errors
    /// When it is still running at the limit, or ended without reaching its last line: a panic,
    /// or its first process left.
    pub fn boot(&self, limit: Duration, echo: Option<&Path>) -> Result<()> {
        let console = self.share.join("console");
        let log = File::create(&console)?;
        let mut qemu = self.command();
        let qemu = qemu
            .stdin(Stdio::null())
            .stderr(log.try_clone()?)
            .stdout(log);
        let mut qemu = qemu.spawn().context("cannot run qemu-system-x86_64")?;
        let end = Instant::now() + limit;
        let mut printed = 0;
        let status = loop {
            let status = qemu.try_wait()?;
            if let Some(echo) = echo {
                printed += print(echo, printed);
            }
            if let Some(status) = status {
                break status;
            }
            if Instant::now() >= end {
                qemu.kill().and_then(|()| qemu.wait())?;
                bail!(
                    "the guest was stopped after {} s; {}",
                    limit.as_secs(),
                    console.display()
                );
            }
            thread::sleep(EVERY);
        };
        // isa-debug-exit ends QEMU with twice the byte plus one, so a panic's 0 is no success.
        if status.code() != Some(1) {
            let said = fs::read(&console).unwrap_or_default();
            let said = String::from_utf8_lossy(&said);
            let last: Vec<&str> = said.lines().rev().take(12).collect();
            let last: Vec<&str> = last.into_iter().rev().collect();
            bail!(
                "the guest ended before its time ({status}):\n{}",
                last.join("\n")
            );
        }
        Ok(())
    }

    fn command(&self) -> Command {
        let share = self.share.display();
        let mut qemu = Command::new("qemu-system-x86_64");
        // TCG even where KVM is: the same everywhere. One processor is faster than two here.
        qemu.args(
            "-M q35 -cpu qemu64 -smp 1 -m 1024 -accel tcg -nodefaults -no-user-config".split(' '),
        );
        qemu.args("-display none -no-reboot -serial stdio".split(' '));
        if self.steady {
            qemu.args("-icount shift=1,sleep=on -rtc clock=vm".split(' '));
        }
        qemu.arg("-kernel").arg(&self.kernel.image);
        qemu.arg("-initrd").arg(&self.kernel.initramfs);
        qemu.arg("-append").arg(format!(
            "console=ttyS0 quiet panic=-1 rig.dir={share} rig.run={share}/guest.sh"
        ));
        qemu.args(["-device", "isa-debug-exit,iobase=0xf4,iosize=0x04"]);
        let folder = |path: &str, tag: &str, more: &str| {
            format!("local,path={path},mount_tag={tag},security_model=none{more},multidevs=remap")
        };
        qemu.arg("-virtfs").arg(folder("/", "host", ",readonly=on"));
        qemu.arg("-virtfs")
            .arg(folder(&share.to_string(), "rig", ""));
        qemu
    }
}

/// Prints what a file has more than `printed` bytes; returns how much that is.
fn print(file: &Path, printed: u64) -> u64 {
    let mut more = Vec::new();
    let read = File::open(file).and_then(|mut file| {
        file.seek(SeekFrom::Start(printed))?;
        file.read_to_end(&mut more)
    });
    let mut out = io::stdout().lock();
    // Who closed our output does not want to know.
    let _ = out.write_all(&more).and_then(|()| out.flush());
    read.map_or(0, |count| count as u64)
}

/// A word as a shell reads it.
pub fn quote(word: &str) -> String {
    format!("'{}'", word.replace('\'', "'\\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quoted_word_is_one_word_to_a_shell() {
        assert_eq!(quote("it's $HOME"), r"'it'\''s $HOME'");
    }
}
