//! The build script of the library.

use std::env;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use crate::error::Errors;
use crate::generate::write_if_changed;
use crate::inputs::{Inputs, VARIABLES};
use crate::settings::{Settings, read};

/// The file that [`run_build_script`] writes into `OUT_DIR`.
pub const GENERATED_FILE: &str = "settings.rs";

/// All that a build script has to do: reads the inputs that the environment names, writes [`GENERATED_FILE`] into
/// `OUT_DIR`, and tells cargo when to run it again. Problems are printed as cargo prints errors.
pub fn run_build_script() -> ExitCode {
    match env::var_os("OUT_DIR") {
        Some(directory) => build(&PathBuf::from(directory).join(GENERATED_FILE)),
        None => {
            println!("cargo::error=OUT_DIR is not set. Only cargo can run this: use cargo build.");
            ExitCode::FAILURE
        }
    }
}

fn build(output: &Path) -> ExitCode {
    // Whatever happens below, a changed variable must be looked at again.
    for name in VARIABLES.iter().chain(&["LIBCLANG_PATH"]) {
        println!("cargo::rerun-if-env-changed={name}");
    }
    println!("cargo::rerun-if-changed=build.rs");
    match Inputs::from_environment().and_then(|inputs| read(&inputs)) {
        Ok(settings) => write(&settings, output),
        Err(errors) => {
            print_errors(&errors);
            ExitCode::FAILURE
        }
    }
}

fn write(settings: &Settings, output: &Path) -> ExitCode {
    for line in directives(settings) {
        println!("{line}");
    }
    match write_if_changed(output, &settings.rust_constants()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            println!("cargo::error={} cannot be written: {error}. Check the disk and its rights.", output.display());
            ExitCode::FAILURE
        }
    }
}

/// The lines for cargo that a successful reading gives.
pub fn directives(settings: &Settings) -> Vec<String> {
    let mut lines = Vec::new();
    for path in &settings.dependencies {
        lines.push(format!("cargo::rerun-if-changed={}", path.display()));
    }
    for warning in &settings.warnings {
        lines.push(format!("cargo::warning={}", one_line(warning)));
    }
    lines.push(format!("cargo::warning={}", one_line(&settings.summary())));
    lines.push("cargo::rustc-check-cfg=cfg(pal_dns_api_version, values(\"0\", \"1\", \"3\"))".to_string());
    lines.push(format!("cargo::rustc-cfg=pal_dns_api_version=\"{}\"", settings.dns_api_version()));
    lines
}

fn print_errors(errors: &Errors) {
    for error in errors.iter() {
        println!("cargo::error={}", one_line(error.message()));
    }
}

/// A directive ends with its line.
fn one_line(text: &str) -> String {
    text.replace(['\n', '\r'], " ")
}
