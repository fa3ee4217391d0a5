//! `push-scheduler`: delivers the pushes of an hour (`contract/push-rules-scheduler.md`, scheduler).
//!
//! The schedule hands over when a run was due, and the hour follows from that alone: not from the clock when the
//! run begins, and not from the zone of the machine.

use std::time::Duration;

use jiff::Timestamp;
use serde_json::{Map, Value};
use shared::{
    Result,
    clock::Millis,
    http::App,
    services::{
        push_deliveries::{self, Outlet, Report},
        push_slots::Slot,
    },
};

/// How long a run may take that nobody limits: as long as a function may.
pub const LIMIT: Duration = Duration::from_mins(15);

/// What to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Command {
    /// Deliver what was due at a time.
    Due(Millis),
    /// Deliver a slot again, or one that was missed; what was sent is not sent again.
    Replay(Slot),
    /// Tell what the ledger says of the last day.
    Status,
}

impl Command {
    /// Reads an event: that of the schedule, `{"scheduledTime": "2026-03-05T00:00:00Z"}`, a replay,
    /// `{"slot": "2026-03-05T08"}`, or `{"command": "status"}`.
    ///
    /// # Errors
    /// The event says something else.
    pub fn of_event(event: &Map<String, Value>) -> Result<Self, String> {
        let text = |name: &str| event.get(name).and_then(Value::as_str);
        match (text("scheduledTime"), text("slot"), text("command")) {
            (Some(time), None, None) => {
                let time: Timestamp = time.parse().map_err(|_| format!("\"{time}\" is no time with its zone"))?;
                Ok(Self::Due(time.as_millisecond()))
            }
            (None, Some(slot), None) => slot.parse().map(Self::Replay).map_err(|error| format!("{error}")),
            (None, None, Some("status")) => Ok(Self::Status),
            _ => Err("the event needs either \"scheduledTime\", \"slot\" or \"command\": \"status\"".to_owned()),
        }
    }
}

/// Delivers the pushes that were due at a time, and ends within 80 % of a limit.
///
/// # Errors
/// The database fails.
pub async fn deliver(app: &App, scheduled_at: Millis, limit: Duration) -> Result<Report> {
    deliver_slot(app, Slot::at(scheduled_at, &app.config.zone), scheduled_at, limit).await
}

/// As [`deliver`], for the slot of a replay.
///
/// # Errors
/// As [`deliver`]; also when the slot has not begun, or is so old that nobody knows what was sent.
pub async fn replay(app: &App, slot: Slot, limit: Duration) -> Result<Report> {
    deliver_slot(app, slot, slot.start(&app.config.zone), limit).await
}

async fn deliver_slot(app: &App, slot: Slot, scheduled_at: Millis, limit: Duration) -> Result<Report> {
    let outlet = Outlet { http: app.guarded_http().clone(), policy: &app.config.outbound, chat: app.chat() };
    push_deliveries::run(&app.context, &outlet, slot, scheduled_at, limit).await
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn of_event(event: &Value) -> Result<Command, String> {
        Command::of_event(event.as_object().expect("an object"))
    }

    #[test]
    fn an_event_says_when_it_was_due_or_which_slot_it_repeats() {
        assert_eq!(
            of_event(&json!({"scheduledTime": "2026-03-05T00:00:00Z"})),
            Ok(Command::Due(1_772_668_800_000))
        );
        let slot = "2026-03-05T08".parse().unwrap();
        assert_eq!(of_event(&json!({"slot": "2026-03-05T08"})), Ok(Command::Replay(slot)));
        assert_eq!(of_event(&json!({"command": "status"})), Ok(Command::Status));
        for event in [
            json!({}),
            json!({"slot": "2026-03-05"}),
            json!({"slot": 8}),
            json!({"scheduledTime": "2026-03-05T00:00:00"}),
            json!({"scheduledTime": "<aws.scheduler.scheduled-time>"}),
            json!({"scheduledTime": "2026-03-05T00:00:00Z", "slot": "2026-03-05T08"}),
            json!({"command": "run"}),
        ] {
            assert!(of_event(&event).is_err(), "{event}");
        }
    }
}
