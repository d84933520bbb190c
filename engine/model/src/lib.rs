//! The words of Ferrofleet: ids, documents, domain values, findings. No I/O, no clock.
#![forbid(unsafe_code)]
