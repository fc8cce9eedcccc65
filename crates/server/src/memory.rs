//! How the allocator gives memory back.

/// Keeps the allocator from hoarding what was freed.
///
/// glibc raises its thresholds to the largest block that was ever freed (mallopt(3), "dynamic mmap
/// threshold"): one hashed password, of 19 MiB, and 38 MiB stay with the process for good, and tables that
/// grow leave holes. Thresholds that are set, to what they begin with, stay as they are. Other C libraries
/// have none.
pub fn give_back() {
    #[cfg(target_env = "gnu")]
    // SAFETY: mallopt has no requirements but these constants; it is called before threads are started.
    unsafe {
        libc::mallopt(libc::M_MMAP_THRESHOLD, 128 << 10);
        libc::mallopt(libc::M_TRIM_THRESHOLD, 128 << 10);
    }
}
