//! A disk that can lose its power: a VFS of SQLite that passes everything on to the real one, and
//! beside that keeps, for every file, what a sync has made durable and what has only been written.
//!
//! - [`Disk::cut_at`]: at the nth write or sync the power goes. What was not synced is there in
//!   part, in sectors, or not at all; [`Disk::restore`] writes what is left into another folder.
//! - [`Disk::photograph`]: the same at many moments of one run, which goes on: before and after each sync, and at some
//!   of the writes. A [`Photo`] is what a power cut would have left then.
//! - [`Disk::fail_at`]: the nth write or sync from now fails. A sync that fails makes some sectors durable or none, and
//!   forgets the rest of what was to become so, as Linux does: a second one would lie. What was written can still be
//!   read, from the page cache.
//! - [`Disk::forget_at`]: at the nth read from now the page cache lets go of what is clean, and what is read is what the
//!   disk has.
//! - [`Disk::fill`], [`Disk::fill_at`]: writes that make a file longer find no room, from now or from the nth write on.
//!
//! What is in the folder when a file is first opened is durable.
//!
//! The tests of this crate and the simulation of the server have it in common, so not each uses all of it.
//!
//! Locks and shared memory are the real ones. The real sync is left out, for nothing here outlives
//! the test's process.

#![allow(dead_code, reason = "two crates have it in common, and neither uses all of it")]

use std::{
    collections::{BTreeMap, HashMap},
    ffi::{CStr, c_char, c_int, c_void},
    fs,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, Once, PoisonError, Weak},
};

use rusqlite::ffi;

/// The name that `Testing::vfs` takes.
pub const NAME: &str = "bellwire-test";
const C_NAME: &CStr = c"bellwire-test";
const SECTOR: usize = 512;
/// The system's number for a quota that is used up.
const EDQUOT: c_int = 122;

/// The disks by folder, as long as a test or an open file has them. SQLite's callbacks find them by the path they are
/// given.
static DISKS: Mutex<Vec<(PathBuf, Weak<Disk>)>> = Mutex::new(Vec::new());
/// The files that SQLite has open, by the address of its handle.
static OPEN: Mutex<Option<HashMap<usize, Open>>> = Mutex::new(None);
static REGISTER: Once = Once::new();

/// The disk under one folder.
pub struct Disk(Mutex<State>);

/// What fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Write,
    Sync,
}

#[derive(Default)]
struct State {
    files: HashMap<PathBuf, Content>,
    /// Writes and syncs so far.
    ops: u64,
    cut_at: Option<u64>,
    image: Option<Photo>,
    /// Of how many writes one is photographed, if anything is.
    photograph: Option<u64>,
    photos: Vec<Photo>,
    chance: u64,
    /// Countdown to the failure of a call of this kind.
    fail: Option<(Kind, u64)>,
    failed: bool,
    /// Reads until the page cache forgets.
    forget: Option<u64>,
    full: bool,
    /// Want of room is told as of a quota that is used up.
    quota: bool,
    /// Writes until the disk is full.
    fill: Option<u64>,
    /// Writes that found no room.
    refused: u64,
}

/// What a power cut leaves at one moment.
#[derive(Debug, Clone)]
pub struct Photo {
    /// When: `before a sync`, `after a sync`, `at a write` or `between`.
    pub moment: &'static str,
    /// Writes and syncs before it.
    pub ops: u64,
    /// The files by name.
    pub files: BTreeMap<PathBuf, Vec<u8>>,
}

impl Photo {
    /// Writes it into a folder.
    pub fn restore(&self, to: &Path) {
        for (name, content) in &self.files {
            fs::write(to.join(name), content).expect("room");
        }
    }
}

#[derive(Default, Clone)]
struct Content {
    durable: Vec<u8>,
    unsynced: Vec<Change>,
}

#[derive(Clone)]
enum Change {
    Write(usize, Vec<u8>),
    Length(usize),
}

#[derive(Clone)]
struct Open {
    disk: Arc<Disk>,
    path: PathBuf,
    real: *const ffi::sqlite3_io_methods,
}

// SAFETY: `real` points to a static table of SQLite that is only read.
unsafe impl Send for Open {}

impl Disk {
    /// Puts a disk under `folder`; `seed` decides what a power cut leaves.
    pub fn under(folder: &Path, seed: u64) -> Arc<Disk> {
        REGISTER.call_once(register);
        let state = State { chance: seed.wrapping_mul(2).wrapping_add(1), ..State::default() };
        let disk = Arc::new(Disk(Mutex::new(state)));
        let folder = folder.canonicalize().expect("the folder is there");
        let mut disks = lock(&DISKS);
        disks.retain(|(_, disk)| disk.strong_count() > 0);
        disks.push((folder, Arc::downgrade(&disk)));
        disk
    }

