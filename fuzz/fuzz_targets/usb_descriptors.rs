//! libFuzzer's door to `usb::descriptors`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| omv_fuzz::usb::descriptors(bytes));
