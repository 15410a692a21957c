//! The page in a real browser, the streams in OpenCV, and what is drawn into a terminal: Chromium, driven by
//! Playwright from the npm package `playwright-core`, the Python package `opencv-python-headless`, and Python's
//! own pseudo terminals.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use crate::judges;
use crate::run::Shop;
use crate::work;

/// What drives the browser.
const PLAYWRIGHT: &str = "playwright-core@1.65.1";
/// What reads MJPEG and films as users' programs do, and the `ffmpeg` that writes some of them.
const OPENCV: &str = "opencv-python-headless==5.0.0.93 imageio-ffmpeg==0.6.0";
/// Names under which Chromium is installed.
const NAMES: [&str; 4] = ["chromium", "chromium-browser", "google-chrome", "chrome"];
const TESTS: &str = "crates/omv/tests/browser";

/// Runs all of it.
///
/// # Errors
/// When something is missing that cannot be installed, and when a test fails.
pub fn run(shop: &Shop) -> Result<()> {
    let folder = shop.target.join("judges");
    let chromium = chromium(shop)?;
    let playwright = playwright(shop)?;
    let opencv = opencv(shop)?;
    let program = work::programs(shop)?.join("omv");
    let desk = shop.target.join("browser");
    if desk.exists() {
        fs::remove_dir_all(&desk)?;
    }
    fs::create_dir_all(&desk)?;
    let job = |name: &Path| {
        let job = shop.program(name).env("OMV_BIN", &program);
        let job = job.env("OMV_DESK", &desk).env("XDG_RUNTIME_DIR", &desk);
        job.env("OMV_JUDGES", &folder)
    };
    let page = shop.root.join(TESTS).join("page.mjs");
    let node = job(Path::new("node"))
        .args([&page])
        .env("OMV_CHROMIUM", &chromium);
    let node = node.env("OMV_PLAYWRIGHT", &playwright);
    let seen = node.env("OMV_SHOTS", desk.join("shots")).stream();
    let films = shop.root.join(TESTS).join("films.py");
    let read = job(&opencv.join("bin/python")).args([&films]).stream();
    let terminal = shop.root.join(TESTS).join("terminal.py");
    let drawn = job(Path::new("python3")).args([&terminal]).stream();
    println!(
        "what the page looked like: {}",
        desk.join("shots").display()
    );
    seen.and(read).and(drawn)
}

/// Installs what comes by npm and pip.
///
/// # Errors
/// When it cannot be installed.
pub fn fetch(shop: &Shop) -> Result<()> {
    playwright(shop)?;
    opencv(shop).map(drop)
}

/// The environment in which OpenCV is installed.
fn opencv(shop: &Shop) -> Result<PathBuf> {
    fn folder(shop: &Shop) -> PathBuf {
        shop.target.join("judges/opencv")
    }
    judges::install(shop, &folder(shop), OPENCV, |shop| {
        let mut packages = OPENCV.split(' ');
        packages.try_for_each(|package| judges::installed(shop, &folder(shop), package))
    })?;
    Ok(folder(shop))
}

/// The browser; root gets it installed.
fn chromium(shop: &Shop) -> Result<PathBuf> {
    if let Some(path) = on_path() {
        return Ok(path);
    }
    let advice = "apt-get install --no-install-recommends chromium";
    let id = shop.program("id").args(["-u"]).output()?;
    if id.trim() != "0" {
        bail!("the page is tested in Chromium, and there is none: {advice}");
    }
    let install = ["install", "--yes", "--no-install-recommends", "chromium"];
    let get = || {
        shop.program("apt-get")
            .args(install)
            .env("DEBIAN_FRONTEND", "noninteractive")
            .stream()
    };
    if get().is_err() {
        shop.program("apt-get").args(["update"]).stream()?;
        get().context(advice)?;
    }
    on_path().with_context(|| format!("no Chromium after `{advice}`"))
}

fn on_path() -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    let folders: Vec<_> = std::env::split_paths(&path).collect();
    let all = NAMES
        .iter()
        .flat_map(|name| folders.iter().map(move |folder| folder.join(name)));
    all.into_iter().find(|file| file.is_file())
}

/// The folder in which `playwright-core` is installed.
fn playwright(shop: &Shop) -> Result<PathBuf> {
    let folder = shop.target.join("judges/playwright");
    let (_, version) = PLAYWRIGHT.split_once('@').context("a version")?;
    let about = folder.join("node_modules/playwright-core/package.json");
    let there = || {
        fs::read_to_string(&about)
            .is_ok_and(|text| text.contains(&format!("\"version\": \"{version}\"")))
    };
    if !there() {
        fs::create_dir_all(&folder)?;
        let npm = shop
            .program("npm")
            .args(["install", "--no-audit", "--no-fund", "--prefix"]);
        let npm = npm.args([&folder]).args([PLAYWRIGHT]);
        npm.stream().context("the browser is driven by a package of npm: install Node.js 18 or newer with npm (`apt-get install nodejs npm`)")?;
        if !there() {
            bail!("{PLAYWRIGHT} is not installed");
        }
    }
    shop.say(format!("{PLAYWRIGHT} is installed"));
    Ok(folder)
}
