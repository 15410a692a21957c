//! libFuzzer's door to `tflite::model`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| omv_fuzz::tflite::model(bytes));
