//! impair/mod
