//! Where attachments belong: objects such as `{"_placeholder":true,"num":0}`, at any depth.

use crate::json::string_len;

/// What a level of the text is, as far as placeholders are concerned.
enum Level {
    Array,
    Object(Members),
}

/// What is known of the members of an object so far. Of a key that is there twice, the last counts,
/// as in JavaScript.
#[derive(Default)]
struct Members {
    /// The key whose value comes next; `None` while a key comes next.
    key: Option<Key>,
    is_placeholder: bool,
    has_num_within: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Key {
    Placeholder,
    Num,
    Other,
}

/// Whether each placeholder in `json` has the number of one of so many attachments.
///
/// `json` is known to be JSON by its grammar. It is read without recursion, so that its depth costs
/// as little as its length.
pub(super) fn are_within(json: &str, attachments: usize) -> bool {
    // Most texts have none, not even one in disguise.
    if !json.contains("_placeholder") && !json.contains("\\u") {
        return true;
    }
    let bytes = json.as_bytes();
    let mut levels = Vec::new();
    let mut at = 0;
    while at < bytes.len() {
        let start = at;
        at += 1;
        match bytes[start] {
            b'{' | b'[' => {
                note(&mut levels, "", attachments);
                levels.push(match bytes[start] {
                    b'[' => Level::Array,
                    _ => Level::Object(Members::default()),
                });
            }
            b']' => drop(levels.pop()),
            b'}' => {
                if let Some(Level::Object(members)) = levels.pop()
                    && members.is_placeholder
                    && !members.has_num_within
                {
                    return false;
                }
            }
            b',' => {
                if let Some(Level::Object(members)) = levels.last_mut() {
                    members.key = None;
                }
            }
            b':' | b' ' | b'\t' | b'\n' | b'\r' => {}
            b'"' => {
                at += string_len(&bytes[at..]);
                note(&mut levels, &json[start..at], attachments);
            }
            _ => {
                let in_token = |byte: &&u8| matches!(byte, b'0'..=b'9' | b'a'..=b'z' | b'E' | b'+' | b'-' | b'.');
                at += bytes[at..].iter().take_while(in_token).count();
                note(&mut levels, &json[start..at], attachments);
            }
        }
    }
    true
}

/// Notes a string, number or word at the innermost level, as a key or as a value. Of an object or
/// an array it is enough that it is neither true nor a number: `token` is empty.
fn note(levels: &mut [Level], token: &str, attachments: usize) {
    let Some(Level::Object(members)) = levels.last_mut() else {
        return;
    };
    match members.key {
        None => members.key = Some(key(token)),
        Some(Key::Placeholder) => members.is_placeholder = token == "true",
        Some(Key::Num) => {
            members.has_num_within = token.parse().is_ok_and(|num: usize| num < attachments);
        }
        Some(Key::Other) => {}
    }
}

/// Which key this is, quoted as it stands in the text.
fn key(quoted: &str) -> Key {
    let of = |key: &str| match key {
        "_placeholder" => Key::Placeholder,
        "num" => Key::Num,
        _ => Key::Other,
    };
    match quoted.contains('\\') {
        false => of(quoted.trim_matches('"')),
        // A lone surrogate has no text, and none of these keys has one.
        true => serde_json::from_str(quoted).map_or(Key::Other, |key: String| of(&key)),
    }
}
