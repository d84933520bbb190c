//! A remote, its bare cache, and compare-and-swap pushes.

