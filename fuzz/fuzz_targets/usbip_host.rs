//! libFuzzer's door to `usbip::host`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| omv_fuzz::usbip::host(bytes));
