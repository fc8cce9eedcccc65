//! A machine that a test commands: its wall clock goes where the test wants it, time passes at once, and its disk fails
//! when it says.
//!
//! `tests/faults/machine.c` is preloaded into the real binary and takes the place of the functions of the C library
//! behind which clock and disk are. What it is to do stands in a file that both have: the words of it are in [`Word`].

use std::{
    fs::{self, File},
    hash::{DefaultHasher, Hash, Hasher},
    os::unix::{ffi::OsStrExt, fs::FileExt},
    path::{Path, PathBuf},
    process::Command,
};

use tempfile::TempDir;

use crate::{
    harness::{Ask, DEADLINE},
    process::{self, ANY_PORT, Process, bellwire, output},
};

/// The library's source.
const SOURCE: &str = include_str!("../../faults/machine.c");
/// The length of the file that both have.
const PAGE_LEN: usize = 4_096;
/// Where the path stands in it, and how long it may be.
const PATH: (u64, usize) = (256, 1_024);
/// A second, as the clocks count.
const SECOND_NS: i64 = 1_000_000_000;
/// `errno` of a disk that fails.
pub const EIO: i64 = rustix::io::Errno::IO.raw_os_error() as i64;
/// `errno` of a disk that is full.
pub const ENOSPC: i64 = rustix::io::Errno::NOSPC.raw_os_error() as i64;

/// The words of the file, eight bytes each.
#[derive(Debug, Clone, Copy)]
enum Word {
    /// What the wall clock is ahead of the true one, in nanoseconds.
    Ahead,
    /// Which calls fail.
    Kind,
    /// How many do what they should before that.
    Left,
    /// How many fail then.
    Failing,
    /// With this `errno`.
    Error,
    /// How many failed.
    Failed,
    /// The first of three: how many were made, by kind.
    Counts,
    /// How often the wall clock was read.
    Times = 9,
    /// The first of three: how many were made after the first that failed.
    Later,
    /// What passed at once, in nanoseconds.
    Passed = 13,
}

/// Calls that can fail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Call {
    /// `write`, `writev`, `pwrite`.
    Write,
    /// `ftruncate`.
    Truncate,
    /// `fsync`, `fdatasync`.
    Sync,
}

