//! Metrics: what CloudWatch draws curves and raises alarms of.
//!
//! Anybody counts, anywhere below an [`Invocation`]:
//!
//! ```
//! use shared::metrics::{self, Metric};
//!
//! metrics::add(Metric::CacheHits, 3);
//! metrics::set(Metric::OutboxDepth, 12);
//! ```
//!
//! The counts of an invocation are written as one line of standard output in CloudWatch's Embedded Metric Format,
//! when it ends, and only where `METRICS_SERVICE` is set. Outside an invocation nothing is counted.
//!
//! CloudWatch asks a price for each metric of each dimension. Therefore the only dimension is the service, which is
//! the whole installation; function and request stand beside the numbers for CloudWatch Logs Insights, and Lambda
//! counts invocations, errors and duration of each function by itself, for nothing.

use std::{
    io::{self, Write},
    sync::{Mutex, PoisonError},
    time::Duration,
};

use serde_json::{Map, Value, json};

use crate::{
    clock::{Clock, Millis, SystemClock},
    config::Names,
    invocation::{self, Invocation},
};

/// The namespace of the metrics in CloudWatch.
const NAMESPACE: &str = "AIMO";

macro_rules! metrics {
    ($($(#[doc = $help:literal])+ $name:ident in $unit:ident;)*) => {
        /// What is counted. The names are those in CloudWatch.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum Metric {
            $($(#[doc = $help])+ $name,)*
        }

        impl Metric {
            /// Every metric.
            pub const ALL: &[Self] = &[$(Self::$name),*];

            /// Returns the name.
            #[must_use]
            pub fn name(self) -> &'static str {
                match self { $(Self::$name => stringify!($name),)* }
            }

            /// Returns the unit, as CloudWatch names it.
            #[must_use]
            pub fn unit(self) -> &'static str {
                match self { $(Self::$name => stringify!($unit),)* }
            }
        }
    };
}

metrics! {
    /// Requests that were answered, whatever the answer.
    Requests in Count;
    /// How long an invocation took.
    Latency in Milliseconds;
    /// Requests that failed by no fault of the caller.
    Failures in Count;
    /// SQL statements, `BEGIN` and `COMMIT` included.
    SqlStatements in Count;
    /// Texts whose embedding was in the cache.
    CacheHits in Count;
    /// Texts whose embedding was not.
    CacheMisses in Count;
    /// Entries of the vector outbox that wait.
    OutboxDepth in Count;
    /// How long the oldest of them has waited.
    OutboxAge in Seconds;
    /// Rules that were due.
    PushesMatched in Count;
    /// Pushes that were delivered.
    Pushes in Count;
    /// Pushes that another run has done, or whose rule has changed.
    PushesSkipped in Count;
    /// Pushes that may have been delivered twice.
    PushesDoubtful in Count;
    /// Pushes that a channel refused or did not take.
    PushFailures in Count;
    /// Calls to providers of models, speech and text recognition.
    ProviderCalls in Count;
    /// Those that brought nothing usable.
    ProviderFailures in Count;
    /// Tokens that providers say they have billed, in and out.
    ProviderTokens in Count;
}

/// What an invocation has counted so far.
#[derive(Debug, Default)]
pub(crate) struct Counts(Mutex<Vec<(Metric, u64)>>);

impl Counts {
    fn change(&self, metric: Metric, change: impl FnOnce(u64) -> u64) {
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match counts.iter_mut().find(|(counted, _)| *counted == metric) {
            Some((_, value)) => *value = change(*value),
            None => counts.push((metric, change(0))),
        }
    }

    fn get(&self) -> Vec<(Metric, u64)> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// Adds to what the current invocation has counted.
pub fn add(metric: Metric, amount: u64) {
    if let Some(invocation) = Invocation::current() {
        invocation.counts().change(metric, |value| value.saturating_add(amount));
    }
}

/// Sets what the current invocation has found or measured.
pub fn set(metric: Metric, found: u64) {
    if let Some(invocation) = Invocation::current() {
        invocation.counts().change(metric, |_| found);
    }
}

/// Returns a time as a metric has it.
#[must_use]
pub fn milliseconds(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

/// Writes what the current invocation has counted.
pub(crate) fn write() {
    let Some(invocation) = Invocation::current() else { return };
    if let Some(line) = line(invocation::names(), &invocation, SystemClock.now()) {
        // As with the log: whoever closed the pipe does not want to know.
        let _ = writeln!(io::stdout().lock(), "{line}");
    }
}

/// Returns the counts in CloudWatch's Embedded Metric Format; `None` when nobody wants them, or there are none.
fn line(names: &Names, invocation: &Invocation, now: Millis) -> Option<Value> {
    let service = names.service.as_deref()?;
    let counts = invocation.counts().get();
    if counts.is_empty() {
        return None;
    }
    let metrics: Vec<Value> =
        counts.iter().map(|(metric, _)| json!({"Name": metric.name(), "Unit": metric.unit()})).collect();
    let directive = json!({"Namespace": NAMESPACE, "Dimensions": [["Service"]], "Metrics": metrics});
    let mut line = Map::new();
    line.insert("_aws".to_owned(), json!({"Timestamp": now, "CloudWatchMetrics": [directive]}));
    line.insert("Service".to_owned(), service.into());
    line.insert("function".to_owned(), names.function.as_deref().into());
    line.insert("request_id".to_owned(), invocation.id().into());
    line.insert("cold_start".to_owned(), invocation.is_cold().into());
    line.extend(counts.into_iter().map(|(metric, value)| (metric.name().to_owned(), value.into())));
    Some(line.into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::SystemRandom;

    fn names(service: Option<&str>) -> Names {
        Names { function: Some("aimo-tags".to_owned()), service: service.map(str::to_owned) }
    }

    #[test]
    fn the_counts_of_an_invocation_are_one_line_in_the_format_of_cloudwatch() {
        let invocation = Invocation::local(&SystemRandom, None);
        invocation.enter(|| {
            add(Metric::SqlStatements, 1);
            add(Metric::SqlStatements, 2);
            set(Metric::Latency, 9);
            set(Metric::Latency, 5);
        });
        let line = line(&names(Some("aimo")), &invocation, 1_700_000_000_000).unwrap();
        let metrics =
            json!([{"Name": "SqlStatements", "Unit": "Count"}, {"Name": "Latency", "Unit": "Milliseconds"}]);
        let directive = json!({"Namespace": "AIMO", "Dimensions": [["Service"]], "Metrics": metrics});
        assert_eq!(line["_aws"], json!({"Timestamp": 1_700_000_000_000_i64, "CloudWatchMetrics": [directive]}));
        assert_eq!((&line["SqlStatements"], &line["Latency"]), (&json!(3), &json!(5)));
        assert_eq!((&line["Service"], &line["function"]), (&json!("aimo"), &json!("aimo-tags")));
        assert_eq!(line["request_id"], invocation.id());
    }

    #[test]
    fn nothing_is_written_where_nobody_asked_or_nothing_was_counted() {
        let invocation = Invocation::local(&SystemRandom, None);
        assert_eq!(line(&names(Some("aimo")), &invocation, 0), None);
        invocation.enter(|| add(Metric::Requests, 1));
        assert_eq!(line(&names(None), &invocation, 0), None);
        assert!(line(&names(Some("aimo")), &invocation, 0).is_some());
    }

    #[test]
    fn outside_an_invocation_nothing_is_counted() {
        add(Metric::Requests, 1);
        let invocation = Invocation::local(&SystemRandom, None);
        assert_eq!(line(&names(Some("aimo")), &invocation, 0), None);
    }
}
