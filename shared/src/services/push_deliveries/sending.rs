//! The second half of a run: sends what is claimed, some at a time, and notes how it ended.

use std::{
    collections::{BTreeMap, HashMap, VecDeque},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use tokio::{
    sync::mpsc,
    task::JoinSet,
    time::{Instant, sleep_until},
};

use super::{Tally, Times, Unit, claims::Batch};
use crate::{
    Context,
    clients::{Http, push},
    db,
    error::with_causes,
    ids::ClaimId,
    repositories::{
        self,
        push_deliveries::{Delivery, State},
    },
};

/// How many deliveries may wait here before no more are claimed.
const MAX_QUEUED: usize = 600;

/// How many requests are open at once, in all and to one host.
const MAX_OPEN: usize = 256;
const MAX_OPEN_TO_HOST: usize = 128;

/// How many requests to one host are open at once that have had no time to be slow. A slow one makes room for
/// others after that time, so that whoever does not answer delays nobody else.
const MAX_FRESH_TO_HOST: usize = 16;
const FRESH: Duration = Duration::from_secs(1);

/// A failure that took this long is a stall, and a host with so many in a row is down for the rest of the run.
const STALL: Duration = Duration::from_secs(5);
const MAX_STALLS: u32 = 32;

/// How many outcomes are noted at once, and how long one waits for others.
const NOTED_AT_ONCE: usize = 100;
const NOTED_WITHIN: Duration = Duration::from_secs(1);

/// How often outcomes are tried to be noted, and the pause in between.
const MAX_NOTES: u32 = 3;
const PAUSE: Duration = Duration::from_secs(1);

/// How many stalls each host has had in a row.
#[derive(Default)]
pub(super) struct Hosts(Mutex<HashMap<Arc<str>, u32>>);

impl Hosts {
    /// Reports whether a host does not answer in this run.
    pub fn is_down(&self, host: &str) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get(host).is_some_and(|stalls| *stalls >= MAX_STALLS)
    }

    fn note(&self, host: &Arc<str>, stalled: bool) {
        let mut hosts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let stalls = hosts.entry(host.clone()).or_default();
        *stalls = if stalled { *stalls + 1 } else { 0 };
    }
}

/// What waits for a host, and when what is open there was begun.
#[derive(Default)]
struct Lane {
    waiting: VecDeque<Unit>,
    open: HashMap<tokio::task::Id, Instant>,
}

impl Lane {
    fn has_room(&self) -> bool {
        let fresh = self.open.values().filter(|begun| begun.elapsed() < FRESH).count();
        fresh < MAX_FRESH_TO_HOST && self.open.len() < MAX_OPEN_TO_HOST
    }
}

/// A delivery that was tried.
struct Done {
    host: Arc<str>,
    slot: Arc<str>,
    claim: ClaimId,
    delivery: Delivery,
    took: Duration,
    outcome: Result<(), push::Error>,
}

pub(super) struct Sending<'a> {
    ctx: &'a Context,
    http: &'a Arc<dyn Http>,
    times: Times,
    hosts: &'a Hosts,
    tally: &'a Tally,
    lanes: BTreeMap<Arc<str>, Lane>,
    tasks: JoinSet<Done>,
    done: Vec<Done>,
    note_at: Instant,
    notes_failed: u32,
}

impl<'a> Sending<'a> {
    pub fn new(
        ctx: &'a Context,
        http: &'a Arc<dyn Http>,
        times: Times,
        hosts: &'a Hosts,
        tally: &'a Tally,
    ) -> Self {
        let (lanes, tasks, done) = (BTreeMap::new(), JoinSet::new(), Vec::new());
        Self { ctx, http, times, hosts, tally, lanes, tasks, done, note_at: Instant::now(), notes_failed: 0 }
    }

    /// Sends what is handed over, until nothing more comes. When the ledger cannot be written, nothing new begins.
    pub async fn work(mut self, claimed: mpsc::Receiver<Batch>) -> crate::Result<()> {
        let mut claimed = Some(claimed);
        loop {
            self.begin().await;
            if self.done.len() >= NOTED_AT_ONCE || !self.done.is_empty() && Instant::now() >= self.note_at {
                self.note_or_wait().await;
            }
            if self.notes_failed >= MAX_NOTES {
                // Whoever claims notices, and stops.
                claimed = None;
            }
            if claimed.is_none() && self.waiting() == 0 && self.tasks.is_empty() {
                break;
            }
            let wake_at = if self.waiting() > 0 { Instant::now() + FRESH / 4 } else { self.times.end };
            let wake_at = if self.done.is_empty() { wake_at } else { wake_at.min(self.note_at) };
            let has_room = self.waiting() < MAX_QUEUED;
            let next_batch = async {
                match &mut claimed {
                    Some(claimed) if has_room => claimed.recv().await,
                    _ => std::future::pending().await,
                }
            };
            tokio::select! {
                batch = next_batch => match batch {
                    Some(batch) => self.queue(batch),
                    None => claimed = None,
                },
                Some(done) = self.tasks.join_next_with_id() => self.record(done),
                () = sleep_until(wake_at) => {}
            }
        }
        while !self.done.is_empty() && self.notes_failed < MAX_NOTES {
            self.note_or_wait().await;
        }
        self.note().await
    }

    fn waiting(&self) -> usize {
        self.lanes.values().map(|lane| lane.waiting.len()).sum()
    }

