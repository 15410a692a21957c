//! The machines of a run: what each is given, all of them side by side, and what their scenes came to.

use std::fs;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::Result;

use super::kernel::{self, Kernel};
use super::machine::{self, Machine};
use super::results::Results;
use super::scenes::{self, Scene};
use super::{NEW, OLD, patience, recording, supplies};
use crate::run::Shop;
use crate::work;

/// Longest run of all scenes of one machine.
const LIMIT: Duration = Duration::from_secs(440);

/// Kernel and programs, built once for all machines.
pub struct Tools<'a> {
    kernel: Kernel,
    /// `omv`.
    program: PathBuf,
    server: Option<&'a str>,
}

/// One machine and its scenes.
pub struct Guest {
    machine: Machine,
    scenes: Vec<&'static Scene>,
}

impl<'a> Tools<'a> {
    /// Packages, kernel, programs; with another server than `omv` if one is named.
    ///
    /// # Errors
    /// When something is missing or does not build.
    pub fn build(shop: &Shop, server: Option<&'a str>) -> Result<Self> {
        let kernel = kernel::ready(shop)?;
        let built = work::programs(shop)?;
        Ok(Self {
            kernel,
            program: built.join("omv"),
            server,
        })
    }

    /// The same with another `omv`.
    pub fn with(self, program: &Path) -> Self {
        let program = program.to_owned();
        Self { program, ..self }
    }

    /// A machine with an empty share of this name, and the programs in it.
    ///
    /// # Errors
    /// What the system says.
    pub fn machine(&self, shop: &Shop, share: &str) -> Result<Machine> {
        let machine = Machine::new(shop, &self.kernel, share)?;
        machine.program(shop, &self.program, "omv")?;
        machine.program(shop, &std::env::current_exe()?, "attach")?;
        let server = self.server.map_or(self.program.clone(), Into::into);
        machine.program(shop, &server, "serve")?;
        Ok(machine)
    }

    /// A machine for these scenes, with all that they need; NXP's loaders are in that archive.
    ///
    /// # Errors
    /// When something cannot be made.
    pub fn guest(
        &self,
        shop: &Shop,
        loaders: &Path,
        share: &str,
        scenes: Vec<&'static Scene>,
    ) -> Result<Guest> {
        let machine = self.machine(shop, share)?;
        let has = |family: &str| scenes.iter().any(|scene| scenes::family(scene) == family);
        supplies::firmware(shop, machine.share())?;
        fs::create_dir_all(machine.share().join("home"))?;
        if has("spsdk") {
            supplies::tools(shop, machine.share(), loaders)?;
        }
        if has("dfu") || has("ota") {
            supplies::dfu(shop, machine.share())?;
        }
        for scene in &scenes {
            let script = format!(
                "old={OLD} new={NEW} loaders={} spsdk={} ota={}\n{}",
                quoted(loaders),
                quoted(&supplies::spsdk(shop)),
                quoted(&supplies::ota(shop)),
                scene.script
            );
            machine.scene(scene.name, scene.limit * u64::from(patience()), &script)?;
        }
        Ok(Guest { machine, scenes })
    }
}

fn quoted(path: &Path) -> String {
    machine::quote(&path.to_string_lossy())
}

/// Starts all machines at the same time, and judges what their scenes left; which passed.
///
/// # Errors
/// When a machine ended before its time although nothing of it failed.
pub fn play(shop: &Shop, guests: &[Guest], record: bool) -> Result<Vec<(&'static str, bool)>> {
    let begun = Instant::now();
    let boot = |guest: &Guest| guest.machine.boot(LIMIT * patience(), None);
    let boot = &boot;
    let ends = thread::scope(|scope| {
        let started: Vec<_> = guests
            .iter()
            .map(|one| scope.spawn(move || boot(one)))
            .collect();
        let ends = started.into_iter().map(|one| one.join());
        ends.map(|end| end.expect("starting a machine does not panic"))
            .collect::<Vec<_>>()
    });
    println!(
        "rig: {:.1} s from power-on to power-off of {}",
        begun.elapsed().as_secs_f64(),
        match guests.len() {
            1 => "the guest".to_owned(),
            count => format!("{count} guests"),
        }
    );
    let mut all = Vec::new();
    for (guest, end) in guests.iter().zip(ends) {
        let judged = guest.judged(shop, record);
        match end {
            // Whatever stopped the guest also left some test without a result.
            Err(error) if judged.iter().any(|one| !one.1) => {
                println!("rig: {error:#}; see {}", guest.machine.share().display());
            }
            other => other?,
        }
        all.extend(judged);
    }
    Ok(all)
}

impl Guest {
    /// Which of its scenes passed.
    fn judged(&self, shop: &Shop, record: bool) -> Vec<(&'static str, bool)> {
        if let Ok(booted) = fs::read_to_string(self.machine.share().join("booted")) {
            println!("rig: a guest had booted {} s after power-on", booted.trim());
        }
        let mut all = Vec::new();
        for scene in &self.scenes {
            let judged = self.judge(shop, scene, record);
            all.push((scene.name, judged.is_ok()));
            match judged {
                Ok(millis) => println!(
                    "rig {:<16} ok      {:>6.1} s",
                    scene.name,
                    millis as f64 / 1000.0
                ),
                Err(error) => println!("rig {:<16} FAILED  {error:#}", scene.name),
            }
        }
        all
    }

    /// What a scene came to: how long it took.
    fn judge(&self, shop: &Shop, scene: &Scene, record: bool) -> Result<u64> {
        let results = Results::of(&self.machine.scene_folder(scene.name))?;
        results.no_failure()?;
        results.ended_well()?;
        results.calm_kernel()?;
        (scene.judge)(&results)?;
        if let Some(recording) = &scene.recording {
            recording::judge(&shop.root, &results, recording, record)?;
        }
        Ok(results.millis)
    }
}
