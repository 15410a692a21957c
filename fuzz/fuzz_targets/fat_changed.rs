//! libFuzzer's door to `fat::changed`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| omv_fuzz::fat::changed(bytes));
