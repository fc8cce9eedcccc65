//! `bellwire contract`: what clients of this program are told, for other programs to read.

use bellwire::contract::{self, Contract};

/// What clients are told, as other programs read it.
#[derive(clap::Subcommand)]
pub enum Format {
    /// Prints declarations of TypeScript: every event and its payload.
    Typescript,
    /// Prints a document of AsyncAPI 3.0: every stream, event and payload.
    Asyncapi,
}

impl Format {
    /// Prints it.
    ///
    /// # Errors
    /// As [`print`](super::print).
    pub fn run(self) -> anyhow::Result<()> {
        let contract = Contract::of(bellwire_services::all());
        super::print(&match self {
            Format::Typescript => contract::typescript(&contract),
            Format::Asyncapi => contract::asyncapi(&contract),
        })
    }
}
