//! The log of the whole library: nothing is printed anywhere unless a sink was set.
//!
//! No key and no payload is ever logged; host names and addresses only at [`Level::Debug`].

use std::cell::Cell;
use std::fmt::Arguments;
use std::sync::RwLock;
use std::sync::atomic::{AtomicI32, Ordering};

/// How much is logged. Each level includes those above it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[repr(i32)]
pub enum Level {
    /// Nothing.
    Off = 0,
    /// Faults of the library or of the system.
    Error = 1,
    /// What stops a connection.
    Warning = 2,
    /// What a connection does.
    Info = 3,
    /// Host names and addresses too.
    Debug = 4,
}

impl Level {
    /// The level with this number, or the nearest.
    pub fn from_number(number: i32) -> Self {
        match number {
            ..=0 => Self::Off,
            1 => Self::Error,
            2 => Self::Warning,
            3 => Self::Info,
            4.. => Self::Debug,
        }
    }
}

/// Takes one line, without a line end, from any thread.
pub type Sink = Box<dyn Fn(Level, String) + Send + Sync>;

static SINK: RwLock<Option<Sink>> = RwLock::new(None);
static LEVEL: AtomicI32 = AtomicI32::new(Level::Off as i32);

thread_local! {
    static LOGGING: Cell<bool> = const { Cell::new(false) };
}

/// Sets who gets the log, or ends it. When this returns, the earlier sink no longer runs. Called from a sink it does nothing.
pub fn set(sink: Option<Sink>, level: Level) {
    if LOGGING.get() {
        return;
    }
    let level = if sink.is_some() { level } else { Level::Off };
    let mut current = SINK.write().unwrap_or_else(std::sync::PoisonError::into_inner);
    *current = sink;
    LEVEL.store(level as i32, Ordering::Relaxed);
}

/// Whether lines of this level are wanted.
pub fn enabled(level: Level) -> bool {
    level as i32 <= LEVEL.load(Ordering::Relaxed)
}

/// Logs a fault of the library or of the system.
pub fn error(text: Arguments<'_>) {
    write(Level::Error, text);
}

/// Logs what stops a connection.
pub fn warning(text: Arguments<'_>) {
    write(Level::Warning, text);
}

/// Logs what a connection does. No address, no host name.
pub fn info(text: Arguments<'_>) {
    write(Level::Info, text);
}

/// Logs with host names and addresses.
pub fn debug(text: Arguments<'_>) {
    write(Level::Debug, text);
}

fn write(level: Level, text: Arguments<'_>) {
    // A sink whose own doing is logged would call itself for ever.
    if !enabled(level) || LOGGING.replace(true) {
        return;
    }
    let sink = SINK.read().unwrap_or_else(std::sync::PoisonError::into_inner);
    if let Some(sink) = sink.as_ref() {
        sink(level, text.to_string());
    }
    drop(sink);
    LOGGING.set(false);
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::{Arc, Mutex};

    #[test]
    fn lines_reach_the_sink_up_to_its_level_and_never_from_within_it() {
        let lines = Arc::new(Mutex::new(Vec::new()));
        let sink = lines.clone();
        set(
            Some(Box::new(move |level, text| {
                warning(format_args!("from within"));
                set(None, Level::Off);
                if text.contains("unit test") {
                    sink.lock().unwrap().push((level, text));
                }
            })),
            Level::Warning,
        );
        warning(format_args!("unit test {}", 1));
        info(format_args!("unit test 2"));
        error(format_args!("unit test 3"));
        set(None, Level::Debug);
        error(format_args!("unit test 4"));
        let lines = lines.lock().unwrap();
        assert_eq!(*lines, [(Level::Warning, "unit test 1".to_string()), (Level::Error, "unit test 3".to_string())]);
        assert!(!enabled(Level::Error));
    }
}
