//! The store's promises, tested from outside.

mod disk;
mod suite;
mod vfs;
