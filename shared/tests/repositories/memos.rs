//! `memos`, but for the pages, which are in `memo_pages`.

use std::collections::HashMap;

use shared::{
    clock::Millis,
    db::{Error, Executor},
    dto::{
        PageRequest, Patch,
        memos::{MemoFilter, Sort},
    },
    ids::{AttachmentId, CategoryId, MemoId, RelationId, SystemRandom, TagId, Uid},
    repositories::{
        memo_relations, memo_tags,
        memos::{self, Changes, MemoRecord},
    },
};
use testing::{Kind, on_every_database};

use crate::{BATCHES, KNOWN, NOW, TEXTS, TIMES, assert_corrupt, batch, only_known, open, overwrite};

on_every_database!(
    batches_come_in_the_order_asked,
    texts_and_times_come_back_as_written,
    long_contents_come_back_as_written,
    a_corrupt_list_of_attachments_is_named,
    an_update_changes_what_it_names,
    clearing_a_category_keeps_the_time,
    a_tag_moves_the_time_of_its_memos,
    related_memos_come_in_the_order_of_the_relations,
    backlinks_come_in_pages_in_the_order_of_the_relations,
    only_public_memos_are_public,
    memos_have_places_of_which_the_newest_is_the_first,
    memos_of_several_users_stay_apart,
    memos_are_counted_by_utc_day,
    ranges_give_the_newest_memos,
    memos_of_others_are_invisible,
);

/// Makes a memo that is not stored.
pub fn memo(uid: &Uid, content: &str) -> MemoRecord {
    MemoRecord {
        memo_id: MemoId::new(&SystemRandom),
        uid: uid.clone(),
        category_id: None,
        content: content.to_owned(),
        memo_type: "text".to_owned(),
        source: None,
        is_public: false,
        attachments: Vec::new(),
        created_at: NOW,
        updated_at: NOW,
    }
}

/// Stores memos in one transaction.
pub async fn create(db: &shared::db::Database, made: &[MemoRecord]) {
    let stored = db.transaction(|tx| async move {
        for memo in made {
            memos::create(&tx, memo).await?;
        }
        Ok::<_, Error>(())
    });
    stored.await.unwrap();
}

/// Everything that a memo holds, comparable.
fn all(memo: &MemoRecord) -> String {
    format!("{memo:?}")
}

async fn find(db: &Executor, memo: &MemoRecord) -> MemoRecord {
    memos::find_by_id(db, &memo.uid, &memo.memo_id).await.unwrap().unwrap()
}

fn ids(memos: &[MemoRecord]) -> Vec<MemoId> {
    memos.iter().map(|memo| memo.memo_id.clone()).collect()
}

async fn relate(db: &Executor, source: &MemoRecord, targets: &[&MemoRecord], now: Millis) {
    let edges: Vec<_> =
        targets.iter().map(|target| (RelationId::new(&SystemRandom), target.memo_id.clone())).collect();
    memo_relations::create(db, &source.uid, &source.memo_id, &edges, now).await.unwrap();
}

async fn batches_come_in_the_order_asked(kind: Kind) {
    let (db, ann, _) = open(kind).await;
    let made: Vec<MemoRecord> = (0..KNOWN).map(|number| memo(&ann, &format!("memo {number}"))).collect();
    create(&db, &made).await;
    let known = ids(&made);
    for size in BATCHES {
        let asked = batch(&known, size);
        let expected = only_known(&asked, &known);
        assert_eq!(ids(&memos::find_by_ids(&db, &ann, &asked).await.unwrap()), expected, "{size}");
        assert_eq!(memos::exists(&db, &ann, &asked).await.unwrap(), expected, "{size}");
        assert!(memos::find_related(&db, &ann, &asked).await.unwrap().is_empty(), "{size}");
    }
    let before = db.statements();
    memos::find_by_ids(&db, &ann, &[]).await.unwrap();
    memos::exists(&db, &ann, &[]).await.unwrap();
    memos::find_related(&db, &ann, &[]).await.unwrap();
    memos::find_in_ranges(&db, &ann, &[], 10).await.unwrap();
    assert_eq!(db.statements(), before, "nothing asked, nothing sent");
}

