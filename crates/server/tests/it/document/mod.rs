//! docs/protocol.md as data: its chapters, the examples in them, and its tables.
//!
//! | module | what is in it |
//! |---|---|
//! | `texts` | [`Texts`]: what an example leaves open, such as times and tokens, and what it stood for |
//!
//! Not here: what is done with the examples (`protocol`, `rest_properties`).

mod texts;

use std::{fs, path::Path};

pub use texts::Texts;

/// The whole document.
pub struct Document {
    /// Its lines.
    text: String,
    /// What stands under each `## ` heading.
    pub chapters: Vec<Chapter>,
}

/// What stands under a `## ` heading; its examples go on one after another, on one server.
pub struct Chapter {
    /// Its examples, in order.
    pub examples: Vec<Example>,
}

/// One fenced block.
pub enum Example {
    /// A dialogue over a WebSocket.
    Plain(Vec<(usize, Step)>),
    /// The same, in Socket.IO's packets.
    SocketIo(Vec<(usize, Step)>),
    /// Requests, each with its response.
    Http(Vec<Exchange>),
}

/// A line of a dialogue, or the lines of a handshake.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// What follows is on the connection of this name.
    Turn(String),
    /// A connection is opened with this request target and these headers.
    Open(String, Vec<String>),
    /// The client sends this.
    Say(String),
    /// The server sends this.
    Hear(String),
}

/// A request and its response.
#[derive(Debug, Clone, Default)]
pub struct Exchange {
    /// The line of the document where it begins, from 1.
    pub line: usize,
    /// The method.
    pub method: String,
    /// The request target.
    pub target: String,
    /// The request's headers.
    pub headers: Vec<String>,
    /// The request's body.
    pub body: String,
    /// The response's status.
    pub status: u16,
    /// Those headers of the response that are shown.
    pub shown: Vec<String>,
    /// The response's body.
    pub answer: String,
}

impl Document {
    /// Reads it.
    pub fn read() -> Document {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/protocol.md");
        let text = fs::read_to_string(path).expect("the document is there");
        let mut chapters: Vec<Chapter> = Vec::new();
        let mut lines = text.lines().zip(1..);
        while let Some((line, number)) = lines.next() {
            if line.starts_with("## ") {
                chapters.push(Chapter { examples: Vec::new() });
            }
            let Some(language) = line.strip_prefix("```") else { continue };
            let block: Vec<(usize, &str)> = lines
                .by_ref()
                .take_while(|(line, _)| *line != "```")
                .map(|(line, number)| (number, line))
                .collect();
            let example = match language {
                "plain" => Example::Plain(steps(&block)),
                "socketio" => Example::SocketIo(steps(&block)),
                // Code in a client's language is for people.
                "js" => continue,
                "http" => Example::Http(exchanges(&block)),
                other => panic!("line {number}: {other:?} is no kind of example"),
            };
            chapters.last_mut().expect("examples stand in chapters").examples.push(example);
        }
        Document { text, chapters }
    }

    /// Every request that is an example.
    pub fn exchanges(&self) -> impl Iterator<Item = &Exchange> {
        let examples = self.chapters.iter().flat_map(|chapter| &chapter.examples);
        examples.flat_map(|example| match example {
            Example::Http(exchanges) => exchanges.as_slice(),
            Example::Plain(_) | Example::SocketIo(_) => &[],
        })
    }

    /// Every line of a dialogue that is an example.
    pub fn steps(&self) -> impl Iterator<Item = &Step> {
        let examples = self.chapters.iter().flat_map(|chapter| &chapter.examples);
        let steps = examples.flat_map(|example| match example {
            Example::Plain(steps) => steps.as_slice(),
            Example::Http(_) | Example::SocketIo(_) => &[],
        });
        steps.map(|(_, step)| step)
    }

    /// The rows of the first table below a heading, without its head and without backticks.
    #[track_caller]
    pub fn table(&self, heading: &str) -> Vec<Vec<String>> {
        let lines = self.text.lines();
        let below = lines.skip_while(|line| line.trim_start_matches('#').trim() != heading).skip(1);
        let table = below
            .take_while(|line| !line.starts_with('#'))
            .skip_while(|line| !line.starts_with('|'))
            .take_while(|line| line.starts_with('|'));
        let cells = |line: &str| {
            let line = line.trim_matches('|').replace('`', "");
            line.split(" | ").map(|cell| cell.trim().to_owned()).collect()
        };
        let rows: Vec<Vec<String>> = table.skip(2).map(cells).collect();
        assert!(!rows.is_empty(), "there is no table under {heading:?}");
        rows
    }
}

fn steps(block: &[(usize, &str)]) -> Vec<(usize, Step)> {
    let mut steps: Vec<(usize, Step)> = Vec::new();
    let mut turn = "";
    for (number, line) in block {
        let marked = line.trim_start_matches(|c: char| c.is_ascii_lowercase());
        let (who, line) = line.split_at(line.len() - marked.len());
        if who != turn {
            steps.push((*number, Step::Turn(who.to_owned())));
            turn = who;
        }
        let (mark, rest) = line.split_at_checked(2).unwrap_or((line, ""));
        let step = match mark {
            "> " => Step::Say(rest.to_owned()),
            "< " => Step::Hear(rest.to_owned()),
            "= " => match (rest.strip_prefix("GET "), steps.last_mut()) {
                (Some(target), _) => Step::Open(target.to_owned(), Vec::new()),
                (None, Some((_, Step::Open(_, headers)))) => {
                    headers.push(rest.to_owned());
                    continue;
                }
                _ => panic!("line {number}: a handshake begins with GET"),
            },
            _ => panic!(
                "line {number}: a line begins with `= `, `> ` or `< `, or a name before that"
            ),
        };
        steps.push((*number, step));
    }
    steps
}

fn exchanges(block: &[(usize, &str)]) -> Vec<Exchange> {
    let mut exchanges: Vec<Exchange> = Vec::new();
    let mut lines = block.iter().peekable();
    while let Some((number, _)) = lines.peek() {
        let mut part = |mark: char| {
            let mut part: Vec<&str> = Vec::new();
            while let Some((_, line)) = lines.next_if(|(_, line)| line.starts_with(mark)) {
                part.push(line[1..].trim_start());
            }
            part
        };
        let (request, response) = (part('>'), part('<'));
        let wrong = || panic!("line {number}: a request (`>`) and its response (`<`)");
        let (Some(first), Some(status)) = (request.first(), response.first()) else { wrong() };
        let (method, target) = first.split_once(' ').unwrap_or_else(|| wrong());
        let (headers, body) = head_and_body(&request[1..]);
        let (shown, answer) = head_and_body(&response[1..]);
        exchanges.push(Exchange {
            line: *number,
            method: method.to_owned(),
            target: target.to_owned(),
            headers,
            body,
            status: status.get(..3).and_then(|code| code.parse().ok()).unwrap_or_else(|| wrong()),
            shown,
            answer,
        });
    }
    exchanges
}

fn head_and_body(lines: &[&str]) -> (Vec<String>, String) {
    let end = lines.iter().position(|line| line.is_empty()).unwrap_or(lines.len());
    let head = lines[..end].iter().map(|line| (*line).to_owned()).collect();
    (head, lines[end..].concat())
}
