//! libFuzzer's door to `plan::image`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| omv_fuzz::plan::image(bytes));
