//! `cargo xtask fuzz`: the targets of `fuzz`, with a fuzzer that follows what an input reaches.
//!
//! The fuzzer is LLVM's libFuzzer, which the crate `libfuzzer-sys` brings along and compiles with a C++ compiler. What it
//! follows, the compiler puts into everything that is built: a stable one does. Without a sanitizer, since nearly all code
//! here is safe; debug assertions and checks of overflow are on.

use std::{
    fs,
    io::{BufRead, BufReader},
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use anyhow::{Context, Result, bail};

use crate::command::{cargo, command, on_path, output, root, run, succeeds};

/// The longest input, in bytes.
const INPUT_LEN_MAX: usize = 8 << 10;
/// How long an input may take, in seconds: far above what the slowest takes.
const INPUT_SECONDS_MAX: u32 = 10;
/// The most memory of a target, in MiB.
const MEMORY_MIB_MAX: u32 = 2_048;
/// What the fuzzer says before the path of an input that failed.
const WRITTEN: &str = "Test unit written to ";
/// Any compiler for C++ will do.
const CXX: [&str; 3] = ["c++", "g++", "clang++"];

/// What the compiler adds, as `cargo fuzz build --sanitizer none` has it: counters of edges, where they are, and what is
/// compared.
const FLAGS: &str = "--cfg fuzzing -Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 \
    -Cllvm-args=-sanitizer-coverage-inline-8bit-counters -Cllvm-args=-sanitizer-coverage-pc-table \
    -Cllvm-args=-sanitizer-coverage-trace-compares -Cforce-frame-pointers=yes";

/// Which targets are run, and for how long each.
#[derive(clap::Args)]
pub struct Arguments {
    /// The targets; all of them if none is named
    targets: Vec<String>,
    /// How long each of them runs
    #[arg(long, default_value_t = 60, value_parser = clap::value_parser!(u32).range(1..))]
    seconds: u32,
    /// Add what reached something new to the corpus, as few files as possible, named by their contents
    #[arg(long)]
    keep: bool,
}

/// Builds the targets and runs one after another.
///
/// # Errors
/// What is missing, what failed, and how to run that again.
pub fn all(arguments: &Arguments) -> Result<()> {
    let known = targets()?;
    if let Some(unknown) = arguments.targets.iter().find(|target| !known.contains(target)) {
        bail!("there is no target {unknown}; there are {}", known.join(", "));
    }
    let chosen = if arguments.targets.is_empty() { &known } else { &arguments.targets };
    let folder = build()?;
    let mut summary = Vec::new();
    let mut failed = Vec::new();
    for target in chosen {
        let fuzzer = Fuzzer { target, program: folder.join(target) };
        let came = fuzzer.fuzz(arguments.seconds)?;
        summary.push(format!("{target}: {}", came.last));
        if !came.is_sound {
            failed.push(fuzzer.how_to_repeat(came.found.as_deref()));
        } else if arguments.keep {
            fuzzer.keep()?;
        }
    }
    eprintln!("\n{}", summary.join("\n"));
    if failed.is_empty() { Ok(()) } else { bail!("{}", failed.join("\n")) }
}

/// The names of all targets, in order.
fn targets() -> Result<Vec<String>> {
    let folder = root().join("fuzz/fuzz_targets");
    let entries = fs::read_dir(&folder).with_context(|| folder.display().to_string())?;
    let mut names = Vec::new();
    for entry in entries {
        let path = entry?.path();
        names.extend(path.file_stem().map(|stem| stem.to_string_lossy().into_owned()));
    }
    names.sort();
    Ok(names)
}

/// Builds all targets, and says where they are.
fn build() -> Result<PathBuf> {
    let compiler = std::env::var("CXX").ok().into_iter().chain(CXX.map(str::to_owned));
    if !compiler.into_iter().any(|name| on_path(&name).is_some()) {
        bail!(
            "libFuzzer is compiled with a C++ compiler, and there is none: `apt-get install g++`, or name one in CXX"
        );
    }
    let place = root().join("fuzz/target/fuzzers");
    fs::create_dir_all(&place).with_context(|| place.display().to_string())?;
    let toolchain = toolchain(&place)?;
    let triple = output(toolchain.rustc().arg("-vV"))?;
    let triple = triple.lines().find_map(|line| line.strip_prefix("host: "));
    let triple = triple.context("rustc does not say what this machine is")?;
    let mut cargo = toolchain.cargo();
    cargo.args(["build", "--release", "--manifest-path", "fuzz/Cargo.toml"]);
    // With a target named, what runs while building is not followed.
    cargo.args(["--target", triple]).arg("--target-dir").arg(&place);
    cargo.env("RUSTFLAGS", FLAGS).env_remove("CARGO_ENCODED_RUSTFLAGS");
    run(&mut cargo)?;
    Ok(place.join(triple).join("release"))
}

/// What the targets are built with.
#[derive(Debug, Clone, Copy)]
enum Toolchain {
    /// The one that runs this program.
    Own,
    /// What `+nightly` names.
    Nightly,
}

impl Toolchain {
    fn cargo(self) -> Command {
        match self {
            Toolchain::Own => cargo(),
            Toolchain::Nightly => nightly("cargo"),
        }
    }

    fn rustc(self) -> Command {
        match self {
            Toolchain::Own => command("rustc"),
            Toolchain::Nightly => nightly("rustc"),
        }
    }

    /// Whether its compiler takes [`FLAGS`], which are no promise of any: seen by an empty crate.
    fn follows(self, place: &Path) -> bool {
        let mut rustc = self.rustc();
        rustc.args(["--crate-type", "lib", "--emit", "obj", "-"]).args(FLAGS.split_whitespace());
        succeeds(rustc.arg("-o").arg(place.join("nothing.o")))
    }
}

/// The first toolchain whose compiler takes [`FLAGS`].
fn toolchain(place: &Path) -> Result<Toolchain> {
    let all = [Toolchain::Own, Toolchain::Nightly];
    all.into_iter().find(|toolchain| toolchain.follows(place)).context(
        "this compiler does not take the flags with which a fuzzer follows what an input reaches, and there is no \
         nightly one that does: `rustup toolchain install nightly`",
    )
}

/// A program of the nightly toolchain, whatever this one runs in.
fn nightly(program: &str) -> Command {
    let mut command = command(program);
    for name in ["RUSTC", "RUSTDOC", "RUSTUP_TOOLCHAIN"] {
        command.env_remove(name);
    }
    command.arg("+nightly");
    command
}

/// What came of a run.
struct Came {
    /// What the fuzzer said last of how far it came.
    last: String,
    /// Whether nothing failed.
    is_sound: bool,
    /// The input that failed.
    found: Option<PathBuf>,
}

/// A target that was built.
struct Fuzzer<'a> {
    target: &'a str,
    program: PathBuf,
}

