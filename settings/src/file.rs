//! Reads files that the application names, with messages that help.

use std::fs;
use std::io::ErrorKind as IoKind;
use std::path::Path;

use crate::error::{Error, ErrorKind};

/// Larger than any configuration; what is larger was named by mistake.
pub(crate) const MOST_BYTES: u64 = 4 * 1024 * 1024;

/// The content of a file that was named explicitly. `what` says what it should be, `named_by` where its name stands.
pub(crate) fn read(path: &Path, what: &str, named_by: &str) -> Result<Vec<u8>, Error> {
    check(path, what, named_by)?;
    fs::read(path).map_err(|error| unreadable(path, what, named_by, &error.to_string()))
}

/// Whether a file that was named explicitly is there and can be a configuration.
pub(crate) fn check(path: &Path, what: &str, named_by: &str) -> Result<(), Error> {
    let fail = |reason: &str| Err(unreadable(path, what, named_by, reason));
    match fs::metadata(path) {
        Err(error) if error.kind() == IoKind::NotFound => fail("there is no such file"),
        Err(error) => fail(&error.to_string()),
        Ok(data) if data.is_dir() => fail("it is a directory"),
        Ok(data) if !data.is_file() => fail("it is no regular file"),
        Ok(data) if data.len() > MOST_BYTES => fail("it is larger than 4 MiB, which no configuration is"),
        Ok(_) => fs::File::open(path).map(drop).or_else(|error| fail(&error.to_string())),
    }
}

fn unreadable(path: &Path, what: &str, named_by: &str, reason: &str) -> Error {
    let message = format!(
        "{}: the {what} cannot be read: {reason}. Correct the name given by {named_by} (an absolute path is safest), \
         or leave it out if the application has no such file.",
        path.display()
    );
    Error::new(ErrorKind::File, message)
}

/// The text on one line and not longer than a message bears.
pub(crate) fn excerpt(text: &str) -> String {
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ").replace(char::is_control, "?");
    if line.chars().count() <= 80 { line } else { line.chars().take(77).chain("...".chars()).collect() }
}
