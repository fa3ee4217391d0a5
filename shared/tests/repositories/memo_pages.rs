//! `memos.find_page`, `memos.find_ids` and `memos.count`, compared with a plain implementation of the same rules over
//! the same memos, for many random filters (`contract/memos.md`, the list).

use rand::{RngExt, SeedableRng, rngs::StdRng, seq::IndexedRandom};
use shared::{
    clock::Millis,
    db::{Database, Error},
    dto::{
        PageRequest,
        memos::{CategoryFilter, MemoFilter, Sort, SortBy},
    },
    ids::{CategoryId, MemoId, TagId, Uid},
    repositories::{
        memo_tags,
        memos::{self, MemoRecord},
        tags,
    },
};
use testing::{Kind, on_every_database};

use crate::{memos::memo, open, overwrite, tags::tag};

on_every_database!(random_filters_give_what_the_rules_say, the_text_of_a_search_is_taken_literally);

const MEMOS: usize = 400;
const FILTERS: usize = 250;

/// Few times, so that many memos share one and the id decides.
const TIMES: std::ops::Range<Millis> = -40..160;

/// Names in the case in which they are stored, the most common one first.
const TAGS: [&str; 8] = ["Work", "读书", "ÄÖ", "a b", "rare", "%", "_", "it's"];

const CATEGORIES: [&str; 3] = ["c-diary", "c-work", "c-empty"];

/// What contents are made of.
const WORDS: [&str; 14] =
    ["abc", "ABC", "a_c", "a%c", "100%", "it's", "\\", "\\n", "读书", "😀", "ß", "x ", "  ", "\n"];

/// What is searched for: parts of contents, across words too, and texts that no content has.
const SEARCHES: [&str; 20] = [
    "abc", "ABC", "Abc", "a_c", "a%c", "%", "_", "'", "''", "\\", "\\\\", "\\n", "读", "😀", "SS", "x ", "c\\",
    "%%", " ", "",
];

/// A memo, its tags by number.
struct Example {
    record: MemoRecord,
    tags: Vec<usize>,
}

fn some<T: Clone>(rng: &mut StdRng, from: &[T]) -> T {
    from.choose(rng).unwrap().clone()
}

fn example(rng: &mut StdRng, uid: &Uid) -> Example {
    let content: String = (0..rng.random_range(1..8)).map(|_| some(rng, &WORDS)).collect();
    let category_id = rng.random_bool(0.6).then(|| CategoryId::from(some(rng, &CATEGORIES[..2])));
    // The first tag is on half of the memos, the next on a third, and so on.
    let carried = (0..TAGS.len()).filter(|number| rng.random_ratio(1, u32::try_from(number + 2).unwrap()));
    let mut tags: Vec<usize> = carried.collect();
    if rng.random_bool(0.5) {
        tags.reverse();
    }
    let record = MemoRecord {
        category_id,
        is_public: rng.random_bool(0.3),
        created_at: rng.random_range(TIMES),
        updated_at: rng.random_range(TIMES),
        ..memo(uid, &content)
    };
    Example { record, tags }
}

/// Stores the tags and some memos of a user. The usage counts are wrong on purpose: they may choose a
/// way, but no memo.
async fn store(db: &Database, uid: &Uid, rng: &mut StdRng, examples: &[Example]) {
    let made: Vec<_> =
        TAGS.map(|name| shared::dto::tags::Tag { usage_count: rng.random_range(0..9), ..tag(name) }).into();
    let ids: Vec<TagId> = made.iter().map(|tag| tag.tag_id.clone()).collect();
    tags::create(db, uid, &made).await.unwrap();
    let ids = &ids;
    let stored = db.transaction(|tx| async move {
        for Example { record, tags } in examples {
            memos::create(&tx, record).await?;
            let tags: Vec<TagId> = tags.iter().map(|number| ids[*number].clone()).collect();
            memo_tags::create(&tx, uid, &record.memo_id, &tags, record.created_at).await?;
        }
        Ok::<_, Error>(())
    });
    stored.await.unwrap();
}

fn filter(rng: &mut StdRng) -> MemoFilter {
    let category = match rng.random_range(0..6) {
        0 => CategoryFilter::Uncategorized,
        1 | 2 => CategoryFilter::Of(some(rng, &CATEGORIES).into()),
        _ => CategoryFilter::Any,
    };
    let tags = (0..some(rng, &[0, 0, 1, 1, 2, 3])).map(|_| match rng.random_range(0..10) {
        0 => "unknown".to_owned(),
        1 => format!("  {} ", some(rng, &TAGS).to_uppercase()),
        2 => some(rng, &TAGS).to_lowercase(),
        _ => some(rng, &TAGS[..5]).to_owned(),
    });
    let tags = tags.collect();
    let mut sometimes = |probability| rng.random_bool(probability).then(|| rng.random_range(TIMES));
    let (created_from, created_to) = (sometimes(0.3), sometimes(0.3));
    MemoFilter {
        search: rng.random_bool(0.4).then(|| some(rng, &SEARCHES).to_owned()),
        category,
        tags,
        created_from,
        created_to,
        public_only: rng.random_bool(0.2),
    }
}

