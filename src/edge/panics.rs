//! A fault of ours costs one input, not the process.
//!
//! Every input of a driver and every turn of a media thread runs inside
//! [`caught`]: a panic is counted, logged once with its message, and the
//! thread goes on with the next input. What the input left half done shows as
//! a call that ends by its timers.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU64, Ordering};

static COUNT: AtomicU64 = AtomicU64::new(0);

/// Panics caught since the start.
pub fn count() -> u64 {
    COUNT.load(Ordering::Relaxed)
}

/// Runs `work`; `None` if it panicked. `what` names the input in the log.
pub fn caught<T>(what: &'static str, work: impl FnOnce() -> T) -> Option<T> {
    match catch_unwind(AssertUnwindSafe(work)) {
        Ok(value) => Some(value),
        Err(panic) => {
            COUNT.fetch_add(1, Ordering::Relaxed);
            let text = panic.downcast_ref::<&str>().copied().map(str::to_owned);
            let text = text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_default();
            tracing::error!(input = what, error = %text, "internal fault, the input was given up");
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_is_counted_and_the_thread_goes_on() {
        let before = count();
        assert_eq!(caught("test", || -> u8 { panic!("broken on purpose") }), None);
        assert_eq!(caught("test", || 7), Some(7));
        assert!(count() > before);
    }
}