/// On which files they do.
#[derive(Debug, Clone, Copy)]
pub enum On<'a> {
    /// This one.
    File(&'a Path),
    /// All whose paths begin so.
    Like(&'a Path),
}

/// The machine under the servers that are started on it.
pub struct Machine {
    folder: TempDir,
    page: File,
}

impl Machine {
    /// One that is in order.
    pub fn new() -> Machine {
        let folder = tempfile::tempdir().expect("a directory can be made");
        let path = folder.path().join("machine");
        fs::write(&path, [0; PAGE_LEN]).expect("a file can be written");
        let page = File::options().read(true).write(true).open(path).expect("it is there");
        Machine { folder, page }
    }

    /// The program on this machine.
    pub fn program(&self) -> Command {
        let mut program = bellwire();
        program.env("LD_PRELOAD", library()).env("MACHINE", self.folder.path().join("machine"));
        program
    }

    /// A server on it.
    pub fn serve(&self, data: &Path) -> Process {
        Process::serve_by(self.program(), data, ANY_PORT, &[])
    }

    /// What the wall clock of its servers says, in microseconds.
    pub fn now(&self) -> i64 {
        let ahead_ns = self.look(Word::Ahead, 0) + self.look(Word::Passed, 0);
        jiff::Timestamp::now().as_microsecond() + ahead_ns / 1_000
    }

    /// Sets the wall clock so many seconds ahead of the true one, or, if that is negative, behind it.
    pub fn set_ahead(&self, seconds: i64) {
        self.set(Word::Ahead, seconds * SECOND_NS);
    }

    /// So many seconds pass at once, on both clocks of its servers. Who waits then waits on.
    pub fn passes(&self, seconds: i64) {
        self.set(Word::Passed, self.look(Word::Passed, 0) + seconds * SECOND_NS);
    }

    /// After so many calls of this kind `failing` of them fail, one after the other.
    pub fn fail(&self, call: Call, on: On<'_>, after: i64, failing: i64, error: i64) {
        let (path, whole) = match on {
            On::File(path) => (path, b"1\0"),
            On::Like(path) => (path, b"\0\0"),
        };
        let bytes = path.as_os_str().as_bytes();
        assert!(bytes.len() < PATH.1, "{path:?} is too long");
        self.mend();
        self.set(Word::Failed, 0);
        (0..3).for_each(|kind| self.write((Word::Later as u64 + kind) * 8, &[0; 8]));
        self.write(PATH.0, &[bytes, b"\0"].concat());
        self.write(PATH.0 + PATH.1 as u64, whole);
        self.set(Word::Kind, call as i64);
        self.set(Word::Left, after);
        self.set(Word::Error, error);
        self.set(Word::Failing, failing);
    }

    /// The disk does what it should from now on. What is done to these files is still counted.
    pub fn mend(&self) {
        self.set(Word::Failing, 0);
    }

    /// Counts what is done to these files.
    pub fn count(&self, on: On<'_>) {
        self.fail(Call::Sync, on, 0, 0, EIO);
    }

    /// How many calls failed.
    pub fn failed(&self) -> i64 {
        self.look(Word::Failed, 0)
    }

    /// How many calls of this kind were made after the first that failed.
    pub fn made_later(&self, call: Call) -> i64 {
        self.look(Word::Later, call as u64)
    }

    /// How many calls of this kind were made.
    pub fn made(&self, call: Call) -> i64 {
        self.look(Word::Counts, call as u64)
    }

    /// How often the wall clock was read.
    pub fn times(&self) -> i64 {
        self.look(Word::Times, 0)
    }

    fn set(&self, word: Word, value: i64) {
        self.write(word as u64 * 8, &value.to_ne_bytes());
    }

    fn write(&self, at: u64, bytes: &[u8]) {
        self.page.write_all_at(bytes, at).expect("a file can be written");
    }

    fn look(&self, word: Word, place: u64) -> i64 {
        let mut bytes = [0; 8];
        self.page.read_exact_at(&mut bytes, (word as u64 + place) * 8).expect("it is a page");
        i64::from_ne_bytes(bytes)
    }
}

/// The library, built once for all test processes that have this source.
fn library() -> PathBuf {
    let mut hasher = DefaultHasher::new();
    SOURCE.hash(&mut hasher);
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let built = folder.join(format!("machine-{:016x}.so", hasher.finish()));
    if !built.exists() {
        let place = tempfile::tempdir_in(folder).expect("cargo made the folder");
        let (source, library) = (place.path().join("machine.c"), place.path().join("machine.so"));
        fs::write(&source, SOURCE).expect("a file can be written");
        let mut compiler = Command::new("cc");
        compiler.args(["-shared", "-fPIC", "-O1", "-Wall", "-Wextra", "-Werror", "-o"]);
        let said = output(compiler.arg(&library).arg(&source), DEADLINE);
        assert!(said.status.success(), "{}", String::from_utf8_lossy(&said.stderr));
        // Another process may have done the same: one of the two stays.
        fs::rename(&library, &built).expect("it is one file system");
    }
    built
}

#[test]
fn the_program_asks_this_machine() {
    const YEAR_S: i64 = 86_400 * 365;
    let folder = tempfile::tempdir().expect("a directory can be made");
    let machine = Machine::new();
    machine.count(On::Like(&folder.path().join("bellwire.db")));
    machine.set_ahead(-30 * YEAR_S);
    let server = machine.serve(folder.path());
    let token = process::token(folder.path(), "admin", 3_600);
    let listed = Ask::new(server.address(), "GET", "/api/tokens").bearer(&token).expect(200);
    let made = listed["items"][0]["createdAt"].as_str().expect("it has a time");
    let made: jiff::Timestamp = made.parse().expect("RFC 3339");
    let years = (jiff::Timestamp::now().as_second() - made.as_second()) / YEAR_S;
    assert_eq!(years, 30, "{made}");
    server.stop();
    for call in [Call::Write, Call::Sync, Call::Truncate] {
        assert!(machine.made(call) > 0, "{call:?}");
    }
    assert!(machine.times() > 0, "nobody asked for the time");
    assert_eq!(machine.failed(), 0);
}
