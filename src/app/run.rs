//! `sbc run`: start, say so, wait for signals, end.

use std::io::Write;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use anyhow::Result;
use tokio::signal::unix::{Signal, SignalKind, signal};

use super::load::{Problems, Source};
use super::start::{Running, start};
use super::{drain, logging};
use crate::config::Settings;
use crate::edge::clock::Clock;
use crate::edge::driver::Request;

/// Exit status for a configuration with problems.
pub const BAD_CONFIG: u8 = 64;

/// Runs until told to end.
pub fn run(source: &Source) -> ExitCode {
    let settings = match source.settings() {
        Ok(settings) => settings,
        Err(problems) => return refuse(&problems),
    };
    logging::start(&settings.log);
    match start(&settings, source).and_then(|running| serve(&settings, running)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let _ = writeln!(std::io::stderr(), "sbc: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Prints every problem.
pub fn refuse(Problems(list): &Problems) -> ExitCode {
    let mut err = std::io::stderr();
    for problem in list {
        let _ = writeln!(err, "{problem}");
    }
    ExitCode::from(BAD_CONFIG)
}

fn serve(settings: &Settings, running: Running) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let Running { node, driver, greeting, clock } = running;
        let mut signals = Signals::new()?;
        if let Some(text) = greeting {
            // A closed standard output is no reason not to serve.
            let _ = std::io::stdout().write_all(text.as_bytes()).and_then(|()| std::io::stdout().flush());
        }
        tracing::info!(version = env!("CARGO_PKG_VERSION"), node = %settings.node.name, "ready");
        let _ = sd_notify::notify(&[sd_notify::NotifyState::Ready]);
        let beats = tokio::spawn(watchdog(Arc::clone(&node), clock));
        if !driver.is_finished() {
            wait(settings, &node, &mut signals, &driver).await;
        }
        drain::end_calls(&node).await;
        beats.abort();
        // The driver may be gone by a fault: then there is nobody to tell.
        let _ = node.driver.send(Request::Stop).await;
        let ended = driver.join();
        let _ = std::fs::remove_file(&settings.admin.socket);
        match ended {
            Ok(result) => Ok(result?),
            Err(_) => anyhow::bail!("the signalling thread has died"),
        }
    })
}

/// Until the process may end: the first signal drains, the second, `sbc stop`
/// or the end of the driver does not wait.
async fn wait(
    settings: &Settings,
    node: &super::line::Node,
    signals: &mut Signals,
    driver: &std::thread::JoinHandle<std::io::Result<()>>,
) {
    let gone = async {
        while !driver.is_finished() {
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
        tracing::error!("the signalling thread has ended");
    };
    tokio::pin!(gone);
    tokio::select! {
        () = signals.end() => {}
        () = node.stop.notified() => return,
        () = &mut gone => return,
    }
    let _ = sd_notify::notify(&[sd_notify::NotifyState::Stopping]);
    let calls = drain::active(node).await.unwrap_or(0);
    if calls > 0 {
        tracing::info!(calls, secs = settings.node.drain.as_secs(), "draining; a second signal ends the calls");
    }
    tokio::select! {
        () = drain::drain(node, settings.node.drain) => {}
        () = signals.end() => {}
        () = node.stop.notified() => {}
        () = &mut gone => {}
    }
}

/// Feeds systemd's watchdog while the driver answers and every media thread turns.
async fn watchdog(node: Arc<super::line::Node>, clock: Clock) {
    let Some(every) = sd_notify::watchdog_enabled() else { return };
    loop {
        tokio::time::sleep(every / 3).await;
        let now = clock.now().mono.as_millis();
        let late = |beat: u64| now.saturating_sub(beat) > every.as_millis() as u64 / 2;
        let turning = node.media.iter().all(|m| !late(m.gauges().beat_ms.load(Relaxed)));
        let answering = tokio::time::timeout(every / 4, drain::active(&node)).await.is_ok_and(|calls| calls.is_some());
        if turning && answering {
            let _ = sd_notify::notify(&[sd_notify::NotifyState::Watchdog]);
        } else {
            tracing::error!(turning, answering, "a thread hangs, the watchdog is not fed");
        }
    }
}

/// The signals that mean something.
struct Signals {
    term: Signal,
    int: Signal,
    hup: Signal,
}

impl Signals {
    fn new() -> std::io::Result<Self> {
        Ok(Self {
            term: signal(SignalKind::terminate())?,
            int: signal(SignalKind::interrupt())?,
            hup: signal(SignalKind::hangup())?,
        })
    }

    /// Waits for one that asks to end.
    async fn end(&mut self) {
        loop {
            tokio::select! {
                _ = self.term.recv() => return,
                _ = self.int.recv() => return,
                _ = self.hup.recv() => {
                    tracing::warn!("SIGHUP is ignored: a changed configuration takes effect at the next start");
                }
            }
        }
    }
}
