//! The configuration as an operator meets it: by the real program, with real files. What each setting
//! takes, and what is said of what it does not, is tested where they are read.

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::Path,
    process::{Command, Output},
};

use bellwire::config::DEFAULT_FILE;
use rustix::process::geteuid;

use crate::{
    harness::DEADLINE,
    process::{self, ANY_PORT, Process, bellwire, output, without_settings},
};

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).expect("it says texts")
}

/// It must have ended with status 1 and one sentence, which is given, with `FOLDER` for this folder.
#[track_caller]
fn sentence(output: &Output, folder: &Path) -> String {
    let said = text(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(output.stdout.is_empty(), "{output:?}");
    let sentence = said.strip_prefix("bellwire: ").and_then(|said| said.strip_suffix('\n'));
    let sentence = sentence.unwrap_or_else(|| panic!("it says {said:?}"));
    assert!(!sentence.contains('\n'), "it says {sentence:?}");
    sentence.replace(&folder.display().to_string(), "FOLDER")
}

/// A program that gets no rights from being root: what a mode forbids is forbidden.
fn without_rights(program: Command) -> Command {
    if !geteuid().is_root() {
        return program;
    }
    let mut plain = Command::new("setpriv");
    plain.args(["--bounding-set=-dac_override,-dac_read_search", "--inh-caps=-all"]);
    plain.arg(program.get_program()).args(program.get_args());
    plain.envs(program.get_envs().filter_map(|(name, value)| Some((name, value?))));
    for (name, _) in program.get_envs().filter(|(_, value)| value.is_none()) {
        plain.env_remove(name);
    }
    plain
}

#[test]
fn files_that_cannot_be_read() {
    let folder = tempfile::tempdir().expect("a directory can be made");
    let folder = folder.path();
    let data = folder.join("data");
    let locked = folder.join("locked");
    fs::write(&locked, "demo = true").expect("a file can be written");
    fs::set_permissions(&locked, fs::Permissions::from_mode(0o000)).expect("it is ours");
    fs::create_dir(folder.join("directory")).expect("a directory can be made");
    let files: [(&str, &[u8]); 6] = [
        ("latin", b"# fine\ndata = \"\xe4\"\n"),
        ("open", b"listen = [\n  \"127.0.0.1:0\",\n"),
        ("quote", "# \u{e4}\ndata = \"\u{e4}\n".as_bytes()),
        ("twice", b"demo = true\ndemo = true\n"),
        ("unknown", b"[log]\nkept = \"1h\"\nbyte_max = 1\n"),
        ("type", b"listen = \"127.0.0.1:0\"\n"),
    ];
    for (name, bytes) in files {
        fs::write(folder.join(name), bytes).expect("a file can be written");
    }
    let rows = [
        ("none", "The configuration file FOLDER/none cannot be read: No such file or directory"),
        ("directory", "The configuration file FOLDER/directory cannot be read: Is a directory"),
        ("locked", "The configuration file FOLDER/locked cannot be read: Permission denied"),
        ("latin", "FOLDER/latin:2: this is not UTF-8; the file must be TOML."),
        ("open", "FOLDER/open:2:17: this is not TOML: unclosed array, expected `]`."),
        ("quote", "FOLDER/quote:2:10: this is not TOML: invalid basic string, expected `\"`."),
        ("twice", "FOLDER/twice:2:1: this is not TOML: duplicate key."),
        (
            "unknown",
            "FOLDER/unknown:3: log.byte_max: there is no such setting; did you mean log.bytes_max?",
        ),
        ("type", "FOLDER/type:1: listen cannot be \"127.0.0.1:0\"; it must be a list of addresses"),
    ];
    for (name, said) in rows {
        let path = folder.join(name);
        let serve = || {
            let mut serve = bellwire();
            serve.arg("serve").arg("--data").arg(&data).args(["--listen", ANY_PORT]);
            serve
        };
        let mut by_flag = serve();
        by_flag.arg("--config").arg(&path);
        let mut by_variable = serve();
        by_variable.env("BELLWIRE_CONFIG", &path);
        let mut check = bellwire();
        check.args(["config", "check", "--config"]).arg(&path);
        let mut token = bellwire();
        token.args(["token", "list", "--config"]).arg(&path);
        for command in [by_flag, by_variable, check, token] {
            let mut command = without_rights(command);
            let output = output(&mut command, DEADLINE);
            let sentence = sentence(&output, folder);
            assert!(sentence.starts_with(said), "{command:?} says {sentence:?}");
        }
    }
    assert!(!data.exists(), "what is refused leaves nothing behind");
}

#[test]
fn what_is_checked_is_described() {
    let folder = tempfile::tempdir().expect("a directory can be made");
    let path = folder.path().join("bellwire.toml");
    let check = |file: &str, prepare: &dyn Fn(&mut Command)| {
        fs::write(&path, file).expect("a file can be written");
        let mut program = bellwire();
        prepare(program.args(["config", "check"]));
        let output = output(&mut program, DEADLINE);
        assert!(output.status.success() && output.stderr.is_empty(), "{output:?}");
        text(&output.stdout).replace(&path.display().to_string(), "FILE")
    };
    let defaults = "Every setting is at its default.\n";
    assert_eq!(
        check("", &|_| {}),
        format!("The configuration is good; no file is named\n{defaults}")
    );
    let named = |program: &mut Command| {
        program.arg("--config").arg(&path);
    };
    assert_eq!(check(DEFAULT_FILE, &named), format!("FILE is good\n{defaults}"));
    let some = "[log]\nbytes_max = \"512MiB\"\n[tls]\ncertificate = \"a\"\nkey = \"b\"\n";
    let all = check(some, &|program| {
        program.env("BELLWIRE_CONFIG", &path).env("BELLWIRE_HOSTS", "home.example,[::1]");
        program.args(["--demo", "--listen", "127.0.0.1:1", "--listen", "https://[::1]:2"]);
    });
    let expected = "FILE is good\n\
        data = \"bellwire-demo\" (the demo's default)\n\
        listen = [\"http://127.0.0.1:1\", \"https://[::1]:2\"] (--listen)\n\
        hosts = [\"home.example\", \"[::1]\"] (BELLWIRE_HOSTS)\n\
        demo = true (--demo)\n\
        tls.certificate = \"a\" (FILE:4)\n\
        tls.key = \"b\" (FILE:5)\n\
        log.bytes_max = 536870912 (FILE:2)\n\
        states.history = \"1h\" (the demo's default)\n";
    assert_eq!(all, expected);

    let printed = output(bellwire().args(["config", "print-default"]), DEADLINE);
    assert_eq!(text(&printed.stdout), DEFAULT_FILE);
}

/// A file is read only when it is named; the program and its tools then agree on the data directory.
#[test]
fn a_configuration_is_in_force() {
    let folder = tempfile::tempdir().expect("a directory can be made");
    let folder = folder.path();
    let (data, path) = (folder.join("data"), folder.join("bellwire.toml"));
    let listen = format!("listen = [\"{ANY_PORT}\"]\ndata = {data:?}\n");
    fs::write(&path, format!("{listen}[logging]\nformat = \"text\"\n")).expect("it is written");
    let mut server = Process::run({
        let mut serve = bellwire();
        serve.arg("serve").env("BELLWIRE_CONFIG", &path).current_dir(folder);
        serve
    });
    let mut create = bellwire();
    create.args(["token", "create", "--role", "admin", "--config"]).arg(&path);
    let created = output(&mut create, DEADLINE);
    assert!(created.status.success(), "{created:?}");
    let token = text(&created.stdout);
    let client = crate::traffic::open(server.address(), token.trim_end(), "");
    drop(client.expect("the token is this server's"));
    server.ask_to_stop();
    assert!(server.wait(DEADLINE).success());
    assert!(server.log().contains(" INFO stopping"), "{}", server.log());

    // The same file lies in the working directory, and nobody names it.
    let mut check = bellwire();
    check.args(["config", "check"]).current_dir(folder);
    let checked = text(&output(&mut check, DEADLINE).stdout);
    assert!(checked.ends_with("Every setting is at its default.\n"), "{checked}");
}

#[test]
fn the_start_says_where_to_go_next() {
    let folder = tempfile::tempdir().expect("a directory can be made");
    let data = folder.path();
    let server = Process::serve(data, ANY_PORT, &["--log-level", "off"]);
    let (address, data) = (server.address(), data.display());
    let version = env!("CARGO_PKG_VERSION");
    server.says(&format!(
        "Listening on http://{address}/\nBellwire {version}, its data in {data}\nAn admin was made. "
    ));
    server.says(&format!(
        "Next: open http://{address}/ in a browser and sign in. Another password, and a token for a program:\n  \
         bellwire user password admin --data {data}\n  \
         bellwire token create --role admin --data {data}\n\
         How to operate it: docs/operate.md\n"
    ));
    let printed = output(bellwire().arg("--version"), DEADLINE);
    assert_eq!(text(&printed.stdout), format!("bellwire {version}\n"));
    assert!(process::root().join("docs/operate.md").is_file());
}

/// `serve` on a data directory on a file system of its own, mounted with these options.
fn serve_on(options: &str, folder: &Path) -> Command {
    let mut shell = without_settings(Command::new("unshare"));
    let script = r#"mount -t tmpfs -o "$1" tmpfs "$2" && exec "$0" serve --listen 127.0.0.1:0 --data "$2/data""#;
    shell.args(["--mount", "sh", "-c", script, env!("CARGO_BIN_EXE_bellwire"), options]);
    shell.arg(folder);
    shell
}

#[test]
fn data_directories_without_room_or_rights() {
    let folder = tempfile::tempdir().expect("a directory can be made");
    let folder = folder.path();
    let serve = |data: &Path| {
        let mut serve = bellwire();
        serve.args(["serve", "--listen", ANY_PORT, "--data"]).arg(data);
        serve
    };
    for mode in [0o000, 0o500] {
        let data = folder.join(format!("{mode:o}"));
        fs::create_dir(&data).expect("a directory can be made");
        fs::set_permissions(&data, fs::Permissions::from_mode(mode)).expect("it is ours");
        let name = format!("FOLDER/{mode:o}");
        let database =
            format!("The database {name}/bellwire.db cannot be opened: Permission denied");
        let below = format!(
            "The data directory {name}/x cannot be made; choose another with --data: Permission denied"
        );
        for (data, begins) in [(data.clone(), database), (data.join("x"), below)] {
            let output = output(&mut without_rights(serve(&data)), DEADLINE);
            let sentence = sentence(&output, folder);
            assert!(sentence.starts_with(&begins), "{sentence}");
        }
        fs::set_permissions(&data, fs::Permissions::from_mode(0o700)).expect("it is ours");
    }

    let mounts = output(Command::new("unshare").args(["--mount", "true"]), DEADLINE);
    if geteuid().is_root() && mounts.status.success() {
        let read_only = output(&mut serve_on("ro", folder), DEADLINE);
        let cannot = "The data directory FOLDER/data cannot be made; choose another with --data: Read-only file system";
        assert!(sentence(&read_only, folder).starts_with(cannot), "{read_only:?}");
        let full = output(&mut serve_on("size=64k", folder), DEADLINE);
        let failed = "The database FOLDER/data/bellwire.db failed while upgrading it: \
                      database or disk is full.";
        assert_eq!(sentence(&full, folder), failed);
    } else {
        eprintln!(
            "no file system may be mounted here: files of at most 32 KiB stand for a full disk"
        );
        let mut shell = without_settings(Command::new("sh"));
        let program = env!("CARGO_BIN_EXE_bellwire");
        let script = r#"trap '' XFSZ; ulimit -f 64; exec "$0" "$@""#;
        shell.args(["-c", script, program, "serve", "--listen", ANY_PORT, "--data"]);
        let full = output(shell.arg(folder.join("data")), DEADLINE);
        let failed = "The database FOLDER/data/bellwire.db failed while ";
        assert!(sentence(&full, folder).starts_with(failed), "{full:?}");
    }
}
