//! libFuzzer's door to `sdp::codec`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| omv_fuzz::sdp::codec(bytes));
