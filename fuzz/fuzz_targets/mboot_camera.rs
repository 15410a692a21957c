//! libFuzzer's door to `mboot::camera`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| omv_fuzz::mboot::camera(bytes));
