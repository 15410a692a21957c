//! libFuzzer's door to `dfu::files`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| omv_fuzz::dfu::files(bytes));
