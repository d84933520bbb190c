//! From the bytes of a tree to what is wanted, with findings instead of failures.
#![forbid(unsafe_code)]
