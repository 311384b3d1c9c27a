//! The panic boundary: every exported function, and the thread of each event loop, runs inside [`guard`].

use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Once;

thread_local! {
    static GUARDED: Cell<bool> = const { Cell::new(false) };
}

/// Runs `body`; a panic in it ends here, goes to the log, and gives `on_panic` instead of unwinding into C.
pub fn guard<T>(on_panic: T, body: impl FnOnce() -> T) -> T {
    let outer = GUARDED.with(|guarded| guarded.replace(true));
    send_messages_to_the_log();
    let result = catch_unwind(AssertUnwindSafe(body)).unwrap_or(on_panic);
    GUARDED.with(|guarded| guarded.set(outer));
    result
}

/// Inside the library a panic's message goes to the log callback and not to the application's stderr; elsewhere nothing changes.
fn send_messages_to_the_log() {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let previous = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| {
            if GUARDED.try_with(Cell::get).unwrap_or(false) {
                crate::log::error(format_args!("internal fault, please report it: {panic}"));
            } else {
                previous(panic);
            }
        }));
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_deliberate_panic_ends_at_the_boundary() {
        assert_eq!(guard(-1, || panic!("deliberate")), -1);
        assert_eq!(guard(-1, || 7), 7);
        assert_eq!(guard(-1, || guard(-2, || panic!("nested"))), -2);
        assert!(!GUARDED.with(Cell::get));
    }
}
