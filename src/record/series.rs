//! Making series: registration with a name and help, and the bounds of histograms.
//!
//! Bounds are chosen for what is decided by them, and change only with a reason:
//! a scraper cannot compare counts across a change.

use prometheus::core::Collector;
use prometheus::{
    Histogram, HistogramOpts, HistogramVec, IntCounter, IntCounterVec, IntGauge, IntGaugeVec, Opts, Registry,
};

pub(super) fn register<C: Collector + Clone + 'static>(registry: &Registry, metric: prometheus::Result<C>) -> C {
    let metric = metric.expect("names and buckets are constants and valid");
    registry.register(Box::new(metric.clone())).expect("every name is registered once");
    metric
}

pub(super) fn counter(r: &Registry, name: &str, help: &str) -> IntCounter {
    register(r, IntCounter::new(name, help))
}

pub(super) fn counters(r: &Registry, name: &str, help: &str, labels: &[&str]) -> IntCounterVec {
    register(r, IntCounterVec::new(Opts::new(name, help), labels))
}

pub(super) fn gauge(r: &Registry, name: &str, help: &str) -> IntGauge {
    register(r, IntGauge::new(name, help))
}

pub(super) fn gauges(r: &Registry, name: &str, help: &str, labels: &[&str]) -> IntGaugeVec {
    register(r, IntGaugeVec::new(Opts::new(name, help), labels))
}

pub(super) fn histogram(r: &Registry, name: &str, help: &str, buckets: &[f64]) -> Histogram {
    register(r, Histogram::with_opts(HistogramOpts::new(name, help).buckets(buckets.to_vec())))
}

pub(super) fn histograms(r: &Registry, name: &str, help: &str, labels: &[&str], buckets: &[f64]) -> HistogramVec {
    register(r, HistogramVec::new(HistogramOpts::new(name, help).buckets(buckets.to_vec()), labels))
}

/// Setup includes ringing: from a service at once to a phone that rings out.
pub(super) const SETUP_SECS: [f64; 13] = [0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 3.0, 5.0, 10.0, 20.0, 30.0, 60.0, 120.0];
/// Fine around 1 to 5 s, where post-dial delay is good or bad.
pub(super) const PDD_SECS: [f64; 13] = [0.05, 0.1, 0.2, 0.5, 1.0, 1.5, 2.0, 3.0, 4.0, 5.0, 8.0, 12.0, 20.0];
/// Short calls are a sign of bad audio or fraud.
pub(super) const DURATION_SECS: [f64; 11] = [3.0, 6.0, 10.0, 30.0, 60.0, 120.0, 300.0, 600.0, 1800.0, 3600.0, 14_400.0];
/// A round trip: of the same rack to a satellite and back.
pub(super) const PROBE_SECS: [f64; 11] = [0.001, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0];
/// The grades of ITU-T G.107 annex B.
pub(super) const MOS: [f64; 8] = [1.5, 2.0, 2.6, 3.1, 3.6, 4.03, 4.34, 4.5];
/// 1 % is heard, 5 % is bad.
pub(super) const LOSS_RATIO: [f64; 10] = [0.0, 0.001, 0.005, 0.01, 0.02, 0.03, 0.05, 0.1, 0.2, 0.5];
/// Playout buffers begin at 20 ms and end at 200.
pub(super) const JITTER_SECS: [f64; 9] = [0.001, 0.002, 0.005, 0.01, 0.02, 0.03, 0.05, 0.1, 0.2];
