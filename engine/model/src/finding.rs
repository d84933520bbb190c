//! Findings: what is wrong with what people wrote, where, by which rule, and how to mend it.

use crate::{ClusterId, Reason};
use serde::Serialize;

/// A place in a file. Lines and columns count from 1, in characters.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Place {
    pub file: String,
    /// 0 when the finding is about the whole file.
    pub line: u32,
    pub column: u32,
    /// Characters to underline from `column` on; 0 when unknown.
    pub width: u32,
    /// The text of that line, shortened, for showing it underlined.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub text: String,
}

impl Place {
    pub fn file(file: &str) -> Self {
        Self { file: file.to_owned(), line: 0, column: 0, width: 0, text: String::new() }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Severity {
    /// The cluster (or the fleet) is not acted on until it is mended.
    Error,
    Warning,
}

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Finding {
    pub severity: Severity,
    pub place: Place,
    /// Path of the field, as `spec.network.pods[0]`; empty for the whole document.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub field: String,
    /// Id of the rule, kebab-case (`unknown-field`, `pods-cidr-overlap`); stable, for filters and runbooks.
    pub rule: &'static str,
    /// What is wrong, with the value.
    pub message: String,
    /// What to do.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub mend: String,
    /// The cluster it stops (I6); None stops everything that depends on the file.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cluster: Option<ClusterId>,
    /// The reason of the cluster's condition, where the finding has one of its own.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<Reason>,
}

impl Finding {
    pub fn error(rule: &'static str, place: Place, message: impl Into<String>) -> Self {
        Self {
            severity: Severity::Error,
            place,
            field: String::new(),
            rule,
            message: message.into(),
            mend: String::new(),
            cluster: None,
            reason: None,
        }
    }

    pub fn warning(rule: &'static str, place: Place, message: impl Into<String>) -> Self {
        Self { severity: Severity::Warning, ..Self::error(rule, place, message) }
    }

    pub fn mend(mut self, mend: impl Into<String>) -> Self {
        self.mend = mend.into();
        self
    }

    pub fn field(mut self, field: impl Into<String>) -> Self {
        self.field = field.into();
        self
    }

    pub fn cluster(mut self, cluster: &ClusterId) -> Self {
        self.cluster = Some(cluster.clone());
        self
    }

    pub fn reason(mut self, reason: Reason) -> Self {
        self.reason = Some(reason);
        self
    }

    pub fn is_error(&self) -> bool {
        self.severity == Severity::Error
    }
}