async fn texts_and_times_come_back_as_written(kind: Kind) {
    let (db, ann, _) = open(kind).await;
    for (text, time) in TEXTS.iter().zip(TIMES.iter().cycle()) {
        let made = MemoRecord {
            category_id: Some(CategoryId::new(&SystemRandom)),
            memo_type: "video".to_owned(),
            source: Some((*text).to_owned()),
            is_public: true,
            attachments: vec![AttachmentId::from("zB"), AttachmentId::from("Zb"), AttachmentId::from("a\"'\\b")],
            created_at: *time,
            updated_at: time.wrapping_neg(),
            ..memo(&ann, text)
        };
        memos::create(&db, &made).await.unwrap();
        assert_eq!(all(&find(&db, &made).await), all(&made));
    }
    let plain = memo(&ann, "nothing but a text");
    memos::create(&db, &plain).await.unwrap();
    assert_eq!(all(&find(&db, &plain).await), all(&plain));
}

async fn long_contents_come_back_as_written(kind: Kind) {
    let (db, ann, _) = open(kind).await;
    let chinese = "这是一个备忘录。".repeat(100 * 1024 / 24);
    let emoji = "😀".repeat(1024 * 1024 / 4);
    for content in [chinese, emoji] {
        let made = memo(&ann, &content);
        memos::create(&db, &made).await.unwrap();
        // Not compared by assert_eq!, which would print a megabyte.
        assert!(find(&db, &made).await.content == content, "{} bytes", content.len());
        let filter = MemoFilter { search: Some(content), ..MemoFilter::default() };
        assert_eq!(memos::count(&db, &ann, &filter).await.unwrap(), 1);
    }
}

async fn a_corrupt_list_of_attachments_is_named(kind: Kind) {
    let (db, ann, _) = open(kind).await;
    let (made, good) = (memo(&ann, "corrupt"), memo(&ann, "good"));
    create(&db, &[made.clone(), good.clone()]).await;
    relate(&db, &good, &[&made], NOW).await;
    let id = &made.memo_id;
    for corrupt in ["[\"a\"", "{}", "[1]", "", "a"] {
        overwrite(&db, ("memos", "attachments"), ("memo_id", id.as_str()), corrupt).await;
        let value = format!("memos.attachments of {id}");
        assert_corrupt(memos::find_by_id(&db, &ann, id).await, &value);
        assert_corrupt(memos::find_by_ids(&db, &ann, &[good.memo_id.clone(), id.clone()]).await, &value);
        assert_corrupt(memos::find_related(&db, &ann, std::slice::from_ref(&good.memo_id)).await, &value);
        let page = PageRequest { page: 1, limit: 10 };
        let found = memos::find_page(&db, &ann, &MemoFilter::default(), Sort::default(), page).await;
        assert_corrupt(found, &value);
    }
    // As legacy rows have it.
    overwrite(&db, ("memos", "attachments"), ("memo_id", id.as_str()), "[]").await;
    overwrite(&db, ("memos", "category_id"), ("memo_id", id.as_str()), "").await;
    assert_eq!(all(&find(&db, &made).await), all(&made));
}

