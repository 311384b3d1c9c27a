//! Writes the settings for those who use them: Rust constants, C definitions, CMake variables, text for people.

use std::fmt::Write as _;
use std::fs;
use std::io;
use std::path::Path;

use crate::names;
use crate::pal;
use crate::settings::Settings;
use crate::source::Source;

/// One line of a listing: a name, its value as text, and its source.
type Row = (String, String, Source);

impl Settings {
    /// One line for the build's output: the keepalive interval and where it came from.
    pub fn summary(&self) -> String {
        let interval = &self.keepalive_interval_s;
        let place = match interval.source {
            Source::Default => "default: neither header nor JSON sets it".to_string(),
            ref source => format!("{source:#}"),
        };
        format!("keepalive interval {} s ({place})", interval.value)
    }

    /// The Rust file that the library's `src/settings.rs` includes.
    ///
    /// It stands in a module whose parent defines `TransportMode`. Sources are named without directories, so that the
    /// same inputs give the same library wherever they are.
    pub fn rust_constants(&self) -> String {
        let mut code = String::from("// Generated from the application's configuration. Change that, not this file.\n");
        for (name, kind, value, source) in [
            ("KEEPALIVE_INTERVAL", "_S", self.keepalive_interval_s.value, &self.keepalive_interval_s.source),
            ("MAX_RECONNECT_TIMEOUT", "_S", self.max_reconnect_timeout_s.value, &self.max_reconnect_timeout_s.source),
            (
                "MAX_INCOMING_MESSAGE_SIZE",
                "",
                self.max_incoming_message_size.value,
                &self.max_incoming_message_size.source,
            ),
        ] {
            let _ = writeln!(code, "pub(super) const {name}{kind}: u32 = {value};");
            let _ = writeln!(code, "pub(super) const {name}_SOURCE: &str = {:?};", source.to_string());
        }
        let count = self.reconnection_count.as_ref().map(|setting| setting.value);
        let _ = writeln!(code, "pub(super) const RECONNECTION_COUNT: Option<u32> = {count:?};");
        let port = self.custom_uri_port.as_ref().map(|setting| setting.value);
        let _ = writeln!(code, "pub(super) const CUSTOM_URI_PORT: Option<u16> = {port:?};");
        let mode = self.transport_mode.value;
        let _ =
            writeln!(code, "pub(super) const TRANSPORT_MODE: super::TransportMode = super::TransportMode::{mode:?};");
        // Only the names that the library itself knows: any other value is the application's own affair.
        for name in pal::known_names() {
            let number = self.pal_number(&name).unwrap_or_default();
            let _ = writeln!(code, "pub(super) const {name}: u64 = {number};");
        }
        code.push_str("pub(super) const PAL: &[(&str, &str, &str)] = &[\n");
        for (name, setting) in &self.pal {
            let _ = writeln!(code, "    ({name:?}, {:?}, {:?}),", setting.value.text, setting.source.to_string());
        }
        code.push_str("];\n");
        code
    }

    /// A C file that gives the archive's weak symbols their values: those that the application sets, and no others.
    pub fn c_definitions(&self) -> String {
        let mut code = String::from(
            "/* Generated from the application's configuration. Change that, not this file. */\n#include <stdint.h>\n",
        );
        let mut is_empty = true;
        for (name, setting) in [
            ("mcc_configured_keepalive_interval_s", &self.keepalive_interval_s),
            ("mcc_configured_max_reconnect_timeout_s", &self.max_reconnect_timeout_s),
            ("mcc_configured_max_incoming_message_size", &self.max_incoming_message_size),
        ] {
            if setting.source.is_default() {
                continue;
            }
            is_empty = false;
            let place = comment(&setting.source.to_string());
            let value = setting.value;
            let _ = write!(code, "\n/* {place} */\nextern const uint32_t {name};\nconst uint32_t {name} = {value}u;\n");
        }
        if !self.keepalive_interval_s.source.is_default() {
            let name = "mcc_configured_keepalive_interval_source";
            let text = c_string(&self.keepalive_interval_s.source.to_string());
            let _ = write!(code, "\nextern const char {name}[];\nconst char {name}[] = {text};\n");
        }
        if is_empty {
            // A file without any declaration is not C.
            code.push_str("\n/* The application sets nothing: the archive's own values hold. */\n");
            code.push_str("typedef uint32_t mcc_configured_nothing_t;\n");
        }
        code
    }

    /// What the application sets and a prebuilt archive cannot take from it, each as a warning.
    ///
    /// The archive is taken to be built with the defaults.
    pub fn warnings_for_prebuilt_archive(&self) -> Vec<String> {
        let mut fixed: Vec<Row> = Vec::new();
        let linked = 3;
        fixed.extend(self.rows().into_iter().skip(linked).filter(|(_, _, source)| !source.is_default()));
        for (name, setting) in &self.pal {
            let default = pal::default_number(name);
            if name != pal::DNS_API_VERSION && default.is_some() && setting.value.number != default {
                fixed.push((name.clone(), setting.value.text.clone(), setting.source.clone()));
            }
        }
        let warning = |(name, value, source): &Row| {
            format!(
                "{name} is {value} by {source:#}, but a prebuilt archive takes it from its own build: \
                 build the archive from source if the library must know it."
            )
        };
        fixed.iter().map(warning).collect()
    }

