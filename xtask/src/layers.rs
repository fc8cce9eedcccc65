//! The rules between layers that Cargo does not enforce, checked on the sources themselves.
//!
//! Each rule is a row of data with its reason, and for each a made-up file in `tests` breaks it: a rule that cannot
//! fail is none. What is not here: calls to the clock and to chance, which `clippy.toml` bans; licences, which
//! `deny.toml` lists.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use crate::command::{cargo, output, root};
use rules::{
    ABSENCES, Absence, Allowed, DEPENDENCIES, FILE_LINES_MAX, LINES_RULE, LONG_FILE_MARK, OURS,
    SERVICES, TABLES_RULE,
};

mod rules;
mod tests;

/// What the rules look at: direct dependencies by crate, tests aside, and texts by path.
#[derive(Default)]
struct Tree {
    dependencies: BTreeMap<String, BTreeSet<String>>,
    files: BTreeMap<String, String>,
}

impl Tree {
    /// The repository as it is, without what builds and installations leave in it.
    fn read() -> Self {
        let mut files = BTreeMap::new();
        for place in OURS {
            collect(place.trim_end_matches('/'), &mut files);
        }
        Self { dependencies: declared_dependencies(), files }
    }
}

/// Adds the texts at or below a path; files that are no text, and code of others, are passed over.
fn collect(path: &str, files: &mut BTreeMap<String, String>) {
    let full = root().join(path);
    if let Ok(entries) = fs::read_dir(&full) {
        for entry in entries {
            let name = entry.expect("a folder can be read").file_name();
            let name = name.to_str().expect("the repository's file names are UTF-8");
            if !["target", "node_modules", "vendor", "__pycache__"].contains(&name) {
                collect(&format!("{path}/{name}"), files);
            }
        }
    } else if let Ok(text) = fs::read_to_string(&full) {
        files.insert(path.to_owned(), text);
    }
}

/// Each workspace crate's dependencies, tests aside.
fn declared_dependencies() -> BTreeMap<String, BTreeSet<String>> {
    let metadata =
        output(cargo().args(["metadata", "--no-deps", "--offline", "--format-version", "1"]));
    let metadata = metadata.expect("cargo describes the workspace");
    let metadata: serde_json::Value =
        serde_json::from_str(&metadata).expect("cargo metadata is JSON");
    let text =
        |value: &serde_json::Value| value.as_str().expect("cargo metadata gives names").to_owned();
    let packages = metadata["packages"].as_array().expect("cargo metadata lists packages");
    let entry = |package: &serde_json::Value| {
        let all = package["dependencies"].as_array().expect("a package lists its dependencies");
        let direct = all.iter().filter(|one| one["kind"] != "dev").map(|one| text(&one["name"]));
        (text(&package["name"]), direct.collect())
    };
    packages.iter().map(entry).collect()
}

/// Every breach of every rule, as "PLACE: WHAT (RULE: REASON)".
fn breaches(tree: &Tree) -> Vec<String> {
    let mut found = Vec::new();
    for rule in DEPENDENCIES {
        let direct = tree.dependencies.get(rule.krate).into_iter().flatten();
        let wrong = direct.filter(|name| match rule.allowed {
            Allowed::Only(names) => !names.contains(&name.as_str()),
            Allowed::AllBut(names) => names.contains(&name.as_str()),
        });
        found.extend(
            wrong.map(|name| format!("{}: depends on {name} ({})", rule.krate, rule.reason)),
        );
    }
    for (path, text) in &tree.files {
        for rule in ABSENCES.iter().filter(|rule| rule.applies_to(path)) {
            for (number, line) in numbered(path, text, rule.product_only) {
                for word in rule.words.iter().filter(|word| contains_word(line, word)) {
                    found.push(format!("{path}:{number}: {word} ({}: {})", rule.name, rule.reason));
                }
            }
        }
        let first = text.lines().next().unwrap_or_default();
        let lines = text.lines().count();
        let code = [".rs", ".js", ".mjs", ".ts", ".tsx", ".py"]
            .iter()
            .any(|ending| path.ends_with(ending));
        if code
            && starts_with_any(path, OURS)
            && lines > FILE_LINES_MAX
            && !first.contains(LONG_FILE_MARK)
        {
            found.push(format!("{path}: {lines} lines ({LINES_RULE}, or its first line says why)"));
        }
    }
    found.extend(foreign_tables(tree));
    found
}