    /// Writes and syncs so far.
    pub fn ops(&self) -> u64 {
        self.state().ops
    }

    /// The power goes at this operation.
    pub fn cut_at(&self, op: u64) {
        self.state().cut_at = Some(op);
    }

    /// The power goes now, unless it has gone.
    pub fn cut_now(&self) {
        let mut state = self.state();
        if state.image.is_none() {
            state.image = Some(state.photo("between"));
        }
    }

    /// What a power cut would leave now.
    pub fn photo(&self) -> Photo {
        self.state().photo("between")
    }

    /// Takes photos from now on: before and after each sync, and at one of so many writes.
    pub fn photograph(&self, one_write_in: u64) {
        self.state().photograph = Some(one_write_in);
    }

    /// Those that were taken since they were last asked for.
    pub fn take_photos(&self) -> Vec<Photo> {
        std::mem::take(&mut self.state().photos)
    }

    /// Whether the power has gone.
    pub fn is_cut(&self) -> bool {
        self.state().image.is_some()
    }

    /// The nth call of this kind from now fails, counted from 1.
    pub fn fail_at(&self, kind: Kind, n: u64) {
        let mut state = self.state();
        (state.fail, state.failed) = (Some((kind, n)), false);
    }

    /// Whether the failure has come to pass.
    pub fn has_failed(&self) -> bool {
        self.state().failed
    }

    /// The page cache forgets at the nth read from now, counted from 1.
    pub fn forget_at(&self, n: u64) {
        self.state().forget = Some(n);
    }

    /// Whether it still has that before it.
    pub fn will_forget(&self) -> bool {
        self.state().forget.is_some()
    }

    /// Whether there is no room for a file to grow.
    pub fn fill(&self, full: bool) {
        let mut state = self.state();
        (state.full, state.fill) = (full, None);
    }

    /// What there is no room for is over a quota from now on.
    pub fn has_quota(&self) {
        self.state().quota = true;
    }

    /// There is no room from the nth write on, counted from 1.
    pub fn fill_at(&self, n: u64) {
        self.state().fill = Some(n);
    }

    /// Writes that found no room so far.
    pub fn refused(&self) -> u64 {
        self.state().refused
    }

    /// Writes what the power cut left into another folder.
    pub fn restore(&self, to: &Path) {
        self.state().image.as_ref().expect("the power has gone").restore(to);
    }

    fn state(&self) -> MutexGuard<'_, State> {
        lock(&self.0)
    }
}

impl State {
    fn random(&mut self) -> u64 {
        self.chance ^= self.chance << 13;
        self.chance ^= self.chance >> 7;
        self.chance ^= self.chance << 17;
        self.chance
    }

    /// Counts an operation, and takes the power away if it is the one.
    fn count(&mut self) {
        self.ops += 1;
        if self.cut_at == Some(self.ops) && self.image.is_none() {
            self.image = Some(self.photo("at an operation"));
        }
    }

    /// Takes a photo of a sync, if that is wanted.
    fn photograph_sync(&mut self, moment: &'static str) {
        if self.photograph.is_some() {
            let photo = self.photo(moment);
            self.photos.push(photo);
        }
    }

    /// Takes a photo at a write, if it is one of those.
    fn photograph_write(&mut self) {
        let Some(one_in) = self.photograph else { return };
        if self.random().is_multiple_of(one_in) {
            let photo = self.photo("at a write");
            self.photos.push(photo);
        }
    }

    /// What is on the disk without power: all that was synced, and of the rest some sectors.
    fn photo(&mut self, moment: &'static str) -> Photo {
        let share = self.share();
        let mut files = BTreeMap::new();
        for (path, content) in self.files.clone() {
            let mut bytes = content.durable;
            self.keep(&content.unsynced, share, &mut bytes);
            files.insert(path.file_name().expect("a file has a name").into(), bytes);
        }
        Photo { moment, ops: self.ops, files }
    }

    /// How much of what was not synced is kept, in sixteenths: nothing of it, all of it, or each sector for itself.
    fn share(&mut self) -> u64 {
        [0, 4, 8, 15, 16][(self.random() % 5) as usize]
    }

    /// Makes a share of the changes.
    fn keep(&mut self, changes: &[Change], share: u64, bytes: &mut Vec<u8>) {
        for change in changes {
            match change {
                Change::Write(at, data) => {
                    for (i, sector) in data.chunks(SECTOR).enumerate() {
                        if self.random() % 16 < share {
                            write_at(bytes, at + i * SECTOR, sector);
                        }
                    }
                }
                Change::Length(len) => {
                    if self.random() % 16 < share {
                        bytes.resize(*len, 0);
                    }
                }
            }
        }
    }

