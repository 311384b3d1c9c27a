//! What a reading starts from: files, definitions, and the variables that name them.

use std::env;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

use crate::error::{Error, ErrorKind, Errors};

/// Names the user header.
pub const USER_CONFIG_VARIABLE: &str = "MBED_CLOUD_CLIENT_USER_CONFIG_FILE";
/// Names the JSON file.
pub const APP_JSON_VARIABLE: &str = "MBED_APP_JSON";
/// Names the Mbed target, the most specific label of the JSON file.
pub const TARGET_VARIABLE: &str = "MBED_TARGET";
/// Lists the labels of the Mbed target, the most specific first.
pub const TARGET_LABELS_VARIABLE: &str = "MBED_TARGET_LABELS";
/// Lists the compile definitions.
pub const DEFINES_VARIABLE: &str = "MBED_CLOUD_CLIENT_DEFINES";
/// Lists the directories in which the header's includes are looked up.
pub const INCLUDE_PATHS_VARIABLE: &str = "MBED_CLOUD_CLIENT_INCLUDE_PATHS";
/// Names the directory that holds the target system's headers.
pub const SYSROOT_VARIABLE: &str = "MBED_CLOUD_CLIENT_SYSROOT";
/// Names the target for clang when cargo's own name for it will not do.
pub const CLANG_TARGET_VARIABLE: &str = "MBED_CLOUD_CLIENT_CLANG_TARGET";

/// Every variable that [`Inputs::from_environment`] reads of a user's environment.
pub const VARIABLES: [&str; 8] = [
    USER_CONFIG_VARIABLE,
    APP_JSON_VARIABLE,
    TARGET_VARIABLE,
    TARGET_LABELS_VARIABLE,
    DEFINES_VARIABLE,
    INCLUDE_PATHS_VARIABLE,
    SYSROOT_VARIABLE,
    CLANG_TARGET_VARIABLE,
];

/// Everything that the settings are read from. All of it may be absent: then the defaults hold.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Inputs {
    /// The application's `mbed_cloud_client_user_config.h`. Without it, the file that a definition
    /// `MBED_CLOUD_CLIENT_USER_CONFIG_FILE` names is read, as the application's own build does.
    pub user_config: Option<PathBuf>,
    /// The application's `mbed_app.json`.
    pub app_json: Option<PathBuf>,
    /// The Mbed target's name.
    pub target: Option<String>,
    /// The labels of the Mbed target, the most specific first.
    pub target_labels: Vec<String>,
    /// Compile definitions, in order: `NAME`, `NAME=VALUE`, `-DNAME=VALUE`, `-UNAME`, and `-include FILE` (or
    /// `-imacros FILE`) for a header that every source file begins with, such as a generated `mbed_config.h`.
    /// A letter and what belongs to it may be two entries (`-D`, `NAME`).
    pub definitions: Vec<String>,
    /// The directories in which `#include` looks, in order.
    pub include_paths: Vec<PathBuf>,
    /// The target triple for clang, when it is not the machine that builds.
    pub clang_target: Option<String>,
    /// The root of the target system's headers.
    pub sysroot: Option<PathBuf>,
}

impl Inputs {
    /// Reads the variables of [`VARIABLES`], and `TARGET` and `HOST` as cargo sets them for a build script.
    ///
    /// `MBED_TARGET_LABELS` is separated by semicolons, commas or spaces. `MBED_CLOUD_CLIENT_DEFINES` with a semicolon
    /// anywhere is a CMake list (entries taken as they are, `\;` for a semicolon in one); without one it is separated
    /// by spaces, and quotes and backslashes keep their meaning of the shell. `MBED_CLOUD_CLIENT_INCLUDE_PATHS` is a
    /// CMake list or, without a semicolon, separated as `PATH` is. An empty variable counts as absent.
    ///
    /// # Errors
    /// A variable that is not Unicode, or whose quotes do not end.
    pub fn from_environment() -> Result<Self, Errors> {
        Self::from_variables(|name| env::var_os(name))
    }

