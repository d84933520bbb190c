//! `ferrofleet metal-sim`: a metal-api in memory, for tests, trials and other people's clients.

use crate::exit::{Exit, Usage};
use crate::{life, output};
use clap::{Args, ValueEnum};
use metal_sim::{Clock, Landscape, Options};
use std::net::SocketAddr;
use std::path::PathBuf;

/// A simulated metal-api on this machine, with everything in memory
#[derive(Args, Debug)]
#[command(after_help = "Examples:\n  \
    ferrofleet metal-sim\n  \
    ferrofleet metal-sim --listen 127.0.0.1:8080 --speed 60 --seed 1")]
pub(crate) struct MetalSimArgs {
    /// Loopback only; port 0 takes a free one
    #[arg(long, env = "FERROFLEET_SIM_LISTEN", value_name = "ADDR", default_value = "127.0.0.1:0", hide_env = true)]
    listen: SocketAddr,
    /// What there is at the start, in YAML [default: two partitions, 300 waiting machines per size]
    #[arg(long, value_name = "FILE")]
    landscape: Option<PathBuf>,
    /// Keeps everything in this file over restarts
    #[arg(long, value_name = "FILE")]
    state: Option<PathBuf>,
    /// Where time comes from
    #[arg(long, value_enum, default_value = "real")]
    clock: ClockArg,
    /// Simulated seconds per second
    #[arg(long, value_name = "N", default_value_t = 1.0, value_parser = speed)]
    speed: f64,
    /// The same seed gives the same answers [default: random]
    #[arg(long, value_name = "N")]
    seed: Option<u64>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum ClockArg {
    /// The machine's
    Real,
    /// Stands until `POST /_sim/clock` moves it
    Manual,
}

fn speed(text: &str) -> Result<f64, String> {
    let speed = text.parse().ok().filter(|speed: &f64| speed.is_finite() && *speed > 0.0);
    speed.ok_or_else(|| "a speed is a number above 0".to_owned())
}

pub(crate) async fn metal_sim(args: MetalSimArgs) -> anyhow::Result<Exit> {
    let MetalSimArgs { listen, landscape, state, clock, speed, seed } = args;
    if !listen.ip().is_loopback() {
        return Err(Usage::new(
            format!("--listen {listen} is not a loopback address"),
            "the simulator's control interface asks for no credentials; use 127.0.0.1 or [::1]",
        )
        .into());
    }
    let landscape = landscape.map(|file| Landscape::read(&file)).transpose()?.unwrap_or_default();
    let clock = match clock {
        ClockArg::Real => Clock::real(speed),
        ClockArg::Manual => Clock::manual(jiff::Timestamp::now()),
    };
    let defaults = Options::default();
    let options = Options { listen, landscape, state, clock, seed: seed.unwrap_or(defaults.seed) };
    let stop = life::listen(|| {})?;
    let running = metal_sim::start(options).await?;
    output::data(&(running.banner().join("\n") + "\n"))?;
    life::asked_to_end(stop).await;
    running.shutdown().await?;
    Ok(Exit::Done)
}
