//! Reads `mbed_app.json`.

use std::fmt;
use std::path::Path;

use serde::de::{Deserialize, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};

use crate::error::{Error, ErrorKind};
use crate::file;
use crate::inputs::Inputs;
use crate::names;

/// A JSON value whose objects keep the order of their keys and hold each key once.
///
/// A key that stands twice is an error: readers of JSON disagree about which of the two counts.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Node {
    Null,
    Bool(bool),
    /// A number without a fraction or an exponent.
    Integer(i128),
    /// Any other number.
    Fraction(f64),
    Text(String),
    List(Vec<Node>),
    Object(Vec<(String, Node)>),
}

impl Node {
    fn get(&self, key: &str) -> Option<&Node> {
        match self {
            Self::Object(members) => members.iter().find(|(name, _)| name == key).map(|(_, node)| node),
            _ => None,
        }
    }

    /// What the value is, for messages.
    pub fn describe(&self) -> String {
        match self {
            Self::Null => "null".to_string(),
            Self::Bool(value) => value.to_string(),
            Self::Integer(value) => value.to_string(),
            Self::Fraction(value) => value.to_string(),
            Self::Text(text) => format!("\"{}\"", file::excerpt(text)),
            Self::List(_) => "a list".to_string(),
            Self::Object(_) => "an object".to_string(),
        }
    }
}

impl<'de> Deserialize<'de> for Node {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct NodeVisitor;

        impl<'de> Visitor<'de> for NodeVisitor {
            type Value = Node;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("a JSON value")
            }

            fn visit_unit<E>(self) -> Result<Node, E> {
                Ok(Node::Null)
            }

            fn visit_bool<E>(self, value: bool) -> Result<Node, E> {
                Ok(Node::Bool(value))
            }

            fn visit_i64<E>(self, value: i64) -> Result<Node, E> {
                Ok(Node::Integer(value.into()))
            }

            fn visit_u64<E>(self, value: u64) -> Result<Node, E> {
                Ok(Node::Integer(value.into()))
            }

            fn visit_f64<E>(self, value: f64) -> Result<Node, E> {
                Ok(Node::Fraction(value))
            }

            fn visit_str<E>(self, text: &str) -> Result<Node, E> {
                Ok(Node::Text(text.to_string()))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Node, A::Error> {
                let mut nodes = Vec::new();
                while let Some(node) = list.next_element()? {
                    nodes.push(node);
                }
                Ok(Node::List(nodes))
            }

            fn visit_map<A: MapAccess<'de>>(self, mut object: A) -> Result<Node, A::Error> {
                let mut members = Vec::new();
                let mut seen = std::collections::HashSet::new();
                while let Some(key) = object.next_key::<String>()? {
                    if !seen.insert(key.clone()) {
                        return Err(A::Error::custom(format_args!("the key \"{}\" stands twice", file::excerpt(&key))));
                    }
                    members.push((key, object.next_value()?));
                }
                Ok(Node::Object(members))
            }
        }

        deserializer.deserialize_any(NodeVisitor)
    }
}

/// A key that applies, and where it stands.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    pub key: String,
    pub node: Node,
    /// The way to the key, such as `target_overrides.*.mbed-client.tcp-keepalive-interval`.
    pub path: String,
}

/// What the JSON file says about the target.
#[derive(Debug, Default)]
pub(crate) struct AppJson {
    /// One entry for each of our keys that applies, the most specific label's. Removed ones (`null`) are not in it.
    pub entries: Vec<Entry>,
    /// Definitions (`macros`, `target.macros_add`), each with its path.
    pub definitions: Vec<(String, String)>,
}

impl AppJson {
    pub fn find(&self, key: &str) -> Option<&Entry> {
        self.entries.iter().find(|entry| entry.key == key)
    }
}

/// Reads the file for the target and labels of `inputs`.
pub(crate) fn read(path: &Path, inputs: &Inputs, errors: &mut Vec<Error>, warnings: &mut Vec<String>) -> AppJson {
    let mut app = AppJson::default();
    let root = match parse(path) {
        Ok(root) => root,
        Err(error) => {
            errors.push(error);
            return app;
        }
    };
    let mut reader = Reader { path, errors, warnings };
    let overrides = reader.overrides(&root);
    reader.warn_about_names(&root, &overrides, inputs);
    reader.collect_definitions(root.get("macros"), "macros", &mut app);

    let mut labels: Vec<&str> = inputs.target.as_deref().into_iter().collect();
    labels.extend(inputs.target_labels.iter().map(String::as_str));
    labels.push("*");
    for label in labels {
        let Some((_, settings)) = overrides.iter().find(|(name, _)| *name == label) else { continue };
        let path = format!("target_overrides.{label}");
        for key in names::keys() {
            let Some(node) = settings.get(&key) else { continue };
            // The labels come in order, the most specific first: what is found first stays.
            if app.find(&key).is_none() {
                app.entries.push(Entry { path: format!("{path}.{key}"), node: node.clone(), key });
            }
        }
        for key in ["target.macros", "target.macros_add"] {
            reader.collect_definitions(settings.get(key), &format!("{path}.{key}"), &mut app);
        }
    }
    // Only now: a null must also hide what a less specific label says.
    app.entries.retain(|entry| entry.node != Node::Null);
    app
}

fn parse(path: &Path) -> Result<Node, Error> {
    let bytes = file::read(path, "JSON file", "MBED_APP_JSON (CMake: APP_JSON)")?;
    let text = bytes.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(&bytes);
    serde_json::from_slice(text).map_err(|error| {
        let description = error.to_string();
        let end = description.rfind(" at line ").unwrap_or(description.len());
        let message = format!(
            "{}:{}:{}: this is not the JSON of an mbed_app.json: {}. Correct the file at that line and column.",
            path.display(),
            error.line(),
            error.column(),
            &description[..end]
        );
        Error::new(ErrorKind::Json, message)
    })
}

