//! Ctrl-C: the first one stops at the next safe point, the second leaves at once.

use omv_camera::Stop;
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::flag;

/// A stop that the first Ctrl-C asks for.
pub fn stop_on_interrupt() -> Stop {
    let stop = Stop::default();
    for signal in [SIGINT, SIGTERM] {
        // Registered first, so that it looks at the flag before this signal has set it. Where
        // signals cannot be had, Ctrl-C keeps its usual meaning.
        let _ = flag::register_conditional_default(signal, stop.flag());
        let _ = flag::register(signal, stop.flag());
    }
    stop
}

/// Ends the process as the signal would have, so that a shell sees what happened.
pub fn die_of_interrupt() {
    let _ = signal_hook::low_level::emulate_default_handler(SIGINT);
}
