//! The log of the whole library: nothing is printed anywhere unless a sink was set, or there is a host that takes it.
//!
//! No key and no payload is ever logged; host names and addresses only at [`Level::Debug`], but for the name of an authority that
//! nobody trusts (`tls::issuer`): it is what a warning is about.

use std::cell::Cell;
use std::fmt::Arguments;
use std::sync::atomic::{AtomicI32, Ordering};
use std::sync::{PoisonError, RwLock};

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

/// Takes one line where no sink is set.
pub type Host = fn(Level, String);

struct Takers {
    sink: Option<Sink>,
    host: Option<Host>,
}

static TAKERS: RwLock<Takers> = RwLock::new(Takers { sink: None, host: None });
static LEVEL: AtomicI32 = AtomicI32::new(Level::Off as i32);

thread_local! {
    static LOGGING: Cell<bool> = const { Cell::new(false) };
}

/// Sets who gets the log, or ends that. When this returns, the earlier sink no longer runs. Called from a sink it does nothing.
pub fn set(sink: Option<Sink>, level: Level) {
    change(|takers| {
        takers.sink = sink;
        level
    });
}

/// Sets who gets the whole log while no sink is set: whoever takes it sorts it.
pub fn set_host(host: Host) {
    change(|takers| {
        takers.host = Some(host);
        Level::from_number(LEVEL.load(Ordering::Relaxed))
    });
}

/// Lets the level follow from who takes the log; `change` gives the level of the sink.
fn change(change: impl FnOnce(&mut Takers) -> Level) {
    if LOGGING.get() {
        return;
    }
    let mut takers = TAKERS.write().unwrap_or_else(PoisonError::into_inner);
    let wanted = change(&mut takers);
    let level = match *takers {
        Takers { sink: Some(_), .. } => wanted,
        Takers { host: Some(_), .. } => Level::Debug,
        Takers { .. } => Level::Off,
    };
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
    let takers = TAKERS.read().unwrap_or_else(PoisonError::into_inner);
    match (&takers.sink, takers.host) {
        // Asked again: a sink that wants less may have come.
        _ if !enabled(level) => {}
        (Some(sink), _) => sink(level, text.to_string()),
        (None, Some(host)) => {
            // Without the lock: whatever the host waits for must not hold up who sets a sink.
            drop(takers);
            host(level, text.to_string());
        }
        (None, None) => {}
    }
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