    /// The same with the variables from somewhere else.
    ///
    /// # Errors
    /// As [`Inputs::from_environment`].
    pub fn from_variables(variable: impl Fn(&str) -> Option<OsString>) -> Result<Self, Errors> {
        let mut errors = Vec::new();
        let mut text = |name: &str| {
            let value = variable(name).filter(|value| !value.is_empty())?;
            value
                .into_string()
                .map_err(|value| {
                    let message = format!(
                        "The variable {name} is not valid UTF-8 ({}). Set it to text in UTF-8, or unset it.",
                        value.to_string_lossy()
                    );
                    errors.push(Error::new(ErrorKind::Input, message));
                })
                .ok()
        };
        let mut inputs = Self {
            user_config: text(USER_CONFIG_VARIABLE).map(PathBuf::from),
            app_json: text(APP_JSON_VARIABLE).map(PathBuf::from),
            target: text(TARGET_VARIABLE).map(|name| name.trim().to_string()),
            target_labels: text(TARGET_LABELS_VARIABLE).map(|list| split_labels(&list)).unwrap_or_default(),
            definitions: Vec::new(),
            include_paths: text(INCLUDE_PATHS_VARIABLE).map(|list| split_paths(&list)).unwrap_or_default(),
            clang_target: text(CLANG_TARGET_VARIABLE),
            sysroot: text(SYSROOT_VARIABLE).map(PathBuf::from),
        };
        let definitions = text(DEFINES_VARIABLE);
        if inputs.clang_target.is_none() {
            let target = text("TARGET");
            if target != text("HOST") {
                inputs.clang_target = target.map(|triple| clang_triple(&triple));
            }
        }
        match split_definitions(definitions.as_deref().unwrap_or_default()) {
            Ok(definitions) => inputs.definitions = definitions,
            Err(error) => errors.push(error),
        }
        Errors::check(errors)?;
        Ok(inputs)
    }
}

/// The architecture names in which Rust's triples differ from clang's.
fn clang_triple(triple: &str) -> String {
    let (architecture, rest) = triple.split_once('-').unwrap_or((triple, ""));
    let architecture = match architecture {
        name if name.starts_with("riscv32") => "riscv32",
        name if name.starts_with("riscv64") => "riscv64",
        name => name,
    };
    if rest.is_empty() { architecture.to_string() } else { format!("{architecture}-{rest}") }
}

/// Splits labels at semicolons, commas and spaces.
pub(crate) fn split_labels(list: &str) -> Vec<String> {
    let labels = list.split([';', ',', ' ', '\t', '\n']).filter(|label| !label.is_empty());
    labels.map(String::from).collect()
}

fn split_paths(list: &str) -> Vec<PathBuf> {
    if list.contains(';') {
        let entries = split_cmake_list(list);
        return entries.iter().map(|entry| PathBuf::from(entry.trim())).collect();
    }
    env::split_paths(list).filter(|path| !path.as_os_str().is_empty()).collect()
}

/// Splits a CMake list: `\;` is a semicolon inside an entry, empty entries are dropped.
fn split_cmake_list(list: &str) -> Vec<String> {
    let mut entries = vec![String::new()];
    let mut letters = list.chars().peekable();
    while let Some(letter) = letters.next() {
        match letter {
            '\\' if letters.peek() == Some(&';') => {
                letters.next();
                entries.last_mut().expect("the list begins with one entry").push(';');
            }
            ';' => entries.push(String::new()),
            letter => entries.last_mut().expect("the list begins with one entry").push(letter),
        }
    }
    entries.retain(|entry| !entry.trim().is_empty());
    entries
}

/// Splits `MBED_CLOUD_CLIENT_DEFINES`.
fn split_definitions(list: &str) -> Result<Vec<String>, Error> {
    if list.contains(';') {
        return Ok(split_cmake_list(list).iter().map(|entry| entry.trim().to_string()).collect());
    }
    let mut entries = Vec::new();
    let mut entry: Option<String> = None;
    let mut quote = None;
    let mut letters = list.chars();
    while let Some(letter) = letters.next() {
        match (letter, quote) {
            ('\'', Some('\'')) | ('"', Some('"')) => quote = None,
            ('\'' | '"', None) => {
                quote = Some(letter);
                entry.get_or_insert_default();
            }
            ('\\', None | Some('"')) => entry.get_or_insert_default().extend(letters.next()),
            (letter, None) if letter.is_whitespace() => entries.extend(entry.take()),
            (letter, _) => entry.get_or_insert_default().push(letter),
        }
    }
    if let Some(quote) = quote {
        let message = format!(
            "The variable {DEFINES_VARIABLE} has a {quote} that is not closed: {list}. Close it, or remove it."
        );
        return Err(Error::new(ErrorKind::Input, message));
    }
    entries.extend(entry);
    Ok(entries)
}