async fn an_update_changes_what_it_names(kind: Kind) {
    let (db, ann, _) = open(kind).await;
    let mut expected = MemoRecord {
        category_id: Some(CategoryId::from("c1")),
        source: Some("https://example.com".to_owned()),
        attachments: vec![AttachmentId::from("a1")],
        ..memo(&ann, "before")
    };
    let other = memo(&ann, "other");
    create(&db, &[expected.clone(), other.clone()]).await;
    let id = expected.memo_id.clone();
    let nothing = Changes {
        content: None,
        memo_type: None,
        category_id: &Patch::Keep,
        attachments: None,
        is_public: None,
        source: &Patch::Keep,
    };

    memos::update(&db, &ann, &id, &nothing, NOW + 1).await.unwrap();
    expected.updated_at = NOW + 1;
    assert_eq!(all(&find(&db, &expected).await), all(&expected));

    let attachments = [AttachmentId::from("a3"), AttachmentId::from("a2")];
    let everything = Changes {
        content: Some("after"),
        memo_type: Some("audio"),
        category_id: &Patch::Set(CategoryId::from("c2")),
        attachments: Some(&attachments),
        is_public: Some(true),
        source: &Patch::Set("https://example.org".to_owned()),
    };
    memos::update(&db, &ann, &id, &everything, NOW + 2).await.unwrap();
    expected = MemoRecord {
        content: "after".to_owned(),
        memo_type: "audio".to_owned(),
        category_id: Some(CategoryId::from("c2")),
        attachments: attachments.to_vec(),
        is_public: true,
        source: Some("https://example.org".to_owned()),
        updated_at: NOW + 2,
        ..expected
    };
    assert_eq!(all(&find(&db, &expected).await), all(&expected));

    let cleared = Changes { category_id: &Patch::Clear, attachments: Some(&[]), source: &Patch::Clear, ..nothing };
    memos::update(&db, &ann, &id, &cleared, NOW + 3).await.unwrap();
    expected =
        MemoRecord { category_id: None, attachments: Vec::new(), source: None, updated_at: NOW + 3, ..expected };
    assert_eq!(all(&find(&db, &expected).await), all(&expected));

    memos::update_time(&db, &ann, &id, NOW + 4).await.unwrap();
    expected.updated_at = NOW + 4;
    assert_eq!(all(&find(&db, &expected).await), all(&expected));
    assert_eq!(all(&find(&db, &other).await), all(&other));
}

async fn clearing_a_category_keeps_the_time(kind: Kind) {
    let (db, ann, bob) = open(kind).await;
    let in_category = |uid: &Uid, category: &str| MemoRecord {
        category_id: Some(CategoryId::from(category)),
        ..memo(uid, "in a category")
    };
    let made = [
        in_category(&ann, "work"),
        in_category(&ann, "work"),
        in_category(&ann, "rest"),
        in_category(&bob, "work"),
    ];
    create(&db, &made).await;
    memos::clear_category(&db, &ann, &CategoryId::from("work")).await.unwrap();
    for (before, cleared) in made.iter().zip([true, true, false, false]) {
        let category_id = before.category_id.clone().filter(|_| !cleared);
        let expected = MemoRecord { category_id, ..before.clone() };
        assert_eq!(all(&find(&db, before).await), all(&expected));
    }
}

async fn a_tag_moves_the_time_of_its_memos(kind: Kind) {
    let (db, ann, bob) = open(kind).await;
    let made = [memo(&ann, "with"), memo(&ann, "with others"), memo(&ann, "without"), memo(&bob, "with")];
    create(&db, &made).await;
    let (tag, other) = (TagId::new(&SystemRandom), TagId::new(&SystemRandom));
    let carried = [vec![tag.clone()], vec![other.clone(), tag.clone()], vec![other], vec![tag.clone()]];
    for (memo, tags) in made.iter().zip(carried) {
        memo_tags::create(&db, &memo.uid, &memo.memo_id, &tags, memo.created_at).await.unwrap();
    }
    memos::update_time_by_tag(&db, &ann, &tag, NOW + 9).await.unwrap();
    for (before, expected) in made.iter().zip([NOW + 9, NOW + 9, NOW, NOW]) {
        assert_eq!(find(&db, before).await.updated_at, expected, "{}", before.content);
    }
}

