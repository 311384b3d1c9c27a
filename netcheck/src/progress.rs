//! One line on a terminal that says how far the check is, and goes when it is over.

use mbed_cloud_connectivity::netcheck::Progress;
use std::io::{IsTerminal, Write};

/// Writes to standard error, and only where that is a terminal which can erase a line.
pub struct ProgressLine {
    enabled: bool,
}

impl ProgressLine {
    pub fn new() -> Self {
        let dumb = std::env::var_os("TERM").is_none_or(|terminal| terminal == "dumb");
        Self { enabled: std::io::stderr().is_terminal() && !dumb }
    }

    pub fn show(&mut self, progress: &Progress) {
        if self.enabled {
            let width =
                terminal_size::terminal_size_of(std::io::stderr()).map_or(80, |(width, _)| usize::from(width.0));
            // A line as wide as the terminal would wrap, and then not go as one.
            let text: String = line(progress).chars().take(width.saturating_sub(1)).collect();
            self.write(&text);
        }
    }

    pub fn erase(&mut self) {
        if self.enabled {
            self.write("");
        }
    }

    fn write(&mut self, text: &str) {
        let mut stderr = std::io::stderr().lock();
        // A terminal that has gone does not stop the check.
        let _ = write!(stderr, "\r\x1b[2K{text}").and_then(|()| stderr.flush());
    }
}

fn line(progress: &Progress) -> String {
    let what: String = progress.what.chars().filter(|character| !character.is_control()).collect();
    format!("checking: {} of {}, {what}", progress.done, progress.total)
}
