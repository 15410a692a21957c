//! libFuzzer's door to `sdp::host`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| omv_fuzz::sdp::host(bytes));
