#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| bellwire_fuzz::upgrade(data));
