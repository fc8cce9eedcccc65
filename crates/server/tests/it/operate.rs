//! docs/operate.md is true: its transcripts are typed in, its tables are compared with the program, the
//! sentences it explains are in the sources, and its examples for other programs are what these take, as
//! far as they are installed.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use rcgen::generate_simple_self_signed;

use crate::{
    harness::{DEADLINE, Server},
    process::{self, ANY_PORT, Process, bellwire, output, without_settings},
};

/// A fenced block.
struct Block {
    language: String,
    lines: Vec<String>,
}

impl Block {
    fn text(&self) -> String {
        self.lines.iter().map(|line| format!("{line}\n")).collect()
    }
}

fn manual() -> String {
    fs::read_to_string(process::root().join("docs/operate.md")).expect("the manual is there")
}

/// The manual's blocks in this language.
fn blocks(language: &str) -> Vec<Block> {
    let mut blocks = Vec::new();
    let mut open: Option<Block> = None;
    for line in manual().lines() {
        match (line.strip_prefix("```"), &mut open) {
            (Some(language), None) => {
                open = Some(Block { language: language.to_owned(), lines: Vec::new() });
            }
            (Some(_), Some(_)) => blocks.extend(open.take()),
            (None, Some(block)) => block.lines.push(line.to_owned()),
            (None, None) => {}
        }
    }
    blocks.retain(|block| block.language == language);
    assert!(!blocks.is_empty(), "there is no block in {language}");
    blocks
}

/// What stands under this heading.
fn section(heading: &str) -> String {
    let manual = manual();
    let (_, section) = manual
        .split_once(&format!("\n## {heading}\n"))
        .unwrap_or_else(|| panic!("there is no section {heading:?}"));
    section.split("\n## ").next().expect("a split has a part").to_owned()
}

/// The rows of a section's tables whose first cell begins with a backquote: their cells.
fn rows(heading: &str) -> Vec<Vec<String>> {
    let section = section(heading).replace("\\|", "/");
    let rows = section.lines().filter(|line| line.starts_with("| `"));
    let cells = |row: &str| -> Vec<String> {
        row.trim_matches('|').split('|').map(|cell| cell.trim().to_owned()).collect()
    };
    rows.map(cells).collect()
}

/// What the cell has between its first backquotes.
fn code(cell: &str) -> &str {
    cell.split('`').nth(1).expect("the cell begins with code")
}

/// The program and the shell, in this directory and with none of the environment's settings.
fn in_directory(program: Command, directory: &Path) -> Command {
    let mut program = without_settings(program);
    let own = Path::new(env!("CARGO_BIN_EXE_bellwire")).parent().expect("it lies in a folder");
    let path = std::env::var("PATH").expect("there is a path");
    program.env("PATH", format!("{}:{path}", own.display())).env("no_proxy", "127.0.0.1");
    program.current_dir(directory);
    program
}

/// A command of a transcript, and what it says.
#[derive(Debug)]
struct Typed {
    command: String,
    said: Vec<String>,
}

fn typed(block: &Block) -> Vec<Typed> {
    let mut all: Vec<Typed> = Vec::new();
    for line in &block.lines {
        match line.strip_prefix("$ ") {
            Some(command) => all.push(Typed { command: command.to_owned(), said: Vec::new() }),
            None => all.last_mut().expect("a transcript begins with $").said.push(line.clone()),
        }
    }
    all
}

/// Whether these are the lines, `...` standing for anything within a line or for any lines.
fn is_said(expected: &[String], said: &[&str]) -> bool {
    match expected {
        [] => said.is_empty(),
        [any, rest @ ..] if any == "..." => (0..=said.len()).any(|n| is_said(rest, &said[n..])),
        [line, rest @ ..] => {
            said.first().is_some_and(|first| is_like(line, first)) && is_said(rest, &said[1..])
        }
    }
}

fn is_like(pattern: &str, line: &str) -> bool {
    let Some((begins, rest)) = pattern.split_once("...") else { return pattern == line };
    let Some(mut line) = line.strip_prefix(begins) else { return false };
    let mut parts: Vec<&str> = rest.split("...").collect();
    let ends = parts.pop().unwrap_or_default();
    for part in parts {
        let Some((_, behind)) = line.split_once(part) else { return false };
        line = behind;
    }
    line.ends_with(ends)
}

