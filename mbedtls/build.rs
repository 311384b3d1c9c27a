//! Finds the C sources of Mbed TLS 3.6, compiles them with the project's one configuration header, and
//! makes the bindings from the same header.
//!
//! Environment:
//! - `MBEDTLS_SOURCE_DIR`: a folder with another Mbed TLS 3.6.x, in place of the one the lock file pins.
//! - `MBEDTLS_CONNECTION_ID_EXTENSION`: `254` (the draft's number, the default) or `54` (RFC 9146's).

use std::env;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The package that carries the sources in its `mbedtls/` folder.
const SOURCE_PACKAGE: &str = "mbedtls-rs-sys";
const SOURCE_VARIABLE: &str = "MBEDTLS_SOURCE_DIR";
const CONNECTION_ID_VARIABLE: &str = "MBEDTLS_CONNECTION_ID_EXTENSION";
const CONFIG_HEADER: &str = "mbed_cloud_connectivity_mbedtls_config.h";

fn main() {
    if let Err(message) = build() {
        // Cargo shows stderr of a failed build script whole; a panic would bury the next step.
        eprintln!("\nmbed-cloud-connectivity-mbedtls: {message}\n");
        std::process::exit(1);
    }
}

fn build() -> Result<(), String> {
    let here = PathBuf::from(variable("CARGO_MANIFEST_DIR")?);
    let out = PathBuf::from(variable("OUT_DIR")?);
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-changed=Cargo.toml");
    println!("cargo::rerun-if-changed=config");
    println!("cargo::rerun-if-changed=csource");
    println!("cargo::rerun-if-env-changed={SOURCE_VARIABLE}");
    println!("cargo::rerun-if-env-changed={CONNECTION_ID_VARIABLE}");

    let compat = connection_id_compat()?;
    let (source, origin) = source_folder(&here)?;
    let version = source_version(&source)?;
    println!(
        "cargo::warning=Mbed TLS {version} from {origin}, Connection ID extension {}",
        if compat == "1" { "254" } else { "54" }
    );
    // What is compiled: files of a registry package never change, those of a folder may.
    if env::var_os(SOURCE_VARIABLE).is_some() {
        println!("cargo::rerun-if-changed={}", source.join("library").display());
        println!("cargo::rerun-if-changed={}", source.join("include").display());
    }
    println!("cargo::metadata=version={version}");

    let compiler = compile(&here, &source, compat)?;
    bind(&here, &source, &out, compat, &compiler)
}

fn variable(name: &str) -> Result<String, String> {
    env::var(name).map_err(|error| format!("{name}: {error}. Run this build script through cargo."))
}

fn connection_id_compat() -> Result<&'static str, String> {
    match env::var(CONNECTION_ID_VARIABLE).as_deref() {
        Err(_) | Ok("" | "254") => Ok("1"),
        Ok("54") => Ok("0"),
        Ok(other) => Err(format!(
            "{CONNECTION_ID_VARIABLE} is {other:?}; it is 254 (the draft's number, spoken by the service) or 54 \
             (RFC 9146)."
        )),
    }
}

/// The folder with `include/` and `library/`, and where it came from in words.
fn source_folder(here: &Path) -> Result<(PathBuf, String), String> {
    if let Some(folder) = env::var_os(SOURCE_VARIABLE).filter(|folder| !folder.is_empty()) {
        let folder = PathBuf::from(folder);
        if !folder.is_absolute() {
            return Err(format!("{SOURCE_VARIABLE} is the relative path {}; give an absolute one.", folder.display()));
        }
        return Ok((folder, SOURCE_VARIABLE.to_owned()));
    }
    let manifest = locate_package(here)?;
    let folder = manifest.parent().map(|parent| parent.join("mbedtls")).unwrap_or_default();
    Ok((folder, format!("the package {SOURCE_PACKAGE}")))
}

/// Asks cargo where the pinned package lies. First without the network, so that a fetched or vendored
/// tree never needs it; then, unless cargo is told to stay offline, with it. Always with the lock file
/// as it is: cargo brought it up to date before it started this script.
fn locate_package(here: &Path) -> Result<PathBuf, String> {
    let offline = metadata(here, true);
    let answer = match offline {
        Ok(answer) => answer,
        Err(offline) => {
            let forbidden = env::var("CARGO_NET_OFFLINE").is_ok_and(|value| value == "true" || value == "1");
            if forbidden {
                return Err(not_found(&offline));
            }
            metadata(here, false).map_err(|online| not_found(&online))?
        }
    };
    let answer: serde_json::Value =
        serde_json::from_slice(&answer).map_err(|error| not_found(&format!("its answer is not JSON: {error}")))?;
    answer["packages"]
        .as_array()
        .into_iter()
        .flatten()
        .find(|package| package["name"] == SOURCE_PACKAGE)
        .and_then(|package| package["manifest_path"].as_str())
        .map(PathBuf::from)
        .ok_or_else(|| not_found("the package is not among the dependencies it lists"))
}

