//! libFuzzer's door to `plan::zip`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| omv_fuzz::plan::zip(bytes));
