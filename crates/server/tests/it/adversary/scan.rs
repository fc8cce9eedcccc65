//! Finding texts in bytes, whatever form they were given on their way.

use std::collections::HashMap;

use base64::{
    Engine as _,
    engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD},
};

/// So many bytes of a form are looked up at once; no form is shorter.
const HEAD: usize = 4;

/// Looks for many texts at once, in one pass: they may be hundreds, and the bytes millions.
#[derive(Default)]
pub struct Scanner {
    /// Every form of every text, with the text's number, by its first bytes.
    forms: HashMap<[u8; HEAD], Vec<(Vec<u8>, usize)>>,
    /// Which two bytes a form may begin with: most places are passed over by this alone.
    begins: Vec<bool>,
}

impl Scanner {
    /// One that looks for these.
    pub fn new<S: AsRef<str>>(texts: &[S]) -> Scanner {
        let mut scanner = Scanner { forms: HashMap::new(), begins: vec![false; 1 << 16] };
        for (number, text) in texts.iter().enumerate() {
            for form in forms(text.as_ref()) {
                scanner.begins[begin(&form)] = true;
                let head = form[..HEAD].try_into().expect("no form is shorter");
                scanner.forms.entry(head).or_default().push((form, number));
            }
        }
        scanner
    }

    /// The numbers of the texts that are in these bytes, each with the place of one of its forms there.
    pub fn found_in(&self, bytes: &[u8]) -> HashMap<usize, usize> {
        let mut found = HashMap::new();
        let mut at = 0;
        while at + HEAD <= bytes.len() {
            if self.begins[begin(&bytes[at..])] {
                let head: [u8; HEAD] = bytes[at..at + HEAD].try_into().expect("so many");
                for (form, number) in self.forms.get(&head).into_iter().flatten() {
                    if bytes[at..].starts_with(form) {
                        found.entry(*number).or_insert(at);
                    }
                }
            }
            at += 1;
        }
        found
    }
}

fn begin(bytes: &[u8]) -> usize {
    usize::from(bytes[0]) << 8 | usize::from(bytes[1])
}

/// The forms of a text: as it is, in capitals, and as JSON, URLs, base64 and dumps may have it, each in whole.
fn forms(text: &str) -> Vec<Vec<u8>> {
    let each = |spell: &dyn Fn(u8) -> String| text.bytes().map(spell).collect::<String>();
    let mut forms = vec![
        text.to_owned(),
        text.to_uppercase(),
        each(&|byte| format!("\\u{byte:04x}")),
        each(&|byte| format!("\\u{byte:04X}")),
        each(&|byte| format!("%{byte:02x}")),
        each(&|byte| format!("%{byte:02X}")),
        each(&|byte| format!("&#{byte};")),
        each(&|byte| format!("{byte:02x}")),
        each(&|byte| format!("{byte:02X}")),
        text.bytes().rev().map(char::from).collect(),
    ];
    // What stands in base64 depends on what stood before it: nothing, one byte or two of three. At either end the
    // letters depend on the neighbours, too; those between do not.
    for skipped in 0..3 {
        let padded = [vec![0; skipped], text.as_bytes().to_vec()].concat();
        let whole = padded.len() / 3 * 4;
        let from = [0, 2, 3][skipped];
        forms.push(STANDARD_NO_PAD.encode(&padded)[from..whole].to_owned());
        forms.push(URL_SAFE_NO_PAD.encode(&padded)[from..whole].to_owned());
    }
    forms.sort();
    forms.dedup();
    forms.into_iter().map(String::into_bytes).collect()
}

#[test]
fn a_text_is_found_in_every_form() {
    let texts = ["kan0123456789abcdef", "90210417263.5", "Zz~not-there~"];
    let scanner = Scanner::new(&texts);
    let found = |bytes: &[u8]| {
        let mut numbers: Vec<usize> = scanner.found_in(bytes).into_keys().collect();
        numbers.sort_unstable();
        numbers
    };
    assert_eq!(found(b""), [0_usize; 0]);
    assert_eq!(found(b"kan0123456789abcde kan 0123456789abcdef 90210417263"), [0_usize; 0]);
    assert_eq!(found(br#"{"a":"xkan0123456789abcdefx","b":90210417263.5}"#), [0, 1]);
    assert_eq!(found(b"KAN0123456789ABCDEF"), [0]);
    assert_eq!(found(b"fedcba9876543210nak"), [0]);
    let spelled = |spell: &dyn Fn(u8) -> String| texts[0].bytes().map(spell).collect::<String>();
    assert_eq!(found(spelled(&|byte| format!("\\u00{byte:02x}")).as_bytes()), [0]);
    assert_eq!(found(spelled(&|byte| format!("%{byte:02X}")).as_bytes()), [0]);
    assert_eq!(found(spelled(&|byte| format!("{byte:02x}")).as_bytes()), [0]);
    for before in 0..6 {
        let text = [&vec![0xB7; before][..], texts[0].as_bytes(), &vec![0xA3; before]].concat();
        for encoded in [STANDARD_NO_PAD.encode(&text), URL_SAFE_NO_PAD.encode(&text)] {
            assert_eq!(found(encoded.as_bytes()), [0], "{before}");
        }
    }
}
