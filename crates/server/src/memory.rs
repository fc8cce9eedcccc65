//! How the allocator gives memory back.

use std::sync::atomic::{AtomicBool, Ordering};

/// Whether much may have been freed since the allocator gave back last. Atomic: shards set it, housekeeping reads it; the
/// allocator is the process's, and so is this.
static IS_MUCH_FREED: AtomicBool = AtomicBool::new(false);

/// Says that much may have been freed just now: what waited for a reader who does not read.
pub fn much_is_freed() {
    IS_MUCH_FREED.store(true, Ordering::Relaxed);
}

/// Gives back what was freed, if it was much. It lies between what is in use, where the thresholds of [`hoard_nothing`]
/// do not reach; looking through all of it takes some milliseconds (malloc_trim(3)).
pub fn trim() {
    if IS_MUCH_FREED.swap(false, Ordering::Relaxed) {
        #[cfg(target_env = "gnu")]
        // SAFETY: malloc_trim has no requirements.
        unsafe {
            libc::malloc_trim(0);
        }
    }
}

/// Keeps the allocator from hoarding what was freed.
///
/// glibc raises its thresholds to the largest block that was ever freed (mallopt(3), "dynamic mmap
/// threshold"): one hashed password, of 19 MiB, and 38 MiB stay with the process for good, and tables that
/// grow leave holes. Thresholds that are set, to what they begin with, stay as they are. Other C libraries
/// have none.
pub fn hoard_nothing() {
    #[cfg(target_env = "gnu")]
    // SAFETY: mallopt has no requirements but these constants; it is called before threads are started.
    unsafe {
        libc::mallopt(libc::M_MMAP_THRESHOLD, 128 << 10);
        libc::mallopt(libc::M_TRIM_THRESHOLD, 128 << 10);
    }
}
