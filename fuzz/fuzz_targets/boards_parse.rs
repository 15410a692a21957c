//! libFuzzer's door to `boards::parse`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| omv_fuzz::boards::parse(bytes));
