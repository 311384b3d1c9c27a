//! Puts the header, the JSON file and the defaults together, and refuses what is said twice.

use crate::compiler::Value;
use crate::error::{Error, ErrorKind};
use crate::file;
use crate::header::{Found, Header};
use crate::integer;
use crate::json::{AppJson, Entry, Node};
use crate::names::{self, IntegerSetting, TransportMode};
use crate::source::{Setting, Source};
use std::path::Path;

/// One place that sets a setting.
#[derive(Clone, Debug)]
struct Candidate {
    /// The name that the setting has at that place.
    name: String,
    /// As written there.
    text: String,
    value: Value,
    source: Source,
}

impl Candidate {
    fn of_macro(name: &str, found: &Found) -> Self {
        let Found { text, value, source } = found.clone();
        Self { name: name.to_string(), text, value, source }
    }

    fn of_entry(file: &Path, entry: &Entry) -> Self {
        let value = match &entry.node {
            Node::Integer(value) => Value::Integer(*value),
            Node::Text(text) => match integer::parse(text) {
                Some(value) => Value::Integer(value),
                None => Value::NotInteger("the text holds no integer".to_string()),
            },
            Node::Fraction(value) if value.fract() == 0.0 && value.abs() > 1e18 => {
                Value::NotInteger("it has more than 64 bits".to_string())
            }
            Node::Fraction(_) => Value::NotInteger("it is written with a fraction or an exponent".to_string()),
            other => Value::NotInteger(format!("it is {}", other.describe())),
        };
        let source = Source::Json { file: file.to_path_buf(), path: entry.path.clone() };
        Self { name: entry.key.clone(), text: entry.node.describe(), value, source }
    }

    /// The value for messages: as a number, and as written where that differs.
    fn describe(&self) -> String {
        match &self.value {
            Value::Integer(value) if value.to_string() == self.text => self.text.clone(),
            Value::Integer(value) => format!("{value} (written {})", self.text),
            Value::Empty => "nothing".to_string(),
            Value::NotInteger(_) => self.text.clone(),
        }
    }

    /// Whether both say the same number, or switch on or off alike.
    fn agrees_with(&self, other: &Self) -> bool {
        match (&self.value, &other.value) {
            (Value::Integer(one), Value::Integer(another)) => one == another,
            _ => match (switch(&self.value, &self.text), switch(&other.value, &other.text)) {
                (Ok(one), Ok(another)) => one == another,
                _ => false,
            },
        }
    }

    /// What to do to unset it there.
    fn how_to_delete(&self) -> String {
        match &self.source {
            Source::Header { file, line } => format!("delete the #define at {}:{line}", file.display()),
            Source::Json { file, path } => format!("delete the key {path} from {}", file.display()),
            other => format!("remove the {other:#}"),
        }
    }
}

/// Everything that one reading merges.
pub(crate) struct Merge<'a> {
    pub header: &'a Header,
    /// The JSON file and its content.
    pub app: Option<(&'a Path, &'a AppJson)>,
    pub errors: &'a mut Vec<Error>,
}

