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
            let written = error.print();
            return match error.kind() {
                ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => ended(written, 0),
                _ => ExitCode::from(USAGE),
            };
        }
    };
    let plan = match Plan::new(&arguments) {
        Ok(plan) => plan,
        Err(message) => {
            complain(&message);
            return ExitCode::from(USAGE);
        }
    };
    let mut line = ProgressLine::new();
    let report = run(&plan.options, &mut |progress| line.show(&progress));
    line.erase();
    let report = match report {
        Ok(report) => report,
        Err(failure) => {
            complain(&format!("the check could not run: {failure}"));
            return ExitCode::from(FAULT);
        }
    };
    ended(print(&arguments, &plan, &report), exit_status(&report))
}

/// The exit status after what was asked for was written, or could not be.
fn ended(written: std::io::Result<()>, status: u8) -> ExitCode {
    match written {
        // Who closes the pipe has seen enough.
        Err(error) if error.kind() != IoErrorKind::BrokenPipe => {
            complain(&format!("the report cannot be written: {error}. Check the disk and where standard output goes."));
            ExitCode::from(FAULT)
        }
        _ => ExitCode::from(status),
    }
}

/// Where nobody takes the complaint, the exit status says enough: `eprintln` would panic.
fn complain(message: &str) {
    let _ = writeln!(std::io::stderr(), "error: {message}");
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
