//! An invocation: one request, or one run of a schedule. What its log lines and metrics have in common.
//!
//! [`Invocation::run`] makes an invocation the current one of a task. From then on every line of the log names
//! its request ([`http::logging`](crate::http::logging)), [`metrics`](crate::metrics) count for it, and calls to
//! configured providers carry its trace header. What is spawned as a task of its own is outside of it.
//!
//! Requests are run so by the router. A scheduled function does it in its handler:
//!
//! ```no_run
//! # use lambda_http::{LambdaEvent, lambda_runtime};
//! # use shared::invocation::Invocation;
//! # async fn drain() -> Result<u64, String> { Ok(0) }
//! async fn handle(event: LambdaEvent<serde_json::Value>) -> Result<u64, String> {
//!     Invocation::of(&event.context).measured(drain()).await
//! }
//! ```

use std::{
    sync::{
        Arc, OnceLock,
        atomic::{AtomicBool, Ordering},
    },
    time::Instant,
};

use lambda_http::Context;

use crate::{
    config::{Names, Variables},
    ids::{self, Random},
    metrics::{self, Counts, Metric},
};

/// The header that names a trace of AWS X-Ray.
pub(crate) const TRACE_HEADER: &str = "x-amzn-trace-id";

/// The most bytes of a trace header that somebody sent.
const MAX_TRACE: usize = 256;

tokio::task_local! {
    static CURRENT: Invocation;
}

static NAMES: OnceLock<Names> = OnceLock::new();

/// Names this process. Only the first call has an effect.
pub(crate) fn name_process(variables: &Variables) {
    NAMES.get_or_init(|| Names::read(variables));
}

/// Returns how this process is named; not at all before [`name_process`].
pub(crate) fn names() -> &'static Names {
    static NONE: Names = Names { function: None, service: None };
    NAMES.get().unwrap_or(&NONE)
}

/// One request, or one run of a schedule. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Invocation(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    id: String,
    trace: Option<String>,
    is_cold: bool,
    counts: Counts,
}

impl Invocation {
    /// Begins the invocation that the Lambda runtime tells of.
    #[must_use]
    pub fn of(context: &Context) -> Self {
        Self::new(context.request_id.clone(), context.xray_trace_id.as_deref())
    }

    /// Begins an invocation outside of Lambda.
    #[must_use]
    pub fn local(random: &dyn Random, trace: Option<&str>) -> Self {
        Self::new(ids::request_id(random), trace)
    }

    fn new(id: String, trace: Option<&str>) -> Self {
        static HAS_BEGUN: AtomicBool = AtomicBool::new(false);
        let is_plain = |text: &&str| {
            let is_known = |byte: u8| byte.is_ascii_alphanumeric() || b"=;:-_".contains(&byte);
            text.len() <= MAX_TRACE && text.bytes().all(is_known)
        };
        let is_cold = !HAS_BEGUN.swap(true, Ordering::Relaxed);
        let trace = trace.filter(is_plain).map(str::to_owned);
        Self(Arc::new(Inner { id, trace, is_cold, counts: Counts::default() }))
    }

    /// Returns the invocation that the calling task belongs to.
    #[must_use]
    pub fn current() -> Option<Self> {
        CURRENT.try_with(Self::clone).ok()
    }

    /// Returns the id: that of Lambda, or one of our own.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.0.id
    }

    /// Returns the trace header that calls to others carry on.
    #[must_use]
    pub fn trace(&self) -> Option<&str> {
        self.0.trace.as_deref()
    }

    /// Returns the id of the trace, as X-Ray shows it.
    #[must_use]
    pub fn trace_id(&self) -> Option<&str> {
        self.trace()?.split(';').find_map(|part| part.strip_prefix("Root="))
    }

    /// Reports whether this is the first invocation of its process: a cold start.
    #[must_use]
    pub fn is_cold(&self) -> bool {
        self.0.is_cold
    }

    pub(crate) fn counts(&self) -> &Counts {
        &self.0.counts
    }

    /// Does some work as this invocation.
    pub async fn run<F: Future>(self, work: F) -> F::Output {
        CURRENT.scope(self, work).await
    }

    /// As [`Invocation::run`], for work that awaits nothing.
    pub fn enter<T>(&self, work: impl FnOnce() -> T) -> T {
        CURRENT.sync_scope(self.clone(), work)
    }

    /// Does all the work of this invocation and writes its metrics: for functions without requests.
    pub async fn measured<F: Future>(self, work: F) -> F::Output {
        let started = Instant::now();
        let output = self.clone().run(work).await;
        self.enter(|| {
            metrics::set(Metric::Latency, metrics::milliseconds(started.elapsed()));
            metrics::write();
        });
        output
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::SystemRandom;

    fn begin(trace: Option<&str>) -> Invocation {
        Invocation::local(&SystemRandom, trace)
    }

    #[test]
    fn a_trace_is_carried_on_as_it_came_and_named_by_its_root() {
        let header = "Root=1-5bef4de7-ad49b0e87f6ef6c87fc2e700;Parent=9a9197af755a6419;Sampled=1";
        let invocation = begin(Some(header));
        assert_eq!(invocation.trace(), Some(header));
        assert_eq!(invocation.trace_id(), Some("1-5bef4de7-ad49b0e87f6ef6c87fc2e700"));
        assert_eq!(begin(Some("Sampled=0")).trace_id(), None);
    }

    #[test]
    fn what_is_no_trace_is_not_carried_on() {
        for header in ["Root=\"x\"", "Root=a b", "读", &"x".repeat(257)] {
            assert_eq!(begin(Some(header)).trace(), None, "{header}");
        }
    }

    #[tokio::test]
    async fn a_task_has_the_invocation_that_runs_it() {
        let invocation = begin(None);
        let id = invocation.id().to_owned();
        assert!(Invocation::current().is_none());
        let seen = invocation.run(async { Invocation::current().map(|current| current.id().to_owned()) }).await;
        assert_eq!(seen, Some(id));
        assert!(Invocation::current().is_none());
    }

    #[test]
    fn only_the_first_invocation_of_a_process_is_cold() {
        let first = begin(None).is_cold();
        assert!(!begin(None).is_cold() && !begin(None).is_cold(), "{first}");
    }
}
