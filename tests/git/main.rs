//! The room `git` against servers over HTTP.
#![expect(clippy::unwrap_used, reason = "tests")]

mod fixture;
mod gitea;
mod http_bad_days;
mod http_calls;
mod http_login;