#[track_caller]
fn check_said(typed: &Typed, said: &str) {
    let lines: Vec<&str> = said.trim_end_matches('\n').lines().collect();
    assert!(is_said(&typed.said, &lines), "{typed:#?}\nsays\n{said}");
}

/// The manual's address of a server, for which the real one stands in.
const ADDRESS: &str = "127.0.0.1:8080";

/// What a shell says to each command, and the status of each.
fn shell(commands: &[Typed], directory: &Path) -> Vec<(String, i32)> {
    let script: String = commands
        .iter()
        .map(|typed| format!("{}\nprintf '\\036%s\\036' $?\n", typed.command))
        .collect();
    let mut sh = in_directory(Command::new("sh"), directory);
    let output = output(sh.args(["-c", &format!("exec 2>&1\n{script}")]), DEADLINE);
    let text = String::from_utf8(output.stdout).expect("it says texts");
    let parts: Vec<&str> = text.split('\u{1e}').collect();
    let told = parts.chunks_exact(2);
    told.map(|told| (told[0].to_owned(), told[1].parse().expect("a status"))).collect()
}

#[test]
fn what_is_typed_says_what_is_printed() {
    let folder = tempfile::tempdir().expect("a directory can be made");
    let mut server: Option<Process> = None;
    for block in blocks("console") {
        let address = server.as_ref().map(|server| server.address().to_string());
        let mut commands = typed(&block);
        if let [Typed { command, .. }] = &commands[..]
            && let Some(arguments) = command.strip_prefix("bellwire serve")
        {
            let mut program = in_directory(bellwire(), folder.path());
            program.arg("serve").args(arguments.split_whitespace()).args(["--listen", ANY_PORT]);
            let started = Process::run(program);
            let Typed { said, .. } = &mut commands[0];
            let last = said.last().expect("a server says something");
            started.says(last);
            for line in said {
                *line = line.replace(ADDRESS, &started.address().to_string());
            }
            check_said(&commands[0], &started.log());
            server = Some(started);
            continue;
        }
        if let Some(address) = address {
            commands.iter_mut().for_each(|typed| {
                typed.command = typed.command.replace(ADDRESS, &address);
            });
        }
        let told = shell(&commands, folder.path());
        assert_eq!(told.len(), commands.len(), "{told:?}");
        for (typed, (said, status)) in commands.iter().zip(told) {
            let refuses = typed.said.last().is_some_and(|last| last.starts_with("bellwire: "));
            assert_eq!(status, i32::from(refuses), "{typed:?} says {said}");
            check_said(typed, &said);
        }
    }
    server.expect("the manual starts a server").stop();
}

#[test]
fn lines_with_gaps() {
    for (pattern, line, expected) in [
        ("a", "a", true),
        ("a", "b", false),
        ("a...", "a", true),
        ("a...c", "abc", true),
        ("a...c", "abcd", false),
        ("...b...", "abc", true),
        ("a...b...c", "axbxc", true),
        ("a...b...c", "axc", false),
        ("ab...ab", "ab", false),
    ] {
        assert_eq!(is_like(pattern, line), expected, "{pattern} {line}");
    }
    let expected = ["a", "...", "c"].map(str::to_owned);
    assert!(is_said(&expected, &["a", "c"]) && is_said(&expected, &["a", "b", "b", "c"]));
    assert!(!is_said(&expected, &["a", "b"]) && !is_said(&expected, &["c"]));
}