async fn related_memos_come_in_the_order_of_the_relations(kind: Kind) {
    let (db, ann, bob) = open(kind).await;
    let made: Vec<MemoRecord> = (0..6).map(|number| memo(&ann, &format!("memo {number}"))).collect();
    let foreign = memo(&bob, "foreign");
    create(&db, &made).await;
    create(&db, std::slice::from_ref(&foreign)).await;
    relate(&db, &made[0], &[&made[4], &made[2], &foreign, &made[3]], NOW).await;
    relate(&db, &made[1], &[&made[2]], NOW + 1000).await;
    let sources = [made[1].memo_id.clone(), made[0].memo_id.clone(), made[5].memo_id.clone()];
    let found = memos::find_related(&db, &ann, &sources).await.unwrap();
    let targets_of = |source: &MemoRecord| -> Vec<String> {
        found.iter().filter(|(id, _)| *id == source.memo_id).map(|(_, memo)| memo.content.clone()).collect()
    };
    assert_eq!(targets_of(&made[0]), ["memo 4", "memo 2", "memo 3"]);
    assert_eq!(targets_of(&made[1]), ["memo 2"]);
    assert_eq!(found.len(), 4);
}

async fn backlinks_come_in_pages_in_the_order_of_the_relations(kind: Kind) {
    let (db, ann, bob) = open(kind).await;
    let target = memo(&ann, "target");
    let sources: Vec<MemoRecord> = (0..5).map(|number| memo(&ann, &format!("source {number}"))).collect();
    let foreign = memo(&bob, "foreign");
    create(&db, &sources).await;
    create(&db, &[target.clone(), foreign.clone()]).await;
    for (source, later) in sources.iter().zip([50, 10, 40, 20, 30]) {
        relate(&db, source, &[&target, &sources[0]][..1], NOW + later).await;
    }
    relate(&db, &foreign, &[&target], NOW).await;
    relate(&db, &target, &[&sources[0]], NOW).await;
    let page = async |number| {
        let page = PageRequest { page: number, limit: 2 };
        let found = memos::find_backlinks(&db, &ann, &target.memo_id, page).await.unwrap();
        found.into_iter().map(|memo| memo.content).collect::<Vec<_>>()
    };
    assert_eq!(page(1).await, ["source 1", "source 3"]);
    assert_eq!(page(2).await, ["source 4", "source 2"]);
    assert_eq!(page(3).await, ["source 0"]);
    assert_eq!(page(4).await, [""; 0]);
    assert_eq!(memos::count_backlinks(&db, &ann, &target.memo_id).await.unwrap(), 5);
    assert_eq!(memos::count_backlinks(&db, &bob, &target.memo_id).await.unwrap(), 1);
    assert_eq!(memos::count_backlinks(&db, &ann, &MemoId::from("unknown")).await.unwrap(), 0);
}

async fn only_public_memos_are_public(kind: Kind) {
    let (db, ann, bob) = open(kind).await;
    let shown = |later| MemoRecord { is_public: true, created_at: NOW + later, ..memo(&ann, "shown") };
    let (shown, hidden) = ([shown(1), shown(2), shown(3)], memo(&ann, "hidden"));
    create(&db, &shown).await;
    create(&db, &[hidden.clone(), MemoRecord { is_public: true, ..memo(&bob, "of another") }]).await;
    assert!(memos::find_public_by_id(&db, &hidden.memo_id).await.unwrap().is_none());
    assert_eq!(all(&memos::find_public_by_id(&db, &shown[0].memo_id).await.unwrap().unwrap()), all(&shown[0]));
    let at = async |position| {
        let found = memos::find_public_at(&db, &ann, position).await.unwrap();
        found.map(|memo| memo.memo_id)
    };
    let newest_first: Vec<_> = shown.iter().rev().map(|memo| Some(memo.memo_id.clone())).collect();
    assert_eq!([at(0).await, at(1).await, at(2).await].as_slice(), newest_first);
    assert_eq!(at(3).await, None);
}

