//! The commands, one file each.

mod ack;
mod answer;
mod completions;
mod crds;
mod demo;
mod diff;
mod doctor;
mod drift;
mod explain;
mod history;
mod images;
mod init;
mod kubeconfig;
mod man;
mod metal_sim;
mod orphans;
mod plan;
mod provider;
mod recover;
mod render;
mod run;
mod schema;
mod status;
mod validate;
mod version;
mod why;

use crate::exit::Exit;
use anyhow::Context as _;
use clap::Subcommand;
use std::time::Duration;

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    Demo(demo::DemoArgs),
    Init(init::InitArgs),
    Validate(validate::ValidateArgs),
    Plan(plan::PlanArgs),
    Run(Box<run::RunArgs>),
    Render(render::RenderArgs),
    Diff(diff::DiffArgs),
    Status(Box<status::StatusArgs>),
    History(Box<history::HistoryArgs>),
    Drift(Box<drift::DriftArgs>),
    Orphans(Box<orphans::OrphansArgs>),
    Ack(Box<ack::AckArgs>),
    Recover(Box<recover::RecoverArgs>),
    Why(why::WhyArgs),
    Images(images::ImagesArgs),
    Doctor(doctor::DoctorArgs),
    Kubeconfig(kubeconfig::KubeconfigArgs),
    Provider(Box<provider::ProviderArgs>),
    MetalSim(metal_sim::MetalSimArgs),
    Schema(schema::SchemaArgs),
    Explain(explain::ExplainArgs),
    Crds(crds::CrdsArgs),
    Completions(completions::CompletionsArgs),
    Man(man::ManArgs),
    Version(version::VersionArgs),
}

impl Command {
    /// Whether it stays up until it is ended, so that its log is worth reading.
    pub(crate) fn is_lasting(&self) -> bool {
        match self {
            Self::Run(args) => args.is_lasting(),
            Self::Provider(args) => args.is_lasting(),
            Self::Demo(_)
            | Self::Init(_)
            | Self::Validate(_)
            | Self::Plan(_)
            | Self::Render(_)
            | Self::Diff(_)
            | Self::Status(_)
            | Self::History(_)
            | Self::Drift(_)
            | Self::Orphans(_)
            | Self::Ack(_)
            | Self::Recover(_)
            | Self::Why(_)
            | Self::Images(_)
            | Self::Doctor(_)
            | Self::Kubeconfig(_)
            | Self::MetalSim(_)
            | Self::Schema(_)
            | Self::Explain(_)
            | Self::Crds(_)
            | Self::Completions(_)
            | Self::Man(_)
            | Self::Version(_) => false,
        }
    }

    pub(crate) fn run(self) -> anyhow::Result<Exit> {
        match self {
            Self::Demo(args) => block_on(demo::demo(args)),
            Self::Init(args) => init::init(&args),
            Self::Validate(args) => validate::validate(&args),
            Self::Plan(args) => block_on(plan::plan(args)),
            Self::Run(args) => block_on(run::run(*args)),
            Self::Render(args) => render::render(&args),
            Self::Diff(args) => diff::diff(&args),
            Self::Status(args) => block_on(status::status(*args)),
            Self::History(args) => block_on(history::history(*args)),
            Self::Drift(args) => block_on(drift::drift(*args)),
            Self::Orphans(args) => block_on(orphans::orphans(*args)),
            Self::Ack(args) => block_on(ack::ack(*args)),
            Self::Recover(args) => block_on(recover::recover(*args)),
            Self::Why(args) => why::why(&args),
            Self::Images(args) => images::images(&args),
            Self::Doctor(args) => block_on(doctor::doctor(args)),
            Self::Kubeconfig(args) => block_on(kubeconfig::kubeconfig(args)),
            Self::Provider(args) => block_on(provider::provider(*args)),
            Self::MetalSim(args) => block_on(metal_sim::metal_sim(args)),
            Self::Schema(args) => schema::schema(&args),
            Self::Explain(args) => explain::explain(&args),
            Self::Crds(args) => crds::crds(&args),
            Self::Completions(args) => completions::completions(&args),
            Self::Man(args) => man::man(&args),
            Self::Version(args) => version::version(&args),
        }
    }
}

/// Runs to the end; what still hangs then (a name lookup, a file on a dead mount) does not keep the process.
pub(crate) fn block_on<T>(work: impl Future<Output = anyhow::Result<T>>) -> anyhow::Result<T> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().context("no runtime")?;
    let result = runtime.block_on(work);
    runtime.shutdown_timeout(Duration::from_millis(200));
    result
}
