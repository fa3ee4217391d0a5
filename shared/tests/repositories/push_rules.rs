//! `push_rules`

use serde_json::json;
use shared::{
    db::{Database, Executor},
    dto::push_rules::{PushRule, PushRuleUpdate},
    ids::{PushRuleId, SystemRandom, Uid},
    repositories::push_rules,
};
use testing::{Kind, empty_database, on_every_database};

use crate::{NOW, TEXTS, TIMES, open, overwrite};

on_every_database!(
    all_rules_come_oldest_first,
    an_hour_finds_its_enabled_rules_of_all_users,
    rules_come_back_as_written,
    corrupt_channels_count_as_none,
    an_update_changes_what_it_names,
    rules_of_others_are_invisible,
);

const UNCHANGED: PushRuleUpdate =
    PushRuleUpdate { name: None, push_time: None, content_type: None, channels: None, enabled: None };

fn rule(uid: &Uid, name: &str) -> PushRule {
    PushRule {
        id: PushRuleId::new(&SystemRandom),
        uid: uid.clone(),
        name: name.to_owned(),
        push_time: 8,
        content_type: "daily_pick".to_owned(),
        channels: vec![json!({"type": "meow", "nickname": "ann"})],
        enabled: true,
        created_at: NOW,
        updated_at: NOW,
    }
}

async fn create(db: &Executor, rule: PushRule) -> PushRule {
    push_rules::create(db, &rule).await.unwrap();
    rule
}

async fn find(db: &Executor, rule: &PushRule) -> PushRule {
    push_rules::find_by_id(db, &rule.uid, &rule.id).await.unwrap().unwrap()
}

fn names(rules: &[PushRule]) -> Vec<&str> {
    rules.iter().map(|rule| rule.name.as_str()).collect()
}

async fn all_rules_come_oldest_first(kind: Kind) {
    let (db, ann, bob) = open(kind).await;
    for (name, later) in [("second", 2), ("third", 3), ("first", 1)] {
        create(&db, PushRule { created_at: NOW + later, ..rule(&ann, name) }).await;
    }
    create(&db, rule(&bob, "of Bob")).await;
    assert_eq!(names(&push_rules::find_by_user(&db, &ann).await.unwrap()), ["first", "second", "third"]);
}

async fn an_hour_finds_its_enabled_rules_of_all_users(kind: Kind) {
    // The schedule sees everybody's rules, also those of other tests: so this one stays among itself.
    let db = Database::open(&empty_database(kind).await).unwrap();
    shared::db::schema::migrate(&db, NOW).await.unwrap();
    let (ann, bob) = (Uid::new(&SystemRandom), Uid::new(&SystemRandom));
    create(&db, PushRule { push_time: 0, ..rule(&ann, "Ann at 0") }).await;
    create(&db, PushRule { push_time: 8, ..rule(&ann, "Ann at 8") }).await;
    create(&db, PushRule { push_time: 8, enabled: false, ..rule(&ann, "Ann at 8, disabled") }).await;
    create(&db, PushRule { push_time: 18, ..rule(&ann, "Ann at 18") }).await;
    create(&db, PushRule { push_time: 8, ..rule(&bob, "Bob at 8") }).await;
    let third = create(&db, PushRule { push_time: 18, ..rule(&ann, "Ann's second at 18") }).await;
    let ids = [third.id.clone(), create(&db, PushRule { enabled: false, ..rule(&bob, "off") }).await.id];
    assert_eq!(names(&push_rules::find_enabled_by_ids(&db, &ids).await.unwrap()), [third.name]);
    for _ in 0..3 {
        create(&db, PushRule { push_time: 9, ..rule(&bob, "Bob at 9") }).await;
    }
    let at = async |hour| {
        let (mut names, mut after) = (Vec::new(), None::<PushRule>);
        loop {
            let last = after.as_ref().map(|rule| (&rule.uid, &rule.id));
            let mut page = push_rules::find_enabled_by_time(&db, hour, last, 2).await.unwrap();
            assert!(page.len() <= 2);
            names.extend(page.iter().map(|rule| rule.name.clone()));
            after = page.pop();
            if after.is_none() {
                break;
            }
        }
        names.sort_unstable();
        names
    };
    assert_eq!(at(0).await, ["Ann at 0"]);
    assert_eq!(at(8).await, ["Ann at 8", "Bob at 8"]);
    assert_eq!(at(9).await, ["Bob at 9"; 3]);
    assert_eq!(at(10).await, [""; 0]);
    assert_eq!(at(18).await, ["Ann at 18", "Ann's second at 18"]);
}

