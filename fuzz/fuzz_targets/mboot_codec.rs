//! libFuzzer's door to `mboot::codec`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| omv_fuzz::mboot::codec(bytes));
