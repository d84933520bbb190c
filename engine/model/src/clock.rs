//! Time as a value. Nothing below the edge reads a clock: `now` is an argument.

pub use jiff::Timestamp;

/// Where `now` comes from: the system's clock at the edge, a driven one in tests.
pub trait Clock: Send + Sync {
    fn now(&self) -> Timestamp;
}