async fn memos_have_places_of_which_the_newest_is_the_first(kind: Kind) {
    let (db, ann, bob) = open(kind).await;
    let made: Vec<MemoRecord> =
        (0..20).map(|age| MemoRecord { created_at: NOW - age / 2, ..memo(&ann, "x") }).collect();
    create(&db, &made).await;
    let all = memos::find_ids_at(&db, &[(ann.clone(), (1..=20).collect())]).await.unwrap();
    let mut sorted = made.clone();
    sorted.sort_by(|a, b| (b.created_at, &b.memo_id).cmp(&(a.created_at, &a.memo_id)));
    let all: Vec<MemoId> = all.into_iter().map(|(_, id)| id).collect();
    assert_eq!(all, ids(&sorted));
    let of_bob = memo(&bob, "x");
    create(&db, std::slice::from_ref(&of_bob)).await;
    let places = [(ann.clone(), vec![20, 1, 7, 7, 21, u64::MAX, 0]), (bob.clone(), vec![1, 2])];
    let mut some = memos::find_ids_at(&db, &places).await.unwrap();
    some.sort_by_key(|(uid, _)| *uid == bob);
    let of = |uid: &Uid, id: &MemoId| (uid.clone(), id.clone());
    assert_eq!(some, [of(&ann, &all[0]), of(&ann, &all[6]), of(&ann, &all[19]), of(&bob, &of_bob.memo_id)]);
    assert!(memos::find_ids_at(&db, &[(ann, vec![])]).await.unwrap().is_empty());
    assert!(memos::find_ids_at(&db, &[]).await.unwrap().is_empty());
}

async fn memos_of_several_users_stay_apart(kind: Kind) {
    let (db, ann, bob) = open(kind).await;
    let nobody = Uid::new(&SystemRandom);
    let of = |uid: &Uid, age| MemoRecord { created_at: NOW - age, ..memo(uid, &format!("{age}")) };
    let [a, b, c] = [of(&ann, 3), of(&ann, 1), of(&bob, 2)];
    create(&db, &[a.clone(), b.clone(), c.clone()]).await;
    let counts = memos::count_by_users(&db, &[ann.clone(), bob.clone(), nobody.clone()]).await.unwrap();
    assert_eq!(counts, HashMap::from([(ann.clone(), 2), (bob.clone(), 1)]));
    // Each asks for a memo of the other too, and for one that is not there.
    let ids = vec![a.memo_id.clone(), c.memo_id.clone(), MemoId::new(&SystemRandom)];
    let wanted = [(ann.clone(), ids.clone()), (nobody, ids)];
    let found = memos::find_by_ids_of_users(&db, &wanted).await.unwrap();
    assert_eq!(found.iter().map(|memo| &memo.memo_id).collect::<Vec<_>>(), [&a.memo_id]);
    let mut written = Vec::new();
    let each = |memo: memos::WrittenMemo| written.push((memo.uid, memo.content, memo.created_at));
    memos::find_written_by_users(&db, &[ann.clone(), bob.clone()], NOW - 3, NOW - 1, each).await.unwrap();
    written.sort();
    let mut expected = [(ann, "3".to_owned(), NOW - 3), (bob, "2".to_owned(), NOW - 2)];
    expected.sort();
    assert_eq!(written, expected);
}

async fn memos_are_counted_by_utc_day(kind: Kind) {
    const DAY: Millis = 86_400_000;
    let (db, ann, bob) = open(kind).await;
    assert_eq!(memos::find_time_range(&db, &ann).await.unwrap(), None);
    let at = |uid: &Uid, created_at| MemoRecord { created_at, ..memo(uid, "x") };
    let times = [10 * DAY - 1, 10 * DAY, 10 * DAY + 1, 11 * DAY - 1, 13 * DAY, 20 * DAY];
    let mut made: Vec<MemoRecord> = times.map(|time| at(&ann, time)).to_vec();
    made.push(at(&bob, 10 * DAY));
    create(&db, &made).await;
    let counts = memos::count_by_day(&db, &ann, 10 * DAY - 1, 13 * DAY).await.unwrap();
    assert_eq!(counts, [(9, 1), (10, 3), (13, 1)]);
    assert_eq!(memos::count_by_day(&db, &ann, 10 * DAY, 13 * DAY - 1).await.unwrap(), [(10, 3)]);
    assert_eq!(memos::count_by_day(&db, &ann, 14 * DAY, 15 * DAY).await.unwrap(), []);
    assert_eq!(memos::find_time_range(&db, &ann).await.unwrap(), Some((10 * DAY - 1, 20 * DAY)));
}

