//! The store's promises, tested from outside.

mod backup;
mod batches;
mod disk;
mod log;
mod migrations;
mod postgres;
mod suite;
mod threads;
mod vfs;
