//! The call log: every call of the API, numbered from 1.

use serde::{Deserialize, Serialize};
use std::collections::VecDeque;

/// Older calls are forgotten beyond so many.
const KEPT_MAX: usize = 200_000;

/// One call.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Call {
    pub n: u64,
    pub method: String,
    /// With base path, without query.
    pub path: String,
    /// 0 when nothing happened and nothing was answered.
    pub status: u16,
    /// `Metal-Admin` and the like, or `anonymous`.
    pub user: String,
    /// What was created, changed or freed, such as `created network <id>`; with several, separated by commas.
    pub effect: Option<String>,
}

#[derive(Clone, Debug, Default)]
pub(crate) struct CallLog {
    calls: VecDeque<Call>,
    last: u64,
}

impl CallLog {
    pub(crate) fn push(&mut self, method: &str, path: &str, status: u16, user: &str, effect: Option<String>) {
        self.last += 1;
        let (method, path, user) = (method.to_owned(), path.to_owned(), user.to_owned());
        self.calls.push_back(Call { n: self.last, method, path, status, user, effect });
        if self.calls.len() > KEPT_MAX {
            self.calls.pop_front();
        }
    }

    pub(crate) fn after(&self, n: u64) -> Vec<Call> {
        self.calls.iter().filter(|call| call.n > n).cloned().collect()
    }

    /// Numbers go on.
    pub(crate) fn forget(&mut self) {
        self.calls.clear();
    }
}