impl Absence {
    fn applies_to(&self, path: &str) -> bool {
        let ends =
            self.endings.is_empty() || self.endings.iter().any(|ending| path.ends_with(ending));
        ends && starts_with_any(path, self.under)
    }
}

/// Services that name another's table in SQL, or one of the store's own.
fn foreign_tables(tree: &Tree) -> Vec<String> {
    let mut owners = BTreeMap::new();
    for (path, text) in &tree.files {
        let Some(owner) = owner(path) else { continue };
        for (_, line) in numbered(path, text, true) {
            let made = after_keywords(line, &["TABLE"]).into_iter().map(|table| (table, owner));
            // The maker comes first: a later `DROP TABLE` or `ALTER TABLE` elsewhere is a breach, not a new owner.
            made.filter(|_| contains_word(line, "CREATE")).for_each(|(table, owner)| {
                owners.entry(table).or_insert(owner);
            });
        }
    }
    let mut found = Vec::new();
    for (path, text) in &tree.files {
        let Some(here) = owner(path).filter(|_| path.starts_with(SERVICES)) else {
            continue;
        };
        for (number, line) in numbered(path, text, true) {
            for table in
                after_keywords(line, &["FROM", "JOIN", "INTO", "UPDATE", "TABLE", "REFERENCES"])
            {
                match owners.get(&table) {
                    Some(&owner) if owner != here => found.push(format!(
                        "{path}:{number}: table {table} of {owner} ({TABLES_RULE}: \
                         others are reached by a function that their service exports)"
                    )),
                    _ => {}
                }
            }
        }
    }
    found
}

/// Who owns the tables that a file makes: the service whose folder it lies in, or the store.
fn owner(path: &str) -> Option<&str> {
    if path.starts_with("crates/store/src/") {
        return Some("store");
    }
    let (service, _) = path.strip_prefix(SERVICES)?.split_once('/')?;
    Some(service)
}

/// The names that follow these SQL keywords in a line; `IF NOT EXISTS` and `ONLY` are passed over.
fn after_keywords(line: &str, keywords: &[&str]) -> Vec<String> {
    let words = line.split(|c: char| !c.is_alphanumeric() && c != '_');
    let words: Vec<&str> =
        words.filter(|word| !["", "IF", "NOT", "EXISTS", "ONLY"].contains(word)).collect();
    let pairs = words.windows(2).filter(|pair| keywords.contains(&pair[0]));
    pairs.map(|pair| pair[1].to_lowercase()).collect()
}

/// The lines of a text with their numbers. For rules about the product, without comments and without tests.
fn numbered<'a>(path: &str, text: &'a str, product_only: bool) -> Vec<(usize, &'a str)> {
    let is_test =
        path.ends_with("/tests.rs") || path.contains("/tests/") || path.ends_with("/testing.rs");
    if product_only && is_test {
        return Vec::new();
    }
    let lines: Vec<(usize, &str)> =
        text.lines().enumerate().map(|(index, line)| (index + 1, line)).collect();
    if !product_only {
        return lines;
    }
    let opens_tests = |pair: &[(usize, &str)]| {
        pair[0].1.trim() == "#[cfg(test)]"
            && pair[1].1.starts_with("mod ")
            && pair[1].1.ends_with('{')
    };
    let end = lines.windows(2).position(opens_tests).unwrap_or(lines.len());
    let comment =
        |line: &str| line.trim_start().starts_with("//") || line.trim_start().starts_with("--");
    lines[..end].iter().copied().filter(|(_, line)| !comment(line)).collect()
}

/// Whether a line has this word, not as a part of a longer one.
fn contains_word(line: &str, word: &str) -> bool {
    let is_name = |c: char| c.is_alphanumeric() || c == '_';
    line.match_indices(word).any(|(start, _)| {
        let before = line[..start].chars().next_back();
        let after = line[start + word.len()..].chars().next();
        let starts = !word.starts_with(is_name) || !before.is_some_and(is_name);
        let ends = !word.ends_with(is_name) || !after.is_some_and(is_name);
        starts && ends
    })
}

fn starts_with_any(path: &str, prefixes: &[&str]) -> bool {
    prefixes
        .iter()
        .any(|prefix| path == *prefix || prefix.ends_with('/') && path.starts_with(prefix))
}
