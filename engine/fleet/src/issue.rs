//! A finding before it has a place: file and field are known, line and column are looked up when all rules have spoken.

use crate::overlays::Given;
use crate::place::short;
use crate::rules::Rule;
use model::{ClusterId, Finding, Place, Reason, Severity};

/// What a rule has to say about one field.
#[derive(Clone, Debug)]
pub(crate) struct Issue {
    pub(crate) rule: &'static Rule,
    pub(crate) severity: Severity,
    pub(crate) file: String,
    /// As `spec.pools[0].size`; empty for the whole document.
    pub(crate) field: String,
    pub(crate) message: String,
    pub(crate) mend: String,
    pub(crate) cluster: Option<ClusterId>,
    pub(crate) reason: Option<Reason>,
}

impl Issue {
    pub(crate) fn error(rule: &'static Rule, file: &str, field: &str, message: impl Into<String>) -> Self {
        Self {
            rule,
            severity: Severity::Error,
            file: file.to_owned(),
            field: field.to_owned(),
            message: short(message.into()),
            mend: String::new(),
            cluster: None,
            reason: None,
        }
    }

    pub(crate) fn at(self, place: Place) -> Finding {
        let Self { rule, severity, file: _, field, message, mend, cluster, reason } = self;
        Finding { severity, place, field, rule: rule.id, message, mend, cluster, reason }
    }
}

/// Takes the issues of one file, and of the cluster it defines.
#[derive(Debug)]
pub(crate) struct Report<'a> {
    pub(crate) issues: &'a mut Vec<Issue>,
    pub(crate) file: &'a str,
    pub(crate) cluster: Option<&'a ClusterId>,
    /// What overlays gave to the definition: what is wrong with it is said of them.
    pub(crate) given: Option<&'a Given<'a>>,
}

impl<'a> Report<'a> {
    /// Of a file that is no definition with overlays.
    pub(crate) fn of(issues: &'a mut Vec<Issue>, file: &'a str) -> Self {
        Self { issues, file, cluster: None, given: None }
    }

    /// The issue is returned for what only some have: `.mend(..)`, `.reason(..)`, `.warning()`.
    pub(crate) fn error(&mut self, rule: &'static Rule, field: &str, message: impl Into<String>) -> Said<'_> {
        let given = self.given.and_then(|given| given.place(field));
        let mut issue = match given {
            Some((file, field)) => Issue::error(rule, file, &field, message),
            None => Issue::error(rule, self.file, field, message),
        };
        issue.cluster = self.cluster.cloned();
        self.issues.push(issue);
        Said(self.issues.last_mut())
    }
}

/// An issue that was just said.
#[derive(Debug)]
pub(crate) struct Said<'a>(Option<&'a mut Issue>);

impl Said<'_> {
    pub(crate) fn mend(mut self, mend: impl Into<String>) -> Self {
        if let Some(issue) = &mut self.0 {
            issue.mend = mend.into();
        }
        self
    }

    pub(crate) fn reason(mut self, reason: Reason) -> Self {
        if let Some(issue) = &mut self.0 {
            issue.reason = Some(reason);
        }
        self
    }

    pub(crate) fn warning(mut self) -> Self {
        if let Some(issue) = &mut self.0 {
            issue.severity = Severity::Warning;
        }
        self
    }
}
