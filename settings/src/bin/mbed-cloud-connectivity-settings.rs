//! Reads an application's connectivity settings while CMake configures it against a prebuilt archive.

#![forbid(unsafe_code)]

use std::fmt::Display;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use lexopt::{Arg, Parser, ValueExt};
use mbed_cloud_connectivity_settings::{Errors, Inputs, Settings, read, write_if_changed};

const HELP: &str = "\
Reads an application's connectivity settings and reports everything that is wrong with them.

Usage: mbed-cloud-connectivity-settings [OPTIONS]

Inputs:
  --user-config FILE   the application's mbed_cloud_client_user_config.h
  --app-json FILE      the application's mbed_app.json
  --target NAME        the Mbed target, the most specific label of mbed_app.json
  --target-label NAME  a label of the Mbed target; repeat it, the most specific first
  -D NAME[=VALUE]      a compile definition; repeat it
  -U NAME              takes back a definition given before
  -I DIRECTORY         a directory in which #include looks; repeat it
  --include FILE       a header that every source file begins with, such as mbed_config.h; repeat it
  --clang-target NAME  the target triple for clang, when it is not this machine
  --sysroot DIRECTORY  the root of the target system's headers
  --archive-dns-api-version NUMBER
                       the PAL_DNS_API_VERSION that the archive was built for: another one is refused

Output:
  --format FORMAT      text (default): a listing for people
                       c: a C file that sets the archive's weak symbols
                       cmake: variables to include
  --output FILE        where to write; standard output without it. A file that is right already is left alone
  --depfile FILE       writes the files read in the syntax of make; needs --output
  -h, --help           prints this
  -V, --version        prints the version

Exit status: 0 when all is well, 1 when the configuration is wrong, 2 when the command line is.
";

#[derive(Clone, Copy, PartialEq, Eq)]
enum Format {
    Text,
    C,
    Cmake,
}

struct Command {
    inputs: Inputs,
    archive_dns_api_version: Option<u32>,
    format: Format,
    output: Option<PathBuf>,
    depfile: Option<PathBuf>,
}

fn main() -> ExitCode {
    let command = match parse(Parser::from_env()) {
        Ok(Some(command)) => command,
        Ok(None) => return ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}. --help lists the options.");
            return ExitCode::from(2);
        }
    };
    match run(&command) {
        Ok(()) => ExitCode::SUCCESS,
        Err(messages) => {
            for message in messages {
                eprintln!("error: {message}");
            }
            ExitCode::FAILURE
        }
    }
}

/// The command line; nothing when it only asked for help.
fn parse(mut parser: Parser) -> Result<Option<Command>, lexopt::Error> {
    let mut command = Command {
        inputs: Inputs::default(),
        archive_dns_api_version: None,
        format: Format::Text,
        output: None,
        depfile: None,
    };
    let inputs = &mut command.inputs;
    while let Some(argument) = parser.next()? {
        match argument {
            Arg::Long("user-config") => inputs.user_config = Some(parser.value()?.into()),
            Arg::Long("app-json") => inputs.app_json = Some(parser.value()?.into()),
            Arg::Long("target") => inputs.target = Some(parser.value()?.string()?).filter(|name| !name.is_empty()),
            Arg::Long("target-label") => inputs.target_labels.push(parser.value()?.string()?),
            Arg::Short('D') => inputs.definitions.push(format!("-D{}", parser.value()?.string()?)),
            Arg::Short('U') => inputs.definitions.push(format!("-U{}", parser.value()?.string()?)),
            Arg::Short('I') => inputs.include_paths.push(parser.value()?.into()),
            Arg::Long("include") => {
                inputs.definitions.extend(["-include".to_string(), parser.value()?.string()?]);
            }
            Arg::Long("clang-target") => inputs.clang_target = Some(parser.value()?.string()?),
            Arg::Long("sysroot") => inputs.sysroot = Some(parser.value()?.into()),
            Arg::Long("archive-dns-api-version") => command.archive_dns_api_version = Some(parser.value()?.parse()?),
            Arg::Long("format") => {
                command.format = parser.value()?.parse_with(|name| match name {
                    "text" => Ok(Format::Text),
                    "c" => Ok(Format::C),
                    "cmake" => Ok(Format::Cmake),
                    _ => Err("the formats are text, c and cmake"),
                })?;
            }
            Arg::Long("output") => command.output = Some(parser.value()?.into()),
            Arg::Long("depfile") => command.depfile = Some(parser.value()?.into()),
            Arg::Short('h') | Arg::Long("help") => {
                print!("{HELP}");
                return Ok(None);
            }
            Arg::Short('V') | Arg::Long("version") => {
                println!("mbed-cloud-connectivity-settings {}", env!("CARGO_PKG_VERSION"));
                return Ok(None);
            }
            other => return Err(other.unexpected()),
        }
    }
    if command.depfile.is_some() && command.output.is_none() {
        return Err("--depfile needs --output, which is what depends on the files".into());
    }
    Ok(Some(command))
}

fn run(command: &Command) -> Result<(), Vec<String>> {
    let settings = read(&command.inputs).map_err(|errors| messages(&errors))?;
    if let Some(version) = command.archive_dns_api_version {
        settings.check_archive_dns_api_version(version).map_err(|errors| messages(&errors))?;
    }
    for warning in &settings.warnings {
        eprintln!("warning: {warning}");
    }
    let text = match command.format {
        Format::Text => settings.text(),
        Format::Cmake => settings.cmake_variables(),
        Format::C => {
            for warning in settings.warnings_for_prebuilt_archive() {
                eprintln!("warning: {warning}");
            }
            settings.c_definitions()
        }
    };
    write(command, &settings, &text)
}

fn write(command: &Command, settings: &Settings, text: &str) -> Result<(), Vec<String>> {
    let Some(output) = &command.output else {
        print!("{text}");
        return Ok(());
    };
    let unwritable = |path: &Path, error: &dyn Display| {
        vec![format!("{} cannot be written: {error}. Check the directory, its rights and the disk.", path.display())]
    };
    write_if_changed(output, text).map_err(|error| unwritable(output, &error))?;
    if let Some(depfile) = &command.depfile {
        write_if_changed(depfile, &settings.depfile(output)).map_err(|error| unwritable(depfile, &error))?;
    }
    // The listing has the interval itself; the other formats are not for reading.
    eprintln!("{}", settings.summary());
    Ok(())
}

fn messages(errors: &Errors) -> Vec<String> {
    errors.iter().map(|error| error.message().to_string()).collect()
}
