//! libFuzzer's door to `dfu::host`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| omv_fuzz::dfu::host(bytes));
