//! libFuzzer's door to `msc::host`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| omv_fuzz::msc::host(bytes));
