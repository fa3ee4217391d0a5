//! The first half of a run: claims deliveries, page by page, and makes what they send.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

use tokio::{sync::mpsc, time::timeout_at};

use super::{Hosts, LATE, Tally, Times, Unit};
use crate::{
    Context, Result,
    clients::push,
    config::OutboundPolicy,
    dto::push_rules::PushRule,
    ids::{ClaimId, PushRuleId, Uid},
    repositories::{
        self,
        push_deliveries::{Claim, Delivery, State},
        push_slots::PushSlot,
    },
    services::{
        push_contents::{self, ContentType, Contents},
        push_slots::Slot,
        recommendations::Curator,
        tags::distinct,
    },
};

/// How many rules are claimed at once.
const PAGE: usize = 200;

/// Why nothing is sent for a rule that is not what it was when it was claimed.
const CHANGED: &str = "the rule was deleted, switched off or changed";

/// What is claimed, to be sent.
pub(super) type Batch = Vec<Unit>;

pub(super) struct Claims<'a> {
    pub ctx: &'a Context,
    pub policy: &'a OutboundPolicy,
    pub curator: &'a Curator<'a>,
    pub times: Times,
    pub hosts: &'a Hosts,
    pub tally: &'a Tally,
}

/// Deliveries that a claim holds.
struct Claimed<'a> {
    slot: &'a Arc<str>,
    hour: Slot,
    claim: ClaimId,
    deliveries: Vec<Delivery>,
    /// What the rules send.
    wanted: Vec<(Uid, ContentType)>,
}

impl Claimed<'_> {
    fn held(&self) -> Vec<(&ClaimId, &Delivery)> {
        self.deliveries.iter().map(|delivery| (&self.claim, delivery)).collect()
    }
}

