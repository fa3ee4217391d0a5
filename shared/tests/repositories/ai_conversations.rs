//! `ai_conversations`

use futures::future::join_all;
use shared::{
    clock::Millis,
    db::{Error, Executor},
    dto::conversations::{Conversation, Message, Source},
    ids::{ConversationId, SystemRandom, Uid},
    repositories::{ai_conversations, ai_messages},
};
use testing::{Kind, on_every_database};

use crate::{NOW, TEXTS, TIMES, ai_messages::message, assert_corrupt, open, overwrite};

on_every_database!(
    a_list_has_the_latest_activity_first_and_counts_messages,
    a_list_of_a_hundred_conversations_is_one_statement,
    a_conversation_without_messages_has_an_empty_list,
    a_conversation_comes_with_its_messages_oldest_first,
    corrupt_sources_do_not_hide_the_conversation,
    titles_and_times_come_back_as_written,
    the_time_never_goes_back,
    a_lock_makes_writers_wait,
    conversations_of_others_are_invisible,
);

/// Stores a conversation.
pub async fn create(db: &Executor, uid: &Uid, title: &str, now: Millis) -> Conversation {
    let conversation = Conversation {
        conversation_id: ConversationId::new(&SystemRandom),
        title: title.to_owned(),
        created_at: now,
        updated_at: now,
        message_count: 0,
    };
    ai_conversations::create(db, uid, &conversation).await.unwrap();
    conversation
}

async fn find(db: &Executor, uid: &Uid, id: &ConversationId) -> Conversation {
    ai_conversations::find_by_id(db, uid, id).await.unwrap().unwrap()
}

async fn a_list_has_the_latest_activity_first_and_counts_messages(kind: Kind) {
    let (db, ann, bob) = open(kind).await;
    let mut expected = Vec::new();
    for (later, count) in [(2, 3), (1, 0), (5, 1), (5, 2)] {
        let mut made = create(&db, &ann, "a conversation", NOW + later).await;
        let messages: Vec<Message> = (0..count).map(|_| message(&made.conversation_id, "x")).collect();
        ai_messages::create(&db, &messages).await.unwrap();
        made.message_count = count;
        assert_eq!(find(&db, &ann, &made.conversation_id).await, made);
        expected.push(made);
    }
    create(&db, &bob, "of Bob", NOW).await;
    expected.sort_by(|a, b| (b.updated_at, &b.conversation_id).cmp(&(a.updated_at, &a.conversation_id)));
    assert_eq!(ai_conversations::find_by_user(&db, &ann).await.unwrap(), expected);
}

async fn a_list_of_a_hundred_conversations_is_one_statement(kind: Kind) {
    let (db, ann, _) = open(kind).await;
    for number in 0..100 {
        create(&db, &ann, "a conversation", NOW + number).await;
    }
    let before = db.statements();
    assert_eq!(ai_conversations::find_by_user(&db, &ann).await.unwrap().len(), 100);
    assert_eq!(db.statements() - before, 1);
}

async fn a_conversation_without_messages_has_an_empty_list(kind: Kind) {
    let (db, ann, _) = open(kind).await;
    let made = create(&db, &ann, "empty", NOW).await;
    let found = ai_conversations::find_with_messages(&db, &ann, &made.conversation_id).await.unwrap();
    let (conversation, messages) = found.unwrap();
    assert_eq!((conversation, messages.len()), (made, 0));
}

async fn a_conversation_comes_with_its_messages_oldest_first(kind: Kind) {
    let (db, ann, _) = open(kind).await;
    let made = create(&db, &ann, "a conversation", NOW).await;
    let other = create(&db, &ann, "other", NOW).await;
    ai_messages::create(&db, &[message(&other.conversation_id, "elsewhere")]).await.unwrap();
    let source = Source { memo_id: Some("m1".to_owned()), ..Source::default() };
    let messages: Vec<Message> = [3, 1, 2]
        .into_iter()
        .map(|later| Message {
            created_at: NOW + later,
            sources: vec![source.clone()],
            ..message(&made.conversation_id, &later.to_string())
        })
        .collect();
    ai_messages::create(&db, &messages).await.unwrap();
    let before = db.statements();
    let found = ai_conversations::find_with_messages(&db, &ann, &made.conversation_id).await.unwrap();
    assert_eq!(db.statements() - before, 1);
    let (conversation, found) = found.unwrap();
    assert_eq!(conversation, Conversation { message_count: 3, ..made });
    let contents: Vec<&str> = found.iter().map(|message| message.content.as_str()).collect();
    assert_eq!(contents, ["1", "2", "3"]);
    for message in found {
        assert_eq!((message.role.as_str(), message.sources.unwrap()), ("user", vec![source.clone()]));
    }
}

