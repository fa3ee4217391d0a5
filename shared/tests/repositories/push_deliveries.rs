//! `push_deliveries` and `push_slots`

use shared::{
    db::{Database, Executor, schema},
    ids::{ClaimId, PushRuleId, SystemRandom},
    repositories::{
        push_deliveries::{self, Claim, Count, Delivery, State},
        push_slots::{self, PushSlot},
    },
};
use testing::{Kind, empty_database, on_every_database};

use crate::{NOW, open};

on_every_database!(
    what_is_claimed_is_not_claimed_again,
    what_is_left_is_taken_over_after_its_lease,
    only_the_holder_notes_an_outcome,
    what_is_given_back_is_as_before_unless_it_was_taken_over,
    old_deliveries_are_forgotten_some_at_a_time,
    a_slot_is_begun_once_and_then_finished,
);

fn delivery(rule: &PushRuleId, channel_index: i32) -> Delivery {
    Delivery { rule_id: rule.clone(), channel_index, uid: "u1".into(), attempts: 1 }
}

fn claim(slot: &str, lease_until: i64) -> Claim<'_> {
    Claim { slot, id: ClaimId::new(&SystemRandom), lease_until }
}

/// Returns a slot that no other test knows, and two rules in the order of their ids.
fn slot_and_rules() -> (String, [PushRuleId; 2]) {
    let mut rules = [PushRuleId::new(&SystemRandom), PushRuleId::new(&SystemRandom)];
    rules.sort();
    (rules[0].as_str()[4..20].to_owned(), rules)
}

async fn counts(db: &Executor, slot: &str) -> Vec<(String, i64, i64)> {
    let counts = push_deliveries::count(db, slot).await.unwrap();
    counts
        .into_iter()
        .map(|Count { state, deliveries, possible_duplicates }| (state, deliveries, possible_duplicates))
        .collect()
}

async fn what_is_claimed_is_not_claimed_again(kind: Kind) {
    let (db, _, _) = open(kind).await;
    let (slot, rules) = slot_and_rules();
    let (first, second) = (claim(&slot, NOW + 1), claim(&slot, NOW + 1));
    let of_first = [delivery(&rules[0], 0), delivery(&rules[0], 1)];
    push_deliveries::create(&db, &first, &of_first, NOW).await.unwrap();
    let all = [&of_first[..], &[delivery(&rules[1], 0)]].concat();
    push_deliveries::create(&db, &second, &all, NOW).await.unwrap();
    assert_eq!(push_deliveries::find_by_claim(&db, &first, &rules).await.unwrap(), of_first);
    assert_eq!(push_deliveries::find_by_claim(&db, &second, &rules).await.unwrap(), [delivery(&rules[1], 0)]);
    // Another slot is another matter.
    let other = claim("2026-03-05T08", NOW);
    push_deliveries::create(&db, &other, &of_first, NOW).await.unwrap();
    assert_eq!(push_deliveries::find_by_claim(&db, &other, &rules).await.unwrap(), of_first);
    push_deliveries::create(&db, &other, &[], NOW).await.unwrap();
}

async fn what_is_left_is_taken_over_after_its_lease(kind: Kind) {
    let (db, _, _) = open(kind).await;
    let (slot, rules) = slot_and_rules();
    let dead = claim(&slot, NOW + 10);
    let all = [delivery(&rules[0], 0), delivery(&rules[0], 1), delivery(&rules[1], 0)];
    push_deliveries::create(&db, &dead, &all, NOW).await.unwrap();
    push_deliveries::update_state(&db, &slot, &[(&dead.id, &all[1])], State::Sent, None, NOW).await.unwrap();
    assert!(push_deliveries::find_expired(&db, &slot, NOW + 9, 10).await.unwrap().is_empty());
    let early = claim(&slot, NOW + 20);
    push_deliveries::update_claim(&db, &early, &rules, NOW + 9).await.unwrap();
    assert!(push_deliveries::find_by_claim(&db, &early, &rules).await.unwrap().is_empty());
    let mut expired = push_deliveries::find_expired(&db, &slot, NOW + 10, 10).await.unwrap();
    expired.sort();
    assert_eq!(expired, rules);
    assert_eq!(push_deliveries::find_expired(&db, &slot, NOW + 10, 1).await.unwrap().len(), 1);
    let heir = claim(&slot, NOW + 30);
    push_deliveries::update_claim(&db, &heir, &rules, NOW + 10).await.unwrap();
    let taken = push_deliveries::find_by_claim(&db, &heir, &rules).await.unwrap();
    let doubtful = |delivery: &Delivery| Delivery { attempts: 2, ..delivery.clone() };
    assert_eq!(taken, [doubtful(&all[0]), doubtful(&all[2])]);
    assert_eq!(counts(&db, &slot).await, [("pending".to_owned(), 2, 2), ("sent".to_owned(), 1, 0)]);
}