    /// Counts a write down to the one from which on there is no room.
    fn fills(&mut self) {
        self.fill = match self.fill {
            Some(0 | 1) => {
                self.full = true;
                None
            }
            left => left.map(|left| left - 1),
        };
    }

    /// Counts a read down to the one at which the page cache forgets.
    fn reads(&mut self) {
        let Some(left) = &mut self.forget else { return };
        *left -= 1;
        if *left > 0 {
            return;
        }
        self.forget = None;
        for (path, content) in &self.files {
            let Ok(cached) = fs::read(path) else { continue };
            let mut content = content.clone();
            content.sync();
            content.durable.resize(cached.len(), 0);
            if content.durable != cached {
                fs::write(path, content.durable).expect("room");
            }
        }
    }

    /// Whether this call is the one that fails.
    fn fails(&mut self, kind: Kind) -> bool {
        match &mut self.fail {
            Some((of, left)) if *of == kind => {
                *left -= 1;
                let now = *left == 0;
                if now {
                    (self.fail, self.failed) = (None, true);
                }
                now
            }
            _ => false,
        }
    }

    /// A file; what it has when it is first seen is durable.
    fn content(&mut self, path: &Path) -> &mut Content {
        self.files.entry(path.to_owned()).or_insert_with(|| Content {
            durable: fs::read(path).unwrap_or_default(),
            unsynced: Vec::new(),
        })
    }
}

impl Content {
    fn sync(&mut self) {
        for change in self.unsynced.drain(..) {
            match change {
                Change::Write(at, data) => write_at(&mut self.durable, at, &data),
                Change::Length(len) => self.durable.resize(len, 0),
            }
        }
    }

    fn len(&self) -> usize {
        self.unsynced.iter().fold(self.durable.len(), |len, change| match change {
            Change::Write(at, data) => len.max(at + data.len()),
            Change::Length(len) => *len,
        })
    }
}

