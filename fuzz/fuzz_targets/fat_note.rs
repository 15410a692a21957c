//! libFuzzer's door to `fat::note`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| omv_fuzz::fat::note(bytes));
