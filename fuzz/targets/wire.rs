#![no_main]

use opsurge_testbed::fuzz_bodies;

libfuzzer_sys::fuzz_target!(|input: &[u8]| fuzz_bodies::wire(input));
