//! What the tests need besides Rust: PostgreSQL's server, Chromium, systemd's checker of units, clients for Node, Python
//! and Rust, and nextest. What is missing is installed where that needs no question; where it cannot be, the error is one
//! sentence with the command to run. Nothing is skipped instead.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use crate::command::{cargo, command, on_path, output, root, run, succeeds};

/// Programs that are taken for granted, with the Debian package that has each.
const TAKEN_FOR_GRANTED: [(&str, &str); 5] =
    [("cc", "gcc"), ("curl", "curl"), ("node", "nodejs"), ("npm", "npm"), ("python3", "python3")];

/// Names under which Chromium is found on `PATH`. First the one without windows: it takes a third less of the processor.
const CHROMIUM: [&str; 4] =
    ["chromium-headless-shell", "chromium", "chromium-browser", "google-chrome"];

/// Where everything is.
pub struct Installed {
    /// The folder of PostgreSQL's server programs.
    pub postgres: PathBuf,
    /// The browser's executable.
    pub chromium: PathBuf,
    /// The folder of the Node clients, with `node_modules` filled.
    pub node_dir: PathBuf,
    /// A Python that has the client libraries.
    pub python: PathBuf,
    /// The client written with `rust_socketio`.
    pub rust_socketio: PathBuf,
    /// What runs the tests.
    pub runner: Runner,
}

/// What runs the tests.
pub enum Runner {
    /// `cargo nextest run`.
    Nextest,
    /// `cargo test`, when nextest could not be installed.
    Cargo,
}

impl Installed {
    /// Finds everything, installing what is missing.
    pub fn ensure() -> Result<Self> {
        for (program, package) in TAKEN_FOR_GRANTED {
            if on_path(program).is_none() {
                bail!("the program {program} is missing: run `apt-get install {package}`");
            }
        }
        apt()?;
        Ok(Self {
            postgres: postgres()
                .context("PostgreSQL's server programs are not where Debian puts them")?,
            chromium: chromium().context("chromium is installed but not on PATH")?,
            node_dir: node()?,
            python: python()?,
            rust_socketio: rust_socketio()?,
            runner: runner(),
        })
    }
}

/// Whether this process may do everything.
pub fn is_root() -> bool {
    output(command("id").arg("-u")).is_ok_and(|id| id == "0")
}

/// Installs the Debian packages that are missing, as root; otherwise says which.
fn apt() -> Result<()> {
    let mut missing = Vec::new();
    if postgres().is_none() {
        missing.push("postgresql");
    }
    if chromium().is_none() {
        // Chromium alone brings no font, and a page without one has no text in its pictures.
        missing.extend([CHROMIUM[0], "fonts-dejavu-core"]);
    }
    if !succeeds(command("python3").args(["-c", "import ensurepip, venv"])) {
        missing.push("python3-venv");
    }
    if on_path("systemd-analyze").is_none() {
        missing.push("systemd");
    }
    // rust_socketio links against OpenSSL.
    if !succeeds(command("pkg-config").args(["--exists", "openssl"])) {
        missing.extend(["libssl-dev", "pkg-config"]);
    }
    if missing.is_empty() {
        return Ok(());
    }
    let packages = missing.join(" ");
    if !is_root() || on_path("apt-get").is_none() {
        bail!(
            "Debian packages are missing: run `apt-get update && apt-get install {packages}` as root"
        );
    }
    eprintln!("installing Debian packages: {packages}");
    let install = || {
        let mut apt = command("apt-get");
        apt.env("DEBIAN_FRONTEND", "noninteractive");
        apt.args(["install", "-y", "-q", "--no-install-recommends"]).args(&missing);
        apt
    };
    if run(&mut install()).is_err() {
        // The package lists of a fresh machine are empty or old.
        run(command("apt-get").args(["update", "-q"]))?;
        run(&mut install())?;
    }
    Ok(())
}

/// The newest version's folder among Debian's, else the one on `PATH`.
fn postgres() -> Option<PathBuf> {
    let versions = fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let newest = versions
        .map(|version| {
            (
                version.file_name().to_string_lossy().parse::<u32>().unwrap_or(0),
                version.path().join("bin"),
            )
        })
        .filter(|(_, bin)| bin.join("initdb").is_file())
        .max();
    newest.map(|(_, bin)| bin).or_else(|| on_path("initdb")?.parent().map(Path::to_owned))
}

fn chromium() -> Option<PathBuf> {
    CHROMIUM.iter().find_map(|name| on_path(name))
}

/// Installs the Node packages of `tests/clients` exactly as its lock file has them.
fn node() -> Result<PathBuf> {
    let folder = root().join("tests/clients");
    let stamp = folder.join("node_modules/.installed");
    unless_stamped(&stamp, &folder.join("package-lock.json"), || {
        run(command("npm")
            .args(["ci", "--ignore-scripts", "--no-audit", "--no-fund"])
            .current_dir(&folder))
        .context("the Node packages are missing: run `npm ci` in tests/clients")
    })?;
    Ok(folder)
}

/// Installs the Python packages of `tests/clients` in an environment of their own below `target`.
fn python() -> Result<PathBuf> {
    let requirements = root().join("tests/clients/requirements.txt");
    let environment = root().join("target/python");
    let python = environment.join("bin/python");
    unless_stamped(&environment.join(".installed"), &requirements, || {
        run(command("python3").args(["-m", "venv", "--clear"]).arg(&environment))?;
        run(command(&python)
            .args([
                "-m",
                "pip",
                "install",
                "--quiet",
                "--disable-pip-version-check",
                "--requirement",
            ])
            .arg(&requirements))
        .context(
            "the Python packages are missing: run `pip install -r tests/clients/requirements.txt`",
        )
    })?;
    Ok(python)
}

/// Builds the client of `tests/clients/socketio/rust` exactly as its lock file has it.
fn rust_socketio() -> Result<PathBuf> {
    let target = root().join("target/rust-socketio");
    run(cargo()
        .args(["build", "--quiet", "--locked", "--manifest-path"])
        .arg(root().join("tests/clients/socketio/rust/Cargo.toml"))
        .arg("--target-dir")
        .arg(&target))?;
    Ok(target.join("debug/bellwire-rust-socketio"))
}

/// Runs `install` unless `stamp` says that it was done for what `list` holds now.
fn unless_stamped(stamp: &Path, list: &Path, install: impl FnOnce() -> Result<()>) -> Result<()> {
    let wanted = fs::read_to_string(list).with_context(|| list.display().to_string())?;
    if fs::read_to_string(stamp).is_ok_and(|installed| installed == wanted) {
        return Ok(());
    }
    install()?;
    fs::write(stamp, wanted).with_context(|| stamp.display().to_string())
}

/// Nextest, installed from source if it is missing, which takes minutes once.
fn runner() -> Runner {
    let present = || succeeds(cargo().args(["nextest", "--version"]));
    if present() {
        return Runner::Nextest;
    }
    eprintln!("installing cargo-nextest");
    let installed = run(cargo().args(["install", "cargo-nextest", "--locked"]));
    if installed.is_ok() && present() {
        return Runner::Nextest;
    }
    eprintln!(
        "cargo-nextest could not be installed; the same tests run under `cargo test`, one binary after the other"
    );
    Runner::Cargo
}
