//! A plan for machines. Lines of files are compared one file at a time while they are written.

use super::{Report, files, words};
use crate::output::diff::Counts;
use ::plan::{CapacityLine, PlanView};
use gitops::FileChange;
use model::{ClusterId, Finding, ProjectId, Reason};
use render::Impact;
use serde::ser::{Serialize, SerializeStruct as _, Serializer};
use std::collections::BTreeMap;

/// Everything, in a stable order.
#[derive(Debug, serde::Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct View<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    tip: Option<git::Oid>,
    pending: bool,
    #[serde(flatten)]
    plan: PlanView,
    impacts: &'a BTreeMap<ClusterId, Vec<Impact>>,
    deletions: Vec<DeletionView<'a>>,
    capacity: &'a [CapacityLine],
    files: Vec<FileView<'a>>,
    findings: &'a [Finding],
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    unknown: &'a [String],
}

#[derive(Debug, serde::Serialize)]
#[serde(rename_all = "camelCase")]
struct DeletionView<'a> {
    cluster: &'a ClusterId,
    project: &'a ProjectId,
    phase: &'static str,
    next: String,
    waits: &'a [String],
    #[serde(skip_serializing_if = "Option::is_none")]
    refused: Option<RefusedView<'a>>,
}

#[derive(Debug, serde::Serialize)]
struct RefusedView<'a> {
    reason: Reason,
    message: &'a str,
}

/// `path`, `change`, `added`, `removed` and, where it was asked for, `diff`.
#[derive(Debug)]
struct FileView<'a> {
    change: &'a FileChange,
    with_diff: bool,
}

impl<'a> View<'a> {
    pub(crate) fn new(report: &'a Report, with_diff: bool) -> Self {
        let deletion = |(cluster, deleting): (&'a ClusterId, &'a ::plan::Deleting)| DeletionView {
            cluster,
            project: &deleting.project,
            phase: words::stage(deleting),
            next: words::next(deleting),
            waits: &deleting.waits,
            refused: deleting.refused.as_ref().map(|(reason, message)| RefusedView { reason: *reason, message }),
        };
        Self {
            tip: report.tip,
            pending: report.is_pending(),
            plan: report.plan.view(),
            impacts: &report.impacts,
            deletions: report.plan.deletions.iter().map(deletion).collect(),
            capacity: &report.plan.capacity,
            files: report.files.iter().map(|change| FileView { change, with_diff }).collect(),
            findings: &report.findings,
            unknown: &report.unknown,
        }
    }
}

impl Serialize for FileView<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Counts { added, removed } = files::counts(self.change);
        let mut file = serializer.serialize_struct("File", 4 + usize::from(self.with_diff))?;
        file.serialize_field("path", &self.change.path)?;
        file.serialize_field("change", &files::kind(self.change))?;
        file.serialize_field("added", &added)?;
        file.serialize_field("removed", &removed)?;
        if self.with_diff {
            file.serialize_field("diff", &files::unified(self.change))?;
        }
        file.end()
    }
}
