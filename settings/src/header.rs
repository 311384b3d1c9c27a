//! Reads the application's header, and what it includes, with the meaning that C gives it.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use crate::compiler::{self, Compiler, Scan, Value};
use crate::definition::{Definition, Definitions};
use crate::error::{Error, ErrorKind};
use crate::file;
use crate::inputs::{Inputs, absolute};
use crate::names;
use crate::pal;
use crate::source::Source;

/// A macro that is a setting, as the last line of the header leaves it.
#[derive(Clone, Debug)]
pub(crate) struct Found {
    /// As written.
    pub text: String,
    pub value: Value,
    pub source: Source,
}

/// What the header and the definitions say.
#[derive(Debug, Default)]
pub(crate) struct Header {
    /// By name: our settings, their `MBED_CONF_` forms, and every `PAL_` macro.
    pub macros: BTreeMap<String, Found>,
    /// Every file that was read.
    pub files: Vec<PathBuf>,
}

/// Reads the header of `inputs` with the definitions given. libclang is needed only when there is something to read.
pub(crate) fn read(
    inputs: &Inputs,
    definitions: &Definitions,
    errors: &mut Vec<Error>,
    warnings: &mut Vec<String>,
) -> Header {
    let nothing_to_read =
        inputs.user_config.is_none() && definitions.defined.is_empty() && definitions.forced_includes.is_empty();
    if nothing_to_read {
        return Header::default();
    }
    let prepared = inputs.user_config.as_deref().map_or(Ok(()), check_user_config).and_then(|()| {
        let code = prelude(inputs, definitions)?;
        Ok((code, arguments(inputs, definitions)?))
    });
    let (code, arguments) = match prepared {
        Ok(prepared) => prepared,
        Err(error) => {
            errors.push(error);
            return Header::default();
        }
    };
    let owned = definitions.clone();
    let read = compiler::with(arguments, move |compiler| {
        let mut reader = Reader {
            compiler,
            code: &code,
            definitions: &owned,
            errors: Vec::new(),
            warnings: Vec::new(),
            header: Header::default(),
        };
        let result = reader.read();
        reader.errors.extend(result.err());
        (reader.header, reader.errors, reader.warnings)
    });
    let mut header = match read {
        Ok((header, found, warned)) => {
            errors.extend(found);
            warnings.extend(warned);
            header
        }
        Err(error) => {
            errors.push(error);
            Header::default()
        }
    };
    header.files.extend(inputs.user_config.as_deref().map(absolute));
    header.files.sort();
    header.files.dedup();
    header
}

fn check_user_config(path: &Path) -> Result<(), Error> {
    file::check(path, "user header", "MBED_CLOUD_CLIENT_USER_CONFIG_FILE (CMake: USER_CONFIG)")
}

/// The includes that every source file of the application begins with.
fn prelude(inputs: &Inputs, definitions: &Definitions) -> Result<String, Error> {
    let mut code = String::new();
    let mut include = |path: &Path| -> Result<(), Error> {
        let name = text_of(path)?;
        if name.contains(['"', '\n', '\r']) {
            let message = format!(
                "{}: no #include can name this file, as its path holds a quotation mark or a line break. Rename it.",
                path.display()
            );
            return Err(Error::new(ErrorKind::Input, message));
        }
        let _ = writeln!(code, "#include \"{name}\"");
        Ok(())
    };
    for forced in &definitions.forced_includes {
        include(forced)?;
    }
    if let Some(path) = &inputs.user_config {
        include(&absolute(path))?;
    } else {
        code.push_str(
            "#ifdef MBED_CLOUD_CLIENT_USER_CONFIG_FILE\n#include MBED_CLOUD_CLIENT_USER_CONFIG_FILE\n#endif\n",
        );
    }
    code.push_str("#ifdef PAL_USER_DEFINED_CONFIGURATION\n#include PAL_USER_DEFINED_CONFIGURATION\n#endif\n");
    Ok(code)
}