/// A setting and its default, as `print-default` has them; texts after `Default:` for one whose line is
/// commented out.
fn settings() -> Vec<(String, Vec<String>)> {
    let printed = output(bellwire().args(["config", "print-default"]), DEADLINE);
    let printed = String::from_utf8(printed.stdout).expect("it is text");
    let (mut settings, mut section, mut comment) = (Vec::new(), String::new(), String::new());
    for line in printed.lines() {
        if let Some(name) = line.strip_prefix('[').and_then(|line| line.strip_suffix(']')) {
            section = format!("{name}.");
        } else if let Some(words) = line.strip_prefix("# ") {
            comment += &format!("{words} ");
        } else if let Some((name, value)) = line.split_once(" = ") {
            let defaults = match name.strip_prefix('#') {
                None => vec![format!("`{value}`")],
                Some(_) => {
                    let told = comment.split_once("Default:").map_or("", |(_, told)| told);
                    let told = told.split('.').next().unwrap_or_default();
                    told.split('"').skip(1).step_by(2).map(|text| format!("`\"{text}\"`")).collect()
                }
            };
            settings.push((format!("{section}{}", name.trim_start_matches('#')), defaults));
            comment.clear();
        } else if line.is_empty() {
            comment.clear();
        }
    }
    settings
}

#[test]
fn every_setting_is_there_with_its_default() {
    let settings = settings();
    assert!(settings.len() > 15, "{settings:?}");
    let table = rows("Configure");
    for (name, defaults) in &settings {
        let row = table.iter().find(|row| code(&row[0]) == name);
        let row = row.unwrap_or_else(|| panic!("{name} is not in the table"));
        assert!(defaults.iter().all(|d| row[2].contains(d)), "{row:?} has not {defaults:?}");
    }
    let names: Vec<&str> = table.iter().map(|row| code(&row[0])).collect();
    let there: Vec<&str> = settings.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, there);
}