async fn only_the_holder_notes_an_outcome(kind: Kind) {
    let (db, _, _) = open(kind).await;
    let (slot, rules) = slot_and_rules();
    let (first, second) = (claim(&slot, NOW), claim(&slot, NOW));
    let (a, b) = (delivery(&rules[0], 0), delivery(&rules[0], 1));
    push_deliveries::create(&db, &first, std::slice::from_ref(&a), NOW).await.unwrap();
    push_deliveries::create(&db, &second, std::slice::from_ref(&b), NOW).await.unwrap();
    assert!(push_deliveries::exists_pending(&db, &slot).await.unwrap());
    // The second claims what the first holds.
    let wrong = [(&second.id, &a)];
    push_deliveries::update_state(&db, &slot, &wrong, State::Failed, Some("x"), NOW).await.unwrap();
    assert_eq!(counts(&db, &slot).await, [("pending".to_owned(), 2, 0)]);
    let both = [(&first.id, &a), (&second.id, &b)];
    push_deliveries::update_state(&db, &slot, &both, State::Sent, None, NOW).await.unwrap();
    push_deliveries::update_state(&db, &slot, &both, State::Failed, Some("too late"), NOW).await.unwrap();
    assert_eq!(counts(&db, &slot).await, [("sent".to_owned(), 2, 0)]);
    assert!(!push_deliveries::exists_pending(&db, &slot).await.unwrap());
}

async fn what_is_given_back_is_as_before_unless_it_was_taken_over(kind: Kind) {
    let (db, _, _) = open(kind).await;
    let (slot, rules) = slot_and_rules();
    let (dead, alive) = (claim(&slot, NOW), claim(&slot, NOW + 10));
    let (old, new) = (delivery(&rules[0], 0), delivery(&rules[1], 0));
    push_deliveries::create(&db, &dead, std::slice::from_ref(&old), NOW).await.unwrap();
    push_deliveries::update_claim(&db, &alive, &rules, NOW).await.unwrap();
    push_deliveries::create(&db, &alive, std::slice::from_ref(&new), NOW).await.unwrap();
    push_deliveries::delete(&db, &slot, &[(&alive.id, &old), (&alive.id, &new)]).await.unwrap();
    assert_eq!(counts(&db, &slot).await, [("pending".to_owned(), 1, 1)]);
}

async fn old_deliveries_are_forgotten_some_at_a_time(kind: Kind) {
    // The deliveries of other tests are as old.
    let db = Database::open(&empty_database(kind).await).unwrap();
    schema::migrate(&db, NOW).await.unwrap();
    let rule = PushRuleId::new(&SystemRandom);
    for age in 0..10 {
        let slot = format!("slot {age}");
        push_deliveries::create(&db, &claim(&slot, NOW), &[delivery(&rule, 0), delivery(&rule, 1)], NOW - age)
            .await
            .unwrap();
    }
    let mut deleted = Vec::new();
    while deleted.last() != Some(&0) {
        deleted.push(push_deliveries::delete_before(&db, NOW - 4, 3).await.unwrap());
    }
    assert_eq!(deleted, [4, 4, 2, 0]);
    assert!(
        counts(&db, "slot 4").await == [("pending".to_owned(), 2, 0)] && counts(&db, "slot 5").await.is_empty()
    );
}

async fn a_slot_is_begun_once_and_then_finished(kind: Kind) {
    let (db, _, _) = open(kind).await;
    let (slot, _) = slot_and_rules();
    assert_eq!(push_slots::find_by_id(&db, &slot).await.unwrap(), None);
    push_slots::create(&db, &slot, NOW).await.unwrap();
    push_slots::create(&db, &slot, NOW + 1).await.unwrap();
    let begun = PushSlot { slot: slot.clone(), scheduled_at: NOW, finished_at: None };
    assert_eq!(push_slots::find_by_id(&db, &slot).await.unwrap(), Some(begun.clone()));
    assert!(push_slots::find_since(&db, NOW).await.unwrap().contains(&begun));
    assert!(!push_slots::find_since(&db, NOW + 1).await.unwrap().contains(&begun));
    push_slots::update_finished(&db, &slot, NOW + 2).await.unwrap();
    push_slots::create(&db, &slot, NOW).await.unwrap();
    let finished = PushSlot { finished_at: Some(NOW + 2), ..begun };
    assert_eq!(push_slots::find_by_id(&db, &slot).await.unwrap(), Some(finished));
    let old = slot.replace(|c: char| c.is_ascii_lowercase(), "0");
    push_slots::create(&db, &old, -5).await.unwrap();
    assert!(push_slots::delete_before(&db, -4).await.unwrap() >= 1);
    assert_eq!(push_slots::find_by_id(&db, &old).await.unwrap(), None);
    assert!(push_slots::find_by_id(&db, &slot).await.unwrap().is_some());
}
