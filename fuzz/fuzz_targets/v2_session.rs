//! libFuzzer's door to `v2::session`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| omv_fuzz::v2::session(bytes));
