//! A directory that is made in full, or not at all.
//!
//! One that is not there yet is made under another name beside its place, and renamed. One that is
//! there and empty may be where something is mounted, which cannot be replaced: then it is filled
//! in a folder of its own, and the files move up, the database last; as long as that folder is
//! there, nobody takes the directory for a data directory ([`refuse_unfinished`]).

use std::{
    fs::{self, DirBuilder, File, Metadata, OpenOptions, Permissions, TryLockError},
    io,
    os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt},
    path::{Path, PathBuf},
};

use anyhow::{Context as _, bail};

/// The folder in a directory that is being filled.
const UNFINISHED: &str = "unfinished";
/// The file by which a directory is known as one of ours, and locked while somebody fills it.
const LOCK: &str = "unfinished.lock";

/// A directory in the making. Dropped before it is [finished](Staging::finish), it leaves nothing.
pub struct Staging {
    target: PathBuf,
    part: PathBuf,
    is_inside: bool,
    is_finished: bool,
    /// Held as long as this lives; the operating system lets it go however the process ends.
    _lock: File,
}

impl Staging {
    /// Begins a directory, which must not be there yet or be empty. What an earlier attempt left
    /// behind, because it was killed, is taken away.
    ///
    /// # Errors
    /// In one sentence that says what to do.
    pub fn begin(target: &Path) -> anyhow::Result<Staging> {
        // Without the slash at its end, if it has one.
        let target: PathBuf = target.components().collect();
        let at = target.display();
        let is_inside = match fs::read_dir(&target) {
            Ok(entries) => {
                for entry in entries {
                    let entry = entry.with_context(|| format!("{at} cannot be read"))?;
                    if entry.file_name() != UNFINISHED {
                        bail!("{at} is not empty: choose a directory that is new or empty.");
                    }
                }
                refuse_foreign(&target)?;
                true
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => false,
            Err(error) => bail!("{at} cannot be used ({error}): choose another directory."),
        };
        let part = match is_inside {
            true => target.join(UNFINISHED),
            false => {
                let mut part = target.clone().into_os_string();
                part.push(".part");
                PathBuf::from(part)
            }
        };
        let lock = claim(&part)?;
        Ok(Staging { target, part, is_inside, is_finished: false, _lock: lock })
    }

    /// Where to put what belongs in it.
    pub fn path(&self) -> &Path {
        &self.part
    }

    /// Gives it its name, durably. What is in it has been synced, but for the names in it.
    ///
    /// # Errors
    /// In one sentence; then there is no such directory, or one that [`refuse_unfinished`] knows.
    pub fn finish(mut self) -> anyhow::Result<()> {
        let published = if self.is_inside { self.move_up() } else { self.rename() };
        published.with_context(|| format!("{} cannot be completed", self.target.display()))?;
        self.is_finished = true;
        Ok(())
    }

    fn rename(&self) -> io::Result<()> {
        sync(&self.part)?;
        fs::rename(&self.part, &self.target)?;
        match self.target.parent().filter(|parent| !parent.as_os_str().is_empty()) {
            Some(parent) => sync(parent)?,
            None => sync(Path::new("."))?,
        }
        // Complete it is; the file means nothing in there.
        let _ = fs::remove_file(self.target.join(LOCK));
        Ok(())
    }

    fn move_up(&self) -> io::Result<()> {
        fs::set_permissions(&self.target, Permissions::from_mode(0o700))?;
        let mut names = Vec::new();
        for entry in fs::read_dir(&self.part)? {
            names.push(entry?.file_name());
        }
        names.retain(|name| name != LOCK);
        names.sort_by_key(|name| name == super::DATABASE);
        for name in &names {
            fs::rename(self.part.join(name), self.target.join(name))?;
            sync(&self.target)?;
        }
        fs::remove_dir_all(&self.part)?;
        sync(&self.target)
    }
}

impl Drop for Staging {
    fn drop(&mut self) {
        if !self.is_finished {
            // What cannot be taken away now is taken away by the next attempt.
            let _ = fs::remove_dir_all(&self.part);
        }
    }
}

/// Refuses a directory that was not filled to its end.
///
/// # Errors
/// In one sentence that says what to do.
pub fn refuse_unfinished(directory: &Path) -> anyhow::Result<()> {
    if directory.join(UNFINISHED).exists() || directory.join(LOCK).exists() && is_part(directory) {
        bail!(
            "{} was not filled to its end: empty it, and make the backup or the restore again.",
            directory.display()
        );
    }
    Ok(())
}

/// Whether a directory still has the name of one in the making.
fn is_part(directory: &Path) -> bool {
    directory.extension().is_some_and(|extension| extension == "part")
}

/// Refuses a directory in which others could put things while it is filled, or take keys out of it.
fn refuse_foreign(directory: &Path) -> anyhow::Result<()> {
    let at = directory.display();
    let found = fs::metadata(directory).with_context(|| format!("{at} cannot be read"))?;
    if !is_ours(&found) {
        bail!("{at} belongs to another user: run this as that user, or choose another directory.");
    }
    if found.permissions().mode() & 0o022 != 0 {
        bail!("{at} can be written by others than its owner: run `chmod 700 {at}`.");
    }
    Ok(())
}

/// Whether something belongs to the user who runs this.
fn is_ours(found: &Metadata) -> bool {
    let own = fs::metadata("/proc/self").map(|process| process.uid());
    own.is_ok_and(|own| own == found.uid())
}

/// Makes the directory, or takes over one that an attempt left behind, and empties it.
fn claim(part: &Path) -> anyhow::Result<File> {
    let at = part.display();
    make(part).with_context(|| format!("{at} cannot be made"))?;
    // Keys go in there: one that is somebody else's, or open to others, was not made here.
    let found = fs::symlink_metadata(part).with_context(|| format!("{at} cannot be read"))?;
    if !found.is_dir() || !is_ours(&found) || found.permissions().mode() & 0o077 != 0 {
        bail!("{at} is in the way: move it elsewhere.");
    }
    let read = || fs::read_dir(part).with_context(|| format!("{at} cannot be read"));
    if read()?.next().is_some() && !part.join(LOCK).exists() {
        bail!("{at} is in the way: move it elsewhere.");
    }
    let lock = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(part.join(LOCK))
        .with_context(|| format!("{at} cannot be written"))?;
    match lock.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            bail!("{at} is being written by another process: let that one end first.")
        }
        Err(TryLockError::Error(error)) => bail!("{at} cannot be locked: {error}."),
    }
    for entry in read()? {
        let entry = entry.with_context(|| format!("{at} cannot be read"))?;
        let path = entry.path();
        let is_folder = entry.file_type().is_ok_and(|kind| kind.is_dir());
        let removed = match entry.file_name() == LOCK {
            true => Ok(()),
            false if is_folder => fs::remove_dir_all(&path),
            false => fs::remove_file(&path),
        };
        removed.with_context(|| format!("{} cannot be taken away", path.display()))?;
    }
    Ok(lock)
}

/// Makes a directory for its owner alone (0700), and those above it; one that is there stays.
pub fn make(directory: &Path) -> io::Result<()> {
    DirBuilder::new().mode(0o700).recursive(true).create(directory)
}

/// Makes the names in a directory durable.
pub fn sync(directory: &Path) -> io::Result<()> {
    File::open(directory)?.sync_all()
}
