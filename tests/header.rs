//! The committed C headers are what cbindgen makes of `src/ffi`, and the lists of symbols agree with them.
//!
//! `script/header` writes the headers anew: it runs this test with `WRITE_HEADER=1`.

use std::collections::BTreeSet;
use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

/// A header, and what it is made from and by.
struct Header {
    file: &'static str,
    source: &'static str,
    config: &'static str,
}

const MAIN: Header =
    Header { file: "include/mbed_cloud_connectivity.h", source: "src/ffi/mod.rs", config: "cbindgen.toml" };
const PAL: Header = Header { file: "include/pal.h", source: "src/ffi/pal/mod.rs", config: "cbindgen-pal.toml" };

const SYMBOLS: &str = "abi/symbols.txt";
/// What a library with the network check defines beside those.
const NETCHECK_SYMBOLS: &str = "abi/symbols-netcheck.txt";
/// What a library with the PAL functions defines beside those: in every version of its lookups, and in each.
const PAL_SYMBOLS: &str = "abi/symbols-pal.txt";
const LOOKUP_SYMBOLS: [(&str, &str); 3] =
    [("0", "abi/symbols-pal-dns-0.txt"), ("1", "abi/symbols-pal-dns-1.txt"), ("3", "abi/symbols-pal-dns-3.txt")];
const WEAK_SYMBOLS: &str = "abi/weak-symbols.txt";
/// What a library with the PAL functions refers to beside those: functions of the client around it.
const WEAK_PAL_SYMBOLS: &str = "abi/weak-symbols-pal.txt";

