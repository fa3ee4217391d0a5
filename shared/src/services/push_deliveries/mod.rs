//! Delivers the pushes of an hour, each once (`contract/push-rules-scheduler.md`, required serverless design;
//! `docs/decisions/0009-slots-of-pushes.md`).
//!
//! [`claims`] walks through the rules, claims their deliveries in the ledger and makes their contents; [`sending`]
//! sends what is claimed, some at a time, and notes how it ended. The two work at once.

mod claims;
mod sending;

use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex},
    time::Duration,
};

use serde::Serialize;
use tokio::{sync::mpsc, time::Instant};

use self::{
    claims::Claims,
    sending::{Hosts, Sending},
};
use super::{push_slots::Slot, recommendations::Curator};
use crate::{
    Context, Error, Result,
    clients::{
        ChatModel, Http,
        push::{Address, Message, REQUEST_LIMIT},
    },
    clock::Millis,
    config::OutboundPolicy,
    ids::ClaimId,
    metrics::{self, Metric},
    repositories::{
        self,
        push_deliveries::{Count, Delivery},
        push_slots::PushSlot,
    },
};

/// How long what an earlier run has left is worth sending.
const WORTH_SENDING: Millis = 24 * 3_600_000;

/// A run that is later than this takes only rules that were there when it was due.
const LATE: Millis = 10 * 60_000;

/// How long the ledger remembers, and how many of its rows are deleted at once.
const REMEMBERED: Millis = 30 * 24 * 3_600_000;
const PRUNED_AT_ONCE: u64 = 5_000;

/// What pushes are sent with.
pub struct Outlet<'a> {
    /// What calls the channels.
    pub http: Arc<dyn Http>,
    /// Where pushes may go.
    pub policy: &'a OutboundPolicy,
    /// Who picks the memos of the day.
    pub chat: &'a dyn ChatModel,
}

/// What a run did. Deliveries are channels of rules.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Report {
    /// The slots that were looked at, those of earlier runs first.
    pub slots: Vec<String>,
    /// Rules of these slots.
    pub matched: u64,
    /// Deliveries that a channel took.
    pub sent: u64,
    /// Deliveries that failed.
    pub failed: u64,
    /// Deliveries that another run has done or is doing, or whose rule was changed in the meantime.
    pub skipped: u64,
    /// Deliveries that were taken over, so that they may have been sent before.
    pub possible_duplicates: u64,
    /// Deliveries that the next run must send: the time was over, or their host did not answer.
    pub left: u64,
}

/// When a run must be over.
#[derive(Debug, Clone, Copy)]
struct Times {
    /// No request begins after this.
    last_start: Instant,
    /// Every request has ended by then.
    end: Instant,
    /// Until when no other run takes over what this one has claimed.
    lease_until: Millis,
}

impl Times {
    /// Plans for 80 % of a limit.
    fn within(limit: Duration, now: Millis) -> Self {
        let (start, length) = (Instant::now(), limit.mul_f64(0.8));
        let limit = Millis::try_from(limit.as_millis()).unwrap_or(Millis::MAX / 2);
        Self {
            last_start: start + length.saturating_sub(REQUEST_LIMIT),
            end: start + length,
            lease_until: now.saturating_add(limit).saturating_add(60_000),
        }
    }

    fn are_over(&self) -> bool {
        Instant::now() >= self.last_start
    }
}

/// A claimed delivery with everything that sending it takes.
struct Unit {
    slot: Arc<str>,
    claim: ClaimId,
    delivery: Delivery,
    address: Address,
    message: Arc<Message>,
}

/// Numbers, and the slots of which something is left, that both halves of a run add to.
#[derive(Default)]
struct Tally(Mutex<(Report, BTreeSet<Arc<str>>)>);