impl Fuzzer<'_> {
    /// The files that are tracked.
    fn seeds(&self) -> PathBuf {
        root().join("fuzz/corpus").join(self.target)
    }

    /// Inputs that reached something new, kept for the next time.
    fn reached(&self) -> PathBuf {
        root().join("fuzz/target/reached").join(self.target)
    }

    /// Inputs that failed.
    fn found(&self) -> PathBuf {
        root().join("fuzz/target/found").join(self.target)
    }

    fn command(&self) -> Command {
        let mut fuzzer = command(&self.program);
        fuzzer.arg(format!("-max_len={INPUT_LEN_MAX}"));
        fuzzer.arg(format!("-timeout={INPUT_SECONDS_MAX}"));
        fuzzer.arg(format!("-rss_limit_mb={MEMORY_MIB_MAX}"));
        fuzzer
    }

    /// Runs it for so long, with what it says shown.
    fn fuzz(&self, seconds: u32) -> Result<Came> {
        let (reached, found) = (self.reached(), self.found());
        for folder in [&reached, &found] {
            fs::create_dir_all(folder).with_context(|| folder.display().to_string())?;
        }
        let words = self.dictionary()?;
        let mut fuzzer = self.command();
        fuzzer.arg(format!("-max_total_time={seconds}"));
        fuzzer.arg(format!("-dict={}", words.display()));
        fuzzer.arg(format!("-artifact_prefix={}/", found.display()));
        fuzzer.arg("-print_final_stats=1").arg(&reached).arg(self.seeds());
        eprintln!("fuzz {}: {seconds} s", self.target);
        let mut child = fuzzer.stderr(Stdio::piped()).stdout(Stdio::null()).spawn()?;
        let said = BufReader::new(child.stderr.take().context("its stderr is piped")?);
        let (mut last, mut kept) = ("it did not start".to_owned(), None);
        // Not all of it need be text. It is read to its end, or the fuzzer would wait.
        for line in said.split(b'\n') {
            let line = String::from_utf8_lossy(&line?).into_owned();
            eprintln!("{line}");
            if line.starts_with('#') && line.contains("cov: ") {
                last = line.split_whitespace().collect::<Vec<_>>().join(" ");
            } else if let Some((_, file)) = line.split_once(WRITTEN) {
                kept = Some(PathBuf::from(file));
            }
        }
        Ok(Came { last, is_sound: child.wait()?.success(), found: kept })
    }

    /// Words of the seeds, for inputs that are made of such: written anew each time.
    fn dictionary(&self) -> Result<PathBuf> {
        let mut words = std::collections::BTreeSet::new();
        for entry in fs::read_dir(self.seeds())? {
            let text = fs::read(entry?.path())?;
            let is_mark = |byte: &u8| !(byte.is_ascii_alphanumeric() || b"_-.:/".contains(byte));
            let pieces = text.split(is_mark).filter(|word| (3..=32).contains(&word.len()));
            words.extend(pieces.map(|word| word.escape_ascii().to_string()));
        }
        let path = root().join("fuzz/target").join(format!("{}.dict", self.target));
        let lines: Vec<String> = words.iter().map(|word| format!("\"{word}\"\n")).collect();
        fs::write(&path, lines.concat()).with_context(|| path.display().to_string())?;
        Ok(path)
    }

    /// Which input failed, and how it is run again.
    fn how_to_repeat(&self, found: Option<&Path>) -> String {
        let target = self.target;
        let Some(file) = found else { return format!("{target} failed, and left no input") };
        let shown = |path: &Path| path.strip_prefix(root()).unwrap_or(path).display().to_string();
        let (file, program) = (shown(file), shown(&self.program));
        format!(
            "{target} failed with {file}: run it again with `{program} {file}`, and when it is mended keep it in \
             fuzz/corpus/{target}, named by what it is"
        )
    }

    /// Adds to the corpus what reaches something that no file there does.
    fn keep(&self) -> Result<()> {
        let mut fuzzer = self.command();
        fuzzer.arg("-merge=1").arg(self.seeds()).arg(self.reached());
        run(fuzzer.stderr(Stdio::null()))
    }
}
