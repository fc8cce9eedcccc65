//! `bellwire config`.

use bellwire::config::{DEFAULT_FILE, Loaded};
use clap::Subcommand;

use super::{print, serve::Serve};

/// What can be done with a configuration.
#[derive(Subcommand)]
pub enum Config {
    /// Reads everything as `serve` with the same arguments would, and says what is wrong, or what is
    /// in force that differs from the defaults.
    Check(Serve),
    /// Prints a file with every setting at its default, described.
    PrintDefault,
}

impl Config {
    /// Prints what was asked for.
    ///
    /// # Errors
    /// What is wrong with the configuration, or as [`print`].
    pub fn run(&self) -> anyhow::Result<()> {
        let printed = match self {
            Config::PrintDefault => DEFAULT_FILE.to_owned(),
            Config::Check(serve) => describe(&Loaded::read(&serve.flags(), std::env::vars_os())?),
        };
        print(&printed)
    }
}

fn describe(loaded: &Loaded) -> String {
    let mut text = match &loaded.file {
        Some(file) => format!("{} is good\n", file.display()),
        None => "The configuration is good; no file is named\n".to_owned(),
    };
    let differences = loaded.differences();
    if differences.is_empty() {
        text += "Every setting is at its default.\n";
    }
    for (setting, value, source) in differences {
        text += &format!("{setting} = {value} ({source})\n");
    }
    text
}