impl Tally {
    fn add(&self, change: impl FnOnce(&mut Report)) {
        change(&mut self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner).0);
    }

    fn leave(&self, slot: &Arc<str>, deliveries: u64) {
        let mut inner = self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        inner.0.left += deliveries;
        inner.1.insert(slot.clone());
    }

    fn into_inner(self) -> (Report, BTreeSet<Arc<str>>) {
        self.0.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

/// Delivers what is due in a slot and in those that clocks have skipped before it, after what earlier runs have
/// left, and ends within 80 % of `limit`. `scheduled_at` is when the run was due.
///
/// # Errors
/// The database fails; what was not claimed is left to the next run. A channel that fails is no error.
pub async fn run(
    ctx: &Context,
    outlet: &Outlet<'_>,
    slot: Slot,
    scheduled_at: Millis,
    limit: Duration,
) -> Result<Report> {
    let times = Times::within(limit, ctx.now());
    let slots = due(ctx, slot, scheduled_at).await?;
    let (tally, hosts) = (Tally::default(), Hosts::default());
    tally.add(|report| report.slots = slots.iter().map(|slot| slot.slot.clone()).collect());
    let (units, claimed) = mpsc::channel(1);
    let curator = Curator::new(outlet.chat);
    let claims = Claims { ctx, policy: outlet.policy, curator: &curator, times, hosts: &hosts, tally: &tally };
    let sending = Sending::new(ctx, &outlet.http, times, &hosts, &tally);
    let (claims, sending) = futures::join!(claims.work(&slots, units), sending.work(claimed));
    claims.and(sending)?;
    let (report, left) = tally.into_inner();
    for slot in slots.iter().filter(|slot| !left.contains(&*slot.slot)) {
        // Another run may still be sending what it has claimed.
        if !repositories::push_deliveries::exists_pending(&ctx.db, &slot.slot).await? {
            repositories::push_slots::update_finished(&ctx.db, &slot.slot, ctx.now()).await?;
        }
    }
    metrics::add(Metric::PushesMatched, report.matched);
    metrics::add(Metric::Pushes, report.sent);
    metrics::add(Metric::PushesSkipped, report.skipped);
    metrics::add(Metric::PushesDoubtful, report.possible_duplicates);
    metrics::add(Metric::PushFailures, report.failed);
    tracing::info!(
        push.slots = report.slots.join(" "),
        push.matched = report.matched,
        push.sent = report.sent,
        push.failed = report.failed,
        push.skipped = report.skipped,
        push.possible_duplicates = report.possible_duplicates,
        push.left = report.left,
        "push.delivered"
    );
    Ok(report)
}

/// Returns the slots of which something may be left, oldest first: those of earlier runs, then those of this one.
async fn due(ctx: &Context, slot: Slot, scheduled_at: Millis) -> Result<Vec<PushSlot>> {
    let now = ctx.now();
    // Beyond it, the ledger does not know what was sent.
    if now - scheduled_at > REMEMBERED || scheduled_at - now > LATE {
        return Err(Error::params("The slot is too old, or has not begun"));
    }
    let slots: Vec<String> =
        slot.skipped_before(&ctx.zone).into_iter().chain([slot]).map(|slot| slot.to_string()).collect();
    let mut due = repositories::push_slots::find_since(&ctx.db, now - WORTH_SENDING).await?;
    due.retain(|found| !slots.contains(&found.slot));
    for slot in slots {
        repositories::push_slots::create(&ctx.db, &slot, scheduled_at).await?;
        due.extend(repositories::push_slots::find_by_id(&ctx.db, &slot).await?);
    }
    due.retain(|found| found.finished_at.is_none());
    Ok(due)
}

/// What the ledger says of a slot.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct SlotStatus {
    /// The slot.
    pub slot: String,
    /// Whether nothing of it is left.
    pub finished: bool,
    /// The numbers of deliveries by state.
    pub deliveries: Vec<Count>,
}

/// Returns what the ledger says of the slots of the last day, oldest first.
///
/// # Errors
/// The database fails.
pub async fn status(ctx: &Context) -> Result<Vec<SlotStatus>> {
    let mut status = Vec::new();
    for slot in repositories::push_slots::find_since(&ctx.db, ctx.now() - WORTH_SENDING).await? {
        let deliveries = repositories::push_deliveries::count(&ctx.db, &slot.slot).await?;
        status.push(SlotStatus { finished: slot.finished_at.is_some(), slot: slot.slot, deliveries });
    }
    Ok(status)
}

/// Forgets the deliveries and slots of more than 30 days ago, some at a time, and returns how many deliveries
/// those were.
///
/// # Errors
/// The database fails.
pub async fn prune(ctx: &Context) -> Result<u64> {
    let before = ctx.now() - REMEMBERED;
    let mut pruned = 0;
    loop {
        match repositories::push_deliveries::delete_before(&ctx.db, before, PRUNED_AT_ONCE).await? {
            0 => break,
            deleted => pruned += deleted,
        }
    }
    repositories::push_slots::delete_before(&ctx.db, before).await?;
    Ok(pruned)
}
