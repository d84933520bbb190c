//! Want and Have to a Plan; Plan and Done to locks. Pure.
#![forbid(unsafe_code)]