async fn ranges_give_the_newest_memos(kind: Kind) {
    let (db, ann, bob) = open(kind).await;
    let at = |uid: &Uid, created_at| MemoRecord { created_at, ..memo(uid, &created_at.to_string()) };
    let mut made: Vec<MemoRecord> = [9, 10, 19, 20, 30, 39, 40].map(|time| at(&ann, time)).to_vec();
    made.push(at(&bob, 15));
    create(&db, &made).await;
    let found = async |ranges: &[(Millis, Millis)], limit| {
        let found = memos::find_in_ranges(&db, &ann, ranges, limit).await.unwrap();
        found.into_iter().map(|memo| memo.content).collect::<Vec<_>>()
    };
    assert_eq!(found(&[(10, 20), (30, 40)], 10).await, ["39", "30", "19", "10"]);
    assert_eq!(found(&[(30, 40), (10, 20)], 3).await, ["39", "30", "19"]);
    assert_eq!(found(&[(11, 12)], 10).await, [""; 0]);
}

async fn memos_of_others_are_invisible(kind: Kind) {
    let (db, ann, bob) = open(kind).await;
    let made = MemoRecord { is_public: true, category_id: Some(CategoryId::from("work")), ..memo(&ann, "of Ann") };
    let other = memo(&ann, "other");
    create(&db, &[made.clone(), other.clone()]).await;
    relate(&db, &other, &[&made], NOW).await;
    let id = &made.memo_id;
    let tag = TagId::new(&SystemRandom);
    memo_tags::create(&db, &ann, id, std::slice::from_ref(&tag), NOW).await.unwrap();

    assert!(memos::find_by_id(&db, &bob, id).await.unwrap().is_none());
    let locked = db.transaction(|tx| {
        let (bob, id) = (&bob, id);
        async move { memos::find_by_id_for_update(&tx, bob, id).await }
    });
    assert!(locked.await.unwrap().is_none());
    assert!(memos::find_by_ids(&db, &bob, std::slice::from_ref(id)).await.unwrap().is_empty());
    assert!(memos::exists(&db, &bob, std::slice::from_ref(id)).await.unwrap().is_empty());
    assert!(memos::find_related(&db, &bob, std::slice::from_ref(&other.memo_id)).await.unwrap().is_empty());
    let page = PageRequest { page: 1, limit: 10 };
    assert!(memos::find_backlinks(&db, &bob, id, page).await.unwrap().is_empty());
    assert_eq!(memos::count_backlinks(&db, &bob, id).await.unwrap(), 0);
    assert!(memos::find_public_at(&db, &bob, 0).await.unwrap().is_none());
    assert!(memos::count_by_day(&db, &bob, i64::MIN, i64::MAX).await.unwrap().is_empty());
    assert_eq!(memos::find_time_range(&db, &bob).await.unwrap(), None);
    assert!(memos::find_in_ranges(&db, &bob, &[(i64::MIN, i64::MAX)], 10).await.unwrap().is_empty());

    let changes = Changes {
        content: Some("of Bob"),
        memo_type: Some("audio"),
        category_id: &Patch::Clear,
        attachments: Some(&[]),
        is_public: Some(false),
        source: &Patch::Set("x".to_owned()),
    };
    memos::update(&db, &bob, id, &changes, NOW + 1).await.unwrap();
    memos::update_time(&db, &bob, id, NOW + 1).await.unwrap();
    memos::update_time_by_tag(&db, &bob, &tag, NOW + 1).await.unwrap();
    memos::clear_category(&db, &bob, &CategoryId::from("work")).await.unwrap();
    assert!(!memos::delete(&db, &bob, id).await.unwrap());
    assert_eq!(all(&find(&db, &made).await), all(&made));

    assert!(memos::delete(&db, &ann, id).await.unwrap());
    assert!(!memos::delete(&db, &ann, id).await.unwrap());
    assert!(memos::find_by_id(&db, &ann, id).await.unwrap().is_none());
}
