//! Typed client of metal-api v1: wire types, authentication, errors, the trait `Metal`, its HTTP implementation, the
//! project guard, and the gathering of `Have`.
#![forbid(unsafe_code)]

pub mod wire;