/// The rules, in the plainest form.
fn expected(examples: &[Example], filter: &MemoFilter, sort: Sort) -> Vec<MemoId> {
    let mut matching: Vec<&MemoRecord> = examples
        .iter()
        .filter(|Example { record, tags }| {
            let carries = |name: &String| {
                let key = name.trim().to_lowercase();
                tags.iter().any(|number| TAGS[*number].to_lowercase() == key)
            };
            let in_category = match &filter.category {
                CategoryFilter::Any => true,
                CategoryFilter::Uncategorized => record.category_id.is_none(),
                CategoryFilter::Of(id) => record.category_id.as_ref() == Some(id),
            };
            in_category
                && filter.tags.iter().all(carries)
                && filter.search.as_ref().is_none_or(|text| record.content.contains(text))
                && filter.created_from.is_none_or(|from| record.created_at >= from)
                && filter.created_to.is_none_or(|to| record.created_at <= to)
                && (!filter.public_only || record.is_public)
        })
        .map(|example| &example.record)
        .collect();
    let time = |memo: &MemoRecord| match sort.by {
        SortBy::CreatedAt => memo.created_at,
        SortBy::UpdatedAt => memo.updated_at,
    };
    matching.sort_by_key(|memo| (time(memo), memo.memo_id.clone()));
    if !sort.ascending {
        matching.reverse();
    }
    matching.into_iter().map(|memo| memo.memo_id.clone()).collect()
}

async fn random_filters_give_what_the_rules_say(kind: Kind) {
    let (db, ann, bob) = open(kind).await;
    let rng = &mut StdRng::seed_from_u64(20_260_921);
    let examples: Vec<Example> = (0..MEMOS).map(|_| example(rng, &ann)).collect();
    let others: Vec<Example> = (0..MEMOS / 4).map(|_| example(rng, &bob)).collect();
    store(&db, &ann, rng, &examples).await;
    store(&db, &bob, rng, &others).await;
    let mut matches = 0;
    for _ in 0..FILTERS {
        let filter = filter(rng);
        let by = if rng.random_bool(0.5) { SortBy::CreatedAt } else { SortBy::UpdatedAt };
        let sort = Sort { by, ascending: rng.random_bool(0.5) };
        let expected = expected(&examples, &filter, sort);
        matches += usize::from(!expected.is_empty());
        let total = memos::count(&db, &ann, &filter).await.unwrap();
        assert_eq!(total, expected.len() as u64, "{filter:?}");
        let mut all = memos::find_ids(&db, &ann, &filter).await.unwrap();
        all.sort_unstable();
        let mut expected_ids = expected.clone();
        expected_ids.sort_unstable();
        assert_eq!(all, expected_ids, "{filter:?}");
        let limit = some(rng, &[1, 3, 10, 20, 50, 1000]);
        let pages = expected.len() as u64 / limit + 2;
        for page in [1, rng.random_range(1..=pages), pages] {
            let request = PageRequest { page, limit };
            let found = memos::find_page(&db, &ann, &filter, sort, request).await.unwrap();
            let found: Vec<MemoId> = found.into_iter().map(|memo| memo.memo_id).collect();
            let (skip, take) = (request.offset().try_into().unwrap(), limit.try_into().unwrap());
            let expected: Vec<MemoId> = expected.iter().skip(skip).take(take).cloned().collect();
            assert_eq!(found, expected, "{filter:?} {sort:?} {request:?}");
        }
    }
    assert!(matches > FILTERS / 3, "only {matches} filters match anything");
}

async fn the_text_of_a_search_is_taken_literally(kind: Kind) {
    let (db, ann, _) = open(kind).await;
    let content = "Größe: 100% of a_b \\ it's \"x\"  end ";
    let made = memo(&ann, content);
    memos::create(&db, &made).await.unwrap();
    let found = async |text: &str| {
        let filter = MemoFilter { search: Some(text.to_owned()), ..MemoFilter::default() };
        memos::count(&db, &ann, &filter).await.unwrap() == 1
    };
    for part in ["Größe", "öß", "100%", "a_b", "\\", "\\ ", "it's", "\"x\"", "x\"  ", "  end", "end ", content]
    {
        assert!(found(part).await, "{part:?}");
    }
    for other in [
        "größe", "GRÖSSE", "Grosse", "100%%", "a%b", "a__b", "a.b", "\\\\", "it''s", "x\"   ", "end  ", "e\u{308}",
    ] {
        assert!(!found(other).await, "{other:?}");
    }
    // The same word with its accents written apart is another text.
    overwrite(&db, ("memos", "content"), ("memo_id", made.memo_id.as_str()), "Gro\u{308}ße").await;
    assert!(!found("Größe").await);
}
