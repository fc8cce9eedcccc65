//! Values compared with schemas, more strictly than schemas ask for: keys that a schema does not name are refused, and so
//! is another order than it has.

use std::collections::HashMap;

use regex_lite::Regex;
use serde_json::{Map, Value};

/// The schemas of a document.
pub struct Schemas {
    /// The document, in which references are.
    pub document: Value,
    patterns: HashMap<String, Regex>,
}

/// The keys of an object, in order.
#[derive(Default)]
struct Keys<'a> {
    named: Vec<(&'a str, &'a Value)>,
    required: Vec<&'a str>,
    /// Whether there may be others.
    is_open: bool,
}

impl Schemas {
    /// Those of a document.
    pub fn new(document: Value) -> Schemas {
        let mut patterns = HashMap::new();
        compile(&document, &mut patterns);
        Schemas { document, patterns }
    }

    /// The keys that a schema names; `None` if it is none of an object.
    pub fn keys(&self, schema: &Value) -> Option<Vec<String>> {
        let mut keys = Keys::default();
        self.gather(schema, &mut keys);
        let names = keys.named.iter().map(|(name, _)| (*name).to_owned()).collect();
        (!keys.named.is_empty() || keys.is_open).then_some(names)
    }

    /// Whether a value is what a schema says.
    ///
    /// # Errors
    /// Where it is not.
    pub fn check(&self, schema: &Value, value: &Value) -> Result<(), String> {
        let Value::Object(rules) = self.followed(schema) else {
            return Ok(());
        };
        if value.is_object() && ["properties", "allOf"].iter().any(|key| rules.contains_key(*key)) {
            let mut keys = Keys::default();
            self.gather(schema, &mut keys);
            return self.check_object(&keys, value);
        }
        rules.iter().try_for_each(|(rule, wanted)| {
            let result = self.check_rule(rule, wanted, rules, value);
            result.map_err(
                |why| if why.is_empty() { format!("{value}: {rule} {wanted}") } else { why },
            )
        })
    }

    fn followed<'a>(&'a self, schema: &'a Value) -> &'a Value {
        match schema["$ref"].as_str() {
            Some(reference) => {
                let path = reference.strip_prefix('#').expect("it leads into the document");
                self.followed(self.document.pointer(path).expect("it leads somewhere"))
            }
            None => schema,
        }
    }

    fn gather<'a>(&'a self, schema: &'a Value, keys: &mut Keys<'a>) {
        let schema = self.followed(schema);
        if let Some(properties) = schema["properties"].as_object() {
            keys.named.extend(properties.iter().map(|(name, schema)| (&**name, schema)));
        }
        let required = schema["required"].as_array().into_iter().flatten();
        keys.required.extend(required.filter_map(Value::as_str));
        keys.is_open |= schema["additionalProperties"] == true;
        let all = schema["allOf"].as_array().into_iter().flatten();
        all.for_each(|schema| self.gather(schema, keys));
    }

    fn check_object(&self, keys: &Keys<'_>, value: &Value) -> Result<(), String> {
        let object = value.as_object().expect("it is one");
        if let Some(missing) = keys.required.iter().find(|name| !object.contains_key(**name)) {
            return Err(format!("{missing:?} is missing"));
        }
        let mut last = 0;
        for (name, value) in object {
            let Some(place) = keys.named.iter().position(|(named, _)| named == name) else {
                if keys.is_open {
                    continue;
                }
                return Err(format!("{name:?} is no key"));
            };
            if place < last && !keys.is_open {
                return Err(format!("{name:?} stands behind {:?}", keys.named[last].0));
            }
            last = place;
            self.check(keys.named[place].1, value).map_err(|why| format!("{name}: {why}"))?;
        }
        Ok(())
    }

    /// One rule of a schema; the words are empty if there are none but the rule.
    fn check_rule(
        &self,
        rule: &str,
        wanted: &Value,
        rules: &Map<String, Value>,
        value: &Value,
    ) -> Result<(), String> {
        let held = |holds: bool| if holds { Ok(()) } else { Err(String::new()) };
        let limit = || wanted.as_f64().expect("it is a number");
        let fits = |schema: &Value| self.check(schema, value).is_ok();
        match (rule, value) {
            ("description" | "format", _) => Ok(()),
            ("const", value) => held(value == wanted),
            ("enum", value) => held(wanted.as_array().is_some_and(|all| all.contains(value))),
            ("oneOf" | "anyOf", _) => {
                held(wanted.as_array().is_some_and(|all| all.iter().any(fits)))
            }
            ("allOf", _) => held(wanted.as_array().is_some_and(|all| all.iter().all(fits))),
            ("type", value) => held(match wanted {
                Value::Array(types) => types.iter().any(|one| is_of(one, value)),
                one => is_of(one, value),
            }),
            ("pattern", Value::String(text)) => {
                let pattern = wanted.as_str().expect("it is a text");
                held(self.patterns[pattern].is_match(text))
            }
            ("maxLength", Value::String(text)) => held(text.chars().count() as f64 <= limit()),
            ("minimum", Value::Number(number)) => {
                held(number.as_f64().is_some_and(|n| n >= limit()))
            }
            ("maximum", Value::Number(number)) => {
                held(number.as_f64().is_some_and(|n| n <= limit()))
            }
            ("items", Value::Array(items)) => {
                items.iter().try_for_each(|item| self.check(wanted, item))
            }
            ("minItems", Value::Array(items)) => held(items.len() as f64 >= limit()),
            ("maxItems", Value::Array(items)) => held(items.len() as f64 <= limit()),
            // Of objects without named keys, anything may be in them.
            ("additionalProperties", _) => {
                held(*wanted == true && !rules.contains_key("properties"))
            }
            (
                "pattern" | "maxLength" | "minimum" | "maximum" | "items" | "minItems" | "maxItems",
                _,
            ) => Ok(()),
            ("properties" | "required", _) => Ok(()),
            (other, _) => panic!("there is no rule for {other} here"),
        }
    }
}