fn metadata(here: &Path, offline: bool) -> Result<Vec<u8>, String> {
    let mut command = Command::new(env::var_os("CARGO").unwrap_or_else(|| OsString::from("cargo")));
    command.args(["metadata", "--format-version", "1", "--locked", "--quiet"]);
    if offline {
        command.arg("--offline");
    }
    // From our own folder, so that a vendored tree's .cargo/config.toml is found.
    command.current_dir(here).arg("--manifest-path").arg(here.join("Cargo.toml"));
    // A wrapper for compilers has no part in this, and may itself wait for the build.
    command.env_remove("RUSTC_WRAPPER").env_remove("RUSTC_WORKSPACE_WRAPPER");
    let output = command.output().map_err(|error| format!("cargo could not be started: {error}"))?;
    if output.status.success() {
        Ok(output.stdout)
    } else {
        Err(String::from_utf8_lossy(&output.stderr).trim().to_owned())
    }
}

fn not_found(reason: &str) -> String {
    format!(
        "the sources of Mbed TLS (package {SOURCE_PACKAGE}) were not found through `cargo metadata`:\n\n{reason}\n\n\
         Run `cargo fetch --locked` once with the network (or vendor with `cargo vendor`), or set {SOURCE_VARIABLE} \
         to the folder of an unpacked release of Mbed TLS 3.6."
    )
}

/// Reads the version and refuses everything but 3.6.
fn source_version(source: &Path) -> Result<String, String> {
    let header = source.join("include/mbedtls/build_info.h");
    let text = fs::read_to_string(&header).map_err(|error| {
        format!(
            "{} cannot be read: {error}. {SOURCE_VARIABLE} names the folder that holds include/ and library/ of an \
             unpacked release of Mbed TLS 3.6.",
            header.display()
        )
    })?;
    let version = text
        .lines()
        .filter_map(|line| line.trim().strip_prefix("#define"))
        .filter_map(|line| line.trim().strip_prefix("MBEDTLS_VERSION_STRING "))
        .map(|value| value.trim().trim_matches('"').to_owned())
        .next()
        .ok_or_else(|| format!("{} names no version.", header.display()))?;
    if !version.starts_with("3.6.") {
        return Err(format!(
            "{} is Mbed TLS {version}; this library is written for 3.6. Give the folder of a release 3.6.x.",
            source.display()
        ));
    }
    // A checkout of the repository lacks these until its scripts have made them.
    for generated in ["error.c", "psa_crypto_driver_wrappers.h"] {
        if !source.join("library").join(generated).is_file() {
            return Err(format!(
                "{} has no library/{generated}: it is a checkout, not a release. Run its `make generated_files`, or \
                 unpack the release archive.",
                source.display()
            ));
        }
    }
    Ok(version)
}

fn compile(here: &Path, source: &Path, compat: &str) -> Result<cc::Tool, String> {
    let library = source.join("library");
    let mut files: Vec<PathBuf> = fs::read_dir(&library)
        .map_err(|error| format!("{} cannot be listed: {error}", library.display()))?
        .filter_map(|entry| entry.ok().map(|entry| entry.path()))
        .filter(|path| path.extension().is_some_and(|extension| extension == "c"))
        .collect();
    // The order of a directory is not the same everywhere; that of an archive should be.
    files.sort();

    let mut build = cc::Build::new();
    build
        .files(files)
        .file(here.join("csource/access.c"))
        .file(here.join("csource/layout.c"))
        .include(here.join("config"))
        .include(here.join("csource"))
        .include(source.join("include"))
        .include(&library)
        .define("MBEDTLS_CONFIG_FILE", format!("\"{CONFIG_HEADER}\"").as_str())
        .define("MBED_CLOUD_CONNECTIVITY_CONNECTION_ID_COMPAT", compat)
        // Small in every profile: at -O0 the ARM assembly of the bignum code does not even compile.
        .opt_level_str("s")
        .std("c99")
        .warnings(false)
        .flag_if_supported("-ffunction-sections")
        .flag_if_supported("-fdata-sections")
        .flag_if_supported("-fvisibility=hidden")
        // The same bytes wherever the registry lies.
        .flag_if_supported(format!("-ffile-prefix-map={}=mbedtls", source.display()));
    // No panic and no cancelled thread unwinds through these functions, and the tables for it are a tenth of the library. Debuggers
    // and valgrind read them: a build for those keeps them.
    if variable("OPT_LEVEL")? != "0" {
        build.flag_if_supported("-fno-unwind-tables").flag_if_supported("-fno-asynchronous-unwind-tables");
    }
    let compiler = build.try_get_compiler().map_err(|error| format!("no C compiler: {error}"))?;
    build.try_compile("mbed_cloud_connectivity_mbedtls").map_err(|error| {
        format!("Mbed TLS did not compile: {error}. A C compiler for the target is needed (CC, or CC_<target>).")
    })?;
    Ok(compiler)
}

