//! The repository keeps the rules, and each rule can fail: a made-up file or dependency breaks it.

use super::rules::{ABSENCES, DEPENDENCIES, FILE_LINES_MAX, LINES_RULE, LONG_FILE_MARK};
use super::{Tree, breaches};

#[test]
fn the_repository_keeps_every_rule() {
    let tree = Tree::read();
    for rule in DEPENDENCIES {
        assert!(tree.dependencies.contains_key(rule.krate), "there is no crate {}", rule.krate);
    }
    for rule in ABSENCES {
        let applies = tree.files.keys().any(|path| rule.applies_to(path));
        assert!(applies, "the rule {:?} looks at no file", rule.name);
    }
    let found = breaches(&tree);
    assert!(found.is_empty(), "\n{}", found.join("\n"));
}

/// The breaches of a tree that has only these files and dependencies.
fn check(files: &[(&str, &str)], dependencies: &[(&str, &str)], expected: &[&str]) {
    let mut tree = Tree::default();
    tree.files.extend(files.iter().map(|(path, text)| ((*path).to_owned(), (*text).to_owned())));
    for (krate, name) in dependencies {
        tree.dependencies.entry((*krate).to_owned()).or_default().insert((*name).to_owned());
    }
    let found = breaches(&tree);
    assert_eq!(found.len(), expected.len(), "{files:?} {dependencies:?}: {found:?}");
    for (found, expected) in found.iter().zip(expected) {
        assert!(found.contains(expected), "expected {expected:?} in {found:?}");
    }
}

#[test]
fn each_dependency_rule_can_fail() {
    check(
        &[],
        &[("bellwire-wire", "bytes"), ("bellwire-wire", "tokio")],
        &["bellwire-wire: depends on tokio"],
    );
    check(&[], &[("bellwire-wire", "bellwire-store")], &["depends on bellwire-store"]);
    check(&[], &[("bellwire-services", "bellwire-wire")], &["depends on bellwire-wire"]);
    check(
        &[],
        &[("bellwire-services", "bellwire-store"), ("bellwire-services", "mio")],
        &["depends on mio"],
    );
    check(&[], &[("bellwire-services", "getrandom")], &["depends on getrandom"]);
    check(&[], &[("bellwire-store", "bellwire-services")], &["depends on bellwire-services"]);
    check(&[], &[("bellwire", "tokio"), ("bellwire-store", "rusqlite")], &[]);
}

/// A file that breaks a rule on words, and the word that is found.
const BROKEN: &[(&str, &str, &str)] = &[
    ("crates/services/src/chat/decide.rs", "use std::time::SystemTime;", "services do no I/O"),
    ("crates/services/src/chat/decide.rs", "let at = Instant::now();", "services do no I/O"),
    ("crates/services/src/kit/id.rs", "use rand::Rng;", "services do no I/O"),
    (
        "crates/services/src/states/sql.rs",
        "\"SELECT random()\"",
        "no time or chance from the database",
    ),
    (
        "crates/services/src/states/migrations/1.sql",
        "at TEXT DEFAULT CURRENT_TIMESTAMP",
        "no time or chance",
    ),
    (
        "crates/services/src/states/sql.rs",
        "\"delete from states\"",
        "SQL keywords are written in capitals",
    ),
    ("crates/wire/src/frame.rs", "use std::net::TcpStream;", "wire does no I/O"),
    ("crates/server/src/hub.rs", "use bellwire_store::Store;", "the hub never asks the store"),
    ("crates/server/src/hub/shard.rs", "fn f(tx: &mut ReadTx) {}", "the hub never asks the store"),
    ("crates/server/src/hub/mod.rs", "use bellwire_services::areas;", "the hub knows no service"),
    ("crates/server/tests/it/main.rs", concat!("#[", "ignore]"), "no test is switched off"),
    ("xtask/src/main.rs", concat!("// TO", "DO: more"), "nothing is left for later"),
    ("tests/clients/page.mjs", concat!("// FIX", "ME"), "nothing is left for later"),
    ("tests/clients/package-lock.json", "\"resolved\": \"\"", "lock files name no place"),
    ("Cargo.lock", "source = \"git+ssh\"", "lock files name no place"),
];

#[test]
fn each_rule_on_words_can_fail() {
    for (path, text, expected) in BROKEN {
        check(&[(path, text)], &[], &[expected]);
    }
    for rule in ABSENCES {
        let proven = BROKEN.iter().any(|(_, _, expected)| rule.name.contains(expected));
        assert!(proven, "no file breaks the rule {:?}", rule.name);
    }
}

#[test]
fn what_is_no_breach() {
    let tests = "fn f() {}\n#[cfg(test)]\nmod tests {\n    use std::fs;\n}\n";
    check(&[("crates/services/src/chat/decide.rs", tests)], &[], &[]);
    check(
        &[("crates/services/src/chat/decide.rs", "// No SystemTime here.\nlet brand = 1;")],
        &[],
        &[],
    );
    check(&[("crates/server/src/clock.rs", "SystemTime::now()")], &[], &[]);
    check(&[("crates/server/src/hub.rs", "/// Never asks the Store.\nfn stored() {}")], &[], &[]);
    let before_tests = "#[cfg(test)]\nuse x;\nuse std::fs;";
    check(&[("crates/services/src/chat/decide.rs", before_tests)], &[], &["std::fs"]);
}

#[test]
fn a_long_file_says_why() {
    let long = "line\n".repeat(FILE_LINES_MAX + 1);
    check(&[("crates/wire/src/frame.rs", &long)], &[], &[LINES_RULE]);
    check(&[("crates/wire/src/frame.rs", &"line\n".repeat(FILE_LINES_MAX))], &[], &[]);
    let excused = format!("// {LONG_FILE_MARK}one table\n{long}");
    check(&[("crates/wire/src/frame.rs", &excused)], &[], &[]);
}

#[test]
fn a_service_names_its_own_tables_only() {
    let made = (
        "crates/services/src/states/migrations/1.sql",
        "CREATE TABLE IF NOT EXISTS states (id INTEGER);",
    );
    let log = ("crates/store/src/log.rs", "\"CREATE TABLE log (at INTEGER)\"");
    let own = ("crates/services/src/states/sql.rs", "\"SELECT 1 FROM states\"");
    check(&[made, own], &[], &[]);
    for sql in [
        "SELECT 1 FROM states",
        "SELECT 1 FROM areas JOIN states ON 1",
        "INSERT INTO states VALUES (1)",
        "UPDATE states SET id = 1",
        "id INTEGER REFERENCES states (id)",
        "DROP TABLE IF EXISTS states",
    ] {
        check(&[made, ("crates/services/src/areas/sql.rs", sql)], &[], &["table states of states"]);
    }
    check(
        &[log, ("crates/services/src/areas/sql.rs", "SELECT 1 FROM log")],
        &[],
        &["table log of store"],
    );
    check(&[made, ("crates/services/src/areas/mod.rs", "// SELECT 1 FROM states")], &[], &[]);
}
