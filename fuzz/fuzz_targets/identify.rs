//! libFuzzer's door to `identify::identify`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| omv_fuzz::identify::identify(bytes));