    /// Variables for CMake, each `MBED_CLOUD_CONNECTIVITY_<name>` with a `_SOURCE` beside it, and the list
    /// `MBED_CLOUD_CONNECTIVITY_DEPENDENCIES`.
    pub fn cmake_variables(&self) -> String {
        let mut code = String::from("# Generated from the application's configuration. Change that, not this file.\n");
        let mut set = |name: &str, value: &str| {
            let _ = writeln!(code, "set(MBED_CLOUD_CONNECTIVITY_{name} {})", bracket(value));
        };
        for (name, value, source) in self.rows() {
            set(&name, &value);
            set(&format!("{name}_SOURCE"), &source.to_string());
        }
        for (name, setting) in &self.pal {
            set(name, &setting.value.number.map_or(setting.value.text.clone(), |number| number.to_string()));
        }
        let paths = self.dependencies.iter().map(|path| path.display().to_string().replace(';', "\\;"));
        set("DEPENDENCIES", &paths.collect::<Vec<_>>().join(";"));
        code
    }

    /// A listing for people: every setting, its value, and where it came from.
    pub fn text(&self) -> String {
        let mut text = String::new();
        for (name, value, source) in self.rows() {
            let _ = writeln!(text, "{name} = {value} ({source:#})");
        }
        for (name, setting) in &self.pal {
            let _ = writeln!(text, "{name} = {} ({:#})", setting.value.text, setting.source);
        }
        text
    }

    /// A dependency file in the syntax of make, which ninja reads too: `output` depends on every file that was read.
    pub fn depfile(&self, output: &Path) -> String {
        let escape = |path: &Path| {
            let text = path.display().to_string();
            text.replace('\\', "\\\\").replace(' ', "\\ ").replace('#', "\\#").replace('$', "$$")
        };
        let mut text = format!("{}:", escape(output));
        for path in &self.dependencies {
            let _ = write!(text, " \\\n  {}", escape(path));
        }
        text.push('\n');
        text
    }

    /// The settings beside `PAL_*` that have a value; the first three can be set at link time.
    fn rows(&self) -> Vec<Row> {
        let mut rows = Vec::new();
        for (setting, found) in [
            (&names::KEEPALIVE_INTERVAL, &self.keepalive_interval_s),
            (&names::MAX_RECONNECT_TIMEOUT, &self.max_reconnect_timeout_s),
            (&names::MAX_INCOMING_MESSAGE_SIZE, &self.max_incoming_message_size),
        ] {
            rows.push((setting.macro_name.to_string(), found.value.to_string(), found.source.clone()));
        }
        let mode = &self.transport_mode;
        rows.push(("MBED_CLOUD_CLIENT_TRANSPORT_MODE".to_string(), mode.value.name().to_string(), mode.source.clone()));
        if let Some(count) = &self.reconnection_count {
            let name = names::RECONNECTION_COUNT.macro_name.to_string();
            rows.push((name, count.value.to_string(), count.source.clone()));
        }
        if let Some(port) = &self.custom_uri_port {
            let name = names::CUSTOM_URI_PORT.macro_name.to_string();
            rows.push((name, port.value.to_string(), port.source.clone()));
        }
        rows
    }
}

/// Text that cannot end the comment it stands in.
fn comment(text: &str) -> String {
    let safe = |letter: char| letter.is_ascii_alphanumeric() || " ._-:/()[]=*".contains(letter);
    let text: String = text.chars().map(|letter| if safe(letter) { letter } else { '?' }).collect();
    text.replace("*/", "*?").replace("/*", "/?")
}

/// A string literal of C. What is not printable ASCII stands as octal numbers, which end after three digits; the question
/// mark too, as two of them may begin a trigraph.
fn c_string(text: &str) -> String {
    let mut literal = String::from("\"");
    for byte in text.bytes() {
        match byte {
            b'"' | b'\\' | b'?' | 0..=31 | 127.. => {
                let _ = write!(literal, "\\{byte:03o}");
            }
            byte => literal.push(char::from(byte)),
        }
    }
    literal + "\""
}

/// A bracket argument of CMake, which nothing inside is special to.
fn bracket(text: &str) -> String {
    let mut equals = String::from("=");
    while text.contains(&format!("]{equals}]")) || text.ends_with(&format!("]{equals}")) {
        equals.push('=');
    }
    // CMake drops a line break that follows the bracket at once.
    let start = if text.starts_with('\n') { "\n" } else { "" };
    format!("[{equals}[{start}{text}]{equals}]")
}

/// Writes a file unless it already holds this text, so that what depends on it is not built again for nothing.
///
/// # Errors
/// The file cannot be written.
pub fn write_if_changed(path: &Path, text: &str) -> io::Result<()> {
    if fs::read(path).is_ok_and(|present| present == text.as_bytes()) {
        return Ok(());
    }
    fs::write(path, text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_cannot_be_left() {
        assert_eq!(comment("a */ int x; /* \\\n\u{e9}?"), "a *? int x? /? ????");
        assert_eq!(comment("**/**/"), "**?**?");
        assert_eq!(comment("mbed_app.json: target_overrides.*.a-b"), "mbed_app.json: target_overrides.*.a-b");
    }

    #[test]
    fn literals_of_c_hold_any_text() {
        assert_eq!(c_string("a.h:12"), "\"a.h:12\"");
        assert_eq!(c_string("\"\\\n?\u{e9}1"), "\"\\042\\134\\012\\077\\303\\2511\"");
    }

    #[test]
    fn brackets_hold_any_text() {
        assert_eq!(bracket("a;\"$"), "[=[a;\"$]=]");
        assert_eq!(bracket("a]=]b"), "[==[a]=]b]==]");
        assert_eq!(bracket("a]="), "[==[a]=]==]");
        assert_eq!(bracket("\na"), "[=[\n\na]=]");
    }
}
