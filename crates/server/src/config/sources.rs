//! Where settings come from: a file, the environment, the command line. Each becomes a list of
//! assignments; what names no setting is refused here.

use std::{
    collections::BTreeMap,
    ffi::OsString,
    fmt::{self, Display, Formatter},
    fs,
    ops::Range,
    path::{Path, PathBuf},
};

use toml::{
    Spanned,
    de::{DeTable, DeValue},
};

use super::{
    Config, Wrong,
    settings::{self, Setting},
    shown,
};

/// Who set something.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// A line of a file, counted from 1.
    File(PathBuf, usize),
    /// A variable of the environment.
    Variable(String),
    /// A flag.
    Flag(&'static str),
}

impl Display for Source {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Source::File(path, line) => write!(f, "{}:{line}", path.display()),
            Source::Variable(name) => f.write_str(name),
            Source::Flag(name) => f.write_str(name),
        }
    }
}

/// What somebody gave for a setting.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Given {
    /// A variable's or a flag's text, which may stand for any type.
    Word(String),
    /// A flag's path, which need not be text.
    Path(PathBuf),
    /// A text of the file.
    Text(String),
    /// A number of the file.
    Integer(i64),
    /// A number of the file.
    Float(f64),
    /// A truth of the file.
    Bool(bool),
    /// Several.
    List(Vec<Given>),
    /// What no setting takes, as it was written.
    Other(String),
}

impl Given {
    /// As one text.
    pub fn text(&self) -> Option<&str> {
        match self {
            Given::Word(text) | Given::Text(text) => Some(text),
            _ => None,
        }
    }

    /// As several: a list, or a word with commas.
    pub fn list(&self) -> Option<Vec<Given>> {
        match self {
            Given::List(list) => Some(list.clone()),
            Given::Word(word) => {
                // An array as the file has it; an address may begin with a bracket too.
                if let Ok(toml::Value::Array(items)) = word.parse::<toml::Value>() {
                    let text = |item: &toml::Value| item.as_str().map(|t| Given::Text(t.into()));
                    return items.iter().map(text).collect();
                }
                Some(word.split(',').map(|part| Given::Word(part.trim().to_owned())).collect())
            }
            _ => None,
        }
    }
}

/// As whoever gave it wrote it, about.
impl Display for Given {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Given::Word(text) | Given::Text(text) => write!(f, "{text:?}"),
            Given::Path(path) => write!(f, "{path:?}"),
            Given::Integer(number) => write!(f, "{number}"),
            Given::Float(number) => write!(f, "{number:?}"),
            Given::Bool(truth) => write!(f, "{truth}"),
            Given::Other(text) => f.write_str(text),
            Given::List(list) => {
                let list: Vec<_> = list.iter().map(Given::to_string).collect();
                write!(f, "[{}]", list.join(", "))
            }
        }
    }
}

/// The longest value that is repeated in a sentence, in characters.
const SHOWN_LEN_MAX: usize = 100;

/// A setting, what it is set to, and by whom.
#[derive(Debug)]
pub(super) struct Assignment {
    pub setting: &'static Setting,
    pub given: Given,
    pub source: Source,
}

impl Assignment {
    /// Sets it, or says what would be right.
    pub fn apply(&self, config: &mut Config) -> Result<(), Wrong> {
        if (self.setting.set)(config, &self.given) {
            return Ok(());
        }
        let Assignment { setting, given, source } = self;
        let mut given = given.to_string();
        if let Some((end, _)) = given.char_indices().nth(SHOWN_LEN_MAX) {
            given.replace_range(end.., "...");
        }
        Err(Wrong(format!(
            "{source}: {} cannot be {given}; it must be {}.",
            setting.name, setting.right
        )))
    }
}

/// What the command line sets.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Flags {
    pub(super) config: Option<PathBuf>,
    set: Vec<(&'static str, &'static str, Given)>,
}

impl Flags {
    /// `--config`, if it was given, and nothing else so far.
    pub fn with_file(config: Option<PathBuf>) -> Flags {
        Flags { config, ..Flags::default() }
    }

    /// A flag that sets one value, if it was given. `setting` is a setting's name.
    pub fn one(&mut self, flag: &'static str, setting: &'static str, value: Option<impl Display>) {
        let word = value.map(|value| Given::Word(value.to_string()));
        self.set.extend(word.map(|word| (flag, setting, word)));
    }

    /// A flag that may be given several times and sets the whole list, if it was.
    pub fn list(&mut self, flag: &'static str, setting: &'static str, values: &[impl Display]) {
        if !values.is_empty() {
            let words = values.iter().map(|value| Given::Word(value.to_string())).collect();
            self.set.push((flag, setting, Given::List(words)));
        }
    }

    /// A flag that sets a path, if it was given.
    pub fn path(&mut self, flag: &'static str, setting: &'static str, path: Option<&Path>) {
        self.set.extend(path.map(|path| (flag, setting, Given::Path(path.to_owned()))));
    }

    pub(super) fn add_to(&self, assignments: &mut Vec<Assignment>) {
        for (flag, name, given) in &self.set {
            let setting = settings::find(name).expect("flags set what there is");
            let (given, source) = (given.clone(), Source::Flag(flag));
            assignments.push(Assignment { setting, given, source });
        }
    }
}

/// What the names of our variables begin with.
const PREFIX: &str = "BELLWIRE_";
/// The variables of tests, which are none of the server's.
const TEST_PREFIX: &str = "BELLWIRE_TEST_";

