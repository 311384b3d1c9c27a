//! Binds the functions of the committed headers: what a C program sees is what is called.

use std::path::PathBuf;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let include = PathBuf::from(std::env::var("CARGO_MANIFEST_DIR")?).join("../include");
    let mut bindings = bindgen::builder().derive_default(true).layout_tests(false).merge_extern_blocks(true);
    for header in ["mbed_cloud_connectivity.h", "pal.h"] {
        let header = include.join(header);
        println!("cargo::rerun-if-changed={}", header.display());
        bindings = bindings.header(header.display().to_string());
    }
    let bindings = bindings.allowlist_item("(mcc|MCC|pal|PAL)_?[A-Za-z0-9_]+").generate()?;
    Ok(bindings.write_to_file(PathBuf::from(std::env::var("OUT_DIR")?).join("c_interface.rs"))?)
}
