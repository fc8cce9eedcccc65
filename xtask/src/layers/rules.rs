//! The rules as data: each row says what must not be, where, and why.

/// Which crates a crate may depend on directly, tests aside.
pub struct Dependencies {
    pub krate: &'static str,
    pub allowed: Allowed,
    pub reason: &'static str,
}

/// The dependencies of one crate.
pub enum Allowed {
    /// These and no others.
    Only(&'static [&'static str]),
    /// Any but these.
    AllBut(&'static [&'static str]),
}

/// The edges between crates, and to the outside where a layer has to stay clean.
pub const DEPENDENCIES: &[Dependencies] = &[
    Dependencies {
        krate: "bellwire-wire",
        allowed: Allowed::Only(&["base64", "bytes", "serde", "serde_json", "sha1"]),
        reason: "wire is bytes in, decisions out: it knows no I/O, no store, no service",
    },
    Dependencies {
        krate: "bellwire-services",
        allowed: Allowed::AllBut(&[
            "bellwire",
            "bellwire-wire",
            "tokio",
            "mio",
            "hyper",
            "axum",
            "getrandom",
            "rand",
            "rusqlite",
            "postgres",
        ]),
        reason: "services are rules over a transaction: they know no I/O, no protocol, no clock, no chance",
    },
    Dependencies {
        krate: "bellwire-store",
        allowed: Allowed::AllBut(&[
            "bellwire",
            "bellwire-wire",
            "bellwire-services",
            "tokio",
            "mio",
        ]),
        reason: "the store keeps rows and the log; it knows no service, no protocol, no event loop",
    },
];

/// Words that do not occur in some files.
pub struct Absence {
    pub name: &'static str,
    /// Paths of files or folders (ending in `/`) in which the rule holds.
    pub under: &'static [&'static str],
    /// The endings of the files' names; all files if empty.
    pub endings: &'static [&'static str],
    pub words: &'static [&'static str],
    /// Whether unit tests at the end of a file and files of tests are left out, as comments always are but for
    /// rules about comments.
    pub product_only: bool,
    pub reason: &'static str,
}

/// Where each service has its folder.
pub const SERVICES: &str = "crates/services/src/";
/// What is written here; elsewhere lie lock files, documents and the work of others.
pub const OURS: &[&str] = &[
    "Cargo.lock",
    "crates/",
    "fuzz/",
    "tools/",
    "xtask/",
    "tests/",
    "console/",
    "clients/",
    "examples/",
];

/// What does not occur, and where.
pub const ABSENCES: &[Absence] = &[
    Absence {
        name: "services do no I/O",
        under: &[SERVICES],
        endings: &[".rs"],
        words: &[
            "SystemTime",
            "Instant",
            "std::fs",
            "std::net",
            "std::thread",
            "std::process",
            "std::env",
            "rand",
        ],
        product_only: true,
        reason: "time, identity and chance come in by Ctx, and everything else by Tx",
    },
    Absence {
        name: "services take no time or chance from the database",
        under: &[SERVICES],
        endings: &[".rs", ".sql"],
        words: &[
            "RANDOM()",
            "BY random()",
            "SELECT random()",
            "randomblob(",
            "'now'",
            "NOW()",
            "SELECT now()",
            "CURRENT_TIMESTAMP",
            "current_timestamp",
            "unixepoch(",
            "clock_timestamp(",
        ],
        product_only: true,
        reason: "the database's clock and chance differ between databases and from Ctx",
    },
    Absence {
        name: "SQL keywords are written in capitals",
        under: &[SERVICES, "crates/store/src/"],
        endings: &[".rs", ".sql"],
        words: &["create table", "insert into", "delete from", "select *"],
        product_only: true,
        reason: "the rule on tables finds their names by the keywords before them",
    },
    Absence {
        name: "wire does no I/O",
        under: &["crates/wire/src/"],
        endings: &[".rs"],
        words: &[
            "SystemTime",
            "Instant::now",
            "std::fs",
            "std::net",
            "std::thread",
            "std::process",
            "std::env",
        ],
        product_only: true,
        reason: "wire is bytes in, decisions out; time comes in as an argument",
    },
    Absence {
        name: "the hub never asks the store",
        under: &["crates/server/src/hub.rs", "crates/server/src/hub/"],
        endings: &[".rs"],
        words: &[
            "bellwire_store::sqlite",
            "bellwire_store::postgres",
            "Store",
            "ReadTx",
            "Tx",
            "rusqlite",
        ],
        product_only: true,
        reason: "what the hub delivers was decided in the transaction; it takes what was committed, nothing else",
    },
    Absence {
        name: "the hub knows no service",
        under: &["crates/server/src/hub.rs", "crates/server/src/hub/"],
        endings: &[".rs"],
        words: &["areas", "states", "identity", "sensors"],
        product_only: true,
        reason: "services say in their tables what the hub has to know of them",
    },
    Absence {
        name: "no test is switched off",
        under: OURS,
        endings: &[".rs"],
        words: &[concat!("#[", "ignore")],
        product_only: false,
        reason: "a test that does not run says nothing",
    },
    Absence {
        name: "nothing is left for later",
        under: OURS,
        endings: &[".rs", ".js", ".mjs", ".ts", ".tsx", ".py", ".sh", ".sql"],
        words: &[
            concat!("TO", "DO"),
            concat!("FIX", "ME"),
            concat!("to", "do!("),
            concat!("unimpl", "emented!("),
        ],
        product_only: false,
        reason: "what is missing is an issue, not a comment",
    },
    Absence {
        name: "lock files name no place",
        under: &["Cargo.lock", "tests/", "clients/", "console/", "examples/"],
        endings: &["Cargo.lock", "package-lock.json"],
        words: &["git+", "\"resolved\""],
        product_only: false,
        reason: "dependencies come from whichever registry is configured, by version and hash",
    },
];

/// Files longer than this say why on their first line, as `// Over 600 lines: REASON`.
pub const FILE_LINES_MAX: usize = 600;
/// What the first line of a longer file has, before its reason.
pub const LONG_FILE_MARK: &str = "Over 600 lines: ";
/// The rule on long files, as a breach names it.
pub const LINES_RULE: &str = "a file fits 600 lines";
/// The rule on tables, as a breach names it.
pub const TABLES_RULE: &str = "a service names its own tables only";
