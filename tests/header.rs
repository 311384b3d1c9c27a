//! The committed C header is what cbindgen makes of `src/ffi`, and the lists of symbols agree with it.
//!
//! `script/header` writes the header anew: it runs this test with `WRITE_HEADER=1`.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

const HEADER: &str = "include/mbed_cloud_connectivity.h";
const SYMBOLS: &str = "abi/symbols.txt";
const WEAK_SYMBOLS: &str = "abi/weak-symbols.txt";

fn read(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(name);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn generated() -> String {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let config = cbindgen::Config::from_file(root.join("cbindgen.toml")).expect("cbindgen.toml is valid");
    // Of src/ffi alone: the constants of the other modules are no business of C programs.
    let builder = cbindgen::Builder::new().with_config(config).with_src(root.join("src/ffi/mod.rs"));
    let bindings = builder.generate().expect("cbindgen reads src/ffi");
    let mut text = Vec::new();
    bindings.write(&mut text);
    String::from_utf8(text).expect("a header is text")
}

/// The names that are declared in the header as functions.
fn functions(header: &str) -> BTreeSet<String> {
    let code: String =
        header.lines().map(|line| line.split("//").next().unwrap_or_default()).collect::<Vec<_>>().join("\n");
    code.match_indices("mcc_")
        .filter(|(start, _)| !code[..*start].ends_with(|before: char| before.is_ascii_alphanumeric() || before == '_'))
        .filter_map(|(start, _)| {
            let rest = &code[start..];
            let end = rest.find(|letter: char| !letter.is_ascii_alphanumeric() && letter != '_')?;
            rest[end..].starts_with('(').then(|| rest[..end].to_owned())
        })
        .collect()
}

#[test]
fn the_committed_header_is_what_the_source_says() {
    let generated = generated();
    if std::env::var_os("WRITE_HEADER").is_some() {
        fs::write(Path::new(env!("CARGO_MANIFEST_DIR")).join(HEADER), &generated).expect("the header can be written");
    }
    let committed = read(HEADER);
    let differs = committed.lines().zip(generated.lines()).position(|(committed, generated)| committed != generated);
    assert!(
        committed == generated,
        "{HEADER} is not what cbindgen makes of src/ffi, from line {} on. Run script/header and commit the result.",
        differs.unwrap_or_else(|| committed.lines().count().min(generated.lines().count())) + 1
    );
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
fn the_list_of_symbols_is_the_header() {
    let declared = functions(&read(HEADER));
    assert_eq!(
        names(SYMBOLS),
        declared,
        "{SYMBOLS} (left) and {HEADER} (right) name different functions: correct {SYMBOLS}"
    );
}

#[test]
fn what_an_application_defines_is_not_what_the_library_defines() {
    assert_eq!(names(WEAK_SYMBOLS).intersection(&names(SYMBOLS)).next(), None);
}
