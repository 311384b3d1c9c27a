//! Compile definitions as a compiler's command line gives them.

use std::path::{Path, PathBuf};

use crate::error::{Error, ErrorKind};
use crate::inputs::absolute;
use crate::source::Source;

/// A `-D`.
#[derive(Clone, Debug)]
pub(crate) struct Definition {
    pub name: String,
    /// What follows the `=`; a definition without one has the value 1.
    pub value: String,
    pub source: Source,
}

/// The definitions in force, in order, and the headers that every source file begins with.
#[derive(Clone, Debug, Default)]
pub(crate) struct Definitions {
    pub defined: Vec<Definition>,
    pub forced_includes: Vec<PathBuf>,
}

impl Definitions {
    /// Adds entries as [`crate::Inputs::definitions`] describes them. `json` says which file and path they stand in
    /// when they come from the JSON file.
    pub fn add(&mut self, entries: &[String], json: Option<(&Path, &str)>, errors: &mut Vec<Error>) {
        let mut entries = entries.iter().map(|entry| entry.trim()).filter(|entry| !entry.is_empty()).peekable();
        while let Some(entry) = entries.next() {
            let mut argument = |rest: &str| {
                let attached = Some(rest.trim()).filter(|rest| !rest.is_empty());
                attached.or_else(|| entries.next()).unwrap_or_default().to_string()
            };
            let include = ["-include", "-imacros"].iter().find_map(|flag| entry.strip_prefix(flag));
            let problem = if let Some(rest) = include {
                self.force_include(&argument(rest))
            } else if let Some(rest) = entry.strip_prefix("-D") {
                self.define(&argument(rest), json)
            } else if let Some(rest) = entry.strip_prefix("-U") {
                self.undefine(&argument(rest))
            } else {
                self.define(entry, json)
            };
            if let Err(reason) = problem {
                let place = match json {
                    Some((file, path)) => format!("{}: {path}", file.display()),
                    None => "the compile definitions".to_string(),
                };
                let message = format!(
                    "'{entry}' in {place} is no definition: {reason}. \
                     Write NAME, NAME=VALUE, -DNAME=VALUE, -UNAME or -include FILE."
                );
                errors.push(Error::new(ErrorKind::Input, message));
            }
        }
    }

    /// The definitions of one name, in order.
    pub fn of<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a Definition> {
        self.defined.iter().filter(move |definition| definition.name == name)
    }

    fn define(&mut self, text: &str, json: Option<(&Path, &str)>) -> Result<(), String> {
        let (name, value) = text.split_once('=').unwrap_or((text, "1"));
        // NAME(x)=... defines a macro with parameters; only the name itself is judged here.
        check_name(name.split('(').next().unwrap_or_default())?;
        if text.contains(['\n', '\r', '\0']) {
            return Err("it holds a line break or a null character".to_string());
        }
        let json = json.map(|(file, path)| (file.to_path_buf(), path.to_string()));
        let source = Source::Definition { text: format!("-D{text}"), json };
        self.defined.push(Definition { name: name.to_string(), value: value.to_string(), source });
        Ok(())
    }

    fn undefine(&mut self, name: &str) -> Result<(), String> {
        check_name(name)?;
        self.defined.retain(|definition| definition.name != name);
        Ok(())
    }

    fn force_include(&mut self, file: &str) -> Result<(), String> {
        if file.is_empty() {
            return Err("the file is missing".to_string());
        }
        // A name that is no file here is left to the include path, as a compiler does.
        let path = Path::new(file);
        self.forced_includes.push(if path.is_file() { absolute(path) } else { path.to_path_buf() });
        Ok(())
    }
}

fn check_name(name: &str) -> Result<(), String> {
    let mut letters = name.chars();
    let first = letters.next().is_some_and(|letter| letter.is_ascii_alphabetic() || letter == '_');
    if first && letters.all(|letter| letter.is_ascii_alphanumeric() || letter == '_') {
        return Ok(());
    }
    Err(if name.starts_with("$<") {
        "a CMake generator expression has no value yet while CMake configures".to_string()
    } else {
        format!("'{name}' is no name of C")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(entries: &[&str]) -> (Definitions, Vec<Error>) {
        let entries: Vec<String> = entries.iter().map(|entry| entry.to_string()).collect();
        let (mut definitions, mut errors) = (Definitions::default(), Vec::new());
        definitions.add(&entries, None, &mut errors);
        (definitions, errors)
    }

    #[test]
    fn every_form_is_read() {
        let (definitions, errors) =
            read(&["A", "B=2", "-DC=3", "-D", "D=4", "-DE", "-UB", "-include", "x.h", "", "-imacrosy.h", "F="]);
        assert!(errors.is_empty(), "{errors:?}");
        let pairs: Vec<_> =
            definitions.defined.iter().map(|found| (found.name.as_str(), found.value.as_str())).collect();
        assert_eq!(pairs, [("A", "1"), ("C", "3"), ("D", "4"), ("E", "1"), ("F", "")]);
        assert_eq!(definitions.forced_includes, [Path::new("x.h"), Path::new("y.h")]);
    }

    #[test]
    fn what_is_no_definition_is_an_error() {
        for entry in ["-O2", "1A=3", "=3", "-D", "-U", "-include", "$<$<CONFIG:Debug>:A>", "A\u{0}B", "A=1\n2", "é=1"]
        {
            let (definitions, errors) = read(&[entry]);
            assert_eq!(errors.len(), 1, "{entry}");
            assert_eq!(errors[0].kind(), ErrorKind::Input);
            assert!(errors[0].message().contains("is no definition"), "{}", errors[0]);
            assert!(definitions.defined.is_empty(), "{entry}");
        }
    }
}