/// The arguments for the compiler.
fn arguments(inputs: &Inputs, definitions: &Definitions) -> Result<Vec<String>, Error> {
    // One mistake in a header must not hide the others behind clang's limit of 20.
    let mut arguments: Vec<String> = ["-xc", "-std=gnu11", "-ferror-limit=0"].map(String::from).to_vec();
    if let Some(triple) = &inputs.clang_target {
        arguments.push(format!("--target={triple}"));
    }
    if let Some(sysroot) = &inputs.sysroot {
        arguments.push(format!("--sysroot={}", text_of(&absolute(sysroot))?));
    }
    for definition in &definitions.defined {
        arguments.push(format!("-D{}={}", definition.name, definition.value));
    }
    for path in &inputs.include_paths {
        arguments.push(format!("-I{}", text_of(&absolute(path))?));
    }
    // Files named by a definition often stand beside the header or the JSON file.
    for path in [&inputs.user_config, &inputs.app_json].into_iter().flatten() {
        if let Some(directory) = absolute(path).parent() {
            arguments.push(format!("-I{}", text_of(directory)?));
        }
    }
    match arguments.iter().find(|argument| argument.contains('\0')) {
        Some(argument) => {
            let message = format!("'{}' holds a null character. Remove it.", argument.replace('\0', "\\0"));
            Err(Error::new(ErrorKind::Input, message))
        }
        None => Ok(arguments),
    }
}

fn text_of(path: &Path) -> Result<&str, Error> {
    path.to_str().ok_or_else(|| {
        let message = format!(
            "{}: the path is not valid UTF-8, which libclang needs. Rename the file or directory.",
            path.display()
        );
        Error::new(ErrorKind::Input, message)
    })
}

struct Reader<'a> {
    compiler: &'a Compiler<'a>,
    /// The includes.
    code: &'a str,
    definitions: &'a Definitions,
    errors: Vec<Error>,
    warnings: Vec<String>,
    header: Header,
}