fn bind(here: &Path, source: &Path, out: &Path, compat: &str, compiler: &cc::Tool) -> Result<(), String> {
    let mut builder = bindgen::Builder::default()
        .header(here.join("csource/bindings.h").display().to_string())
        .clang_arg(format!("-I{}", here.join("config").display()))
        .clang_arg(format!("-I{}", source.join("include").display()))
        .clang_arg(format!("-DMBEDTLS_CONFIG_FILE=\"{CONFIG_HEADER}\""))
        .clang_arg(format!("-DMBED_CLOUD_CONNECTIVITY_CONNECTION_ID_COMPAT={compat}"))
        .allowlist_function("mbedtls_(ssl|x509|pk|strerror|version|sha256|psa_get_random|platform_zeroize|oid_get).*")
        .allowlist_function("psa_crypto_init")
        .allowlist_function("mbed_cloud_connectivity_.*")
        .allowlist_var("mbed_cloud_connectivity_.*")
        .allowlist_var("MBEDTLS_(ERR|SSL|X509|PK|ASN1|NET|VERSION)_.*")
        .allowlist_var("MBEDTLS_TLS_EXT_CID")
        .blocklist_function(".*_self_test")
        .default_enum_style(bindgen::EnumVariation::Consts)
        .prepend_enum_name(false)
        .generate_comments(false)
        .layout_tests(true)
        .parse_callbacks(Box::new(bindgen::CargoCallbacks::new()))
        .derive_debug(false)
        .use_core()
        .rust_target(bindgen::RustTarget::stable(85, 0).map_err(|error| error.to_string())?)
        .rust_edition(bindgen::RustEdition::Edition2024);
    for folder in cross_headers(compiler)? {
        builder = builder.clang_arg("-isystem").clang_arg(folder);
    }
    for definition in definitions(compiler.args()) {
        builder = builder.clang_arg(definition);
    }
    let bindings = builder
        .generate()
        .map_err(|error| format!("bindgen: {error}. It needs libclang (Debian: libclang-dev; LIBCLANG_PATH)."))?;
    let file = out.join("bindings.rs");
    bindings.write_to_file(&file).map_err(|error| format!("{}: {error}", file.display()))
}

/// What the compiler's flags define and undefine: `_TIME_BITS` is one that types depend on.
fn definitions(arguments: &[OsString]) -> Vec<String> {
    let mut arguments = arguments.iter().filter_map(|argument| argument.to_str());
    let mut definitions = Vec::new();
    while let Some(argument) = arguments.next() {
        match argument {
            "-D" | "-U" => definitions.extend(arguments.next().map(|name| format!("{argument}{name}"))),
            _ if argument.starts_with("-D") || argument.starts_with("-U") => definitions.push(argument.to_owned()),
            _ => {}
        }
    }
    definitions
}

/// Where the cross compiler has its C library's headers: clang knows only the host's. Its own folder of
/// compiler headers is left out, clang has those.
fn cross_headers(compiler: &cc::Tool) -> Result<Vec<String>, String> {
    if variable("HOST")? == variable("TARGET")? {
        return Ok(Vec::new());
    }
    let output = compiler
        .to_command()
        .args(["-E", "-Wp,-v", "-x", "c", "/dev/null"])
        .env("LC_ALL", "C")
        .output()
        .map_err(|error| format!("{}: {error}", compiler.path().display()))?;
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    Ok(text
        .lines()
        .skip_while(|line| !line.starts_with("#include <"))
        .skip(1)
        .take_while(|line| line.starts_with(' '))
        .map(|line| line.trim().to_owned())
        .filter(|folder| !folder.contains("/lib/gcc"))
        .collect())
}
