//! `include/pal.h` is what `abi/pal.json` says, as C and C++ compilers see it.
//!
//! `CC` and `CXX` may name the compilers for another target (script/cross): nothing is run, and the facts are those for its pointers.
//! What the compiled library has is checked in src/ffi/pal/tests.rs.

#[path = "common/pal_facts.rs"]
mod pal_facts;

use pal_facts::{Facts, Prototype, with_other_numbers, with_other_types};
use serde_json::Value;
use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::atomic::{AtomicU32, Ordering};

const DNS_API_VERSIONS: [u32; 3] = [0, 1, 3];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Language {
    C,
    Cpp,
}

const LANGUAGES: [Language; 2] = [Language::C, Language::Cpp];

impl Language {
    fn compiler(self) -> Command {
        let (variable, usual, language, standard) = match self {
            Self::C => ("CC", "cc", "-xc", "-std=c11"),
            Self::Cpp => ("CXX", "c++", "-xc++", "-std=c++17"),
        };
        let mut command = Command::new(std::env::var_os(variable).unwrap_or_else(|| usual.into()));
        command.env("LC_ALL", "C").args([language, standard, "-I"]).arg(root().join("include"));
        command
    }

    /// A line that does not compile unless the condition holds.
    fn assertion(self, condition: &str) -> String {
        let keyword = if self == Self::C { "_Static_assert" } else { "static_assert" };
        format!("{keyword}({condition}, \"\");")
    }

    /// A line that does not compile unless the value, a pointer, is of this type.
    fn same_type(self, value: &str, kind: &str) -> String {
        self.assertion(&match self {
            Self::C => format!("_Generic(({value}), {kind}: 1, default: 0)"),
            Self::Cpp => format!("std::is_same<decltype({value}), {kind}>::value"),
        })
    }
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Declares `what` to be of a type.
fn declaration(kind: &str, what: &str) -> String {
    let kind = kind.replace("_Bool", "bool");
    if kind.contains("(*)") {
        return kind.replacen("(*)", &format!("(*{what})"), 1);
    }
    match kind.split_once('[') {
        Some((element, size)) => format!("{element} ({what})[{size}"),
        None => format!("{kind} {what}"),
    }
}

fn pointer_to(kind: &str) -> String {
    declaration(kind, "*")
}

fn function(prototype: &Prototype, what: &str) -> String {
    let Prototype { result, .. } = prototype;
    format!("{result} {what}({})", prototype.parameters()).replace("_Bool", "bool")
}

/// What the system calls a place within an address.
fn system_field(family: &str, place: &str) -> String {
    let (structure, prefix) =
        if family == "PAL_AF_INET" { ("struct sockaddr_in", "sin") } else { ("struct sockaddr_in6", "sin6") };
    let field = match place {
        "address" => "addr",
        "scope id" => "scope_id",
        other => other,
    };
    format!("{structure}, {prefix}_{field}")
}

/// Lines that compile if, and only if, the header is what the facts say; one line a fact.
///
/// Of the configuration only the names given.
fn assertions(facts: &Facts, configuration: &[&str], language: Language) -> Vec<String> {
    let mut lines = Vec::new();
    let mut equal = |found: &str, said: &str| {
        lines.push(language.assertion(&format!("(long long)({found}) == (long long)({said})")));
    };
    for (name, fact) in &facts.enums {
        equal(&format!("sizeof({name})"), &fact.size.to_string());
        for (value, number) in &fact.values {
            equal(value, &number.to_string());
        }
    }
    for (name, structure) in &facts.structs {
        equal(&format!("sizeof({name})"), &structure.size.to_string());
        for field in &structure.fields {
            equal(&format!("offsetof({name}, {})", field.name), &field.offset.to_string());
        }
    }
    for (name, typedef) in &facts.typedefs {
        if let Some(size) = typedef.size {
            equal(&format!("sizeof({name})"), &size.to_string());
        }
    }
    for (name, (_, size)) in &facts.aliases {
        equal(&format!("sizeof(*({name} *)0)"), &size.to_string());
    }
    for (family, places) in &facts.layouts {
        for (place, offset) in places {
            equal(&format!("offsetof({})", system_field(family, place)), &offset.to_string());
        }
    }
    for name in configuration {
        equal(name, &facts.configuration[*name]);
    }
    // The same type, so the same size.
    for (name, structure) in &facts.structs {
        for field in &structure.fields {
            lines.push(language.same_type(&format!("&(({name} *)0)->{}", field.name), &pointer_to(&field.kind)));
        }
    }
    for (name, typedef) in &facts.typedefs {
        lines.push(language.same_type(&format!("({name} *)0"), &pointer_to(&typedef.kind)));
    }
    for (name, (other, _)) in &facts.aliases {
        lines.push(language.same_type(&format!("&*({name} *)0"), &pointer_to(other)));
    }
    for (name, prototype) in &facts.functions {
        lines.push(language.same_type(&format!("&{name}"), &function(prototype, "(*)")));
    }
    lines
}

/// Declares everything once more, which a compiler takes only if it is the same, and calls for the functions.
fn declarations(facts: &Facts) -> String {
    let mut text = String::from("#ifdef __cplusplus\nextern \"C\" {\n#endif\n");
    for (name, typedef) in &facts.typedefs {
        writeln!(text, "typedef {};", declaration(&typedef.kind, name)).expect("a text takes text");
    }
    for (name, prototype) in &facts.functions {
        writeln!(text, "{};", function(prototype, name)).expect("a text takes text");
        let pointer = function(prototype, &format!("(*pointer_to_{name})"));
        writeln!(text, "extern {pointer};\n{pointer} = &{name};").expect("a text takes text");
    }
    text + "#ifdef __cplusplus\n}\n#endif\n"
}

/// What every file begins with: the header comes first, and has to be this one.
const BEGINNING: &str = "#include <pal.h>
#ifndef MBED_CLOUD_CONNECTIVITY_PAL_H
#error \"another pal.h is in the search path\"
#endif
#include <netinet/in.h>
#ifdef __cplusplus
#include <type_traits>
#endif
";

/// A file that goes when the test is over, however it ends.
struct Source(PathBuf);

impl Source {
    fn new(text: &str) -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let name = format!("pal-abi-{}-{number}", std::process::id());
        let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
        fs::write(&path, text).expect("the file can be written");
        Self(path)
    }
}

