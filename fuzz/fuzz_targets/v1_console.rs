//! libFuzzer's door to `v1::console`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| omv_fuzz::v1::console(bytes));
