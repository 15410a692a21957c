//! libFuzzer's door to `sdp::camera`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| omv_fuzz::sdp::camera(bytes));
