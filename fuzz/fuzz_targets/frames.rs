//! libFuzzer's door to `frames::picture`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| omv_fuzz::frames::picture(bytes));
