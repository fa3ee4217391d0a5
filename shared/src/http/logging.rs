//! Logs are data: JSON in Lambda, one line of text per event for a person at a terminal.
//!
//! Every line of JSON names the function, and those of an [`Invocation`] the request and its trace.

use std::{
    fmt,
    io::{self, IsTerminal},
};

use serde::Serialize;
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::{
    filter::Targets,
    fmt::{
        FmtContext, FormatEvent,
        format::{Format, Json, JsonFields, Writer},
        time::SystemTime,
    },
    layer::SubscriberExt,
    registry::LookupSpan,
    util::SubscriberInitExt,
};

use crate::{
    config::{Variables, log_filter},
    invocation::{self, Invocation},
};

/// Begins to log, to standard output, as `AIMO_LOG_LEVEL` and `RUST_LOG` say; a filter that cannot be read counts
/// as `info`. Only the first call has an effect.
pub fn init(variables: &Variables) {
    invocation::name_process(variables);
    let filter = log_filter(variables).parse().unwrap_or_else(|_| Targets::new().with_default(Level::INFO));
    let lines = tracing_subscriber::fmt::layer();
    let outcome = if io::stdout().is_terminal() {
        tracing_subscriber::registry().with(lines.with_target(false).compact()).with(filter).try_init()
    } else {
        let lines = lines.fmt_fields(JsonFields::new()).event_format(Lines::default());
        tracing_subscriber::registry().with(lines).with(filter).try_init()
    };
    if let Err(error) = outcome {
        tracing::debug!(error = %error, "logging.already_initialised");
    }
}

/// The lines of the library, each with what all lines of its invocation have in common.
struct Lines(Format<Json, SystemTime>);

impl Default for Lines {
    fn default() -> Self {
        let json = tracing_subscriber::fmt::format().json();
        Self(json.flatten_event(true).with_target(false).with_current_span(false).with_span_list(false))
    }
}

/// What stands at the end of a line.
#[derive(Serialize)]
struct Common<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    function: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    request_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    trace_id: Option<&'a str>,
}

impl<S: Subscriber + for<'a> LookupSpan<'a>> FormatEvent<S, JsonFields> for Lines {
    fn format_event(
        &self,
        context: &FmtContext<'_, S, JsonFields>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        let mut line = String::new();
        self.0.format_event(context, Writer::new(&mut line), event)?;
        let invocation = Invocation::current();
        let common = Common {
            function: invocation::names().function.as_deref(),
            request_id: invocation.as_ref().map(Invocation::id),
            trace_id: invocation.as_ref().and_then(Invocation::trace_id),
        };
        writeln!(writer, "{}", joined(line.trim_end(), &common).ok_or(fmt::Error)?)
    }
}

/// Joins two JSON objects, the first of them not empty.
fn joined(line: &str, common: &Common<'_>) -> Option<String> {
    let common = serde_json::to_string(common).ok()?;
    match common.strip_prefix('{')? {
        "}" => Some(line.to_owned()),
        rest => Some(format!("{},{rest}", line.strip_suffix('}')?)),
    }
}

#[cfg(test)]
mod tests {
    use std::{
        io::Write,
        sync::{Arc, Mutex},
    };

    use serde_json::Value;
    use tracing_subscriber::fmt::MakeWriter;

    use super::*;
    use crate::ids::SystemRandom;

    #[derive(Clone, Default)]
    struct Written(Arc<Mutex<Vec<u8>>>);

    impl Write for Written {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    impl MakeWriter<'_> for Written {
        type Writer = Self;

        fn make_writer(&self) -> Self {
            self.clone()
        }
    }

    #[test]
    fn a_line_is_one_json_object_that_names_its_request_and_trace() {
        let written = Written::default();
        let builder = tracing_subscriber::fmt().with_writer(written.clone()).fmt_fields(JsonFields::new());
        let invocation = Invocation::local(&SystemRandom, Some("Root=1-a-b;Parent=c;Sampled=1"));
        tracing::subscriber::with_default(builder.event_format(Lines::default()).finish(), || {
            invocation.enter(|| tracing::info!(text = "\"读\"}\n", duration_ms = 5, "request.served"));
            tracing::warn!("schema.old");
        });
        let text = String::from_utf8(written.0.lock().unwrap().clone()).unwrap();
        let lines: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        let [served, old] = lines.as_slice() else { panic!("{text}") };
        assert_eq!((&served["message"], &served["level"]), (&"request.served".into(), &"INFO".into()));
        assert_eq!((&served["text"], &served["duration_ms"]), (&"\"读\"}\n".into(), &5.into()));
        assert_eq!((&served["request_id"], &served["trace_id"]), (&invocation.id().into(), &"1-a-b".into()));
        assert_eq!((&old["message"], old.get("request_id")), (&"schema.old".into(), None));
    }

    #[test]
    fn nothing_in_common_changes_nothing() {
        let common = |function| Common { function, request_id: None, trace_id: None };
        assert_eq!(joined(r#"{"a":1}"#, &common(None)).unwrap(), r#"{"a":1}"#);
        assert_eq!(joined(r#"{"a":1}"#, &common(Some("f"))).unwrap(), r#"{"a":1,"function":"f"}"#);
    }
}
