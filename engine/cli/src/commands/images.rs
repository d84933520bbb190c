//! `ferrofleet images`: the bill of images, for mirroring them before a cluster needs them.

use crate::args::{Format, RepoArgs};
use crate::exit::Exit;
use crate::output::{self, findings, table::Table, talk};
use crate::source::Fleet;
use clap::Args;
use model::{ClusterId, Finding};
use render::{BillEntry, Fetched};
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

/// Names of clusters in a row of the table; more are counted.
const NAMED_MAX: usize = 3;

/// Every container image and chart that the output names: what a mirror must hold
///
/// References are those after the policy's rewriting, with the upstream one beside them. What kubeadm pulls lies in the
/// machine image and is not listed; of extra charts it is what their values name. Clusters need no lock.
#[derive(Args, Debug)]
#[command(after_help = "Examples:\n  \
    ferrofleet images\n  \
    ferrofleet images --cluster shop\n  \
    ferrofleet images platform -o json | jq -r '.[].upstream'")]
pub(crate) struct ImagesArgs {
    /// A work tree of a fleet repository, in place of --repo
    #[arg(value_name = "DIR")]
    dir: Option<PathBuf>,
    /// Only this cluster: its name, or <namespace>.<name>
    #[arg(long, value_name = "NAME")]
    cluster: Option<String>,
    /// How the bill is shown
    #[arg(short, long, value_enum, default_value_t, value_name = "FORMAT")]
    output: Format,
    // Last: its heading would be that of what follows.
    #[command(flatten)]
    repo: RepoArgs,
}

/// One image or chart, whoever names it.
#[derive(Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
struct Image {
    reference: String,
    upstream: String,
    kind: Fetched,
    /// Whether it comes from a host that a rule of a policy leads to.
    mapped: bool,
    clusters: BTreeSet<ClusterId>,
    /// What names it, and where.
    used_by: BTreeSet<Use>,
}

#[derive(Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
struct Use {
    object: String,
    from: String,
}

pub(crate) fn images(args: &ImagesArgs) -> anyhow::Result<Exit> {
    let fleet = Fleet::read(args.dir.as_deref(), &args.repo)?;
    let chosen = fleet.chosen(args.cluster.as_deref())?;
    let told: Vec<Finding> = fleet.errors(&chosen).cloned().collect();
    if !told.is_empty() {
        talk::say(findings::text(&told).trim_end());
    }
    let of_cluster = |wanted: &&model::Wanted| {
        let bill = render::images(wanted, &render::placeholder_lock(wanted));
        bill.into_iter().map(|entry| (wanted.id.clone(), entry)).collect::<Vec<_>>()
    };
    let bill = bill(chosen.iter().flat_map(of_cluster));
    output::show(args.output, &bill, || text(&bill))?;
    // A bill with a hole in it is none.
    Ok(if told.is_empty() { Exit::Done } else { Exit::Failed })
}

/// Each of them once, charts after images.
fn bill(entries: impl Iterator<Item = (ClusterId, BillEntry)>) -> Vec<Image> {
    let mut all: BTreeMap<(Fetched, String, String), Image> = BTreeMap::new();
    for (cluster, entry) in entries {
        let BillEntry { kind, reference, upstream, object, from, mapped } = entry;
        let image = all.entry((kind, reference.clone(), upstream.clone())).or_insert_with(|| Image {
            reference,
            upstream,
            kind,
            mapped,
            clusters: BTreeSet::new(),
            used_by: BTreeSet::new(),
        });
        image.clusters.insert(cluster);
        image.used_by.insert(Use { object, from });
    }
    all.into_values().collect()
}

fn text(bill: &[Image]) -> String {
    if bill.is_empty() {
        return "no images: nothing is installed in any cluster\n".to_owned();
    }
    let mut table = Table::new(["KIND", "REFERENCE", "UPSTREAM", "CLUSTERS"]).elastic("CLUSTERS");
    for Image { reference, upstream, kind, mapped: _, clusters, used_by: _ } in bill {
        let kind = match kind {
            Fetched::Image => "image",
            Fetched::Chart => "chart",
        };
        let clusters = match clusters.len() {
            ..=NAMED_MAX => clusters.iter().map(ToString::to_string).collect::<Vec<_>>().join(" "),
            many => output::count(many, "cluster"),
        };
        let upstream = if upstream == reference { String::new() } else { upstream.clone() };
        table.row([kind.to_owned(), reference.clone(), upstream, clusters]);
    }
    table.text()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(reference: &str, object: &str) -> BillEntry {
        BillEntry {
            kind: Fetched::Image,
            reference: reference.to_owned(),
            upstream: format!("ghcr.io/{reference}"),
            object: object.to_owned(),
            from: "spec".to_owned(),
            mapped: true,
        }
    }

    #[test]
    fn an_image_of_several_clusters_is_one_line() {
        let id = |name: &str| {
            let (namespace, name) = (model::Namespace::parse("default"), model::ClusterName::parse(name));
            ClusterId::new(namespace.unwrap(), name.unwrap()).unwrap()
        };
        let names = ["a", "b", "c", "d"];
        let all = names.into_iter().map(|name| (id(name), entry("ccm:v1", name)));
        let bill = bill(all.chain([(id("a"), entry("vip:v1", "a"))]));
        assert_eq!(bill.len(), 2);
        assert_eq!((bill[0].clusters.len(), bill[0].used_by.len()), (4, 4));
        assert_eq!(
            text(&bill),
            "KIND   REFERENCE  UPSTREAM        CLUSTERS\n\
             image  ccm:v1     ghcr.io/ccm:v1  4 clusters\n\
             image  vip:v1     ghcr.io/vip:v1  default.a\n"
        );
    }
}