/// The path from the root of the file system; a relative one starts at the current directory.
pub(crate) fn absolute(path: &Path) -> PathBuf {
    std::path::absolute(path).unwrap_or_else(|_| path.to_path_buf())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn from(variables: &[(&str, &str)]) -> Result<Inputs, Errors> {
        let find = |name: &str| variables.iter().find(|(known, _)| *known == name);
        Inputs::from_variables(|name| find(name).map(|(_, value)| OsString::from(value)))
    }

    #[test]
    fn nothing_set_is_nothing_read() {
        assert_eq!(from(&[]).unwrap(), Inputs::default());
        let empty: Vec<_> = VARIABLES.iter().map(|name| (*name, "")).collect();
        assert_eq!(from(&empty).unwrap(), Inputs::default());
    }

    #[test]
    fn each_variable_is_read() {
        let inputs = from(&[
            (USER_CONFIG_VARIABLE, "/a b/user.h"),
            (APP_JSON_VARIABLE, "/a b/mbed_app.json"),
            (TARGET_VARIABLE, "K64F"),
            (TARGET_LABELS_VARIABLE, "MCU_K64F;Freescale"),
            (DEFINES_VARIABLE, "-DA=1 B"),
            (INCLUDE_PATHS_VARIABLE, "/a b:/c"),
            (SYSROOT_VARIABLE, "/sys root"),
        ])
        .unwrap();
        assert_eq!(inputs.user_config.unwrap(), Path::new("/a b/user.h"));
        assert_eq!(inputs.app_json.unwrap(), Path::new("/a b/mbed_app.json"));
        assert_eq!(inputs.target.unwrap(), "K64F");
        assert_eq!(inputs.target_labels, ["MCU_K64F", "Freescale"]);
        assert_eq!(inputs.definitions, ["-DA=1", "B"]);
        assert_eq!(inputs.include_paths, [Path::new("/a b"), Path::new("/c")]);
        assert_eq!(inputs.sysroot.unwrap(), Path::new("/sys root"));
    }

    #[test]
    fn labels_may_be_separated_as_any_tool_does() {
        for list in ["A;B", "A,B", "A B", " A ; B ;"] {
            assert_eq!(split_labels(list), ["A", "B"], "{list}");
        }
    }

    #[test]
    fn definitions_with_spaces_are_split_as_a_shell_does() {
        let split = |list| split_definitions(list).unwrap();
        assert_eq!(split("-DA=1  -D B=2\n-DC"), ["-DA=1", "-D", "B=2", "-DC"]);
        assert_eq!(split(r#"-DFILE='"my file.h"' -DX="(9 * 60)""#), [r#"-DFILE="my file.h""#, "-DX=(9 * 60)"]);
        assert_eq!(split(r#"-DFILE=\"a\ b.h\""#), [r#"-DFILE="a b.h""#]);
        assert_eq!(split(r#"-DFILE="\"b.h\"" ''"#), [r#"-DFILE="b.h""#, ""]);
        assert_eq!(split(r"-DA=1 \"), ["-DA=1", ""]);
    }

    #[test]
    fn definitions_with_semicolons_are_taken_as_they_are() {
        let split = |list| split_definitions(list).unwrap();
        assert_eq!(split(r#"A=1;FILE="my file.h";; -DX=(9 * 60) ;"#), ["A=1", r#"FILE="my file.h""#, "-DX=(9 * 60)"]);
        assert_eq!(split(r"A=1\;2;"), ["A=1;2"]);
        assert_eq!(split(";"), [""; 0]);
    }

    #[test]
    fn an_open_quote_is_an_error() {
        for list in ["-DA='1", "-DA=\"1"] {
            let errors = from(&[(DEFINES_VARIABLE, list)]).unwrap_err();
            assert!(errors.to_string().contains("MBED_CLOUD_CLIENT_DEFINES has a"), "{errors}");
        }
    }

    #[test]
    fn include_paths_may_be_a_cmake_list() {
        assert_eq!(split_paths("/a b;/c:d;"), [Path::new("/a b"), Path::new("/c:d")]);
    }

    #[cfg(unix)]
    #[test]
    fn bytes_that_are_no_text_are_an_error() {
        use std::os::unix::ffi::OsStringExt;
        let value = OsString::from_vec(vec![b'a', 0xff]);
        let errors = Inputs::from_variables(|name| (name == APP_JSON_VARIABLE).then(|| value.clone())).unwrap_err();
        assert_eq!(errors.count(), 1);
        assert!(errors.to_string().contains("MBED_APP_JSON is not valid UTF-8"), "{errors}");
    }

    #[test]
    fn the_target_goes_to_clang_only_when_it_is_another_machine() {
        let host = "x86_64-unknown-linux-gnu";
        assert_eq!(from(&[("TARGET", host), ("HOST", host)]).unwrap().clang_target, None);
        let inputs = from(&[("TARGET", "riscv64gc-unknown-linux-gnu"), ("HOST", host)]).unwrap();
        assert_eq!(inputs.clang_target.as_deref(), Some("riscv64-unknown-linux-gnu"));
        let inputs = from(&[("TARGET", "armv7-a"), ("HOST", host), (CLANG_TARGET_VARIABLE, "arm-none-eabi")]).unwrap();
        assert_eq!(inputs.clang_target.as_deref(), Some("arm-none-eabi"));
    }
}
