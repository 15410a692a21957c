//! libFuzzer's door to `romfs::image`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| omv_fuzz::romfs::image(bytes));
