//! libFuzzer's door to every target: the environment says which one this process is.
//!
//! One program, because linking one for each target took longer than fuzzing them.
#![no_main]

use std::sync::LazyLock;

use omv_fuzz::{TARGET_VARIABLE, Target};

static TARGET: LazyLock<Target> = LazyLock::new(|| {
    let name = std::env::var(TARGET_VARIABLE).unwrap_or_default();
    omv_fuzz::target(&name)
        .unwrap_or_else(|| panic!("{TARGET_VARIABLE} is {name:?}, which is no target"))
});

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| TARGET(bytes));
