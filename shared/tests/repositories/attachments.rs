//! `attachments`

use serde_json::{Map, Value, json};
use shared::{
    clients::storage::{Location, StorageType},
    dto::PageRequest,
    ids::{AttachmentId, SystemRandom, Uid},
    repositories::attachments::{self, AttachmentRecord},
};
use testing::{Kind, on_every_database};

use crate::{BATCHES, KNOWN, NOW, TEXTS, TIMES, assert_corrupt, batch, only_known, open, overwrite};

on_every_database!(
    batches_come_in_the_order_asked,
    ids_that_differ_only_in_letter_case_are_different,
    rows_come_back_as_written,
    corrupt_properties_are_named,
    attachments_of_others_are_invisible,
    pages_have_the_newest_first,
    a_move_changes_the_place_and_nothing_else,
    all_files_come_in_the_order_of_their_ids,
);

fn attachment(uid: &Uid) -> AttachmentRecord {
    AttachmentRecord {
        attachment_id: AttachmentId::new(&SystemRandom),
        uid: uid.clone(),
        filename: "picture.png".to_owned(),
        media_type: "image/png".to_owned(),
        size: 1,
        storage_type: "local".to_owned(),
        path: format!("{uid}/2026-01-01/picture.png"),
        bucket: None,
        prefix: None,
        endpoint: None,
        region: None,
        is_public_bucket: None,
        properties: Map::new(),
        created_at: NOW,
        updated_at: NOW,
    }
}

fn properties(value: Value) -> Map<String, Value> {
    serde_json::from_value(value).unwrap()
}

async fn batches_come_in_the_order_asked(kind: Kind) {
    let (db, ann, _) = open(kind).await;
    let made: &Vec<AttachmentRecord> = &(0..KNOWN).map(|_| attachment(&ann)).collect();
    let stored = db.transaction(|tx| async move {
        for file in made {
            attachments::create(&tx, file).await?;
        }
        Ok::<_, shared::db::Error>(())
    });
    stored.await.unwrap();
    let known: Vec<AttachmentId> = made.iter().map(|file| file.attachment_id.clone()).collect();
    for size in BATCHES {
        let asked = batch(&known, size);
        let found = attachments::find_by_ids(&db, &ann, &asked).await.unwrap();
        let found: Vec<AttachmentId> = found.into_iter().map(|file| file.attachment_id).collect();
        assert_eq!(found, only_known(&asked, &known), "{size}");
    }
    let before = db.statements();
    attachments::find_by_ids(&db, &ann, &[]).await.unwrap();
    assert_eq!(db.statements(), before, "nothing asked, nothing sent");
}

async fn ids_that_differ_only_in_letter_case_are_different(kind: Kind) {
    let (db, ann, _) = open(kind).await;
    let lower = AttachmentId::from(AttachmentId::new(&SystemRandom).as_str().to_lowercase() + "x");
    let upper = AttachmentId::from(lower.as_str().to_uppercase());
    for id in [&lower, &upper] {
        let file = AttachmentRecord { attachment_id: id.clone(), filename: id.to_string(), ..attachment(&ann) };
        attachments::create(&db, &file).await.unwrap();
    }
    let found = attachments::find_by_ids(&db, &ann, &[upper.clone(), lower.clone()]).await.unwrap();
    let names: Vec<String> = found.into_iter().map(|file| file.filename).collect();
    assert_eq!(names, [upper.to_string(), lower.to_string()]);
    assert!(attachments::delete(&db, &ann, &upper).await.unwrap());
    assert!(attachments::find_by_id(&db, &ann, &upper).await.unwrap().is_none());
    assert_eq!(attachments::find_by_id(&db, &ann, &lower).await.unwrap().unwrap().filename, lower.to_string());
}

async fn rows_come_back_as_written(kind: Kind) {
    let (db, ann, _) = open(kind).await;
    let sizes = [0, 1, i64::from(i32::MAX) + 1, i64::from(u32::MAX) + 1, 5 << 40, i64::MAX];
    let all_properties = [
        json!({}),
        json!({"duration": 12.5, "coverUrl": "https://example.com/c.png?a=b&c=\"d\""}),
        json!({"width": 4032, "height": 3024, "unknown": {"kept": [null, true, "读书 😀"]}}),
        json!({"z": 1, "a": 1_790_000_000_000_i64, "exact": 0.1, "big": 1e300}),
    ];
    for (number, text) in TEXTS.iter().enumerate() {
        let text = Some((*text).to_owned());
        let time = TIMES[number % TIMES.len()];
        let made = AttachmentRecord {
            filename: text.clone().unwrap_or_default(),
            media_type: "application/vnd.openxmlformats-officedocument.wordprocessingml.document".to_owned(),
            size: sizes[number % sizes.len()],
            storage_type: "oss".to_owned(),
            path: text.clone().unwrap_or_default(),
            bucket: text.clone(),
            prefix: text.clone(),
            endpoint: text.clone(),
            region: text,
            is_public_bucket: [None, Some(true), Some(false)][number % 3],
            properties: properties(all_properties[number % all_properties.len()].clone()),
            created_at: time,
            updated_at: time.wrapping_neg(),
            ..attachment(&ann)
        };
        attachments::create(&db, &made).await.unwrap();
        let found = attachments::find_by_id(&db, &ann, &made.attachment_id).await.unwrap();
        assert_eq!(found.as_ref(), Some(&made));
        let (stored, written) = (found.unwrap().properties, &made.properties);
        assert!(stored.keys().eq(written.keys()), "the order of the members stays");
    }
}