/// The variables that concern us, in the order of their names. Set to nothing is not set.
pub(super) fn ours(
    variables: impl IntoIterator<Item = (OsString, OsString)>,
) -> BTreeMap<String, OsString> {
    let mut ours = BTreeMap::new();
    for (name, value) in variables {
        let name = name.to_string_lossy().into_owned();
        let is_ours =
            name == "LOG_LEVEL" || (name.starts_with(PREFIX) && !name.starts_with(TEST_PREFIX));
        if is_ours && !value.is_empty() {
            ours.insert(name, value);
        }
    }
    ours
}

/// What the environment sets: `BELLWIRE_LOG__KEPT` is `log.kept`, and `LOG_LEVEL`, which many
/// programs know, is `logging.level` unless that is set by its own name.
pub(super) fn environment(
    variables: &BTreeMap<String, OsString>,
    assignments: &mut Vec<Assignment>,
) -> Result<(), Wrong> {
    let own = variables.iter().filter(|(name, _)| name.starts_with(PREFIX));
    for (name, value) in variables.get_key_value("LOG_LEVEL").into_iter().chain(own) {
        let setting = match name.strip_prefix(PREFIX) {
            None => "logging.level".to_owned(),
            Some("CONFIG") => continue,
            Some(own) => own.to_lowercase().replace("__", "."),
        };
        let Some(setting) = settings::find(&setting) else {
            let near = settings::nearest(&setting).filter(|near| settings::find(near).is_some());
            let near =
                near.map(|near| format!("{PREFIX}{}", near.replace('.', "__").to_uppercase()));
            return Err(Wrong(format!("{name}: there is no such setting; {}", did_you_mean(near))));
        };
        let Some(value) = value.to_str() else {
            let right = setting.right;
            return Err(Wrong(format!("{name}: this is not UTF-8; it must be {right}.")));
        };
        let source = Source::Variable(name.clone());
        assignments.push(Assignment { setting, given: Given::Word(value.to_owned()), source });
    }
    Ok(())
}

/// The end of a sentence about an unknown name.
fn did_you_mean(near: Option<impl Display>) -> String {
    near.map_or_else(
        || "`bellwire config print-default` shows all there are.".to_owned(),
        |near| format!("did you mean {near}?"),
    )
}

/// What a file sets.
pub(super) fn file(path: &Path, assignments: &mut Vec<Assignment>) -> Result<(), Wrong> {
    let bytes = fs::read(path).map_err(|error| {
        Wrong(format!("The configuration file {} cannot be read: {error}.", shown(path)))
    })?;
    let text = String::from_utf8(bytes).map_err(|error| {
        let good = &error.as_bytes()[..error.utf8_error().valid_up_to()];
        let line = 1 + good.iter().filter(|byte| **byte == b'\n').count();
        Wrong(format!("{}:{line}: this is not UTF-8; the file must be TOML.", shown(path)))
    })?;
    let file = File { path, text: &text };
    let table = DeTable::parse(&text).map_err(|error| {
        let (line, column) = file.place(error.span().unwrap_or_default());
        let message = error.message().trim().replace('\n', ", ");
        Wrong(format!("{}:{line}:{column}: this is not TOML: {message}.", shown(path)))
    })?;
    file.table("", table.get_ref(), assignments)
}

/// A file that is read.
struct File<'a> {
    path: &'a Path,
    text: &'a str,
}

impl File<'_> {
    /// The line and the column where something begins, both counted from 1.
    fn place(&self, span: Range<usize>) -> (usize, usize) {
        let before = self.text.get(..span.start).unwrap_or(self.text);
        let line_start = before.rfind('\n').map_or(0, |at| at + 1);
        (1 + before.matches('\n').count(), 1 + before[line_start..].chars().count())
    }

    /// What a table sets, whose settings' names begin with `prefix`, in the order of lines.
    fn table(
        &self,
        prefix: &str,
        table: &DeTable<'_>,
        assignments: &mut Vec<Assignment>,
    ) -> Result<(), Wrong> {
        let mut entries: Vec<_> = table.iter().collect();
        entries.sort_by_key(|(key, _)| key.span().start);
        for (key, value) in entries {
            let name = format!("{prefix}{}", key.get_ref());
            let source = Source::File(self.path.to_owned(), self.place(key.span()).0);
            if let Some(setting) = settings::find(&name) {
                let given = self.given(value);
                assignments.push(Assignment { setting, given, source });
            } else if let DeValue::Table(table) = value.get_ref()
                && settings::is_section(&name)
            {
                self.table(&format!("{name}."), table, assignments)?;
            } else if settings::is_section(&name) {
                return Err(Wrong(format!(
                    "{source}: {name} is a section; it must be a line [{name}] with its settings below."
                )));
            } else {
                let near = did_you_mean(settings::nearest(&name));
                return Err(Wrong(format!("{source}: {name}: there is no such setting; {near}")));
            }
        }
        Ok(())
    }

    fn given(&self, value: &Spanned<DeValue<'_>>) -> Given {
        let other = || {
            let written = self.text.get(value.span()).unwrap_or_default();
            Given::Other(written.split_whitespace().collect::<Vec<_>>().join(" "))
        };
        match value.get_ref() {
            DeValue::String(text) => Given::Text(text.to_string()),
            DeValue::Integer(number) => i64::from_str_radix(number.as_str(), number.radix())
                .map_or_else(|_| other(), Given::Integer),
            DeValue::Float(number) => {
                number.as_str().parse().map_or_else(|_| other(), Given::Float)
            }
            DeValue::Boolean(truth) => Given::Bool(*truth),
            DeValue::Array(items) => {
                Given::List(items.iter().map(|item| self.given(item)).collect())
            }
            DeValue::Datetime(_) | DeValue::Table(_) => other(),
        }
    }
}
