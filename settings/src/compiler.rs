//! The C compiler's eye: parses a few lines of C with libclang and says what the macros in it are.

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use clang::diagnostic::Severity;
use clang::{
    Clang, Entity, EntityKind, EntityVisitResult, EvaluationResult, Index, SourceError, TranslationUnit, TypeKind,
    Unsaved,
};

use crate::error::{Error, ErrorKind};
use crate::file;

/// The file that is parsed. It exists only in memory, in no directory of the machine, so that no `#include` finds a
/// file beside it by chance.
const PROBE: &str = "/mbed-cloud-connectivity-settings/probe.c";
const DEFINED: &str = "mbed_cloud_connectivity_defined";
const VALUE: &str = "mbed_cloud_connectivity_value";

/// A header takes a fraction of a second. Macros that multiply without end are left to themselves after this.
const TIME_LIMIT: Duration = Duration::from_secs(30);

/// Beyond any sensible expression, and far below what exhausts the compiler's stack.
const MOST_CHARACTERS: u32 = 4096;

/// libclang's wrapper bears one instance in a process.
static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

/// A `#define` that the compiler carried out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Define {
    pub name: String,
    /// Nothing for one of the compiler's command line.
    pub place: Option<(PathBuf, u32)>,
    /// Whether it is too long to be evaluated.
    pub is_too_long: bool,
}

/// What a message of the compiler is about.
#[derive(Clone, Debug)]
pub(crate) struct Diagnostic {
    /// With file, line and column, or the line of the probe that it is about.
    pub text: String,
    /// The bare message.
    pub message: String,
    /// The line when it is about the probe itself.
    probe_line: Option<u32>,
    pub is_error: bool,
    /// Whether what comes after it was not read.
    pub is_fatal: bool,
    /// Whether preprocessing itself went wrong, and not what comes after it.
    pub is_preprocessing: bool,
}

/// What preprocessing shows.
#[derive(Debug, Default)]
pub(crate) struct Scan {
    pub defines: Vec<Define>,
    pub included: Vec<PathBuf>,
    pub diagnostics: Vec<Diagnostic>,
}

/// The value of an expression.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Value {
    /// There is no expression: the macro is defined as nothing.
    Empty,
    Integer(i128),
    /// Why it is no integer, as the end of a sentence.
    NotInteger(String),
}

/// A macro as it stands after the last line of the header.
#[derive(Clone, Debug)]
pub(crate) struct Macro {
    /// As written, on one line, when the place can be told.
    pub text: Option<String>,
    pub value: Value,
    /// Nothing for a macro of the compiler's command line, and when the compiler does not tell (`push_macro`).
    pub place: Option<(PathBuf, u32)>,
}

/// Runs `work` with a compiler that takes `arguments`, on a thread of its own, so that a header on which the compiler
/// never ends is an error too.
pub(crate) fn with<T: Send + 'static>(
    arguments: Vec<String>,
    work: impl FnOnce(&Compiler<'_>) -> T + Send + 'static,
) -> Result<T, Error> {
    run_limited(TIME_LIMIT, move || {
        let _guard = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
        let clang = Clang::new().map_err(|reason| {
            let message = format!(
                "libclang, which reads the header as a C compiler does, cannot be loaded: {reason}. \
                 Install it (Debian and Ubuntu: libclang-dev), or set LIBCLANG_PATH to the directory that holds it."
            );
            Error::new(ErrorKind::Compiler, message)
        })?;
        let index = Index::new(&clang, false, false);
        Ok(work(&Compiler { index: &index, arguments }))
    })
}

fn run_limited<T: Send + 'static>(
    limit: Duration,
    work: impl FnOnce() -> Result<T, Error> + Send + 'static,
) -> Result<T, Error> {
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || sender.send(work()));
    receiver.recv_timeout(limit).unwrap_or_else(|reason| {
        let reason = match reason {
            RecvTimeoutError::Timeout => format!("the compiler has not come to an end of it in {limit:?}"),
            RecvTimeoutError::Disconnected => "the reading broke off, which is a defect of this library".to_string(),
        };
        let message = format!(
            "The header cannot be read: {reason}. Look for macros and includes that multiply, \
             and whether clang compiles the header."
        );
        Err(Error::new(ErrorKind::Compiler, message))
    })
}

/// libclang with the application's include paths, definitions and target.
pub(crate) struct Compiler<'c> {
    index: &'c Index<'c>,
    arguments: Vec<String>,
}