impl Drop for Source {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

fn compile(text: &str, language: Language, dns_api_version: u32) -> Output {
    let source = Source::new(text);
    let version = language.compiler().arg("--version").output().expect("a compiler").stdout;
    let is_clang = String::from_utf8_lossy(&version).contains("clang");
    let mut compiler = language.compiler();
    compiler.args(["-fsyntax-only", "-Wall", "-Wextra", "-Wpedantic", "-Werror"]);
    compiler.arg(if is_clang { "-ferror-limit=0" } else { "-fmax-errors=0" });
    compiler.arg(format!("-DPAL_DNS_API_VERSION={dns_api_version}")).arg(&source.0).output().expect("a compiler")
}

/// What the preprocessor makes of the header, or the macros that it has after it.
fn preprocessed(dns_api_version: u32, options: &[&str]) -> String {
    // Through a file that includes it, as programs do: it looks for another one behind itself.
    let source = Source::new("#include <pal.h>\n");
    let mut compiler = Language::C.compiler();
    compiler.args(["-E", "-P"]).args(options).arg(format!("-DPAL_DNS_API_VERSION={dns_api_version}"));
    let output = compiler.arg(&source.0).output().expect("a compiler");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("a header is text")
}

/// The size of the compilers' pointers.
fn pointer_size() -> i64 {
    let size_of = |language: Language| {
        let output = language.compiler().args(["-E", "-dM", "/dev/null"]).output().expect("a compiler");
        let macros = String::from_utf8_lossy(&output.stdout).into_owned();
        let size = macros.lines().find_map(|line| line.strip_prefix("#define __SIZEOF_POINTER__ "));
        pal_facts::integer(size.expect("the size of pointers"))
    };
    let size = size_of(Language::C);
    assert_eq!(size_of(Language::Cpp), size, "CC and CXX are compilers for one target");
    size
}

/// The facts for the compilers' target.
fn json() -> Value {
    pal_facts::json(pointer_size())
}

fn words(text: &str) -> BTreeSet<&str> {
    text.split(|letter: char| !letter.is_ascii_alphanumeric() && letter != '_')
        .filter(|word| !word.is_empty())
        .collect()
}

/// The names of the configuration that the header defines.
fn configuration(facts: &Facts, dns_api_version: u32) -> BTreeSet<String> {
    let macros = preprocessed(dns_api_version, &["-dM"]);
    let defined = macros.lines().filter_map(|line| line.strip_prefix("#define ")?.split([' ', '(']).next());
    defined.filter(|name| facts.configuration.contains_key(*name)).map(str::to_owned).collect()
}

#[test]
fn the_header_is_what_the_facts_say() {
    let json = json();
    for version in DNS_API_VERSIONS {
        let facts = Facts::read(&json, version);
        let configuration = configuration(&facts, version);
        let configuration: Vec<&str> = configuration.iter().map(String::as_str).collect();
        for needed in ["PAL_NET_DEFAULT_INTERFACE", "PAL_NET_MAX_IF_NAME_LENGTH"] {
            assert!(configuration.contains(&needed), "the header does not define {needed}");
        }
        for language in LANGUAGES {
            let assertions = assertions(&facts, &configuration, language).join("\n");
            let text = format!("{BEGINNING}{assertions}\n{}", declarations(&facts));
            let output = compile(&text, language, version);
            assert!(output.status.success(), "{version}, {language:?}: {}", String::from_utf8_lossy(&output.stderr));
            assert_eq!(String::from_utf8_lossy(&output.stderr), "", "{version}, {language:?}");
        }
    }
}

/// The header, and all assertions that changed facts make differently: each of them has to fail, and nothing else.
fn check_that_all_fail(others: impl Fn(u32, &[&str]) -> Vec<(String, Value)>) {
    let json = json();
    for version in DNS_API_VERSIONS {
        let facts = Facts::read(&json, version);
        let configuration = configuration(&facts, version);
        let configuration: Vec<&str> = configuration.iter().map(String::as_str).collect();
        let others: Vec<_> = others(version, &configuration)
            .into_iter()
            .map(|(what, json)| (what, Facts::read(&json, version)))
            .collect();
        assert!(!others.is_empty());
        for language in LANGUAGES {
            let right = assertions(&facts, &configuration, language);
            let mut wrong = Vec::new();
            for (what, facts) in &others {
                let changed = assertions(facts, &configuration, language);
                assert_eq!(changed.len(), right.len(), "{what}");
                let before = wrong.len();
                wrong.extend(changed.into_iter().zip(&right).filter(|(new, old)| new != *old).map(|(new, _)| new));
                assert_eq!(wrong.len(), before + 1, "one assertion is about {what}");
            }
            let output = compile(&format!("{BEGINNING}{}\n", wrong.join("\n")), language, version);
            let errors = String::from_utf8_lossy(&output.stderr).into_owned();
            let errors: Vec<&str> = errors.lines().filter(|line| line.contains("error: ")).collect();
            let first = BEGINNING.lines().count() + 1;
            let failed: BTreeSet<usize> = errors
                .iter()
                .map(|error| {
                    assert!(error.contains("assert"), "{error}");
                    let line = error.split(':').nth(1).and_then(|line| line.parse().ok());
                    line.unwrap_or_else(|| panic!("an error has a line: {error}"))
                })
                .collect();
            let held: Vec<&String> = wrong
                .iter()
                .enumerate()
                .filter(|(index, _)| !failed.contains(&(first + index)))
                .map(|(_, line)| line)
                .collect();
            assert!(held.is_empty(), "{version}, {language:?}: these hold: {held:#?}");
            assert_eq!(errors.len(), wrong.len(), "{version}, {language:?}");
            println!("{version}, {language:?}: {} changes, {} assertions fail", others.len(), wrong.len());
        }
    }
}

/// The changes of the other tests leave no assertion alone.
#[test]
fn every_assertion_is_tried() {
    let json = json();
    for version in DNS_API_VERSIONS {
        let facts = Facts::read(&json, version);
        let configuration = configuration(&facts, version);
        let configuration: Vec<&str> = configuration.iter().map(String::as_str).collect();
        let assertions_of = |facts: &Facts| assertions(facts, &configuration, Language::C);
        let mut alone: BTreeSet<String> = assertions_of(&facts).into_iter().collect();
        let others = with_other_numbers(&json, &configuration).into_iter().chain(with_other_types(
            &json,
            version,
            pointer_size(),
        ));
        for (_, other) in others {
            let changed: BTreeSet<String> = assertions_of(&Facts::read(&other, version)).into_iter().collect();
            alone.retain(|assertion| changed.contains(assertion));
        }
        assert!(alone.is_empty(), "{alone:#?}");
    }
}

#[test]
fn every_number_of_the_facts_counts() {
    check_that_all_fail(|_, configuration| with_other_numbers(&json(), configuration));
}

#[test]
fn every_type_of_the_facts_counts() {
    check_that_all_fail(|version, _| with_other_types(&json(), version, pointer_size()));
}

#[test]
fn the_lists_of_symbols_are_the_facts() {
    let read = |name: &str| fs::read_to_string(root().join("abi").join(name)).expect("the list can be read");
    for version in DNS_API_VERSIONS {
        let lists = read("symbols-pal.txt") + &read(&format!("symbols-pal-dns-{version}.txt"));
        let listed: BTreeSet<&str> = lists.lines().filter(|name| name.starts_with("pal_")).collect();
        let facts = Facts::read(&json(), version);
        let said: BTreeSet<&str> = facts.functions.keys().map(String::as_str).collect();
        assert_eq!(listed, said, "abi/symbols-pal*.txt (left) and abi/pal.json (right), version {version}");
    }
}

#[test]
fn the_header_has_nothing_of_its_own() {
    let json = json();
    for version in DNS_API_VERSIONS {
        let code = preprocessed(version, &[]);
        let words = words(&code);
        let Facts { functions, structs, typedefs, enums, .. } = Facts::read(&json, version);
        let mut known: BTreeSet<&String> = functions.keys().chain(structs.keys()).chain(typedefs.keys()).collect();
        known.extend(enums.keys().chain(enums.values().flat_map(|fact| fact.values.keys())));
        let is_name = |word: &str| {
            word.starts_with("PAL_") || word.starts_with("pal_") || word.starts_with("pal") && word.ends_with("_t")
        };
        let unknown: Vec<&str> =
            words.into_iter().filter(|word| is_name(word) && !known.contains(&(*word).to_owned())).collect();
        assert!(unknown.is_empty(), "the header declares what abi/pal.json does not have: {unknown:?}");
    }
}
