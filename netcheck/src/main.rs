//! The command `mbed-netcheck`: asks the library to check the network, and prints what it found.

#![forbid(unsafe_code)]

mod arguments;
mod document;
mod endpoints;
mod plan;
mod progress;
mod table;
#[cfg(test)]
mod tests;

use arguments::Arguments;
use clap::Parser;
use clap::error::ErrorKind;
use mbed_cloud_connectivity::netcheck::finding::Severity;
use mbed_cloud_connectivity::netcheck::report::Report;
use mbed_cloud_connectivity::netcheck::run;
use plan::Plan;
use progress::ProgressLine;
use std::io::{ErrorKind as IoErrorKind, Write};
use std::process::ExitCode;
use table::{Layout, render};

/// The command line, or a file that it names, is wrong: EX_USAGE of sysexits.
const USAGE: u8 = 64;
/// A fault of this program: EX_SOFTWARE of sysexits.
const FAULT: u8 = 70;

fn main() -> ExitCode {
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => {
            let shown = error.print();
            let asked_for = matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion);
            return if asked_for && shown.is_ok() { ExitCode::SUCCESS } else { ExitCode::from(USAGE) };
        }
    };
    let plan = match Plan::new(&arguments) {
        Ok(plan) => plan,
        Err(message) => {
            eprintln!("error: {message}");
            return ExitCode::from(USAGE);
        }
    };
    let mut line = ProgressLine::new();
    let report = run(&plan.options, &mut |progress| line.show(&progress));
    line.erase();
    let report = match report {
        Ok(report) => report,
        Err(failure) => {
            eprintln!("error: the check could not run: {failure}");
            return ExitCode::from(FAULT);
        }
    };
    match print(&arguments, &plan, &report) {
        // Who closes the pipe has seen enough.
        Err(error) if error.kind() != IoErrorKind::BrokenPipe => {
            eprintln!("error: the report cannot be written: {error}. Check the disk and where standard output goes.");
            ExitCode::from(FAULT)
        }
        _ => ExitCode::from(exit_status(&report)),
    }
}

fn print(arguments: &Arguments, plan: &Plan, report: &Report) -> std::io::Result<()> {
    let stdout = std::io::stdout();
    let text = if arguments.json {
        document::json(plan.region.as_deref(), report)
    } else {
        render(report, &Layout::of(&stdout, plan.region.clone(), arguments.verbose))
    };
    let mut stdout = stdout.lock();
    stdout.write_all(text.as_bytes())?;
    stdout.flush()
}

fn exit_status(report: &Report) -> u8 {
    match report.severity() {
        Some(Severity::Stops) => 1,
        Some(Severity::Warning) => 2,
        Some(Severity::Note) | None => 0,
    }
}
