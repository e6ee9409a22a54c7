//! HTTP/1.1 against response streams from other projects' test suites: the decoder alone, then `opsurge request`.

mod decoder_cases;
mod request_cases;