async fn corrupt_properties_are_named(kind: Kind) {
    let (db, ann, _) = open(kind).await;
    let made = attachment(&ann);
    attachments::create(&db, &made).await.unwrap();
    let id = &made.attachment_id;
    for corrupt in ["{\"a\":", "[]", "1", "", "{'a': 1}"] {
        overwrite(&db, ("attachments", "properties"), ("attachment_id", id.as_str()), corrupt).await;
        let value = format!("attachments.properties of {id}");
        assert_corrupt(attachments::find_by_id(&db, &ann, id).await, &value);
        assert_corrupt(attachments::find_by_ids(&db, &ann, std::slice::from_ref(id)).await, &value);
    }
}

async fn attachments_of_others_are_invisible(kind: Kind) {
    let (db, ann, bob) = open(kind).await;
    let made = attachment(&ann);
    attachments::create(&db, &made).await.unwrap();
    let id = &made.attachment_id;
    assert!(attachments::find_by_id(&db, &bob, id).await.unwrap().is_none());
    assert!(attachments::find_by_ids(&db, &bob, std::slice::from_ref(id)).await.unwrap().is_empty());
    assert!(!attachments::delete(&db, &bob, id).await.unwrap());
    assert_eq!(attachments::find_by_id(&db, &ann, id).await.unwrap(), Some(made.clone()));
    assert!(attachments::delete(&db, &ann, id).await.unwrap());
    assert!(!attachments::delete(&db, &ann, id).await.unwrap());
}

async fn pages_have_the_newest_first(kind: Kind) {
    let (db, ann, bob) = open(kind).await;
    let mut made = Vec::new();
    for time in [5, 3, 5, 9, -1] {
        let file = AttachmentRecord { created_at: time, ..attachment(&ann) };
        attachments::create(&db, &file).await.unwrap();
        made.push(file);
    }
    attachments::create(&db, &attachment(&bob)).await.unwrap();
    made.sort_by(|a, b| (b.created_at, &b.attachment_id).cmp(&(a.created_at, &a.attachment_id)));
    let page = |page, limit| attachments::find_page(&db, &ann, PageRequest { page, limit });
    assert_eq!(page(1, 10).await.unwrap(), made);
    assert_eq!(page(2, 2).await.unwrap(), made[2..4]);
    assert_eq!(page(4, 2).await.unwrap(), []);
    assert_eq!(attachments::count(&db, &ann).await.unwrap(), 5);
}

async fn a_move_changes_the_place_and_nothing_else(kind: Kind) {
    let (db, ann, bob) = open(kind).await;
    let made = attachment(&ann);
    attachments::create(&db, &made).await.unwrap();
    let text = |text: &str| Some(text.to_owned());
    let location = Location {
        storage: StorageType::S3,
        bucket: text("b"),
        prefix: text("p"),
        endpoint: None,
        region: text("r"),
        is_public: Some(false),
    };
    let id = &made.attachment_id;
    assert!(!attachments::update_location(&db, &bob, id, &location).await.unwrap());
    assert_eq!(attachments::find_by_id(&db, &ann, id).await.unwrap(), Some(made.clone()));
    assert!(attachments::update_location(&db, &ann, id, &location).await.unwrap());
    let moved = AttachmentRecord {
        storage_type: "s3".to_owned(),
        bucket: text("b"),
        prefix: text("p"),
        region: text("r"),
        is_public_bucket: Some(false),
        ..made.clone()
    };
    assert_eq!(attachments::find_by_id_for_update(&db, &ann, id).await.unwrap(), Some(moved.clone()));
    let properties = properties(json!({"a": 1}));
    attachments::update_properties(&db, &bob, id, &properties, NOW + 1).await.unwrap();
    assert_eq!(attachments::find_by_id(&db, &ann, id).await.unwrap(), Some(moved.clone()));
    attachments::update_properties(&db, &ann, id, &properties, NOW + 1).await.unwrap();
    let changed = AttachmentRecord { properties, updated_at: NOW + 1, ..moved };
    assert_eq!(attachments::find_by_id(&db, &ann, id).await.unwrap(), Some(changed));
}

async fn all_files_come_in_the_order_of_their_ids(kind: Kind) {
    let (db, ann, bob) = open(kind).await;
    for uid in [&ann, &bob, &ann] {
        attachments::create(&db, &attachment(uid)).await.unwrap();
    }
    let (mut after, mut all) = (String::new(), Vec::new());
    loop {
        let files = attachments::find_all_after(&db, &after, 50).await.unwrap();
        let Some(last) = files.last() else { break };
        last.attachment_id.as_str().clone_into(&mut after);
        all.extend(files.into_iter().map(|file| (file.attachment_id, file.uid)));
    }
    assert!(all.is_sorted_by(|a, b| a.0 < b.0));
    assert_eq!(all.iter().filter(|(_, uid)| [&ann, &bob].contains(&uid)).count(), 3);
}
