//! Ctrl-C: the first one stops at the next safe point, the second leaves at once. At a question nothing is
//! under way, so the first one leaves.

use std::io::{self, BufRead};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, LazyLock};

use omv_camera::Stop;
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::flag;

/// Whether a person is being asked something.
static ASKING: LazyLock<Arc<AtomicBool>> = LazyLock::new(Arc::default);

/// A stop that the first Ctrl-C asks for.
pub fn stop_on_interrupt() -> Stop {
    let stop = Stop::default();
    for signal in [SIGINT, SIGTERM] {
        // Registered first, so that it looks at the flag before this signal has set it. Where
        // signals cannot be had, Ctrl-C keeps its usual meaning.
        let _ = flag::register_conditional_default(signal, Arc::clone(&ASKING));
        let _ = flag::register_conditional_default(signal, stop.flag());
        let _ = flag::register(signal, stop.flag());
    }
    stop
}

/// One line from the person; none at the end of the input.
///
/// # Errors
/// What the system says.
pub fn answer() -> io::Result<Option<String>> {
    let mut answer = String::new();
    ASKING.store(true, Ordering::SeqCst);
    let read = io::stdin().lock().read_line(&mut answer);
    ASKING.store(false, Ordering::SeqCst);
    Ok((read? > 0).then(|| answer.trim().to_owned()))
}

/// Ends the process as the signal would have, so that a shell sees what happened.
pub fn die_of_interrupt() {
    let _ = signal_hook::low_level::emulate_default_handler(SIGINT);
}
