//! Overlays: which clusters they are for, and what they give to definitions that leave it out.

mod merge;

pub(crate) use merge::{Merged, merge, written};

use model::overlay::{CLUSTER_LABEL, LabelSelector, STAGE_LABEL};
use model::want::SourcedPatch;
use model::{BlobId, ClusterDefinition, Overlay};
use serde_json::Value;
use std::collections::BTreeMap;
use std::sync::Arc;

/// The overlays of a tree that are not disabled.
#[derive(Debug, Default)]
pub(crate) struct Overlays {
    /// In the order in which they count.
    pub(crate) layers: Vec<Layer>,
    pub(crate) broken: Vec<BrokenOverlay>,
}

/// An overlay and where it is written.
#[derive(Debug)]
pub(crate) struct Layer {
    pub(crate) path: String,
    pub(crate) blob: BlobId,
    pub(crate) overlay: Arc<Overlay>,
    /// `spec.definition` as JSON; None where it gives nothing.
    pub(crate) gives: Option<Value>,
}

/// An overlay that cannot be used, and whose clusters are not acted on therefore.
#[derive(Debug)]
pub(crate) struct BrokenOverlay {
    pub(crate) path: String,
    /// None: whom it is for cannot be read.
    pub(crate) selector: Option<LabelSelector>,
}

impl BrokenOverlay {
    pub(crate) fn may_be_for(&self, labels: &BTreeMap<String, String>) -> bool {
        self.selector.as_ref().is_none_or(|selector| selector.matches(labels))
    }
}

impl Overlays {
    pub(crate) fn is_empty(&self) -> bool {
        self.layers.is_empty() && self.broken.is_empty()
    }

    pub(crate) fn add(&mut self, layer: Layer) {
        self.layers.push(layer);
        self.layers.sort_by(|a, b| a.rank().cmp(&b.rank()));
    }

    pub(crate) fn selected(&self, labels: &BTreeMap<String, String>) -> Vec<&Layer> {
        self.layers.iter().filter(|layer| layer.overlay.spec.selector.matches(labels)).collect()
    }
}

impl Layer {
    fn rank(&self) -> (i32, &str, &str) {
        (self.overlay.spec.order, self.overlay.metadata.name.as_str(), &self.path)
    }

    pub(crate) fn patches(&self) -> impl Iterator<Item = SourcedPatch> {
        sourced(&self.overlay.spec.patches, &self.path)
    }
}

/// Patches with the file and the fields in which they are written.
pub(crate) fn sourced(patches: &[model::Patch], path: &str) -> impl Iterator<Item = SourcedPatch> {
    patches.iter().enumerate().map(move |(index, patch)| SourcedPatch {
        file: path.to_owned(),
        field: format!("spec.patches[{index}]"),
        patch: patch.clone(),
    })
}

/// What selectors look at.
pub(crate) fn labels(definition: &ClusterDefinition, stage: &str) -> BTreeMap<String, String> {
    let mut labels = definition.metadata.labels.clone();
    labels.insert(STAGE_LABEL.to_owned(), stage.to_owned());
    labels.insert(CLUSTER_LABEL.to_owned(), definition.metadata.name.to_string());
    labels
}

/// Which overlay gave which field of one cluster.
#[derive(Debug)]
pub(crate) struct Given<'a> {
    pub(crate) merged: Arc<Merged>,
    /// Those that `merged` was made from.
    pub(crate) layers: Vec<&'a Layer>,
}

impl Given<'_> {
    /// The overlay that gave a field of the definition, or what holds it.
    pub(crate) fn layer(&self, field: &str) -> Option<&Layer> {
        self.merged.layer(field).and_then(|index| self.layers.get(index).copied())
    }

    /// File and field in which it is written.
    pub(crate) fn place(&self, field: &str) -> Option<(&str, String)> {
        let layer = self.layer(field)?;
        Some((&layer.path, format!("spec.definition.{}", field.strip_prefix("spec.")?)))
    }
}
