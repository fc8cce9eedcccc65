//! The store's promises, tested from outside.

mod backup;
mod batches;
// What fails the disk is in no release build, nor are the tests that need it.
#[cfg(debug_assertions)]
mod disk;
mod log;
mod migrations;
mod postgres;
mod suite;
mod threads;
#[cfg(debug_assertions)]
mod vfs;
