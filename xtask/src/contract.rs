//! `cargo xtask contract`: what the program says of the contract with its clients, as files. A test compares them.

use std::fs;

use anyhow::{Context, Result};

use crate::command::{cargo, output, root};

/// What the program is asked for, and the file for its answer.
const FILES: [(&str, &str); 2] =
    [("typescript", "clients/js/src/events.d.ts"), ("asyncapi", "contract/asyncapi.json")];

/// Writes them.
pub fn write() -> Result<()> {
    for (format, path) in FILES {
        let said = output(cargo().args([
            "run",
            "--quiet",
            "--package",
            "bellwire",
            "--",
            "contract",
            format,
        ]))?;
        let file = root().join(path);
        let folder = file.parent().expect("it lies in a folder");
        fs::create_dir_all(folder).with_context(|| folder.display().to_string())?;
        fs::write(&file, said + "\n").with_context(|| path.to_owned())?;
        eprintln!("wrote {path}");
    }
    Ok(())
}
