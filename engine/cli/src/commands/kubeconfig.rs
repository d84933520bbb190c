//! `ferrofleet kubeconfig`: the kubeconfig of a cluster, as its control plane left it in the management cluster.

mod clusters;
mod file;

use crate::exit::{Exit, Usage};
use crate::kube::{self, KubeArgs, Server};
use crate::output;
use ::kube::Api;
use clap::Args;
use clusters::{Asked, Found, Known};
use k8s_openapi::api::core::v1::Secret;
use std::path::{Path, PathBuf};

/// Write the kubeconfig of a cluster, as its control plane left it in the management cluster, to a file
#[derive(Args, Debug)]
#[command(after_help = "Examples:\n  \
    ferrofleet kubeconfig shop\n  \
    ferrofleet kubeconfig payments/billing --out ~/.kube/billing --force\n  \
    ferrofleet kubeconfig payments.billing --out - --kubeconfig mgmt.kubeconfig --context mgmt-muc")]
pub(crate) struct KubeconfigArgs {
    /// The cluster: its name, <namespace>/<name>, or <namespace>.<name>
    #[arg(value_name = "CLUSTER")]
    cluster: String,
    /// Its namespace [default: the one that has a cluster of this name]
    #[arg(short, long, value_name = "NS")]
    namespace: Option<String>,
    /// Where it is written, for you alone to read; - is stdout [default: <name>.kubeconfig]
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Replace the file when it is there
    #[arg(long)]
    force: bool,
    #[command(flatten)]
    kube: KubeArgs,
}

pub(crate) async fn kubeconfig(args: KubeconfigArgs) -> anyhow::Result<Exit> {
    let asked = Asked::parse(&args.cluster, args.namespace.as_deref())?;
    let out = args.out.unwrap_or_else(|| PathBuf::from(format!("{}.kubeconfig", asked.name())));
    let is_stdout = out.as_os_str() == "-";
    if !is_stdout && !args.force {
        file::must_not_be_there(&out)?;
    }
    let server = args.kube.server().await?;
    let (id, text) = fetch(&server, &asked).await?;
    let place = format!("Secret {}/{}, key {KEY}", id.namespace, secret_name(&id.name));
    let chosen = kube::parsed(&text).and_then(|config| kube::chosen(&config, None)).map_err(|wrong| {
        anyhow::anyhow!("{place}: {}; delete the Secret and let the control plane write it anew", wrong.what)
    })?;
    if is_stdout {
        output::data(&text)?;
    } else {
        file::write(&out, &text, args.force)?;
        let shown = shown(&out);
        output::talk::note(&format!("wrote {shown}: {} at {}", chosen.context, chosen.server));
        output::talk::hint(&format!("kubectl --kubeconfig {shown} get nodes"));
    }
    Ok(Exit::Done)
}

fn shown(path: &Path) -> String {
    path.display().to_string()
}

/// Cluster API's contract: the name of the Secret, and its key.
const KEY: &str = "value";

fn secret_name(cluster: &str) -> String {
    format!("{cluster}-kubeconfig")
}

async fn fetch(server: &Server, asked: &Asked) -> anyhow::Result<(Found, String)> {
    let listed = kube::clusters(&server.client).await;
    let known: Vec<Known> = match &listed {
        Ok(found) => found.iter().filter_map(Known::of).collect(),
        Err(_) => Vec::new(),
    };
    let found = match &listed {
        Ok(_) => asked.among(&known)?,
        // Who may not list clusters may still read this one Secret.
        Err(error) if kube::is_forbidden(error) => asked.unseen(&server.namespace),
        Err(error) if kube::is_missing(error) => {
            let hint = "is this the management cluster? `ferrofleet doctor` says what is missing";
            return Err(Usage::new(format!("{} has no Cluster API", server.url), hint).into());
        }
        Err(error) => anyhow::bail!("the clusters of {} cannot be listed: {}", server.url, kube::said(error)),
    };
    let name = secret_name(&found.name);
    let secrets = Api::<Secret>::namespaced(server.client.clone(), &found.namespace);
    let secret = match secrets.get_opt(&name).await {
        Ok(Some(secret)) => secret,
        Ok(None) => return Err(missing(&found, &known)),
        Err(error) => anyhow::bail!("Secret {}/{name} cannot be read: {}", found.namespace, kube::said(&error)),
    };
    let value = secret.data.and_then(|mut data| data.remove(KEY));
    let Some(value) = value.filter(|value| !value.0.is_empty()) else {
        anyhow::bail!("Secret {}/{name} has no key `{KEY}`: it is not what a control plane writes", found.namespace);
    };
    let text = String::from_utf8(value.0)
        .map_err(|_| anyhow::anyhow!("Secret {}/{name}, key {KEY}: this is no text", found.namespace))?;
    Ok((found, text))
}

/// Why there is no Secret, and what it waits for.
fn missing(found: &Found, known: &[Known]) -> anyhow::Error {
    let Found { namespace, name } = found;
    let secret = secret_name(name);
    match known.iter().find(|cluster| cluster.namespace == *namespace && cluster.name == *name) {
        Some(cluster) => anyhow::anyhow!(
            "the control plane of {namespace}/{name} is not initialized yet: there is no Secret {secret}; {}",
            cluster.waits_for()
        ),
        None => Usage::new(
            format!("there is no Secret {namespace}/{secret}, and clusters cannot be listed"),
            "name the namespace with --namespace, or use a kubeconfig that may list clusters",
        )
        .into(),
    }
}
