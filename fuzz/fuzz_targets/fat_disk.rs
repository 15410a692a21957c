//! libFuzzer's door to `fat::disk`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| omv_fuzz::fat::disk(bytes));
