//! `ferrofleet diff`: what applying the output to its management cluster would change.

use crate::args::{Format, RepoArgs};
use crate::compare::{self, Difference, Effect, Name};
use crate::exit::{Exit, Usage};
use crate::live::Server;
use crate::output::{self, styles, talk};
use crate::rendered::Rendered;
use crate::source::Fleet;
use clap::Args;
use model::Wanted;
use model::fleet::GitOpsTool;
use serde::Serialize;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

/// Requests at the same time.
const PARALLEL: usize = 16;

/// What applying the output to its management cluster would change; nothing is written. Exits 2 on differences
///
/// Every rendered object is applied by the API server as a dry run, in the name of who applied it before, and compared
/// with what is there. Objects of a cluster that are not rendered any more count when they carry our prune guards.
#[derive(Args, Debug)]
#[command(after_help = "Examples:\n  \
    ferrofleet diff --cluster shop\n  \
    ferrofleet diff platform --kubeconfig mgmt.kubeconfig --context mgmt-muc -o json\n  \
    ferrofleet diff --repo https://git.example.com/fleet.git")]
pub(crate) struct DiffArgs {
    /// A work tree of a fleet repository, in place of --repo
    #[arg(value_name = "DIR")]
    dir: Option<PathBuf>,
    /// Only this cluster: its name, or <namespace>.<name>
    #[arg(long, value_name = "NAME")]
    cluster: Option<String>,
    /// Only clusters of this management cluster, where there are several
    #[arg(long, value_name = "NAME")]
    management_cluster: Option<String>,
    /// How the management cluster is reached [default: $KUBECONFIG, else ~/.kube/config]
    #[arg(long, value_name = "FILE")]
    kubeconfig: Option<PathBuf>,
    /// A context of the kubeconfig [default: the current one]
    #[arg(long, value_name = "NAME")]
    context: Option<String>,
    /// How differences are shown
    #[arg(short, long, value_enum, default_value_t, value_name = "FORMAT")]
    output: Format,
    // Last: its heading would be that of what follows.
    #[command(flatten)]
    repo: RepoArgs,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Shown {
    /// False when something could not be compared.
    complete: bool,
    differences: Vec<Difference>,
}

pub(crate) fn diff(args: &DiffArgs) -> anyhow::Result<Exit> {
    let fleet = Fleet::read(args.dir.as_deref(), &args.repo)?;
    let chosen = of_one_management_cluster(&fleet, args)?;
    let rendered = Rendered::of(&fleet, &chosen);
    let manager = chosen.first().map_or("ferrofleet", |wanted| field_manager(wanted.effective.gitops));
    let work = Work {
        objects: named(rendered.objects()?),
        clusters: chosen.iter().map(|w| (w.id.namespace().to_string(), w.id.name().to_string())).collect(),
        manager,
    };
    let mut shown = super::block_on(async {
        let server = Server::connect(args.kubeconfig.as_deref(), args.context.as_deref()).await?;
        compared(Arc::new(server), work).await
    })?;
    shown.complete &= rendered.complete;
    output::show(args.output, &shown, || text(&shown))?;
    Ok(match (shown.complete, shown.differences.is_empty()) {
        (false, _) => Exit::Failed,
        (true, false) => Exit::Pending,
        (true, true) => Exit::Done,
    })
}

/// A kubeconfig names one API server, so clusters of several management clusters are not compared at once.
fn of_one_management_cluster<'a>(fleet: &'a Fleet, args: &DiffArgs) -> anyhow::Result<Vec<&'a Wanted>> {
    let mut chosen = fleet.chosen(args.cluster.as_deref())?;
    let there: BTreeSet<_> = chosen.iter().map(|w| w.identity.management_cluster.as_str()).collect();
    let known = there.iter().copied().collect::<Vec<_>>().join(", ");
    match &args.management_cluster {
        Some(name) if !there.contains(name.as_str()) => {
            let hint = format!("management clusters here: {known}");
            return Err(Usage::new(format!("no cluster belongs to a management cluster {name}"), hint).into());
        }
        Some(name) => chosen.retain(|w| w.identity.management_cluster.as_str() == name),
        None if there.len() > 1 => {
            let hint = format!("choose one with --management-cluster: {known}");
            return Err(Usage::new("the clusters belong to several management clusters", hint).into());
        }
        None => {}
    }
    Ok(chosen)
}

/// In whose name these tools apply.
fn field_manager(tool: GitOpsTool) -> &'static str {
    match tool {
        GitOpsTool::Argocd => "argocd-controller",
        GitOpsTool::Flux => "kustomize-controller",
        GitOpsTool::None => "ferrofleet",
    }
}