impl Merge<'_> {
    /// The value of a setting, if a place sets it well.
    pub fn integer<T: TryFrom<i128>>(&mut self, setting: &IntegerSetting) -> Option<Setting<T>> {
        let header = self.macro_candidate(setting.macro_name);
        let json = self.json_candidate(setting.key);
        for candidate in [&header, &json].into_iter().flatten() {
            self.check_range(candidate, setting);
        }
        let (value, source) = match (header, json) {
            (Some(header), Some(json)) => {
                self.refuse_both(setting.macro_name, &header, &json);
                return None;
            }
            (found, None) | (None, found) => found.map(|candidate| (candidate.value, candidate.source))?,
        };
        let Value::Integer(value) = value else { return None };
        Some(Setting { value: T::try_from(value).ok()?, source })
    }

    /// The value of a setting, or its default.
    pub fn integer_or<T: TryFrom<i128>>(&mut self, setting: &IntegerSetting, default: T) -> Setting<T> {
        self.integer(setting).unwrap_or(Setting { value: default, source: Source::Default })
    }

    /// The transport mode: the one switch that is set.
    pub fn transport_mode(&mut self) -> Setting<TransportMode> {
        let (mut header, mut json) = (Vec::new(), Vec::new());
        for mode in TransportMode::ALL {
            // As #ifdef asks, whatever the value.
            header.extend(self.macro_candidate(&mode.macro_name()).map(|candidate| (mode, candidate)));
            if let Some(candidate) = self.switch_candidate(&mode.key()) {
                json.push((mode, candidate));
            }
        }
        for set in [&header, &json] {
            if let [(_, one), (_, other), ..] = set.as_slice() {
                let message = format!(
                    "Two transport modes are chosen: {} by {:#}, and {} by {:#}. A device has one: {}, or {}.",
                    one.name,
                    one.source,
                    other.name,
                    other.source,
                    one.how_to_delete(),
                    other.how_to_delete()
                );
                self.errors.push(Error::new(ErrorKind::DefinedTwice, message));
            }
        }
        if let ([(_, header), ..], [(_, json), ..]) = (header.as_slice(), json.as_slice()) {
            self.refuse_both("The transport mode", header, json);
        }
        match header.into_iter().chain(json).next() {
            Some((value, candidate)) => Setting { value, source: candidate.source },
            None => Setting { value: TransportMode::Tcp, source: Source::Default },
        }
    }

    fn macro_candidate(&self, name: &str) -> Option<Candidate> {
        self.header.macros.get(name).map(|found| Candidate::of_macro(name, found))
    }

    /// The JSON file's value. What Mbed tools generate from the file is the same source, and must say the same.
    fn json_candidate(&mut self, key: &str) -> Option<Candidate> {
        let generated = self.macro_candidate(&names::generated_macro(key));
        let entry = self.app.and_then(|(file, app)| app.find(key).map(|entry| Candidate::of_entry(file, entry)));
        match (entry, generated) {
            (Some(entry), Some(generated)) => {
                if !entry.agrees_with(&generated) {
                    let message = format!(
                        "{} is {} by {:#}, but the {} generated from it is {} by {:#}. \
                         Generate the configuration again, or remove the {}.",
                        key,
                        entry.describe(),
                        entry.source,
                        generated.name,
                        generated.describe(),
                        generated.source,
                        generated.name
                    );
                    self.errors.push(Error::new(ErrorKind::DefinedTwice, message));
                }
                Some(entry)
            }
            (found, None) | (None, found) => found,
        }
    }

    /// The JSON file's value of a switch, if it is on.
    fn switch_candidate(&mut self, key: &str) -> Option<Candidate> {
        let candidate = self.json_candidate(key)?;
        match switch(&candidate.value, &candidate.text) {
            Ok(on) => on.then_some(candidate),
            Err(text) => {
                let message = format!(
                    "{key} is set to {text} by {:#}: it must be 1 (on), 0 or null (off). Correct it there.",
                    candidate.source
                );
                self.errors.push(Error::new(ErrorKind::Value, message));
                None
            }
        }
    }

    fn check_range(&mut self, candidate: &Candidate, setting: &IntegerSetting) {
        let reason = match &candidate.value {
            Value::Integer(value) if (setting.least..=setting.most).contains(value) => return,
            Value::Integer(_) => String::new(),
            Value::Empty => " (it is defined as nothing)".to_string(),
            Value::NotInteger(reason) => format!(" ({})", file::excerpt(reason)),
        };
        let message = format!(
            "{} is set to {} by {:#}: it must be an integer from {} to {}{}{reason}. Correct it there.",
            candidate.name,
            candidate.describe(),
            candidate.source,
            setting.least,
            setting.most,
            setting.unit
        );
        self.errors.push(Error::new(ErrorKind::Value, message));
    }

    fn refuse_both(&mut self, name: &str, header: &Candidate, json: &Candidate) {
        // A switch is told by its name, a number by its value.
        let said = |candidate: &Candidate| {
            if header.name == name { candidate.describe() } else { candidate.name.clone() }
        };
        let message = format!(
            "{name} is defined twice: as {} by {:#}, and as {} by {:#}. Only one place may define it, even with the \
             same value. To keep the first, {}; to keep the second, {}.",
            said(header),
            header.source,
            said(json),
            json.source,
            json.how_to_delete(),
            header.how_to_delete()
        );
        self.errors.push(Error::new(ErrorKind::DefinedTwice, message));
    }
}

/// Whether a switch is on; the text when it is no switch.
fn switch<'a>(value: &Value, text: &'a str) -> Result<bool, &'a str> {
    match (value, text.trim_matches('"').to_ascii_lowercase().as_str()) {
        (Value::Empty | Value::Integer(1), _) | (_, "true") => Ok(true),
        (Value::Integer(0), _) | (_, "false") => Ok(false),
        _ => Err(text),
    }
}
