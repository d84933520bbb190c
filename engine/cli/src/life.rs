//! The life of a lasting process: signals. The first one ends it cleanly, the second one at once.

use crate::output::talk;
use std::io::IsTerminal as _;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

/// As shells report a process that Ctrl-C ended.
const INTERRUPTED: i32 = 130;

/// Listens for signals from now on; must be called inside of a runtime. The receiver turns true at the first SIGINT or
/// SIGTERM; `hung_up` runs at each SIGHUP.
pub(crate) fn listen(hung_up: impl Fn() + Send + 'static) -> std::io::Result<watch::Receiver<bool>> {
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    let mut hangup = signal(SignalKind::hangup())?;
    let (sender, receiver) = watch::channel(false);
    tokio::spawn(async move {
        loop {
            tokio::select! {
                _ = interrupt.recv() => {}
                _ = terminate.recv() => {}
                _ = hangup.recv() => {
                    hung_up();
                    continue;
                }
            }
            if *sender.borrow() {
                #[expect(clippy::exit, reason = "the second signal: whoever sent it does not want to wait")]
                std::process::exit(INTERRUPTED);
            }
            sender.send_replace(true);
            if std::io::stderr().is_terminal() {
                talk::say("\nEnding; a second signal ends at once.");
            }
        }
    });
    Ok(receiver)
}

/// Until a clean end was asked for.
pub(crate) async fn asked_to_end(mut stop: watch::Receiver<bool>) {
    // The sender lives as long as the runtime; without it nobody can ask any more.
    if stop.wait_for(|stop| *stop).await.is_err() {
        std::future::pending::<()>().await;
    }
}
