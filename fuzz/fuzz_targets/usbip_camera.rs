//! libFuzzer's door to `usbip::camera`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| omv_fuzz::usbip::camera(bytes));