/// Makes all patterns in a document ready.
fn compile(value: &Value, patterns: &mut HashMap<String, Regex>) {
    match value {
        Value::Object(keys) => keys.iter().for_each(|(key, value)| match (&**key, value) {
            ("pattern", Value::String(text)) => {
                let pattern = Regex::new(text).expect("it is a pattern");
                patterns.insert(text.clone(), pattern);
            }
            _ => compile(value, patterns),
        }),
        Value::Array(items) => items.iter().for_each(|item| compile(item, patterns)),
        _ => {}
    }
}

fn is_of(name: &Value, value: &Value) -> bool {
    match name.as_str().expect("it is a text") {
        "string" => value.is_string(),
        "number" => value.is_number(),
        "integer" => value.is_i64() || value.is_u64(),
        "boolean" => value.is_boolean(),
        "array" => value.is_array(),
        "object" => value.is_object(),
        "null" => value.is_null(),
        other => panic!("{other} is no type"),
    }
}

#[test]
fn a_value_is_what_its_schema_says_or_it_is_refused() {
    let document = serde_json::json!({
        "a": { "type": "object", "required": ["n"], "properties": {
            "n": { "type": "integer", "minimum": 1 },
            "of": { "anyOf": [{ "$ref": "#/b" }, { "type": "null" }] },
        } },
        "b": { "type": "string", "pattern": "^x+$", "maxLength": 3 },
        "c": { "allOf": [{ "properties": { "type": { "const": "c" } } }, { "$ref": "#/a" }] },
        "d": { "type": "array", "items": { "oneOf": [{ "const": "p" }, { "const": "q" }] } },
        "e": { "type": "object", "additionalProperties": true },
    });
    let schemas = Schemas::new(document);
    for (name, json, expected) in [
        ("a", r#"{"n":1}"#, true),
        ("a", r#"{"n":0}"#, false),
        ("a", r#"{"n":1.5}"#, false),
        ("a", r#"{}"#, false),
        ("a", r#"{"n":1,"of":"xx"}"#, true),
        ("a", r#"{"n":1,"of":null}"#, true),
        ("a", r#"{"n":1,"of":"xy"}"#, false),
        ("a", r#"{"n":1,"of":"xxxx"}"#, false),
        ("a", r#"{"of":null,"n":1}"#, false),
        ("a", r#"{"n":1,"more":1}"#, false),
        ("a", "[]", false),
        ("c", r#"{"type":"c","n":1}"#, true),
        ("c", r#"{"type":"d","n":1}"#, false),
        ("c", r#"{"n":1,"type":"c"}"#, false),
        ("c", r#"{"type":"c"}"#, false),
        ("d", r#"["p","q"]"#, true),
        ("d", r#"["p","r"]"#, false),
        ("e", r#"{"whatever":[]}"#, true),
        ("e", r#""text""#, false),
    ] {
        let value = serde_json::from_str(json).expect("it is JSON");
        let found = schemas.check(&schemas.document[name], &value);
        assert_eq!(found.is_ok(), expected, "{name} {json}: {found:?}");
    }
}
