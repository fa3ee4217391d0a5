//! `ai_messages`

use serde_json::{Number, json};
use shared::{
    db::{Database, Error},
    dto::conversations::{Message, Source},
    ids::{ConversationId, MessageId, SystemRandom, Uid},
    repositories::ai_messages,
};
use testing::{Kind, on_every_database};

use crate::{NOW, TEXTS, TIMES, ai_conversations, assert_corrupt, open, overwrite};

on_every_database!(
    messages_come_oldest_first,
    messages_come_back_as_written,
    a_long_answer_comes_back_as_written,
    a_batch_of_a_thousand_with_a_bad_message_stores_none,
    corrupt_sources_are_named,
    messages_of_others_are_invisible,
);

/// Makes a message that is not stored.
pub fn message(conversation: &ConversationId, content: &str) -> Message {
    Message {
        message_id: MessageId::new(&SystemRandom),
        conversation_id: conversation.clone(),
        role: "user".to_owned(),
        content: content.to_owned(),
        sources: Vec::new(),
        created_at: NOW,
    }
}

/// Opens a database with a conversation of Ann.
async fn open_conversation(kind: Kind) -> (Database, Uid, Uid, ConversationId) {
    let (db, ann, bob) = open(kind).await;
    let conversation = ai_conversations::create(&db, &ann, "a conversation", NOW).await.conversation_id;
    (db, ann, bob, conversation)
}

async fn messages_come_oldest_first(kind: Kind) {
    let (db, ann, _, conversation) = open_conversation(kind).await;
    assert_eq!(ai_messages::find_by_conversation(&db, &ann, &conversation).await.unwrap(), []);
    assert_eq!(ai_messages::find_last_time(&db, &conversation).await.unwrap(), None);
    let at = |created_at| Message { created_at, ..message(&conversation, "x") };
    let mut made = [NOW + 2, NOW, NOW + 3, NOW + 1, NOW + 1].map(at);
    ai_messages::create(&db, &made).await.unwrap();
    let other = ai_conversations::create(&db, &ann, "other", NOW).await.conversation_id;
    ai_messages::create(&db, &[message(&other, "elsewhere")]).await.unwrap();
    made.sort_by(|a, b| (a.created_at, &a.message_id).cmp(&(b.created_at, &b.message_id)));
    assert_eq!(ai_messages::find_by_conversation(&db, &ann, &conversation).await.unwrap(), made);
    assert_eq!(ai_messages::find_last_time(&db, &conversation).await.unwrap(), Some(NOW + 3));
}

async fn messages_come_back_as_written(kind: Kind) {
    let (db, ann, _, conversation) = open_conversation(kind).await;
    let number = |text: &str| Some(text.parse::<Number>().unwrap());
    let sources = vec![
        Source { memo_id: Some("m1".to_owned()), ..Source::default() },
        Source {
            memo_id: Some("m2".to_owned()),
            content: Some("读书 😀 \"'\\".to_owned()),
            similarity: number("0.1"),
            relevance_score: number("0.30000000000000004"),
            created_at: number("1790000000000"),
        },
        Source::default(),
    ];
    for (text, time) in TEXTS.iter().zip(TIMES.iter().cycle()) {
        let sources = if text.is_empty() { Vec::new() } else { sources.clone() };
        let role = "assistant".to_owned();
        let made = Message { role, sources, created_at: *time, ..message(&conversation, text) };
        ai_messages::create(&db, std::slice::from_ref(&made)).await.unwrap();
        let found = ai_messages::find_by_id(&db, &ann, &made.message_id).await.unwrap();
        assert_eq!(found.as_ref(), Some(&made));
        assert_eq!(json!(found), json!(made), "numbers keep their notation");
    }
}

async fn a_long_answer_comes_back_as_written(kind: Kind) {
    let (db, ann, _, conversation) = open_conversation(kind).await;
    let content = "这是一个回答。".repeat(100 * 1024 / 21);
    let source = Source { content: Some(content.clone()), ..Source::default() };
    let made = Message { sources: vec![source], ..message(&conversation, &content) };
    ai_messages::create(&db, std::slice::from_ref(&made)).await.unwrap();
    // Not compared by assert_eq!, which would print it all.
    assert!(ai_messages::find_by_id(&db, &ann, &made.message_id).await.unwrap() == Some(made));
}

async fn a_batch_of_a_thousand_with_a_bad_message_stores_none(kind: Kind) {
    let (db, ann, _, conversation) = open_conversation(kind).await;
    let count = async || ai_messages::find_by_conversation(&db, &ann, &conversation).await.unwrap().len();
    for size in [0, 1, 1000, 1001, 5000] {
        let mut batch: Vec<Message> = (0..size).map(|_| message(&conversation, "x")).collect();
        if size > 1 {
            batch[size - 1].message_id = batch[0].message_id.clone();
            let batch = &batch;
            let refused = db.transaction(|tx| async move { ai_messages::create(&tx, batch).await });
            let error: Error = refused.await.unwrap_err();
            assert!(error.is_unique_violation(), "{error:?}");
            assert_eq!(count().await, 0, "{size}");
            continue;
        }
        ai_messages::create(&db, &batch).await.unwrap();
        assert_eq!(count().await, size);
        ai_messages::delete_by_conversation(&db, &ann, &conversation).await.unwrap();
    }
    let good: Vec<Message> = (0..1001).map(|_| message(&conversation, "x")).collect();
    ai_messages::create(&db, &good).await.unwrap();
    assert_eq!(count().await, 1001);
}

async fn corrupt_sources_are_named(kind: Kind) {
    let (db, ann, _, conversation) = open_conversation(kind).await;
    let made = [message(&conversation, "good"), message(&conversation, "corrupt")];
    ai_messages::create(&db, &made).await.unwrap();
    let id = &made[1].message_id;
    for corrupt in ["[{", "{}", "[1]", "", "[{\"memoId\": 1}]"] {
        overwrite(&db, ("ai_messages", "sources"), ("message_id", id.as_str()), corrupt).await;
        let value = format!("ai_messages.sources of {id}");
        assert_corrupt(ai_messages::find_by_id(&db, &ann, id).await, &value);
        assert_corrupt(ai_messages::find_by_conversation(&db, &ann, &conversation).await, &value);
    }
    for empty in [Some("[]"), None] {
        overwrite(&db, ("ai_messages", "sources"), ("message_id", id.as_str()), empty).await;
        assert_eq!(ai_messages::find_by_id(&db, &ann, id).await.unwrap().as_ref(), Some(&made[1]));
    }
}

async fn messages_of_others_are_invisible(kind: Kind) {
    let (db, ann, bob, conversation) = open_conversation(kind).await;
    let made = message(&conversation, "of Ann");
    let id = &made.message_id;
    ai_messages::create(&db, std::slice::from_ref(&made)).await.unwrap();
    assert_eq!(ai_messages::find_by_id(&db, &bob, id).await.unwrap(), None);
    assert_eq!(ai_messages::find_by_conversation(&db, &bob, &conversation).await.unwrap(), []);
    assert!(!ai_messages::delete(&db, &bob, id).await.unwrap());
    ai_messages::delete_by_conversation(&db, &bob, &conversation).await.unwrap();
    assert_eq!(ai_messages::find_by_id(&db, &ann, id).await.unwrap().as_ref(), Some(&made));
    assert!(ai_messages::delete(&db, &ann, id).await.unwrap());
    assert!(!ai_messages::delete(&db, &ann, id).await.unwrap());
}
