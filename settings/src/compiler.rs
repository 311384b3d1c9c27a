//! The C compiler's eye: parses a few lines of C with libclang and says what the macros in it are.

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use clang::diagnostic::Severity;
use clang::{Clang, EntityKind, EvaluationResult, Index, SourceError, TranslationUnit, TypeKind, Unsaved};

use crate::error::{Error, ErrorKind};
use crate::file;

/// The file that is parsed. It exists only in memory, in no directory of the machine, so that no `#include` finds a
/// file beside it by chance.
const PROBE: &str = "/mbed-cloud-connectivity-settings/probe.c";
const VALUE: &str = "mbed_cloud_connectivity_value";
const DEFINED: &str = "mbed_cloud_connectivity_defined";

/// libclang's wrapper bears one instance in a process.
static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

/// A `#define` that the compiler carried out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Define {
    pub name: String,
    /// Nothing for one of the compiler's command line.
    pub place: Option<(PathBuf, u32)>,
}

/// What a message of the compiler is about.
#[derive(Clone, Debug)]
pub(crate) struct Diagnostic {
    /// With file, line and column, or the line of the probe that it is about.
    pub text: String,
    /// The bare message.
    pub message: String,
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
    /// As written, on one line.
    pub text: String,
    pub value: Value,
    /// Nothing for a macro of the compiler's command line.
    pub place: Option<(PathBuf, u32)>,
}

/// Runs `work` with a compiler that takes `arguments`.
pub(crate) fn with<T>(arguments: Vec<String>, work: impl FnOnce(&Compiler<'_>) -> T) -> Result<T, Error> {
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
                    scan.defines.push(Define { name, place: place(&entity) });
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
        let probe = format!(
            "{code}\n#ifdef {name}\nint {DEFINED};\n{helpers}\n__extension__ __typeof__({name}) {VALUE} = {name};\n#endif\n"
        );
        let unit = self.parse(&probe)?;
        let entities = unit.get_entity().get_children();
        if !entities.iter().any(|entity| entity.get_name().as_deref() == Some(DEFINED)) {
            return Ok(None);
        }
        // The use of the macro in the probe refers to the definition in force there.
        let definition = entities
            .iter()
            .filter(|entity| entity.get_kind() == EntityKind::MacroExpansion)
            .filter(|entity| entity.get_name().as_deref() == Some(name) && place(entity).is_none())
            .find_map(|entity| entity.get_reference());
        let place = definition.as_ref().and_then(place);
        let text = definition.and_then(|definition| written(&definition, name)).unwrap_or_default();
        let value = if text.is_empty() && place.is_some() { Value::Empty } else { value(&unit, &entities) };
        Ok(Some(Macro { text: file::excerpt(&text), value, place }))
    }

    /// The value of an expression after `code`.
    pub fn evaluate(&self, code: &str, expression: &str, helpers: &str) -> Result<Value, Error> {
        if expression.trim().is_empty() {
            return Ok(Value::Empty);
        }
        let probe = format!("{code}\n{helpers}\n__extension__ __typeof__({expression}) {VALUE} = {expression};\n");
        let unit = self.parse(&probe)?;
        Ok(value(&unit, &unit.get_entity().get_children()))
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
fn place(entity: &clang::Entity<'_>) -> Option<(PathBuf, u32)> {
    let location = entity.get_location()?.get_file_location();
    let path = location.file?.get_path();
    (path != Path::new(PROBE)).then_some((path, location.line))
}

/// The text of a `#define` after its name. Read from the file, not from tokens: it is for people.
fn written(definition: &clang::Entity<'_>, name: &str) -> Option<String> {
    let range = definition.get_range()?;
    let (start, end) = (range.get_start().get_file_location(), range.get_end().get_file_location());
    let bytes = std::fs::read(start.file?.get_path()).ok()?;
    let text = bytes.get(start.offset as usize..end.offset as usize)?.strip_prefix(name.as_bytes())?;
    Some(String::from_utf8_lossy(text).replace("\\\r\n", " ").replace("\\\n", " ").trim().to_string())
}

fn value(unit: &TranslationUnit<'_>, entities: &[clang::Entity<'_>]) -> Value {
    let problem = diagnostics(unit, "").into_iter().find(|found| found.is_error && !found.is_preprocessing);
    let variable = entities.iter().find(|entity| entity.get_name().as_deref() == Some(VALUE));
    let Some(variable) = variable else {
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
            found.push(Diagnostic { text, message, is_error, is_fatal: severity == Severity::Fatal, is_preprocessing });
        }
    }
    found
}
