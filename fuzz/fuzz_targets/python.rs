//! libFuzzer's door to `python::script`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| omv_fuzz::python::script(bytes));