/// What is compared.
struct Work {
    objects: BTreeMap<Name, Value>,
    /// Namespace and name.
    clusters: Vec<(String, String)>,
    manager: &'static str,
}

fn named(objects: Vec<Value>) -> BTreeMap<Name, Value> {
    objects.into_iter().filter_map(|object| Some((Name::of(&object)?, object))).collect()
}

async fn compared(server: Arc<Server>, work: Work) -> anyhow::Result<Shown> {
    let Work { objects, clusters, manager } = work;
    let limit = Arc::new(Semaphore::new(PARALLEL));
    let known: Arc<BTreeSet<Name>> = Arc::new(objects.keys().cloned().collect());
    let mut tasks = JoinSet::new();
    for like in kinds(&objects) {
        for (namespace, cluster) in &clusters {
            let like = Name { namespace: Some(namespace.clone()), ..like.clone() };
            let (server, limit, known, cluster) = (server.clone(), limit.clone(), known.clone(), cluster.clone());
            tasks.spawn(async move {
                let _turn = limit.acquire().await?;
                left(&server, &like, &cluster, &known).await
            });
        }
    }
    for (name, object) in objects {
        let (server, limit) = (server.clone(), limit.clone());
        tasks.spawn(async move {
            let _turn = limit.acquire().await?;
            Ok(one(&server, &name, &object, manager).await?.into_iter().collect())
        });
    }
    let mut shown = Shown { complete: true, differences: Vec::new() };
    let mut problems = BTreeSet::new();
    while let Some(ended) = tasks.join_next().await {
        match ended? {
            Ok(found) => shown.differences.extend(found),
            Err(error) => drop(problems.insert(format!("{error:#}"))),
        }
    }
    shown.complete = problems.is_empty();
    for problem in problems {
        talk::warning(&problem);
    }
    shown.differences.sort();
    Ok(shown)
}

/// A name of each kind that belongs to clusters, for asking what else there is.
fn kinds(objects: &BTreeMap<Name, Value>) -> Vec<Name> {
    let of_clusters =
        objects.iter().filter(|(_, object)| object["metadata"]["labels"][compare::CLUSTER_LABEL].is_string());
    let kinds: BTreeMap<_, _> = of_clusters.map(|(name, _)| ((&name.api_version, &name.kind), name)).collect();
    kinds.into_values().cloned().collect()
}

async fn one(server: &Server, name: &Name, object: &Value, manager: &str) -> anyhow::Result<Option<Difference>> {
    let Some(live) = server.get(name).await? else {
        return Ok(Some(compare::added(name, object)?));
    };
    let applied = server.dry_run(name, object, &compare::manager(Some(&live), manager)).await?;
    Ok(compare::changed(name, object, &live, &applied)?)
}

/// Guarded objects of a cluster that are not rendered any more.
async fn left(server: &Server, like: &Name, cluster: &str, known: &BTreeSet<Name>) -> anyhow::Result<Vec<Difference>> {
    let mut gone = Vec::new();
    for live in server.of_cluster(like, cluster).await? {
        let Some(name) = Name::of(&live) else { continue };
        if compare::is_ours(&live) && !known.contains(&name) {
            gone.push(compare::removed(&name, &live)?);
        }
    }
    Ok(gone)
}

fn text(shown: &Shown) -> String {
    let Shown { complete, differences } = shown;
    let mut out: String = differences.iter().map(|difference| difference.text() + "\n").collect();
    let count = |effect: Effect| differences.iter().filter(|d| d.change == effect).count();
    let (add, changed, remove) = (count(Effect::Add), count(Effect::Change), count(Effect::Remove));
    let said = match (complete, differences.is_empty()) {
        (true, true) => "nothing differs".to_owned(),
        (_, _) => format!("{add} to add, {changed} to change, {remove} to remove"),
    };
    let rest =
        if *complete { String::new() } else { format!(", {}", styles::bad("incomplete: not everything was compared")) };
    out += &format!("{} {said}{rest}\n", styles::bold("Diff:"));
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_comparison_with_a_hole_is_never_green() {
        let said = |complete| text(&Shown { complete, differences: Vec::new() });
        let plain = |text: String| anstream::adapter::strip_str(&text).to_string();
        assert_eq!(plain(said(true)), "Diff: nothing differs\n");
        assert_eq!(
            plain(said(false)),
            "Diff: 0 to add, 0 to change, 0 to remove, incomplete: not everything was compared\n"
        );
    }
}
