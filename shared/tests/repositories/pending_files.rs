//! `pending_files`

use serde_json::{Map, json};
use shared::{
    clients::storage::{Location, StorageType},
    ids::{AttachmentId, SystemRandom, Uid},
    repositories::pending_files::{self, PendingFile, Reservation},
};
use testing::{Kind, on_every_database};

use crate::{NOW, TEXTS, assert_corrupt, open, overwrite};

on_every_database!(
    notes_come_back_as_written_and_only_to_their_owner,
    a_second_note_changes_nothing,
    what_is_due_comes_in_order_until_it_is_put_off,
    a_note_goes_only_when_it_may,
    corrupt_notes_are_named,
);

fn note(uid: &Uid) -> PendingFile {
    PendingFile {
        file_id: AttachmentId::new(&SystemRandom),
        uid: uid.clone(),
        path: "a/b.png".to_owned(),
        location: Location::local(),
        attachment: None,
        collect_after: NOW,
    }
}

async fn notes_come_back_as_written_and_only_to_their_owner(kind: Kind) {
    let (db, ann, bob) = open(kind).await;
    for text in TEXTS {
        let location = Location {
            storage: StorageType::Oss,
            bucket: Some((*text).to_owned()),
            prefix: None,
            endpoint: Some((*text).to_owned()),
            region: None,
            is_public: Some(true),
        };
        let properties: Map<_, _> = serde_json::from_value(json!({"z": *text, "a": 1})).unwrap();
        let attachment = Reservation {
            filename: (*text).to_owned(),
            media_type: "image/png".to_owned(),
            size: u64::from(u32::MAX) + 1,
            properties,
            created_at: Some(-5),
        };
        let made = PendingFile { location, attachment: Some(attachment), path: (*text).to_owned(), ..note(&ann) };
        pending_files::create(&db, &made).await.unwrap();
        assert_eq!(pending_files::find_by_id(&db, &ann, &made.file_id).await.unwrap(), Some(made.clone()));
        assert_eq!(pending_files::find_by_id(&db, &bob, &made.file_id).await.unwrap(), None);
        assert!(!pending_files::delete(&db, &bob, &made.file_id, NOW).await.unwrap());
        pending_files::update_time(&db, &bob, &made.file_id, 0).await.unwrap();
        assert_eq!(pending_files::find_by_id(&db, &ann, &made.file_id).await.unwrap(), Some(made));
    }
}

async fn a_second_note_changes_nothing(kind: Kind) {
    let (db, ann, _) = open(kind).await;
    let first = note(&ann);
    pending_files::create(&db, &first).await.unwrap();
    let second = PendingFile { path: "other".to_owned(), collect_after: 1, ..first.clone() };
    pending_files::create(&db, &second).await.unwrap();
    assert_eq!(pending_files::find_by_id(&db, &ann, &first.file_id).await.unwrap(), Some(first));
}

async fn what_is_due_comes_in_order_until_it_is_put_off(kind: Kind) {
    let (db, ann, _) = open(kind).await;
    // Earlier than everything that other tests note.
    let begin = -1_000_000;
    let made: Vec<PendingFile> = (0..5).map(|n| PendingFile { collect_after: begin + n, ..note(&ann) }).collect();
    for file in made.iter().rev() {
        pending_files::create(&db, file).await.unwrap();
    }
    let due = pending_files::find_due(&db, begin + 3, 3).await.unwrap();
    assert_eq!(due, made[..3]);
    pending_files::update_time(&db, &ann, &made[0].file_id, NOW).await.unwrap();
    let due = pending_files::find_due(&db, begin + 3, 10).await.unwrap();
    assert_eq!(due, made[1..4]);
    for file in &made {
        pending_files::delete(&db, &ann, &file.file_id, NOW).await.unwrap();
    }
}

async fn a_note_goes_only_when_it_may(kind: Kind) {
    let (db, ann, _) = open(kind).await;
    let made = note(&ann);
    pending_files::create(&db, &made).await.unwrap();
    assert!(!pending_files::delete(&db, &ann, &made.file_id, NOW - 1).await.unwrap());
    assert!(pending_files::delete(&db, &ann, &made.file_id, NOW).await.unwrap());
    assert!(!pending_files::delete(&db, &ann, &made.file_id, NOW).await.unwrap());
}

async fn corrupt_notes_are_named(kind: Kind) {
    let (db, ann, _) = open(kind).await;
    let made = note(&ann);
    pending_files::create(&db, &made).await.unwrap();
    let id = made.file_id.as_str();
    for (column, corrupt) in [("location", "{"), ("attachment", "[]"), ("location", "{\"storage\":\"tape\"}")] {
        overwrite(&db, ("pending_files", column), ("file_id", id), corrupt).await;
        let found = pending_files::find_by_id(&db, &ann, &made.file_id).await;
        let wrong = if column == "attachment" { "location" } else { column };
        assert_corrupt(found, &format!("pending_files.{wrong} of {id}"));
    }
    pending_files::delete(&db, &ann, &made.file_id, NOW).await.unwrap();
}