async fn corrupt_sources_do_not_hide_the_conversation(kind: Kind) {
    let (db, ann, _) = open(kind).await;
    let made = create(&db, &ann, "a conversation", NOW).await;
    let messages = [1, 2].map(|later| Message { created_at: NOW + later, ..message(&made.conversation_id, "x") });
    ai_messages::create(&db, &messages).await.unwrap();
    let id = &messages[0].message_id;
    overwrite(&db, ("ai_messages", "sources"), ("message_id", id.as_str()), "[{").await;
    let found = ai_conversations::find_with_messages(&db, &ann, &made.conversation_id).await.unwrap();
    let (_, mut found) = found.unwrap();
    assert_eq!(found.pop().unwrap().sources.unwrap(), []);
    assert_corrupt(found.pop().unwrap().sources, &format!("ai_messages.sources of {id}"));
}

async fn titles_and_times_come_back_as_written(kind: Kind) {
    let (db, ann, _) = open(kind).await;
    for (title, time) in TEXTS.iter().zip(TIMES.iter().cycle()) {
        let made = create(&db, &ann, title, *time).await;
        assert_eq!(find(&db, &ann, &made.conversation_id).await, made);
        assert!(ai_conversations::update(&db, &ann, &made.conversation_id, "renamed", *time).await.unwrap());
        assert!(ai_conversations::update(&db, &ann, &made.conversation_id, title, *time).await.unwrap());
        assert_eq!(find(&db, &ann, &made.conversation_id).await, made);
    }
}

async fn the_time_never_goes_back(kind: Kind) {
    let (db, ann, _) = open(kind).await;
    let id = &create(&db, &ann, "a conversation", NOW).await.conversation_id;
    for (now, expected) in [(NOW + 5, NOW + 5), (NOW + 5, NOW + 5), (NOW + 3, NOW + 5), (NOW + 6, NOW + 6)] {
        ai_conversations::update_time(&db, &ann, id, now).await.unwrap();
        assert_eq!(find(&db, &ann, id).await.updated_at, expected);
    }
    assert!(ai_conversations::update(&db, &ann, id, "renamed", NOW).await.unwrap());
    let renamed = find(&db, &ann, id).await;
    assert_eq!((renamed.title.as_str(), renamed.created_at, renamed.updated_at), ("renamed", NOW, NOW + 6));
}

async fn a_lock_makes_writers_wait(kind: Kind) {
    let (db, ann, _) = open(kind).await;
    let id = create(&db, &ann, "a conversation", NOW).await.conversation_id;
    let appends = (0..32).map(|_| {
        let (db, ann, id) = (db.clone(), ann.clone(), id.clone());
        tokio::spawn(async move {
            let (ann, id) = (&ann, &id);
            let appended = db.transaction(|tx| async move {
                assert!(ai_conversations::lock(&tx, ann, id).await?);
                let last = ai_messages::find_last_time(&tx, id).await?;
                let next = Message { created_at: last.map_or(NOW, |last| last + 1), ..message(id, "x") };
                ai_messages::create(&tx, &[next]).await
            });
            appended.await
        })
    });
    for outcome in join_all(appends).await {
        let outcome: Result<(), Error> = outcome.unwrap();
        outcome.unwrap();
    }
    let messages = ai_messages::find_by_conversation(&db, &ann, &id).await.unwrap();
    let times: Vec<Millis> = messages.iter().map(|message| message.created_at).collect();
    assert_eq!(times, (NOW..NOW + 32).collect::<Vec<_>>());
}

async fn conversations_of_others_are_invisible(kind: Kind) {
    let (db, ann, bob) = open(kind).await;
    let made = create(&db, &ann, "of Ann", NOW).await;
    let id = &made.conversation_id;
    assert_eq!(ai_conversations::find_by_user(&db, &bob).await.unwrap(), []);
    assert_eq!(ai_conversations::find_by_id(&db, &bob, id).await.unwrap(), None);
    assert!(ai_conversations::find_with_messages(&db, &bob, id).await.unwrap().is_none());
    assert!(!ai_conversations::lock(&db, &bob, id).await.unwrap());
    assert!(!ai_conversations::update(&db, &bob, id, "of Bob", NOW + 1).await.unwrap());
    ai_conversations::update_time(&db, &bob, id, NOW + 1).await.unwrap();
    assert!(!ai_conversations::delete(&db, &bob, id).await.unwrap());
    assert_eq!(find(&db, &ann, id).await, made);
    assert!(ai_conversations::delete(&db, &ann, id).await.unwrap());
    assert!(!ai_conversations::delete(&db, &ann, id).await.unwrap());
    assert!(ai_conversations::find_with_messages(&db, &ann, id).await.unwrap().is_none());
}
