//! Compiles in the application's configuration (see the crate `mbed-cloud-connectivity-settings`), the date of the build, and the
//! weak references to what an application may define.

use std::time::{SystemTime, UNIX_EPOCH};

fn main() -> std::process::ExitCode {
    compile_c("configured");
    if std::env::var_os("CARGO_FEATURE_PAL").is_some() {
        compile_c("host");
    }

    println!("cargo:rerun-if-env-changed=SOURCE_DATE_EPOCH");
    let date = match std::env::var("SOURCE_DATE_EPOCH") {
        Ok(date) if !date.is_empty() && date.bytes().all(|byte| byte.is_ascii_digit()) => date,
        Ok(date) => {
            eprintln!(
                "error: SOURCE_DATE_EPOCH is \"{date}\": set it to a number of seconds since 1970, or not at all."
            );
            return std::process::ExitCode::FAILURE;
        }
        Err(_) => SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs().to_string(),
    };
    println!("cargo:rustc-env=MCC_BUILD_DATE={date}");

    mbed_cloud_connectivity_settings::run_build_script()
}

fn compile_c(name: &str) {
    let file = format!("src/ffi/{name}.c");
    println!("cargo:rerun-if-changed={file}");
    // One section for all: which names the archive refers to must not depend on which of the functions are used.
    cc::Build::new()
        .file(file)
        .flag("-std=c11")
        .flag("-fno-function-sections")
        .warnings_into_errors(true)
        .compile(&format!("mcc_{name}"));
}