impl Compiler<'_> {
    /// Preprocesses `code`.
    pub fn scan(&self, code: &str) -> Result<Scan, Error> {
        let unit = self.parse(code)?;
        let mut scan = Scan { diagnostics: diagnostics(&unit, code), ..Scan::default() };
        for entity in unit.get_entity().get_children() {
            match entity.get_kind() {
                EntityKind::MacroDefinition if !entity.is_builtin_macro() => {
                    let Some(name) = entity.get_name() else { continue };
                    let length = entity.get_range().map_or(0, |range| {
                        let (start, end) = (range.get_start().get_file_location(), range.get_end().get_file_location());
                        end.offset.saturating_sub(start.offset)
                    });
                    scan.defines.push(Define { name, place: place(&entity), is_too_long: length > MOST_CHARACTERS });
                }
                EntityKind::InclusionDirective => {
                    scan.included.extend(entity.get_file().map(|file| file.get_path()));
                }
                _ => {}
            }
        }
        Ok(scan)
    }

    /// The macro `name` as `code` leaves it, with `helpers` (definitions that its value may use) after it; nothing
    /// when it is not defined then.
    pub fn read_macro(&self, code: &str, name: &str, helpers: &str) -> Result<Option<Macro>, Error> {
        let before = format!("{code}\n#ifdef {name}\nint {DEFINED};\n{helpers}\n");
        let unit = self.parse(&format!("{before}{}#endif\n", declaration(name)))?;
        // The record holds the uses of a macro that is defined, #ifdef included, but none of one that a pragma brought
        // back (pop_macro); the variable is lost where the header leaves a declaration open.
        let uses: Vec<_> = unit
            .get_entity()
            .get_children()
            .into_iter()
            .filter(|entity| entity.get_kind() == EntityKind::MacroExpansion)
            .filter(|entity| entity.get_name().as_deref() == Some(name) && place(entity).is_none())
            .collect();
        if uses.is_empty() && find(&unit, DEFINED).is_none() {
            return Ok(None);
        }
        let definition = uses.iter().find_map(|entity| entity.get_reference());
        let place = definition.as_ref().and_then(place);
        let text = definition.and_then(|definition| written(&definition, name));
        let value = match &text {
            Some(text) if text.is_empty() => Value::Empty,
            _ => value(&unit, &before),
        };
        Ok(Some(Macro { text: text.map(|text| file::excerpt(&text)), value, place }))
    }

    /// The value of an expression after `code`.
    pub fn evaluate(&self, code: &str, expression: &str, helpers: &str) -> Result<Value, Error> {
        if expression.trim().is_empty() {
            return Ok(Value::Empty);
        }
        let before = format!("{code}\n{helpers}\n");
        let unit = self.parse(&format!("{before}{}", declaration(expression)))?;
        Ok(value(&unit, &before))
    }

    fn parse(&self, code: &str) -> Result<TranslationUnit<'_>, Error> {
        self.index
            .parser(PROBE)
            .arguments(&self.arguments)
            .unsaved(&[Unsaved::new(PROBE, code)])
            .detailed_preprocessing_record(true)
            .parse()
            .map_err(|error| {
                let reason = match error {
                    SourceError::Crash => "libclang crashed",
                    _ => "libclang refused it without a word, as it does for a target that it does not know",
                };
                let message = format!(
                    "The header cannot be read: {reason} (arguments: {}). Check the definitions, the include paths \
                     and the target, and whether clang compiles the header.",
                    self.arguments.join(" ")
                );
                Error::new(ErrorKind::Compiler, message)
            })
    }
}

/// File and line outside the probe.
fn place(entity: &Entity<'_>) -> Option<(PathBuf, u32)> {
    let location = entity.get_location()?.get_file_location();
    let path = location.file?.get_path();
    (path != Path::new(PROBE)).then_some((path, location.line))
}

/// The text of a `#define` after its name. Read from the file, not from tokens: it is for people.
fn written(definition: &Entity<'_>, name: &str) -> Option<String> {
    let range = definition.get_range()?;
    let (start, end) = (range.get_start().get_file_location(), range.get_end().get_file_location());
    let bytes = std::fs::read(start.file?.get_path()).ok()?;
    let text = bytes.get(start.offset as usize..end.offset as usize)?.strip_prefix(name.as_bytes())?;
    Some(String::from_utf8_lossy(text).replace("\\\r\n", " ").replace("\\\n", " ").trim().to_string())
}

/// A variable whose type and value are those of the expression, on one line.
fn declaration(expression: &str) -> String {
    format!("__extension__ __typeof__({expression}) {VALUE} = {expression};\n")
}