impl Claims<'_> {
    /// Claims everything of the slots and hands it over, until the time is over or nobody takes it.
    pub async fn work(self, slots: &[PushSlot], units: mpsc::Sender<Batch>) -> Result<()> {
        for slot in slots {
            let key: Arc<str> = slot.slot.as_str().into();
            let is_done = match slot.slot.parse() {
                Ok(hour) => self.slot(&key, hour, slot, &units).await?,
                // Nobody has written such a key.
                Err(_) => true,
            };
            if !is_done {
                self.tally.leave(&key, 0);
            }
        }
        Ok(())
    }

    /// Claims everything of a slot; reports whether nothing is left unseen.
    async fn slot(
        &self,
        key: &Arc<str>,
        hour: Slot,
        slot: &PushSlot,
        units: &mpsc::Sender<Batch>,
    ) -> Result<bool> {
        let Self { ctx, .. } = self;
        loop {
            let now = ctx.now();
            let expired = repositories::push_deliveries::find_expired(&ctx.db, key, now, PAGE as u64).await?;
            if expired.is_empty() {
                break;
            }
            let Ok(place) = self.room(units).await else { return Ok(false) };
            let claimed = self.take_over(key, hour, &expired).await?;
            place.send(self.prepare(claimed).await?);
        }
        let is_late = ctx.now() - slot.scheduled_at > LATE;
        let mut after: Option<(Uid, PushRuleId)> = None;
        loop {
            let Ok(place) = self.room(units).await else { return Ok(false) };
            let after_last = after.as_ref().map(|(uid, id)| (uid, id));
            let page =
                repositories::push_rules::find_enabled_by_time(&ctx.db, hour.hour(), after_last, PAGE as u64)
                    .await?;
            let Some(last) = page.last() else { return Ok(true) };
            after = Some((last.uid.clone(), last.id.clone()));
            let is_last = page.len() < PAGE;
            let rules: Vec<PushRule> =
                page.into_iter().filter(|rule| !is_late || rule.updated_at <= slot.scheduled_at).collect();
            let claimed = self.claim(key, hour, &rules).await?;
            place.send(self.prepare(claimed).await?);
            if is_last {
                return Ok(true);
            }
        }
    }

    /// Waits until the other half has room for a batch; an error when the time is over before.
    async fn room<'u>(&self, units: &'u mpsc::Sender<Batch>) -> Result<mpsc::Permit<'u, Batch>, ()> {
        if self.times.are_over() {
            return Err(());
        }
        let room = timeout_at(self.times.last_start, units.reserve()).await;
        room.map_err(|_| ())?.map_err(|_| ())
    }

    fn new_claim<'s>(&self, slot: &'s str) -> Claim<'s> {
        Claim { slot, id: ClaimId::new(&*self.ctx.random), lease_until: self.times.lease_until }
    }

    /// Claims what nobody has claimed of some rules, but for hosts that do not answer.
    async fn claim<'s>(&self, slot: &'s Arc<str>, hour: Slot, rules: &[PushRule]) -> Result<Claimed<'s>> {
        let Self { ctx, .. } = self;
        let mut wanted = Vec::new();
        let mut unreachable = 0;
        for rule in rules {
            for (channel_index, channel) in (0..).zip(&rule.channels) {
                if address(channel, self.policy).is_ok_and(|address| self.hosts.is_down(&address.host())) {
                    unreachable += 1;
                    continue;
                }
                let (rule_id, uid) = (rule.id.clone(), rule.uid.clone());
                wanted.push(Delivery { rule_id, channel_index, uid, attempts: 1 });
            }
        }
        if unreachable > 0 {
            self.tally.leave(slot, unreachable);
        }
        self.tally.add(|report| report.matched += rules.len() as u64);
        let claim = self.new_claim(slot);
        let mut deliveries = Vec::new();
        if !wanted.is_empty() {
            let create = || repositories::push_deliveries::create(&ctx.db, &claim, &wanted, ctx.now());
            ctx.db.repeat(create).await?;
            let ids: Vec<PushRuleId> = rules.iter().map(|rule| rule.id.clone()).collect();
            deliveries = repositories::push_deliveries::find_by_claim(&ctx.db, &claim, &ids).await?;
        }
        let skipped = wanted.len().saturating_sub(deliveries.len()) as u64;
        self.tally.add(|report| report.skipped += skipped);
        let claimed: HashSet<&PushRuleId> = deliveries.iter().map(|delivery| &delivery.rule_id).collect();
        let wanted = contents_of(rules.iter().filter(|rule| claimed.contains(&rule.id)));
        Ok(Claimed { slot, hour, claim: claim.id, deliveries, wanted })
    }

    /// Takes over what a run has claimed that is not alive any more.
    async fn take_over<'s>(&self, slot: &'s Arc<str>, hour: Slot, rules: &[PushRuleId]) -> Result<Claimed<'s>> {
        let Self { ctx, .. } = self;
        let claim = self.new_claim(slot);
        let update = || repositories::push_deliveries::update_claim(&ctx.db, &claim, rules, ctx.now());
        ctx.db.repeat(update).await?;
        let deliveries = repositories::push_deliveries::find_by_claim(&ctx.db, &claim, rules).await?;
        let rules = repositories::push_rules::find_enabled_by_ids(&ctx.db, rules).await?;
        Ok(Claimed { slot, hour, claim: claim.id, deliveries, wanted: contents_of(&rules) })
    }

    /// Makes units of what is claimed. What cannot be sent is noted as failed, and what there was no time for is
    /// given back.
    async fn prepare(&self, claimed: Claimed<'_>) -> Result<Batch> {
        if claimed.deliveries.is_empty() {
            return Ok(Batch::new());
        }
        let outcome = timeout_at(self.times.last_start, self.contents(&claimed)).await;
        let (contents, rules) = match outcome {
            Ok(Ok(made)) => made,
            Ok(Err(error)) => {
                self.give_back(&claimed).await?;
                return Err(error);
            }
            Err(_) => {
                self.give_back(&claimed).await?;
                return Ok(Batch::new());
            }
        };
        let mut batch = Batch::new();
        let mut unusable: HashMap<String, Vec<&Delivery>> = HashMap::new();
        for delivery in &claimed.deliveries {
            match self.unit(&claimed, delivery, &rules, &contents) {
                Ok(unit) => batch.push(unit),
                Err(problem) => unusable.entry(problem).or_default().push(delivery),
            }
        }
        for (problem, deliveries) in unusable {
            self.note_unusable(&claimed, &deliveries, &problem).await?;
        }
        Ok(batch)
    }

    /// Makes the contents of what is claimed, and then reads its rules as they are now: whoever has just switched
    /// a rule off wants no push of it (point 10 of the design).
    async fn contents(&self, claimed: &Claimed<'_>) -> Result<(Contents, HashMap<PushRuleId, PushRule>)> {
        let Self { ctx, .. } = self;
        let contents = push_contents::make(ctx, self.curator, claimed.hour, &claimed.wanted).await?;
        let ids: Vec<PushRuleId> = distinct(claimed.deliveries.iter().map(|delivery| delivery.rule_id.clone()));
        let rules = repositories::push_rules::find_enabled_by_ids(&ctx.db, &ids).await?;
        Ok((contents, rules.into_iter().map(|rule| (rule.id.clone(), rule)).collect()))
    }

    /// Returns a unit, or why there is none.
    fn unit(
        &self,
        claimed: &Claimed<'_>,
        delivery: &Delivery,
        rules: &HashMap<PushRuleId, PushRule>,
        contents: &Contents,
    ) -> Result<Unit, String> {
        let rule =
            rules.get(&delivery.rule_id).filter(|rule| rule.push_time == claimed.hour.hour()).ok_or(CHANGED)?;
        let channel = usize::try_from(delivery.channel_index).ok().and_then(|index| rule.channels.get(index));
        let address = address(channel.ok_or(CHANGED)?, self.policy).map_err(|error| error.cause().into_owned())?;
        let kind = ContentType::parse(&rule.content_type).ok_or("the rule has no known content")?;
        let message = contents.get(&(rule.uid.clone(), kind)).ok_or(CHANGED)?;
        Ok(Unit {
            slot: claimed.slot.clone(),
            claim: claimed.claim.clone(),
            delivery: delivery.clone(),
            address,
            message: message.clone(),
        })
    }

    async fn note_unusable(&self, claimed: &Claimed<'_>, deliveries: &[&Delivery], problem: &str) -> Result<()> {
        let Self { ctx, .. } = self;
        let held: Vec<(&ClaimId, &Delivery)> =
            deliveries.iter().map(|delivery| (&claimed.claim, *delivery)).collect();
        let note = || {
            let failed = State::Failed;
            repositories::push_deliveries::update_state(
                &ctx.db,
                claimed.slot,
                &held,
                failed,
                Some(problem),
                ctx.now(),
            )
        };
        ctx.db.repeat(note).await?;
        tracing::warn!(push.slot = &**claimed.slot, deliveries = held.len(), problem, "push.not_sent");
        self.tally.add(|report| {
            let number = if problem == CHANGED { &mut report.skipped } else { &mut report.failed };
            *number += held.len() as u64;
        });
        Ok(())
    }

    async fn give_back(&self, claimed: &Claimed<'_>) -> Result<()> {
        self.tally.leave(claimed.slot, claimed.deliveries.len() as u64);
        Ok(repositories::push_deliveries::delete(&self.ctx.db, claimed.slot, &claimed.held()).await?)
    }
}

/// Returns what rules send, each content of a user once.
fn contents_of<'r>(rules: impl IntoIterator<Item = &'r PushRule>) -> Vec<(Uid, ContentType)> {
    let content = |rule: &PushRule| Some((rule.uid.clone(), ContentType::parse(&rule.content_type)?));
    distinct(rules.into_iter().filter_map(content))
}

fn address(channel: &serde_json::Value, policy: &OutboundPolicy) -> Result<push::Address, push::Error> {
    push::address(channel.as_object().unwrap_or(&serde_json::Map::new()), policy)
}