fn write_at(bytes: &mut Vec<u8>, at: usize, data: &[u8]) {
    if bytes.len() < at + data.len() {
        bytes.resize(at + data.len(), 0);
    }
    bytes[at..at + data.len()].copy_from_slice(data);
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Registers the VFS: the platform's own, but for opening and deleting.
fn register() {
    // SAFETY: `sqlite3_vfs_find` returns the default VFS, which lives as long as the process and
    // is plain data to copy; the copy is leaked, so what is registered lives as long too.
    unsafe {
        let real = ffi::sqlite3_vfs_find(std::ptr::null());
        let mut vfs = Box::new(*real);
        vfs.zName = C_NAME.as_ptr();
        vfs.pNext = std::ptr::null_mut();
        vfs.pAppData = real.cast();
        vfs.xOpen = Some(open);
        vfs.xDelete = Some(delete);
        assert_eq!(ffi::sqlite3_vfs_register(Box::leak(vfs), 0), ffi::SQLITE_OK);
    }
}

/// The disk that a path is on.
fn disk_of(path: &Path) -> Option<Arc<Disk>> {
    let found = lock(&DISKS);
    let of = found.iter().rev().find(|(folder, _)| path.starts_with(folder));
    of.and_then(|(_, disk)| disk.upgrade())
}

/// Whether a disk is under this folder, which is there.
pub fn is_under(folder: &Path) -> bool {
    folder.canonicalize().is_ok_and(|folder| disk_of(&folder).is_some())
}

/// Opens a file with the real VFS, then puts our methods before its own.
unsafe extern "C" fn open(
    vfs: *mut ffi::sqlite3_vfs,
    name: *const c_char,
    file: *mut ffi::sqlite3_file,
    flags: c_int,
    out_flags: *mut c_int,
) -> c_int {
    // SAFETY: SQLite calls with valid pointers; `pAppData` is the real VFS, see `register`. After
    // a successful open `file` begins with the pointer to its methods. The table made here is
    // leaked (a few hundred bytes for each file of a test), because the file refers to it.
    unsafe {
        let real: *mut ffi::sqlite3_vfs = (*vfs).pAppData.cast();
        let real_open = (*real).xOpen.expect("a VFS opens");
        let code = real_open(real, name, file, flags, out_flags);
        if code != ffi::SQLITE_OK || name.is_null() {
            return code;
        }
        let path = PathBuf::from(CStr::from_ptr(name).to_str().expect("UTF-8"));
        let Some(disk) = disk_of(&path) else { return code };
        let real = (*file).pMethods;
        let mut methods = Box::new(*real);
        methods.xRead = Some(read);
        methods.xWrite = Some(write);
        methods.xTruncate = Some(truncate);
        methods.xSync = Some(sync);
        methods.xFileControl = Some(control);
        methods.xClose = Some(close);
        (*file).pMethods = Box::leak(methods);
        disk.state().content(&path);
        lock(&OPEN).get_or_insert_default().insert(file as usize, Open { disk, path, real });
        code
    }
}

unsafe extern "C" fn delete(
    vfs: *mut ffi::sqlite3_vfs,
    name: *const c_char,
    sync_folder: c_int,
) -> c_int {
    // SAFETY: as in `open`.
    unsafe {
        let path = PathBuf::from(CStr::from_ptr(name).to_str().expect("UTF-8"));
        if let Some(disk) = disk_of(&path) {
            disk.state().files.remove(&path);
        }
        let real: *mut ffi::sqlite3_vfs = (*vfs).pAppData.cast();
        (*real).xDelete.expect("a VFS deletes")(real, name, sync_folder)
    }
}

/// The file behind a handle that `open` has seen.
fn opened(file: *mut ffi::sqlite3_file) -> Open {
    lock(&OPEN).as_ref().and_then(|open| open.get(&(file as usize)).cloned()).expect("it is open")
}

unsafe extern "C" fn read(
    file: *mut ffi::sqlite3_file,
    data: *mut c_void,
    len: c_int,
    at: ffi::sqlite3_int64,
) -> c_int {
    let open = opened(file);
    open.disk.state().reads();
    // SAFETY: SQLite hands over room for `len` bytes at `data`; `real` is the table the file came with.
    unsafe { (*open.real).xRead.expect("a file is read")(file, data, len, at) }
}

unsafe extern "C" fn write(
    file: *mut ffi::sqlite3_file,
    data: *const c_void,
    len: c_int,
    at: ffi::sqlite3_int64,
) -> c_int {
    let open = opened(file);
    let (len_bytes, offset) = (len as usize, at as usize);
    // SAFETY: SQLite hands over `len` bytes at `data`; `real` is the table the file came with.
    unsafe {
        let bytes = std::slice::from_raw_parts(data.cast::<u8>(), len_bytes);
        let real_write = (*open.real).xWrite.expect("a file is written");
        let mut state = open.disk.state();
        let fails = state.fails(Kind::Write);
        state.fills();
        let full = state.full;
        let content = state.content(&open.path);
        if full && offset + len_bytes > content.len() {
            state.refused += 1;
            return if state.quota { ffi::SQLITE_IOERR_WRITE } else { ffi::SQLITE_FULL };
        }
        // A write that fails may have done a part of its work.
        let done = if fails { len_bytes / 2 } else { len_bytes };
        content.unsynced.push(Change::Write(offset, bytes[..done].to_vec()));
        state.count();
        state.photograph_write();
        let code = real_write(file, data, done as c_int, at);
        if fails { ffi::SQLITE_IOERR_WRITE } else { code }
    }
}

unsafe extern "C" fn truncate(file: *mut ffi::sqlite3_file, len: ffi::sqlite3_int64) -> c_int {
    let open = opened(file);
    let mut state = open.disk.state();
    state.content(&open.path).unsynced.push(Change::Length(len as usize));
    state.count();
    // SAFETY: `real` is the table the file came with.
    unsafe { (*open.real).xTruncate.expect("a file is cut")(file, len) }
}

unsafe extern "C" fn sync(file: *mut ffi::sqlite3_file, _flags: c_int) -> c_int {
    let open = opened(file);
    let mut state = open.disk.state();
    state.count();
    state.photograph_sync("before a sync");
    if state.fails(Kind::Sync) {
        let content = state.content(&open.path);
        let (unsynced, mut bytes) =
            (std::mem::take(&mut content.unsynced), std::mem::take(&mut content.durable));
        let share = state.share();
        state.keep(&unsynced, share, &mut bytes);
        state.content(&open.path).durable = bytes;
        return ffi::SQLITE_IOERR_FSYNC;
    }
    state.content(&open.path).sync();
    state.photograph_sync("after a sync");
    ffi::SQLITE_OK
}

unsafe extern "C" fn control(
    file: *mut ffi::sqlite3_file,
    opcode: c_int,
    argument: *mut c_void,
) -> c_int {
    let open = opened(file);
    let quota = open.disk.state().quota;
    // SAFETY: for this opcode SQLite hands over a place for a number; `real` is the table the file came with.
    unsafe {
        if opcode == ffi::SQLITE_FCNTL_LAST_ERRNO && quota {
            argument.cast::<c_int>().write(EDQUOT);
            return ffi::SQLITE_OK;
        }
        (*open.real).xFileControl.expect("a file is controlled")(file, opcode, argument)
    }
}

unsafe extern "C" fn close(file: *mut ffi::sqlite3_file) -> c_int {
    let open = opened(file);
    lock(&OPEN).as_mut().expect("a file is open").remove(&(file as usize));
    // SAFETY: the file gets back the table it came with, and is closed by it.
    unsafe {
        (*file).pMethods = open.real;
        (*open.real).xClose.expect("a file is closed")(file)
    }
}
