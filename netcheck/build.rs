//! Makes the manual page and the completions of shells from the command line's own definition. It runs on the machine that builds, so
//! that a build for another machine has them too.

#[allow(dead_code, reason = "only the definition is wanted here, not what is read by it")]
#[path = "src/arguments.rs"]
mod arguments;

use clap::CommandFactory;
use clap_complete::{Shell, generate_to};

fn main() -> std::io::Result<()> {
    println!("cargo::rerun-if-changed=src/arguments.rs");
    println!("cargo::rerun-if-changed=build.rs");
    let folder = std::env::var_os("OUT_DIR").ok_or_else(|| std::io::Error::other("cargo sets no OUT_DIR"))?;
    let mut command = arguments::Arguments::command();
    for shell in [Shell::Bash, Shell::Zsh, Shell::Fish] {
        generate_to(shell, &mut command, "mbed-netcheck", &folder)?;
    }
    clap_mangen::generate_to(command, folder)
}