fn read(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(name);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn generated(header: &Header) -> String {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let config = cbindgen::Config::from_file(root.join(header.config)).expect("the configuration is valid");
    // Of src/ffi alone: the constants of the other modules are no business of C programs.
    let builder = cbindgen::Builder::new().with_config(config).with_src(root.join(header.source));
    let bindings = builder.generate().expect("cbindgen reads src/ffi");
    let mut text = Vec::new();
    bindings.write(&mut text);
    String::from_utf8(text).expect("a header is text")
}

/// The functions that the preprocessor leaves in a header, with these macros defined.
fn functions(header: &Header, macros: &[&str], prefix: &str) -> BTreeSet<String> {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join(header.file);
    let mut compiler = Command::new(std::env::var_os("CC").unwrap_or_else(|| "cc".into()));
    let output = compiler.args(["-E", "-P"]).args(macros).arg(file).output().expect("a C compiler");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let code = String::from_utf8(output.stdout).expect("a header is text");
    code.match_indices(prefix)
        .filter(|(start, _)| !code[..*start].ends_with(|before: char| before.is_ascii_alphanumeric() || before == '_'))
        .filter_map(|(start, _)| {
            let rest = &code[start..];
            let end = rest.find(|letter: char| !letter.is_ascii_alphanumeric() && letter != '_')?;
            rest[end..].starts_with('(').then(|| rest[..end].to_owned())
        })
        .collect()
}

fn check(header: &Header) {
    let generated = generated(header);
    let file = header.file;
    if std::env::var_os("WRITE_HEADER").is_some() {
        fs::write(Path::new(env!("CARGO_MANIFEST_DIR")).join(file), &generated).expect("the header can be written");
    }
    let committed = read(file);
    let differs = committed.lines().zip(generated.lines()).position(|(committed, generated)| committed != generated);
    assert!(
        committed == generated,
        "{file} is not what cbindgen makes of {}, from line {} on. Run script/header and commit the result.",
        header.source,
        differs.unwrap_or_else(|| committed.lines().count().min(generated.lines().count())) + 1
    );
}

#[test]
fn the_committed_headers_are_what_the_source_says() {
    check(&MAIN);
    check(&PAL);
}

/// Each function of a header with its comment and its declaration.
fn commented_functions(text: &str) -> Vec<(String, &str, String)> {
    let mut functions = Vec::new();
    let mut comment = String::new();
    for line in text.lines().skip_while(|line| !line.starts_with("extern \"C\" {")) {
        if let Some(part) = line.strip_prefix("//") {
            comment.push_str(part);
        } else if line.starts_with(|letter: char| letter.is_ascii_alphabetic()) && line.contains('(') {
            let before = &line[..line.find('(').unwrap_or(0)];
            let name = before.rsplit([' ', '*']).next().unwrap_or_default();
            functions.push((name.to_owned(), before, std::mem::take(&mut comment)));
        } else {
            comment.clear();
        }
    }
    functions
}

#[test]
fn each_function_says_from_which_threads_it_is_called_and_how_it_fails() {
    for header in [&MAIN, &PAL] {
        let text = read(header.file);
        let functions = commented_functions(&text);
        assert!(functions.len() > 30, "{}: only {} functions were found", header.file, functions.len());
        for (name, before, comment) in functions {
            assert!(comment.contains("thread"), "{name}: its comment does not say from which threads it may be called");
            let fails = before.starts_with("mcc_status_t ") || before.starts_with("palStatus_t ");
            assert!(
                !fails || comment.contains("Errors") || comment.contains("Always `PAL_"),
                "{name}: its comment does not say which errors it gives"
            );
        }
    }
}

/// The lines of a list that must be sorted and hold each name once.
fn names(file: &str) -> BTreeSet<String> {
    let list = read(file);
    let lines: Vec<&str> = list.lines().collect();
    let sorted: BTreeSet<&str> = lines.iter().copied().collect();
    assert_eq!(lines, sorted.iter().copied().collect::<Vec<_>>(), "{file} is not sorted, or names a symbol twice");
    assert!(!sorted.is_empty(), "{file} is empty");
    sorted.into_iter().map(str::to_owned).collect()
}

#[test]
fn the_lists_of_symbols_are_the_headers() {
    let in_main = functions(&MAIN, &[], "mcc_");
    let (of_pal, always): (BTreeSet<_>, BTreeSet<_>) =
        in_main.into_iter().partition(|name| name.starts_with("mcc_pal_"));
    let (of_netcheck, always): (BTreeSet<_>, BTreeSet<_>) =
        always.into_iter().partition(|name| name.starts_with("mcc_netcheck_"));
    for (list, declared) in [(SYMBOLS, always), (NETCHECK_SYMBOLS, of_netcheck)] {
        assert_eq!(
            names(list),
            declared,
            "{list} (left) and {} (right) name different functions: correct {list}",
            MAIN.file
        );
    }
    for (version, list) in LOOKUP_SYMBOLS {
        let listed: BTreeSet<String> = names(PAL_SYMBOLS).union(&names(list)).cloned().collect();
        let mut declared = functions(&PAL, &[&format!("-DPAL_DNS_API_VERSION={version}")], "pal_");
        declared.extend(of_pal.iter().cloned());
        assert_eq!(
            listed, declared,
            "{PAL_SYMBOLS} and {list} (left) and the headers (right) name different functions: correct the lists"
        );
    }
}

#[test]
fn what_an_application_defines_is_not_what_the_library_defines() {
    for weak in [WEAK_SYMBOLS, WEAK_PAL_SYMBOLS] {
        for list in [SYMBOLS, NETCHECK_SYMBOLS, PAL_SYMBOLS] {
            assert_eq!(names(weak).intersection(&names(list)).next(), None);
        }
    }
    assert_eq!(names(WEAK_SYMBOLS).intersection(&names(WEAK_PAL_SYMBOLS)).next(), None);
}

#[test]
fn the_functions_of_the_client_are_those_of_the_abi() {
    let facts: serde_json::Value = serde_json::from_str(&read("abi/pal.json")).expect("abi/pal.json is JSON");
    let groups = facts["host_functions"].as_object().expect("groups of functions");
    let mut functions = BTreeSet::new();
    // Declared once more: the compiler refuses another type.
    let mut code = format!("#include \"{}/src/ffi/host.c\"\n", env!("CARGO_MANIFEST_DIR"));
    code.push_str("typedef int32_t palStatus_t;\n");
    for (name, fact) in groups.values().filter_map(serde_json::Value::as_object).flatten() {
        if let Some(number) = fact.as_i64().filter(|_| name.starts_with("KCM_") && name != "KCM_STATUS_ITEM_NOT_FOUND")
        {
            code.push_str(&format!("_Static_assert({name} == {number}, \"{name}\");\n"));
        }
        let Some((result, rest)) = fact.as_str().and_then(|fact| fact.split_once(" (")) else { continue };
        if name != "trusted_time_server_item" {
            // What a prototype is of may be told behind it.
            let parameters = rest.split_once("): ").map_or(rest.to_owned(), |(parameters, _)| format!("{parameters})"));
            code.push_str(&format!("{result} {name}({parameters};\n"));
            functions.insert(name.clone());
        }
    }
    assert_eq!(names(WEAK_PAL_SYMBOLS), functions);

    let mut compiler = Command::new(std::env::var_os("CC").unwrap_or_else(|| "cc".into()));
    compiler.args(["-xc", "-std=c11", "-Wall", "-Wextra", "-Werror", "-fsyntax-only", "-"]);
    let mut compiling = compiler.stdin(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("a C compiler");
    compiling.stdin.take().expect("a pipe").write_all(code.as_bytes()).expect("the compiler reads");
    let output = compiling.wait_with_output().expect("the compiler ends");
    assert!(output.status.success(), "{code}{}", String::from_utf8_lossy(&output.stderr));
}