#[test]
fn every_measure_is_there() {
    let server = Server::start();
    let token = server.token("admin", &[]).text;
    let mut client = server.dial("/api/ws?since=gone").bearer(&token).open();
    assert!(client.text().contains(r#""type":"reset""#));
    client.send(r#"{"type":"states:create","entity_id":"light.a","state":"on"}"#);
    assert!([client.text(), client.text()].iter().any(|told| told.contains("state_changed")));
    let measures = server.get("/metrics").body;
    let types = measures.lines().filter_map(|line| line.strip_prefix("# TYPE "));
    let shown: BTreeSet<&str> = types.filter_map(|line| line.split(' ').next()).collect();
    let rows = rows("Monitor");
    let names = rows.iter().map(|row| code(&row[0]));
    let told: BTreeSet<&str> = names.filter(|name| name.starts_with("bellwire_")).collect();
    assert_eq!(shown, told);
}

/// What `--help` says of a command.
fn help(command: &[&str]) -> String {
    let output = output(bellwire().args(command).arg("--help"), DEADLINE);
    assert!(output.status.success(), "{command:?}: {output:?}");
    String::from_utf8(output.stdout).expect("it is text")
}

/// The options that a help tells of.
fn options(help: &str) -> BTreeSet<String> {
    let lines = help.lines().map(str::trim_start);
    let long = lines.filter_map(|line| line.trim_start_matches("-h, ").strip_prefix("--"));
    let names = long.filter_map(|line| line.split([' ', '\n']).next());
    names.filter(|name| *name != "help").map(|name| format!("--{name}")).collect()
}

/// Every command that has none below it.
fn commands(above: &[&str]) -> Vec<String> {
    let help = help(above);
    let Some((_, listed)) = help.split_once("\nCommands:\n") else { return vec![above.join(" ")] };
    let listed = listed.lines().take_while(|line| !line.is_empty());
    let names = listed.filter_map(|line| line.strip_prefix("  ")?.split(' ').next());
    let names = names.filter(|name| !name.is_empty() && *name != "help");
    names.flat_map(|name| commands(&[above, &[name]].concat())).collect()
}

#[test]
fn every_command_is_there_with_its_options() {
    let told = rows("Command reference");
    let names: Vec<&str> = told.iter().map(|row| &code(&row[0])["bellwire ".len()..]).collect();
    let there = commands(&[]);
    assert_eq!(names, there);
    for (command, row) in there.iter().zip(told) {
        let words: Vec<&str> = command.split(' ').collect();
        // What the words above the table say of all, and what refers to another row.
        let shared = ["--config", "--data"].map(str::to_owned).into();
        let own: BTreeSet<String> = match words[..] {
            ["config", "check"] => BTreeSet::new(),
            ["serve"] => options(&help(&words)),
            _ => options(&help(&words)).difference(&shared).cloned().collect(),
        };
        let cell = row[1].split(['`', ' ', ',']).filter(|word| word.starts_with("--"));
        let cell: BTreeSet<String> = cell.map(str::to_owned).collect();
        assert_eq!(cell, own, "{command}");
    }
    assert_eq!(options(&help(&["config", "check"])), options(&help(&["serve"])));
}

/// Blocks that are not run here are at least a shell's, and name options that there are.
#[test]
fn commands_for_root_are_well_formed() {
    for block in blocks("sh") {
        let text = block.text();
        let read = output(Command::new("sh").args(["-n", "-c", &text]), DEADLINE);
        assert!(read.status.success(), "{text}{read:?}");
        let calls = text.lines().filter_map(|line| line.split_once("bellwire ").map(|(_, c)| c));
        for call in calls {
            let words: Vec<&str> = call.split(['\'', ' ']).collect();
            let known = commands(&[]);
            let Some(command) = known.iter().find(|name| call.starts_with(name.as_str())) else {
                continue; // A folder or a unit of that name.
            };
            let there = options(&help(&command.split(' ').collect::<Vec<_>>()));
            let used = words.iter().filter(|word| word.starts_with("--"));
            for option in used {
                assert!(there.contains(*option), "{call}: {option}");
            }
        }
    }
}

#[test]
fn configurations_are_good() {
    let folder = tempfile::tempdir().expect("a directory can be made");
    let file = folder.path().join("bellwire.toml");
    for block in blocks("toml") {
        fs::write(&file, block.text()).expect("it can be written");
        let mut check = in_directory(bellwire(), folder.path());
        let checked = output(check.args(["config", "check", "--config"]).arg(&file), DEADLINE);
        assert!(checked.status.success(), "{}{checked:?}", block.text());
    }
}

#[test]
fn links_lead_somewhere() {
    let manual = manual();
    let slug = |heading: &str| heading.trim_start_matches('#').trim().to_lowercase();
    let headings: BTreeSet<String> = manual
        .lines()
        .filter(|line| line.starts_with("##"))
        .map(|line| slug(line).replace(' ', "-").replace('\'', ""))
        .collect();
    let links = manual.split("](#").skip(1).filter_map(|rest| rest.split(')').next());
    for link in links {
        assert!(headings.contains(link), "#{link} is none of {headings:?}");
    }
}

/// All sources, with texts that go over several lines made whole.
fn sources() -> String {
    let mut text = String::new();
    let mut folders: Vec<PathBuf> = ["server", "services", "store"]
        .map(|name| process::root().join("crates").join(name).join("src"))
        .into();
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).expect("it is a folder") {
            let path = entry.expect("it can be read").path();
            match path.extension().is_some_and(|extension| extension == "rs") {
                true => text += &fs::read_to_string(path).expect("sources are text"),
                false if path.is_dir() => folders.push(path),
                false => {}
            }
        }
    }
    let mut whole = String::new();
    for (number, part) in text.split("\\\n").enumerate() {
        whole += if number == 0 { part } else { part.trim_start() };
    }
    whole
}

/// What SQLite and the system say, not these sources.
const OF_OTHERS: [&str; 2] = ["database disk image is malformed.", "file is not a database."];

/// The sentences that the manual explains are said somewhere, `…` standing for what differs.
#[test]
fn sentences_are_said() {
    let sources = sources();
    let section = section("What can go wrong");
    let cells = section.lines().filter_map(|line| line.strip_prefix("| ")?.split(" | ").next());
    let mut count = 0;
    for sentence in cells.flat_map(|cell| cell.split('`').skip(1).step_by(2)) {
        let sentence = sentence.replace("database or disk is full.", "");
        if OF_OTHERS.contains(&sentence.as_str()) {
            continue;
        }
        for part in sentence.split('…').filter(|part| part.len() > 4) {
            let part =
                OF_OTHERS.iter().fold(part.to_owned(), |part, other| part.replace(other, ""));
            let part = part.trim();
            assert!(sources.contains(part.trim_end_matches(':')), "nobody says {part:?}");
        }
        count += 1;
    }
    assert!(count > 35, "{count}");
}

/// Runs a check of another program's, if it is installed.
fn check_by(program: &mut Command, config: &str) {
    let name = program.get_program().to_string_lossy().into_owned();
    let installed = Command::new("sh").args(["-c", &format!("command -v {name}")]).output();
    if !installed.is_ok_and(|found| found.status.success()) {
        eprintln!("{name} is not installed: its example is not checked");
        return;
    }
    let checked = output(program, DEADLINE);
    assert!(checked.status.success(), "{config}{checked:?}");
}

#[test]
fn proxies_take_their_examples() {
    let folder = tempfile::tempdir().expect("a directory can be made");
    let folder = folder.path();
    let certified = generate_simple_self_signed(vec!["home.example".into()]).expect("it is made");
    let write = |name: &str, text: &str| fs::write(folder.join(name), text).expect("it is ours");
    write("fullchain.pem", &certified.cert.pem());
    write("privkey.pem", &certified.signing_key.serialize_pem());

    let [nginx] = &blocks("nginx")[..] else { panic!("there is one example for nginx") };
    let at = folder.display().to_string();
    let site = nginx.text().replace("/etc/nginx/tls", &at);
    // Elsewhere than where it would be run, it must not touch what runs there.
    let folders = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"];
    let folders: String = folders.map(|name| format!("{name}_temp_path {at}/{name};\n")).concat();
    let around = format!(
        "pid {at}/pid;\nerror_log stderr;\nevents {{}}\nhttp {{\naccess_log off;\n{folders}{site}}}\n"
    );
    write("nginx.conf", &around);
    let mut test = Command::new("nginx");
    check_by(test.args(["-t", "-p", &at, "-c"]).arg(folder.join("nginx.conf")), &around);

    let [caddy] = &blocks("caddy")[..] else { panic!("there is one example for Caddy") };
    write("Caddyfile", &caddy.text());
    // `adapt` reads it and starts nothing.
    let mut adapt = Command::new("caddy");
    adapt.args(["adapt", "--adapter", "caddyfile", "--config"]).arg(folder.join("Caddyfile"));
    check_by(adapt.env("HOME", folder), &caddy.text());
}

/// The units of the nightly backup, on which systemd must have nothing to say.
#[test]
fn systemd_takes_the_backup() {
    let folder = tempfile::tempdir().expect("a directory can be made");
    let folder = folder.path();
    let units: Vec<Block> = blocks("ini");
    let unit = |has: &str| {
        let unit = units.iter().find(|unit| unit.text().contains(has)).expect("it is there");
        unit.text().replace("/usr/local/bin/bellwire", env!("CARGO_BIN_EXE_bellwire"))
    };
    let (service, timer) = (unit("Type=oneshot"), unit("[Timer]"));
    let paths = ["bellwire-backup.service", "bellwire-backup.timer"].map(|name| folder.join(name));
    fs::write(&paths[0], &service).expect("it is ours");
    fs::write(&paths[1], &timer).expect("it is ours");
    let mut verify = Command::new("systemd-analyze");
    verify.args(["verify", "--man=no", "--recursive-errors=no"]).args(&paths);
    check_by(&mut verify, &format!("{service}{timer}"));

    // The command itself, as a shell gets it.
    let line = service.lines().find_map(|line| line.strip_prefix("ExecStart=/bin/sh -c '"));
    let command = line.and_then(|line| line.strip_suffix('\'')).expect("a shell runs it");
    let command = command.replace("$$", "$").replace("%%", "%");
    let at = folder.display().to_string();
    let command = command.replace("/var/lib", &at).replace("/var/backups", &format!("{at}/to"));
    process::token(&folder.join("bellwire"), "admin", 60);
    let made = output(without_settings(Command::new("sh")).args(["-c", &command]), DEADLINE);
    assert!(made.status.success(), "{command}: {made:?}");
    let backups = fs::read_dir(folder.join("to/bellwire")).expect("it is made").count();
    assert_eq!(backups, 1);
}
