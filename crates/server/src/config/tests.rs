use std::{collections::BTreeSet, fs};

use super::{settings::SETTINGS, *};

/// What a file (none if empty), variables and flags come to; in an error the file is `FILE`.
fn read(file: &str, variables: &[(&str, &str)], flags: &[&str]) -> Result<Loaded, String> {
    let folder = tempfile::tempdir().expect("a directory can be made");
    let path = folder.path().join("bellwire.toml");
    fs::write(&path, file).expect("a file can be written");
    let mut given = Flags::with_file((!file.is_empty()).then(|| path.clone()));
    for flag in flags {
        match *flag {
            "--demo" => given.one("--demo", "demo", Some(true)),
            "--data" => given.path("--data", "data", Some(Path::new("flag"))),
            "--log-level" => given.one("--log-level", "logging.level", Some("error")),
            public => given.list("--listen", "listen", &[public]),
        }
    }
    let variables = variables.iter().map(|(name, value)| (name.into(), value.into()));
    let read = Loaded::read(&given, variables);
    read.map_err(|wrong| wrong.to_string().replace(&shown(&path), "FILE"))
}

#[track_caller]
fn config(file: &str, variables: &[(&str, &str)], flags: &[&str]) -> Config {
    read(file, variables, flags).expect("nothing is wrong").config
}

/// The default file as it is, and with the lines that have no effect put into effect.
fn described() -> [String; 2] {
    let uncommented = DEFAULT_FILE.lines().map(|line| {
        let setting = line.strip_prefix('#').filter(|line| line.starts_with(char::is_alphabetic));
        setting.unwrap_or(line).to_owned() + "\n"
    });
    [DEFAULT_FILE.to_owned(), uncommented.collect()]
}

#[test]
fn the_default_file_is_complete_and_has_the_defaults() {
    let [as_it_is, uncommented] = described();
    assert_eq!(config(&as_it_is, &[], &[]), Config::default());
    assert_eq!(config(&as_it_is, &[], &["--demo"]), config("", &[], &["--demo"]));
    let all = read(&uncommented.replace("demo = false", "demo = true"), &[], &[]);
    let all = all.expect("every line is right");
    let described: BTreeSet<&str> = all.sources.keys().copied().collect();
    assert_eq!(described, SETTINGS.iter().map(|setting| setting.name).collect());

    // Every field, by its name in the debug text: two levels, the inner ones in sections.
    let mut fields = BTreeSet::new();
    let mut section = String::new();
    for line in format!("{:#?}", Config::default()).lines() {
        let Some((field, value)) = line.split_once(": ") else { continue };
        match (line.len() - line.trim_start().len(), value.ends_with('{')) {
            (4, true) => section = field.trim().to_owned(),
            (4, false) => assert!(fields.insert(field.trim().to_owned())),
            _ => assert!(fields.insert(format!("{section}.{}", field.trim()))),
        }
    }
    let described: BTreeSet<String> = described.into_iter().map(str::to_owned).collect();
    assert_eq!(fields, described);

    // Each is described: the line above a setting, or above its neighbour, is a comment.
    let lines: Vec<&str> = DEFAULT_FILE.lines().collect();
    for (above, line) in lines.iter().zip(&lines[1..]).filter(|(_, line)| line.contains(" = ")) {
        let is_setting = !line.starts_with("# ");
        assert!(!is_setting || above.starts_with('#'), "{line}");
    }
}