/// A declaration of the probe. A brace that the header leaves open puts it into a function or a structure.
fn find<'u>(unit: &'u TranslationUnit<'u>, name: &str) -> Option<Entity<'u>> {
    let mut found = None;
    unit.get_entity().visit_children(|entity, _| {
        if entity.is_declaration() && entity.get_name().as_deref() == Some(name) {
            found = Some(entity);
            return EntityVisitResult::Break;
        }
        if entity.is_preprocessing() { EntityVisitResult::Continue } else { EntityVisitResult::Recurse }
    });
    found
}

/// The value of the variable declared after `before`.
fn value(unit: &TranslationUnit<'_>, before: &str) -> Value {
    // What is wrong elsewhere in the header, such as a type that is not known here, does not touch the value.
    let line = before.matches('\n').count() as u32 + 1;
    let problem = diagnostics(unit, "")
        .into_iter()
        .find(|found| found.is_error && (found.probe_line == Some(line) || found.is_fatal));
    let Some(variable) = find(unit, VALUE) else {
        let reason = problem.map_or("the compiler finds no expression".to_string(), |found| found.message);
        return Value::NotInteger(reason);
    };
    let kind = variable.get_type().map(|found| found.get_canonical_type().get_kind());
    match kind {
        Some(TypeKind::Float | TypeKind::Double | TypeKind::LongDouble) => {
            return Value::NotInteger("it is a number with a fraction".to_string());
        }
        Some(TypeKind::Int128 | TypeKind::UInt128) => {
            return Value::NotInteger("it has more than 64 bits".to_string());
        }
        Some(TypeKind::Pointer | TypeKind::ConstantArray) => {
            return Value::NotInteger("it is text or an address".to_string());
        }
        _ => {}
    }
    match (problem, variable.evaluate()) {
        (Some(found), _) => Value::NotInteger(found.message),
        (None, Some(EvaluationResult::SignedInteger(value))) => Value::Integer(value.into()),
        (None, Some(EvaluationResult::UnsignedInteger(value))) => Value::Integer(value.into()),
        (None, _) => Value::NotInteger("the compiler does not find its value while compiling".to_string()),
    }
}

fn diagnostics(unit: &TranslationUnit<'_>, code: &str) -> Vec<Diagnostic> {
    let mut seen = HashSet::new();
    let mut found = Vec::new();
    for diagnostic in unit.get_diagnostics() {
        let severity = diagnostic.get_severity();
        let message = diagnostic.get_text();
        let location = diagnostic.get_location().get_file_location();
        let path = location.file.map(|file| file.get_path()).filter(|path| path != Path::new(PROBE));
        let probe_line = path.is_none().then_some(location.line);
        let word = match severity {
            Severity::Fatal => "fatal error",
            Severity::Error => "error",
            Severity::Warning => "warning",
            Severity::Note | Severity::Ignored => continue,
        };
        let text = match path {
            Some(path) => format!("{}:{}:{}: {word}: {message}", path.display(), location.line, location.column),
            None => match code.lines().nth((location.line as usize).saturating_sub(1)) {
                Some(line) if location.line > 0 => format!("{line}: {word}: {message}"),
                _ => format!("{word}: {message}"),
            },
        };
        // libclang says the category only as the end of a formatted message.
        let formatted = diagnostic.formatter().category_name(true).format();
        let is_preprocessing = severity == Severity::Fatal
            || formatted.ends_with("[Lexical or Preprocessor Issue]")
            || formatted.ends_with("[User-Defined Issue]");
        if seen.insert(text.clone()) {
            let is_error = severity >= Severity::Error;
            let is_fatal = severity == Severity::Fatal;
            found.push(Diagnostic { text, message, probe_line, is_error, is_fatal, is_preprocessing });
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_does_not_end_is_an_error() {
        let (_keep, forever) = mpsc::channel::<()>();
        let error = run_limited(Duration::from_millis(10), move || {
            let _ = forever.recv();
            Ok(())
        })
        .unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Compiler);
        assert!(error.message().contains("has not come to an end of it in 10ms"), "{error}");
    }

    #[test]
    fn what_breaks_off_is_an_error() {
        let error =
            run_limited(TIME_LIMIT, || -> Result<(), Error> { std::panic::panic_any("on purpose") }).unwrap_err();
        assert!(error.message().contains("the reading broke off"), "{error}");
    }

    #[test]
    fn a_target_that_clang_does_not_know_is_an_error() {
        let arguments = vec!["--target=no-such-machine".to_string()];
        let outcome = with(arguments, |compiler| compiler.scan("#define A 1\n").map(drop)).unwrap();
        assert_eq!(outcome.unwrap_err().kind(), ErrorKind::Compiler);
    }
}
