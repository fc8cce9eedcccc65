//! Tests only: pages of the documentation that name tests name those that there are.

use std::{
    fs,
    path::{Path, PathBuf},
};

use crate::{command::root, soak::TASKS};

fn page(name: &str) -> String {
    fs::read_to_string(root().join("docs").join(name)).unwrap_or_else(|e| panic!("{name}: {e}"))
}

/// Every file of Rust below a folder.
fn sources(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).expect("the folder is there").flatten();
    let paths = entries.map(|entry| entry.path());
    paths
        .flat_map(|path| match path.is_dir() {
            true => sources(&path),
            false => vec![path],
        })
        .filter(|path| path.extension().is_some_and(|extension| extension == "rs"))
        .collect()
}

/// The last result stands in the documentation, with a row for each task, and nothing failed.
#[test]
fn the_soak_has_a_row_for_each_task() {
    let page = page("soak.md");
    for task in TASKS {
        let row = page.lines().find(|line| line.starts_with(&format!("| {} | ", task.name)));
        let row = row.unwrap_or_else(|| panic!("{}: run `cargo xtask soak`", task.name));
        assert!(row.ends_with("| passed |") && row.contains(task.unit), "{row}");
    }
}

#[test]
fn the_promises_name_tests_that_there_are() {
    let crates = root().join("crates");
    let code: String =
        sources(&crates).iter().map(|path| fs::read_to_string(path).expect("UTF-8")).collect();
    let page = page("promises.md");
    let rows = page.lines().filter(|line| line.starts_with("| "));
    let rows = rows.filter_map(|row| row.rsplit(" | ").next());
    let names: Vec<&str> = rows
        .flat_map(|proof| proof.split('`').skip(1).step_by(2))
        .filter(|name| name.chars().all(|c| c.is_ascii_lowercase() || c == '_'))
        .collect();
    assert!(names.len() > 30, "{names:?}");
    for name in names {
        assert!(code.contains(&format!("fn {name}(")), "no test is called {name}");
    }
}
