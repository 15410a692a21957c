//! libFuzzer's door to `mboot::host`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| omv_fuzz::mboot::host(bytes));