    fn queue(&mut self, batch: Batch) {
        for unit in batch {
            self.lanes.entry(unit.address.host().into()).or_default().waiting.push_back(unit);
        }
    }

    /// Begins as many requests as may be open, one for each host in turn. What must wait for another run is given
    /// back.
    async fn begin(&mut self) {
        let no_more = self.times.are_over() || self.notes_failed >= MAX_NOTES;
        let mut returned = Vec::new();
        for (host, lane) in &mut self.lanes {
            if no_more || self.hosts.is_down(host) {
                returned.extend(lane.waiting.drain(..));
            }
        }
        self.give_back(returned).await;
        loop {
            let before = self.tasks.len();
            for (host, lane) in &mut self.lanes {
                if self.tasks.len() >= MAX_OPEN || !lane.has_room() {
                    continue;
                }
                if let Some(unit) = lane.waiting.pop_front() {
                    let sending = send(self.http.clone(), host.clone(), unit, self.times.end, self.ctx.now());
                    let task = self.tasks.spawn(sending);
                    lane.open.insert(task.id(), Instant::now());
                }
            }
            if self.tasks.len() == before {
                return;
            }
        }
    }

    /// Gives back what was not begun, as if it had not been claimed. What cannot be given back is taken over by a
    /// later run.
    async fn give_back(&self, units: Vec<Unit>) {
        let mut by_slot: BTreeMap<Arc<str>, Vec<Unit>> = BTreeMap::new();
        for unit in units {
            by_slot.entry(unit.slot.clone()).or_default().push(unit);
        }
        for (slot, units) in by_slot {
            self.tally.leave(&slot, units.len() as u64);
            for units in units.chunks(NOTED_AT_ONCE) {
                let held: Vec<_> = units.iter().map(|unit| (&unit.claim, &unit.delivery)).collect();
                let delete = || repositories::push_deliveries::delete(&self.ctx.db, &slot, &held);
                if let Err(error) = self.ctx.db.repeat(delete).await {
                    tracing::error!(error = with_causes(&error), "push.not_given_back");
                }
            }
        }
    }

    fn record(&mut self, done: Result<(tokio::task::Id, Done), tokio::task::JoinError>) {
        let id = match &done {
            Ok((id, _)) => *id,
            Err(error) => error.id(),
        };
        for lane in self.lanes.values_mut() {
            lane.open.remove(&id);
        }
        let done = match done {
            Ok((_, done)) => done,
            // It stays claimed, and the next run takes it over.
            Err(error) => return tracing::error!(error = %error, "push.broken"),
        };
        self.hosts.note(&done.host, done.outcome.is_err() && done.took >= STALL);
        self.tally.add(|report| match &done.outcome {
            Ok(()) => report.sent += 1,
            Err(_) => report.failed += 1,
        });
        if done.delivery.attempts > 1 {
            self.tally.add(|report| report.possible_duplicates += 1);
            tracing::warn!(push.rule = %done.delivery.rule_id, push.slot = &*done.slot, "push.possible_duplicate");
        }
        if let Err(error) = &done.outcome {
            let (rule, cause) = (&done.delivery.rule_id, error.cause());
            tracing::warn!(push.rule = %rule, push.slot = &*done.slot, error = &*cause, "push.failed");
        }
        if self.done.is_empty() {
            self.note_at = Instant::now() + NOTED_WITHIN;
        }
        self.done.push(done);
    }

    /// Notes outcomes, or waits a moment when the ledger cannot be written.
    async fn note_or_wait(&mut self) {
        match self.note().await {
            Ok(()) => self.notes_failed = 0,
            Err(error) => {
                self.notes_failed += 1;
                tracing::error!(error = with_causes(&error), "push.not_noted");
                self.note_at = Instant::now() + PAUSE;
                tokio::time::sleep(PAUSE).await;
            }
        }
    }

    /// Notes outcomes, those that are alike together.
    async fn note(&mut self) -> crate::Result<()> {
        while !self.done.is_empty() {
            let count = self.done.len().min(NOTED_AT_ONCE);
            let mut alike: BTreeMap<_, Vec<(&ClaimId, &Delivery)>> = BTreeMap::new();
            for done in &self.done[..count] {
                let cause = done.outcome.as_ref().err().map(|error| error.cause().into_owned());
                alike.entry((done.slot.clone(), cause)).or_default().push((&done.claim, &done.delivery));
            }
            for ((slot, cause), held) in &alike {
                self.note_alike(slot, cause.as_deref(), held).await?;
            }
            self.done.drain(..count);
        }
        Ok(())
    }

    async fn note_alike(&self, slot: &str, cause: Option<&str>, held: &[(&ClaimId, &Delivery)]) -> db::Result<()> {
        let state = if cause.is_none() { State::Sent } else { State::Failed };
        let (db, now) = (&self.ctx.db, self.ctx.now());
        db.repeat(|| repositories::push_deliveries::update_state(db, slot, held, state, cause, now)).await
    }
}

async fn send(http: Arc<dyn Http>, host: Arc<str>, unit: Unit, end: Instant, now: crate::clock::Millis) -> Done {
    let Unit { slot, claim, delivery, address, message } = unit;
    let begun = Instant::now();
    let limit = end.saturating_duration_since(begun);
    let outcome = push::send(&*http, &address, &message, limit, now).await;
    Done { host, slot, claim, delivery, took: begun.elapsed(), outcome }
}