impl Reader<'_> {
    fn read(&mut self) -> Result<(), Error> {
        let scan = self.compiler.scan(self.code)?;
        self.header.files.extend(scan.included.iter().map(|path| absolute(path)));
        self.report(&scan);
        self.warn_about_names(&scan, &known_macros());
        // What the compiler did not read to its end has no values to hold against anything.
        if scan.diagnostics.iter().any(|found| found.is_fatal) {
            return Ok(());
        }
        let known = known_macros();
        let of_ours = |name: &str| known.contains(name) || name.starts_with("PAL_");
        let defined: BTreeSet<&str> =
            scan.defines.iter().map(|define| define.name.as_str()).filter(|name| of_ours(name)).collect();
        for name in defined {
            self.read_macro(name, &scan)?;
        }
        Ok(())
    }

    /// What the compiler says about the header.
    fn report(&mut self, scan: &Scan) {
        for found in scan.diagnostics.iter().filter(|found| found.is_preprocessing) {
            if found.is_error {
                let message = format!(
                    "The header does not preprocess: {}. Correct it, or hand over what it needs: include paths \
                     (MBED_CLOUD_CLIENT_INCLUDE_PATHS) and definitions (MBED_CLOUD_CLIENT_DEFINES).",
                    found.text
                );
                self.errors.push(Error::new(ErrorKind::Header, message));
            }
        }
    }

    fn read_macro(&mut self, name: &str, scan: &Scan) -> Result<(), Error> {
        let definitions: Vec<&Definition> = self.definitions.of(name).collect();
        let in_file =
            scan.defines.iter().rev().filter(|define| define.name == name).find_map(|define| define.place.clone());
        if let Some(long) = scan.defines.iter().find(|define| define.name == name && define.is_too_long) {
            let place = long.place.as_ref().map(|(file, line)| format!("{}:{line}: ", file.display()));
            let message = format!("{}{name} is longer than any value. Correct it.", place.unwrap_or_default());
            self.errors.push(Error::new(ErrorKind::Value, message));
            return Ok(());
        }
        let found = self.compiler.read_macro(self.code, name, pal::helpers())?;

        for other in definitions.iter().skip(1) {
            self.compare_definitions(definitions[0], other)?;
        }
        match (definitions.last(), in_file.clone(), &found) {
            (Some(definition), Some(place), _) => self.compare_with_file(definition, place, found.as_ref())?,
            (Some(definition), None, None) => self.undefined(definition),
            _ => {}
        }
        let Some(found) = found else { return Ok(()) };
        let (text, source) = match (found.place.or(in_file), definitions.last()) {
            (Some((file, line)), _) => (found.text, Source::Header { file, line }),
            (None, Some(definition)) => (Some(definition.value.clone()), definition.source.clone()),
            (None, None) => return Ok(()),
        };
        let value = match text.as_deref().map(str::trim) {
            Some("") => Value::Empty,
            _ => found.value,
        };
        let text = text.unwrap_or_else(|| describe(&value));
        // A setting written twice in headers is legal C with a warning; the last one holds.
        if let Source::Header { .. } = source {
            let redefined = format!("'{name}' macro redefined");
            let redefinitions = scan.diagnostics.iter().filter(|found| found.message == redefined);
            if definitions.is_empty() {
                self.warnings.extend(redefinitions.map(|found| format!("{}; the last definition holds.", found.text)));
            }
        }
        self.header.macros.insert(name.to_string(), Found { text, value, source });
        Ok(())
    }

    /// Two definitions of one name: the compiler would take the last without an error.
    fn compare_definitions(&mut self, one: &Definition, other: &Definition) -> Result<(), Error> {
        if one.value == other.value {
            return Ok(());
        }
        let message = format!(
            "{} is defined twice: {:#} and {:#}. The compiler takes only the last one: delete the other.",
            one.name, one.source, other.source
        );
        self.errors.push(Error::new(ErrorKind::DefinedTwice, message));
        Ok(())
    }

    /// A definition and a `#define` of one name: the compiler takes the `#define`, and the definition is lost.
    fn compare_with_file(
        &mut self,
        definition: &Definition,
        place: (PathBuf, u32),
        found: Option<&compiler::Macro>,
    ) -> Result<(), Error> {
        let name = &definition.name;
        // Generated names and PAL_ values may be handed over both ways, as long as they say the same.
        let may_agree = name.starts_with("MBED_CONF_") || name.starts_with("PAL_");
        if let (true, Some(found)) = (may_agree, found) {
            let value = self.compiler.evaluate(self.code, &definition.value, pal::helpers())?;
            let same = matches!(value, Value::Integer(_)) && value == found.value;
            if same || found.text.as_deref() == Some(definition.value.trim()) {
                return Ok(());
            }
        }
        let (file, line) = found.and_then(|found| found.place.clone()).unwrap_or(place);
        let text = found.and_then(|found| found.text.clone()).unwrap_or("another value".to_string());
        let message = format!(
            "{name} is defined twice: to {} by the {:#}, and to {text} by {}:{line}. \
             The compiler would use the #define and lose the definition: \
             delete the definition, or delete the #define at {}:{line} \
             (or put it between #ifndef {name} and #endif).",
            definition.value,
            definition.source,
            file.display(),
            file.display()
        );
        self.errors.push(Error::new(ErrorKind::DefinedTwice, message));
        Ok(())
    }

    fn undefined(&mut self, definition: &Definition) {
        let message = format!(
            "The {:#} is lost: the header undefines {} (#undef). Delete the #undef, or the definition.",
            definition.source, definition.name
        );
        self.errors.push(Error::new(ErrorKind::LostDefinition, message));
    }

    /// Warns about macros that look like ours and are not read.
    fn warn_about_names(&mut self, scan: &Scan, known: &BTreeSet<String>) {
        let pal_names: Vec<String> = pal::known_names();
        let meant_names: Vec<&String> = known.iter().chain(&pal_names).collect();
        for define in &scan.defines {
            let written = &define.name;
            if meant_names.contains(&written) {
                continue;
            }
            let Some(meant) = meant_names.iter().find(|meant| names::is_misspelt(written, meant)) else { continue };
            let place = match (&define.place, self.definitions.of(written).last()) {
                (Some((file, line)), _) => format!("{}:{line}: {written}", file.display()),
                (None, Some(definition)) => format!("{:#}: {written}", definition.source),
                (None, None) => continue,
            };
            self.warnings.push(format!("{place} is not read: did you mean {meant}?"));
        }
    }
}

/// The value where the text cannot be told.
fn describe(value: &Value) -> String {
    match value {
        Value::Integer(value) => value.to_string(),
        Value::Empty => String::new(),
        Value::NotInteger(_) => "no integer".to_string(),
    }
}

/// The names of our settings and their generated forms.
fn known_macros() -> BTreeSet<String> {
    names::macros().into_iter().chain(names::keys().iter().map(|key| names::generated_macro(key))).collect()
}
