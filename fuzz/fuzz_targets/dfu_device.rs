//! libFuzzer's door to `dfu::device`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| omv_fuzz::dfu::device(bytes));
