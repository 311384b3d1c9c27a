//! Where a value came from.

use std::fmt;
use std::path::{Path, PathBuf};

/// The place that gave a setting its value.
///
/// `{}` names files without their directories, so that text compiled into a binary does not depend on where it was
/// built; `{:#}` gives the whole path, for messages.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Source {
    /// No input sets it.
    Default,
    /// A `#define` in a header.
    Header {
        /// The file that holds the `#define`.
        file: PathBuf,
        /// Its line, counted from 1.
        line: u32,
    },
    /// A definition given to the compiler, such as `-DNAME=1`.
    Definition {
        /// The definition as a compiler takes it.
        text: String,
        /// The JSON file and path when the definition stands in `mbed_app.json` (`macros`).
        json: Option<(PathBuf, String)>,
    },
    /// A key of the JSON file.
    Json {
        /// The JSON file.
        file: PathBuf,
        /// The way to the key, such as `target_overrides.*.mbed-client.tcp-keepalive-interval`.
        path: String,
    },
}

impl Source {
    /// Whether no input sets the value.
    pub fn is_default(&self) -> bool {
        *self == Self::Default
    }
}

impl fmt::Display for Source {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let whole = formatter.alternate();
        let name = |path: &Path| match path.file_name() {
            Some(name) if !whole => name.to_string_lossy().into_owned(),
            _ => path.display().to_string(),
        };
        match self {
            Self::Default => formatter.write_str("default"),
            Self::Header { file, line } => write!(formatter, "{}:{line}", name(file)),
            Self::Definition { text, json: None } => write!(formatter, "compile definition {text}"),
            Self::Definition { text, json: Some((file, path)) } => {
                write!(formatter, "{}: {path} ({text})", name(file))
            }
            Self::Json { file, path } => write!(formatter, "{}: {path}", name(file)),
        }
    }
}

/// A value and where it came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Setting<T> {
    /// The value.
    pub value: T,
    /// The place that set it.
    pub source: Source,
}