async fn rules_come_back_as_written(kind: Kind) {
    let (db, ann, _) = open(kind).await;
    for (text, time) in TEXTS.iter().zip(TIMES.iter().cycle()) {
        let channels = vec![
            json!({"type": "meow", "nickname": text, "msgType": "html", "htmlHeight": 350, "unknown": [null, 1.5]}),
            json!({"type": "feishu", "webhookUrl": "https://open.feishu.cn/x?a=b", "secret": text}),
        ];
        let (created_at, updated_at) = (*time, time.wrapping_neg());
        let made =
            create(&db, PushRule { channels, created_at, updated_at, push_time: 23, ..rule(&ann, text) }).await;
        let found = find(&db, &made).await;
        // A rule cannot be printed, since it holds secrets.
        assert!(found == made, "{text}");
        assert_eq!(json!(found).to_string(), json!(made).to_string(), "the order of the members stays");
    }
}

async fn corrupt_channels_count_as_none(kind: Kind) {
    let (db, ann, _) = open(kind).await;
    let made = create(&db, rule(&ann, "corrupt")).await;
    for corrupt in ["[{", "{}", "1", "", "null"] {
        overwrite(&db, ("push_rules", "channels"), ("id", made.id.as_str()), corrupt).await;
        let expected = PushRule { channels: Vec::new(), ..made.clone() };
        assert!(find(&db, &made).await == expected, "{corrupt}");
        assert!(push_rules::find_by_user(&db, &ann).await.unwrap() == [expected], "{corrupt}");
    }
}

async fn an_update_changes_what_it_names(kind: Kind) {
    let (db, ann, _) = open(kind).await;
    let made = create(&db, rule(&ann, "before")).await;
    let other = create(&db, rule(&ann, "other")).await;
    let channel = json!({"type": "feishu", "webhookUrl": "https://open.feishu.cn/x"});
    let channels = Some(vec![channel.as_object().unwrap().clone()]);
    let everything = PushRuleUpdate {
        name: Some("after".to_owned()),
        push_time: Some(0),
        content_type: Some("daily_memos".to_owned()),
        channels,
        enabled: Some(false),
    };
    assert!(push_rules::update(&db, &ann, &made.id, &UNCHANGED, NOW + 1).await.unwrap());
    assert!(find(&db, &made).await == PushRule { updated_at: NOW + 1, ..made.clone() });
    assert!(push_rules::update(&db, &ann, &made.id, &everything, NOW + 2).await.unwrap());
    let expected = PushRule {
        name: "after".to_owned(),
        push_time: 0,
        content_type: "daily_memos".to_owned(),
        channels: vec![channel],
        enabled: false,
        updated_at: NOW + 2,
        ..made
    };
    assert!(find(&db, &expected).await == expected);
    let enabled = PushRuleUpdate { enabled: Some(true), ..UNCHANGED };
    assert!(push_rules::update(&db, &ann, &expected.id, &enabled, NOW + 3).await.unwrap());
    assert!(find(&db, &expected).await == PushRule { enabled: true, updated_at: NOW + 3, ..expected });
    assert!(find(&db, &other).await == other);
}

async fn rules_of_others_are_invisible(kind: Kind) {
    let (db, ann, bob) = open(kind).await;
    let made = create(&db, rule(&ann, "of Ann")).await;
    assert!(push_rules::find_by_user(&db, &bob).await.unwrap().is_empty());
    assert!(push_rules::find_by_id(&db, &bob, &made.id).await.unwrap().is_none());
    let disabled = PushRuleUpdate { enabled: Some(false), ..UNCHANGED };
    assert!(!push_rules::update(&db, &bob, &made.id, &disabled, NOW + 1).await.unwrap());
    assert!(!push_rules::delete(&db, &bob, &made.id).await.unwrap());
    assert!(find(&db, &made).await == made);
    assert!(push_rules::delete(&db, &ann, &made.id).await.unwrap());
    assert!(!push_rules::delete(&db, &ann, &made.id).await.unwrap());
}
