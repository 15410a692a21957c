//! libFuzzer's door to `msc::camera`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| omv_fuzz::msc::camera(bytes));