struct Reader<'a> {
    path: &'a Path,
    errors: &'a mut Vec<Error>,
    warnings: &'a mut Vec<String>,
}

impl Reader<'_> {
    fn wrong_shape(&mut self, place: &str, is: &Node, must: &str) {
        let message =
            format!("{}: {place} must be {must}, but it is {}. Correct it.", self.path.display(), is.describe());
        self.errors.push(Error::new(ErrorKind::Json, message));
    }

    /// The labels of `target_overrides`, each with its object.
    fn overrides<'n>(&mut self, root: &'n Node) -> Vec<(&'n str, &'n Node)> {
        if !matches!(root, Node::Object(_)) {
            self.wrong_shape("the file's content", root, "an object");
        }
        let members = match root.get("target_overrides") {
            Some(Node::Object(members)) => members,
            Some(other) => {
                self.wrong_shape("target_overrides", other, "an object");
                return Vec::new();
            }
            None => return Vec::new(),
        };
        let mut overrides = Vec::new();
        for (label, node) in members {
            if matches!(node, Node::Object(_)) {
                overrides.push((label.as_str(), node));
            } else {
                self.wrong_shape(&format!("target_overrides.{label}"), node, "an object");
            }
        }
        overrides
    }

    fn collect_definitions(&mut self, node: Option<&Node>, path: &str, app: &mut AppJson) {
        let list = match node {
            Some(Node::List(list)) => list,
            Some(other) => return self.wrong_shape(path, other, "a list of texts"),
            None => return,
        };
        for (index, node) in list.iter().enumerate() {
            let path = format!("{path}[{index}]");
            match node {
                Node::Text(text) => app.definitions.push((text.clone(), path)),
                other => self.wrong_shape(&path, other, "a text such as \"NAME=1\""),
            }
        }
    }

    /// Warns about keys that look like ours and are not read.
    fn warn_about_names(&mut self, root: &Node, overrides: &[(&str, &Node)], inputs: &Inputs) {
        let keys = names::keys();
        for (label, settings) in overrides {
            let Node::Object(members) = settings else { continue };
            for (written, _) in members {
                let place = format!("{}: target_overrides.{label}.{written}", self.path.display());
                if let Some(meant) = keys.iter().find(|meant| names::is_misspelt(written, meant)) {
                    self.warnings.push(format!("{place} is not read: did you mean \"{meant}\"?"));
                } else if written == names::TRANSPORT_MODE_KEY {
                    let example = names::TransportMode::Tcp.key();
                    self.warnings
                        .push(format!("{place} is not read: each mode is a key of its own, \"{example}\": 1."));
                }
            }
        }
        if let Node::Object(members) = root {
            for (written, _) in members {
                if keys.iter().any(|key| key == written || names::is_misspelt(written, key)) {
                    let place = format!("{}: {written}", self.path.display());
                    self.warnings.push(format!("{place} is not read there: move it to target_overrides.*."));
                }
            }
        }
        self.warn_about_own_parameters(root);
        if inputs.target.is_none() && inputs.target_labels.is_empty() {
            self.warn_about_unnamed_target(&keys, overrides);
        }
    }

    /// Parameters that the application declares itself may generate a macro of ours under another key.
    fn warn_about_own_parameters(&mut self, root: &Node) {
        let Some(Node::Object(parameters)) = root.get("config") else { return };
        for (name, parameter) in parameters {
            let Some(Node::Text(macro_name)) = parameter.get("macro_name") else { continue };
            if names::macros().contains(macro_name) {
                self.warnings.push(format!(
                    "{}: config.{name} generates {macro_name}, but is not read here: \
                     set the setting under target_overrides or in the header instead.",
                    self.path.display()
                ));
            }
        }
    }

    /// Without a target only `*` applies, which is easily overlooked.
    fn warn_about_unnamed_target(&mut self, keys: &[String], overrides: &[(&str, &Node)]) {
        for (label, settings) in overrides.iter().filter(|(label, _)| *label != "*") {
            for key in keys.iter().filter(|key| settings.get(key).is_some()) {
                self.warnings.push(format!(
                    "{}: target_overrides.{label}.{key} does not apply, as no target is named: \
                     set MBED_TARGET (CMake: MBED_TARGET <name>) if the device is a {label}.",
                    self.path.display()
                ));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Node;

    fn parse(text: &str) -> Result<Node, serde_json::Error> {
        serde_json::from_str(text)
    }

    #[test]
    fn numbers_keep_their_kind() {
        assert_eq!(parse("540").unwrap(), Node::Integer(540));
        assert_eq!(parse("-1").unwrap(), Node::Integer(-1));
        assert_eq!(parse("18446744073709551615").unwrap(), Node::Integer(u64::MAX.into()));
        assert_eq!(parse("1.5").unwrap(), Node::Fraction(1.5));
        assert_eq!(parse("540.0").unwrap(), Node::Fraction(540.0));
    }

    #[test]
    fn a_key_that_stands_twice_is_an_error_with_its_place() {
        let error = parse("{\n \"a\": 1,\n \"a\": 2}").unwrap_err();
        assert_eq!(error.line(), 3);
        assert!(error.to_string().contains("the key \"a\" stands twice"), "{error}");
    }

    #[test]
    fn nesting_without_end_is_an_error() {
        let error = parse(&"[".repeat(100_000)).unwrap_err();
        assert!(error.to_string().contains("recursion limit"), "{error}");
    }
}
