//! One exposition for a node of several engines.
//!
//! Every engine has a registry of its own and counts without sharing. Their
//! families are added up here by name and labels: counters, histograms and
//! amounts are summed; states of the whole node, which every engine tells
//! alike, are taken once, as the highest.

use std::collections::BTreeMap;

use prometheus::proto::{Bucket, Histogram, Metric, MetricFamily, MetricType};

/// Labels in order with their values.
type Labels = Vec<(String, String)>;

/// Adds up the families of all engines.
pub fn merge(engines: Vec<Vec<MetricFamily>>) -> Vec<MetricFamily> {
    let mut families: BTreeMap<String, MetricFamily> = BTreeMap::new();
    for family in engines.into_iter().flatten() {
        match families.get_mut(family.name()) {
            Some(sum) => add_family(sum, &family),
            None => {
                families.insert(family.name().to_owned(), family);
            }
        }
    }
    families.into_values().collect()
}

fn add_family(sum: &mut MetricFamily, more: &MetricFamily) {
    let kind = sum.get_field_type();
    let once = NODE_STATES.contains(&sum.name());
    let mut by_labels: BTreeMap<Labels, Metric> = BTreeMap::new();
    for metric in sum.take_metric().into_iter().chain(more.get_metric().iter().cloned()) {
        match by_labels.get_mut(&labels(&metric)) {
            Some(so_far) => add(kind, once, so_far, &metric),
            None => {
                by_labels.insert(labels(&metric), metric);
            }
        }
    }
    sum.set_metric(by_labels.into_values().collect());
}

fn labels(metric: &Metric) -> Labels {
    metric.get_label().iter().map(|l| (l.name().to_owned(), l.value().to_owned())).collect()
}

fn add(kind: MetricType, once: bool, sum: &mut Metric, more: &Metric) {
    match kind {
        MetricType::COUNTER => {
            let mut counter = sum.get_counter().clone();
            let (a, b) = (counter.get_value(), more.get_counter().get_value());
            counter.set_value(if once { a.max(b) } else { a + b });
            sum.set_counter(counter);
        }
        MetricType::GAUGE => {
            let mut gauge = sum.get_gauge().clone();
            let (a, b) = (gauge.get_value(), more.get_gauge().get_value());
            gauge.set_value(if once { a.max(b) } else { a + b });
            sum.set_gauge(gauge);
        }
        MetricType::HISTOGRAM => {
            let total = add_histograms(sum.get_histogram(), more.get_histogram());
            sum.set_histogram(total);
        }
        MetricType::SUMMARY | MetricType::UNTYPED => {}
    }
}

fn add_histograms(a: &Histogram, b: &Histogram) -> Histogram {
    let mut sum = Histogram::default();
    sum.set_sample_count(a.get_sample_count() + b.get_sample_count());
    sum.set_sample_sum(a.get_sample_sum() + b.get_sample_sum());
    let both = a.get_bucket().iter().zip(b.get_bucket());
    let bucket = |(a, b): (&Bucket, &Bucket)| {
        let mut bucket = Bucket::default();
        bucket.set_upper_bound(a.upper_bound());
        bucket.set_cumulative_count(a.cumulative_count() + b.cumulative_count());
        bucket
    };
    sum.set_bucket(both.map(bucket).collect());
    sum
}

/// What is a state of the node and not an engine's share of it.
const NODE_STATES: [&str; 9] = [
    "sbc_trunk_up",
    "sbc_overload_state",
    "sbc_cdr_spool_bytes",
    "sbc_cdr_oldest_unsent_seconds",
    "sbc_tls_cert_expiry_timestamp_seconds",
    "sbc_build_info",
    "sbc_start_time_seconds",
    "sbc_ws_connections",
    "sbc_panics_total",
];

#[cfg(test)]
mod tests {
    use super::super::metrics::{Metrics, Snapshot, Way, text};
    use super::super::names::Names;
    use super::*;
    use crate::base::{TrunkId, UnixMillis};

    #[test]
    fn shares_are_added_and_states_are_not() {
        let names = Names { realms: vec![], trunks: vec!["acme".into()] };
        let engines: Vec<_> = [2, 3]
            .into_iter()
            .map(|n| {
                let metrics = Metrics::new(names.clone(), "1", UnixMillis(5_000));
                for _ in 0..n {
                    metrics.request("BYE", Way::In);
                    metrics.probed(TrunkId(0), 15);
                }
                metrics.gather(&Snapshot { rtp_ports_free: n, overload: n as u8 - 2, ..Snapshot::default() })
            })
            .collect();
        let text = text(&merge(engines));
        for line in [
            "sbc_sip_requests_total{direction=\"in\",method=\"BYE\"} 5",
            "sbc_rtp_ports_free 5",
            "sbc_overload_state 1",
            "sbc_start_time_seconds 5",
            "sbc_trunk_probe_seconds_count{trunk=\"acme\"} 5",
            "sbc_trunk_probe_seconds_bucket{trunk=\"acme\",le=\"0.01\"} 0",
            "sbc_trunk_probe_seconds_bucket{trunk=\"acme\",le=\"0.02\"} 5",
        ] {
            assert!(text.lines().any(|l| l == line), "{line} is not in\n{text}");
        }
    }
}