#[test]
fn what_is_shown_is_read_as_the_same() {
    let [_, uncommented] = described();
    let file = uncommented
        .replace("demo = false", "demo = true")
        .replace(
            "listen = []",
            r#"listen = ["[::1]:0", "https://127.0.0.2:1", "either://[::1]:2"]"#,
        )
        .replace("origins = []", r#"origins = ["https://home.example", "http://[::1]:81"]"#)
        .replace("hosts = []", r#"hosts = ["a", "[fe80::1]", "1.2.3.4"]"#)
        .replace("proxies = []", r#"proxies = ["10.1.2.3/8", "::1"]"#)
        .replace("time_zone = \"UTC\"", "time_zone = \"America/Argentina/Ushuaia\"")
        .replace("names = []", r#"names = ["a_b.c-d"]"#)
        .replace("\"10m\"", "\"90m\"");
    let first = read(&file, &[], &[]).expect("nothing is wrong");
    let show = |config: &Config, setting: &settings::Setting| {
        format!("{} = {}\n", setting.name, (setting.show)(config))
    };
    let shown: String = SETTINGS.iter().map(|setting| show(&first.config, setting)).collect();
    assert_eq!(config(&shown, &[], &[]), first.config, "{shown}");
    assert_eq!(first.config.log.keep().time, 90 * 60 * 1_000_000);
    assert_eq!(Config::default().log.keep(), Keep::default());
}

#[test]
fn the_later_source_wins_setting_by_setting() {
    let file = "data = \"file\"\n[logging]\nlevel = \"warn\"\n[log]\nkept = \"1h\"";
    let level = |file, variables: &[_], flags: &[_]| {
        config(file, variables, flags).logging.level.to_string()
    };
    let own = ("BELLWIRE_LOGGING__LEVEL", "trace");
    assert_eq!(level("", &[], &[]), "info");
    assert_eq!(level("", &[("LOG_LEVEL", "")], &[]), "info");
    assert_eq!(level("", &[("LOG_LEVEL", "DEBUG")], &[]), "debug");
    assert_eq!(level(file, &[], &[]), "warn");
    assert_eq!(level(file, &[("LOG_LEVEL", "off")], &[]), "off");
    assert_eq!(level(file, &[("LOG_LEVEL", ""), ("BELLWIRE_LOGGING__LEVEL", "")], &[]), "warn");
    assert_eq!(level(file, &[own, ("LOG_LEVEL", "debug")], &[]), "trace");
    assert_eq!(level(file, &[own, ("LOG_LEVEL", "debug")], &["--log-level"]), "error");

    let data = |variables: &[_], flags: &[_]| shown(&config(file, variables, flags).data);
    assert_eq!(data(&[], &[]), "file");
    assert_eq!(data(&[], &["--demo"]), "file");
    assert_eq!(data(&[("BELLWIRE_DATA", "variable")], &[]), "variable");
    assert_eq!(data(&[("BELLWIRE_DATA", "variable")], &["--data"]), "flag");
    let kept = config(file, &[("BELLWIRE_DATA", "x"), ("BELLWIRE_TEST_X", "y")], &[]).log.kept;
    assert_eq!(kept, Duration::from_secs(3_600));

    // What somebody else's variables are called is theirs.
    assert_eq!(config("", &[("BELLWIRE", "x"), ("OTHER_BELLWIRE_X", "y")], &[]), Config::default());
    let demo = config("", &[("BELLWIRE_DEMO", "true"), ("BELLWIRE_DEMO_SPEED", "2")], &[]);
    let history = Duration::from_secs(3_600);
    assert_eq!((shown(&demo.data), demo.states.history), ("bellwire-demo".to_owned(), history));
    assert_eq!(demo.demo_speed, 2.0);
    let history = config("[states]\nhistory = \"10d\"", &[], &["--demo"]).states.history;
    assert_eq!(history, Duration::from_secs(864_000));
}

#[test]
fn values_as_the_environment_has_them() {
    let one = |name, value| config("", &[(name, value)], &[]);
    let texts = |listen: &[Listen]| listen.iter().map(Listen::to_string).collect::<Vec<_>>();
    let loopback = ["http://[::1]:80", "either://127.0.0.1:81"];
    for listen in [
        "[::1]:80,either://127.0.0.1:81",
        " http://[::1]:80 , either://127.0.0.1:81 ",
        r#"["[::1]:80", 'either://127.0.0.1:81']"#,
    ] {
        assert_eq!(texts(&one("BELLWIRE_LISTEN", listen).listen), loopback, "{listen}");
    }
    assert_eq!(one("BELLWIRE_LISTEN", "[]"), Config::default());
    for (size, bytes) in [("65536", 64 << 10), ("512MiB", 512 << 20), ("2 GiB", 2 << 30)] {
        assert_eq!(one("BELLWIRE_LOG__BYTES_MAX", size).log.bytes_max, bytes, "{size}");
    }
    for (text, seconds) in [("60s", 60), ("90m", 5_400), ("12h", 43_200), ("3650d", 315_360_000)] {
        let session = one("BELLWIRE_LOGIN__SESSION", text).login.session;
        assert_eq!(session, Duration::from_secs(seconds), "{text}");
    }
    assert!(one("BELLWIRE_LIMITS__STRICT", "true").limits.strict);
    assert!(!one("BELLWIRE_METRICS__OPEN", "false").metrics.open);
    for (text, name) in [("Europe/Berlin", "Europe/Berlin"), ("asia/kolkata", "Asia/Kolkata")] {
        assert_eq!(one("BELLWIRE_TIME_ZONE", text).time_zone.to_string(), name);
    }
    assert_eq!(one("BELLWIRE_LOGGING__FORMAT", "json").logging.format, Format::Json);
    let proxies = one("BELLWIRE_PROXIES", "10.1.2.3/8,::1,192.168.0.1").proxies;
    let proxies: Vec<_> = proxies.iter().map(IpNet::to_string).collect();
    assert_eq!(proxies, ["10.0.0.0/8", "::1/128", "192.168.0.1/32"]);
}

/// Settings, and values separated by `|` that each of them refuses.
#[rustfmt::skip]
const REFUSED: &[(&str, &str)] = &[
    ("data", r#" 1 | "" | ["a"] "#),
    ("listen", r#" "127.0.0.1:80" | [1] | ["localhost:80"] | ["127.0.0.1"] | ["ftp://127.0.0.1:80"] | [""]
        | ["HTTP://127.0.0.1:80"] | ["http://127.0.0.1:80/"] | ["127.0.0.1:65536"] | ["http://http://[::1]:1"] "#),
    ("origins", r#" "https://a" | ["a"] | ["https://"] | ["https://a/"] | ["https://a/b"] | ["HTTPS://a"]
        | ["https://A"] | ["https://a:"] | ["https://a:x"] | ["https://a:0"] | ["https://a:+1"] | ["https://a:01"]
        | ["https://a:65536"] | ["https://a:443"] | ["http://a:80"] | ["https://u@a"] | ["https://*"]
        | ["https://a?b"] | ["https://a b"] | ["ws://a"] | ["null"] | ["*"] | [""] "#),
    ("hosts", r#" "a" | [""] | ["a", ""] | ["A"] | ["a:80"] | ["a/"] | ["a..b"] | ["::1"] | ["[::1"] | ["[FE80::1]"]
        | ["*.a"] "#),
    ("proxies", r#" ["0.0.0.0/0"] | ["::/0"] | ["1.2.3.4/0"] | ["10.0.0.0/33"] | ["a"] "#),
    ("demo", r#" 1 | "true" | [] | 1979-05-27 | {} "#),
    ("time_zone", r#" "" | "Mars/Olympus" | "CET+1" | "Etc/Unknown" | "../UTC" | "/etc/localtime" | 1 | ["UTC"] "#),
    ("demo_speed", r#" 0 | 0.009 | 10001 | -1 | nan | inf | "1" | true "#),
    ("tls.certificate", r#" true | "" "#),
    ("tls.key", r#" 1.5 | "" "#),
    ("tls.names", r#" "a" | ["A"] "#),
    ("login.session", r#" 60 | "59s" | "3651d" | "0s" | "1w" | "" | "m" "#),
    ("limits.strict", r#" 0 | "false" "#),
    ("log.bytes_max", r#" -1 | 65535 | "63KiB" | "1GB" | "MiB" | 1.5 | "16777216TiB" "#),
    ("log.kept", r#" 600 | "9m" | "599s" | "-1h" | "+1h" | "1 h" | "100001d" "#),
    ("states.history", r#" "59s" | 10 | "99999999999999999999d" | "1\u00b5" "#),
    ("areas.history", r#" "59s" | 10 | "-1d" "#),
    ("sensors.access", r#" "Open" | true | "" | "closed" "#),
    ("sensors.rate_max", r#" 0 | 1000001 | -1 | 1.5 | "10" | 4294967296 "#),
    ("stations.access", r#" "Open" | true | "" | "closed" "#),
    ("stations.hold", r#" "0s" | "31d" | 30 | "1.5s" "#),
    ("stations.bookings_per_user", r#" 0 | 10001 | -1 | 1.5 | "10" "#),
    ("stations.history", r#" "59s" | 365 | "-1d" "#),
    ("notifications.history", r#" "59s" | 90 | "-1d" "#),
    ("presence.grace", r#" "0s" | "601s" | 5 | "-1s" "#),
    ("metrics.open", r#" "yes" "#),
    ("drain.time_max", r#" "0s" | "61m" | "1.5s" "#),
    ("logging.level", r#" "loud" | 3 | "" "#),
    ("logging.format", r#" "xml" | "TEXT" "#),
];

#[test]
fn values_that_are_refused() {
    let names: BTreeSet<&str> = REFUSED.iter().map(|(name, _)| *name).collect();
    assert_eq!(names, SETTINGS.iter().map(|setting| setting.name).collect());
    for (name, values) in REFUSED {
        let right = settings::find(name).expect("it is one").right;
        for value in values.split('|').map(str::trim) {
            let said = read(&format!("# a comment\n{name} = {value}\n"), &[], &["--demo"]);
            let said = said.err().unwrap_or_else(|| panic!("{name} = {value} is taken"));
            let (begins, ends) =
                (format!("FILE:2: {name} cannot be "), format!("; it must be {right}."));
            assert!(said.starts_with(&begins) && said.ends_with(&ends), "{name} = {value}: {said}");
            assert!(!said.contains('\n'), "{said}");
        }
    }
    let long = format!("data = [\"{}\"]", "\u{e4}".repeat(1_000));
    let said = read(&long, &[], &[]).expect_err("a list is no path");
    assert!(said.contains("\u{e4}...; it must be"), "{said}");
}

/// A file, variables, flags, and what is said of them.
type Refused =
    (&'static str, &'static [(&'static str, &'static str)], &'static [&'static str], &'static str);

/// What is wrong for other reasons than its type, wherever it stands.
#[rustfmt::skip]
const REFUSED_TOGETHER: &[Refused] = &[
    ("listn = []", &[], &[], "FILE:1: listn: there is no such setting; did you mean listen?"),
    ("\n[log]\n\nkep = 1", &[], &[], "FILE:4: log.kep: there is no such setting; did you mean log.kept?"),
    ("[loging]\nlevel = 1", &[], &[], "FILE:1: loging: there is no such setting; did you mean logging?"),
    ("kept = 1", &[], &[], "FILE:1: kept: there is no such setting; did you mean log.kept?"),
    ("log.level = 1", &[], &[], "FILE:1: log.level: there is no such setting; did you mean logging.level?"),
    ("colour = 1", &[], &[], "FILE:1: colour: there is no such setting; `bellwire config print-default` shows all there are."),
    ("log = 1", &[], &[], "FILE:1: log is a section; it must be a line [log] with its settings below."),
    ("[demo]\nx = 1", &[], &[], "FILE:1: demo cannot be [demo]; it must be true or false."),
    ("b = 1\na = 1", &[], &[], "FILE:1: b: there is no such setting; `bellwire config print-default` shows all there are."),
    ("", &[("BELLWIRE_LOG__KEP", "1")], &[], "BELLWIRE_LOG__KEP: there is no such setting; did you mean BELLWIRE_LOG__KEPT?"),
    ("", &[("BELLWIRE_LOG_KEPT", "1h")], &[], "BELLWIRE_LOG_KEPT: there is no such setting; did you mean BELLWIRE_LOG__KEPT?"),
    ("", &[("BELLWIRE_LOG", "1")], &[], "BELLWIRE_LOG: there is no such setting; `bellwire config print-default` shows all there are."),
    ("", &[("BELLWIRE_TEAPOT", "1")], &[], "BELLWIRE_TEAPOT: there is no such setting; `bellwire config print-default` shows all there are."),
    ("", &[("BELLWIRE_LOG__KEPT", "5m")], &[], "BELLWIRE_LOG__KEPT: log.kept cannot be \"5m\"; it must be a duration of 10m or more, e.g. \"24h\"."),
    ("", &[("BELLWIRE_HOSTS", "a,")], &[], "BELLWIRE_HOSTS: hosts cannot be \"a,\"; it must be a list of host names without a port, in lower case, e.g. \"home.example\"."),
    ("", &[("LOG_LEVEL", "loud")], &["--log-level"], "LOG_LEVEL: logging.level cannot be \"loud\"; it must be error, warn, info, debug, trace or off."),
    ("demo = true\nlisten = [\"[::1]:1\", \"0.0.0.0:80\"]", &[], &[], "FILE:2: the demo lets guests in and listens on loopback only, not on 0.0.0.0:80; leave out demo (FILE:1) to serve others."),
    ("", &[("BELLWIRE_DEMO", "true")], &["[::]:80"], "--listen: the demo lets guests in and listens on loopback only, not on [::]:80; leave out demo (BELLWIRE_DEMO) to serve others."),
    ("demo_speed = 1.0", &[], &[], "FILE:1: demo_speed is for the demo only; set demo (--demo) too, or leave it out."),
    ("demo = false", &[("BELLWIRE_DEMO_SPEED", "2")], &[], "BELLWIRE_DEMO_SPEED: demo_speed is for the demo only; set demo (--demo) too, or leave it out."),
    ("[tls]\ncertificate = \"a\"", &[], &[], "FILE:2: tls.certificate is set and tls.key is not; set both, or neither to have a certificate made here."),
    ("", &[("BELLWIRE_TLS__KEY", "a")], &[], "BELLWIRE_TLS__KEY: tls.key is set and tls.certificate is not; set both, or neither to have a certificate made here."),
    ("listen = [\"127.0.0.1:80\", \"127.0.0.1:81\", \"https://127.0.0.1:80\"]", &[], &[], "FILE:1: listen has 127.0.0.1:80 twice; an address must be there once, with one scheme."),
    ("", &[("BELLWIRE_LISTEN", "https://[::1]:1,https://[::1]:1")], &[], "BELLWIRE_LISTEN: listen has [::1]:1 twice; an address must be there once, with one scheme."),
];

#[test]
fn names_and_contradictions_that_are_refused() {
    for (file, variables, flags, said) in REFUSED_TOGETHER {
        let read = read(file, variables, flags);
        assert_eq!(read.expect_err("it is wrong"), *said);
    }
    // These are not: two free ports, and certificates that nobody asks for.
    for file in ["listen = [\"127.0.0.1:0\", \"127.0.0.1:0\"]", "[tls]\nnames = [\"a\"]"] {
        assert!(read(file, &[], &[]).is_ok(), "{file}");
    }
}
