//! Every look-up, list, update and deletion of the repositories is served by an index, on each
//! database (`contract/requirements.md`, FR-27 and FR-28).
//!
//! The repositories run on a database with some data while the log of the driver is read; every
//! statement of the log is then explained by the database that ran it. A function of a repository that
//! is not called here fails the test.

mod data;
mod log;
mod plans;
mod values;

use std::collections::{BTreeMap, BTreeSet};

use shared::{
    clients::storage::Location,
    db::Database,
    dto::{
        PageRequest, Patch,
        memos::{CategoryFilter, MemoFilter, Sort, SortBy},
        push_rules::PushRuleUpdate,
    },
    ids::{PushRuleId, Uid},
    repositories::{
        ai_conversations, ai_messages, attachments, categories, daily_recommendations, memo_relations, memo_tags,
        memos, pending_files,
        push_deliveries::{self, Claim, Delivery, State},
        push_rules, push_slots, tags, users,
        vector_outbox::{self, Entry, Scope},
    },
};
use testing::{Kind, on_every_database};
use tokio::sync::OnceCell;

use crate::data::{NOW, USER, date, id, seeded};

on_every_database!(
    every_statement_uses_an_index,
    a_look_up_does_not_go_through_everything_of_a_user,
    a_page_of_memos_sorts_no_more_than_the_page,
);

/// Statements, each with the functions that send it.
type Statements = BTreeMap<String, BTreeSet<&'static str>>;

/// Calls functions of repositories on a database and collects their statements under their names.
macro_rules! call {
    ($db:ident, $statements:ident: $($table:ident.$function:ident($($argument:expr),* $(,)?);)+) => {$(
        let outcome = $table::$function($db, $($argument),*).await;
        assert!(outcome.is_ok(), concat!(stringify!($table), ".", stringify!($function)));
        for statement in log::take($db).await {
            let functions = $statements.entry(statement).or_default();
            functions.insert(concat!(stringify!($table), ".", stringify!($function)));
        }
    )+};
}

const FIRST_PAGE: PageRequest = PageRequest { page: 1, limit: 20 };

/// Returns an id that does not exist, for what would change the data.
fn unknown(prefix: &str) -> String {
    id(prefix, USER, 99_999)
}

/// Returns filters of every shape: by category, tags, text, time and visibility.
fn filters() -> Vec<MemoFilter> {
    let mut filters = Vec::new();
    for category in
        [CategoryFilter::Any, CategoryFilter::Uncategorized, CategoryFilter::Of(id("c", USER, 1).into())]
    {
        for tags in [&[][..], &["name 1"], &["name 1", "name 5"]] {
            for (search, created_from, public_only) in [
                (None, None, false),
                (Some("memo"), None, false),
                (None, Some(NOW), false),
                (None, None, true),
                (Some("memo"), Some(NOW), true),
            ] {
                filters.push(MemoFilter {
                    search: search.map(str::to_owned),
                    category: category.clone(),
                    tags: tags.iter().map(|name| (*name).to_owned()).collect(),
                    created_from,
                    created_to: created_from.map(|from| from + 100),
                    public_only,
                });
            }
        }
    }
    filters
}

async fn memo_statements(db: &Database, statements: &mut Statements) {
    let (uid, memo): (&Uid, _) = (&id("u", USER, 0).into(), &id("m", USER, 1).into());
    let ids: Vec<_> = (0..20).map(|number| id("m", USER, number).into()).collect();
    let other: Uid = id("u", USER + 1, 0).into();
    let files: Vec<_> = (0..20).map(|number| id("a", USER, number).into()).collect();
    let attachments = [id("a", USER, 1).into()];
    let changes = memos::Changes {
        content: Some("x"),
        memo_type: Some("text"),
        category_id: &Patch::Set(id("c", USER, 1).into()),
        attachments: Some(&attachments),
        is_public: Some(true),
        source: &Patch::Set("x".to_owned()),
    };
    call! { db, statements:
        memos.find_by_id(uid, memo);
        memos.find_by_id_for_update(uid, memo);
        memos.find_public_by_id(memo);
        memos.find_public_at(uid, 3);
        memos.find_by_ids(uid, &ids);
        memos.find_ids_at(&[(uid.clone(), vec![1, 7, 20]), (other.clone(), vec![2])]);
        memos.find_by_ids_of_users(&[(uid.clone(), ids.clone()), (other.clone(), ids.clone())]);
        memos.count_by_users(&[uid.clone(), other.clone()]);
        memos.find_written_by_users(&[uid.clone(), other.clone()], NOW, NOW + 100, drop);
        memos.find_contents(&[(uid.clone(), memo.clone()), (other.clone(), id("m", USER + 1, 1).into())]);
        memos.find_after(memo, 20);
        memos.exists(uid, &ids);
        memos.find_related(uid, &ids);
        memos.find_backlinks(uid, memo, FIRST_PAGE);
        memos.count_backlinks(uid, memo);
        memos.count_by_day(uid, NOW, NOW + 100);
        memos.find_time_range(uid);
        memos.find_in_ranges(uid, &[(NOW, NOW + 10), (NOW + 20, NOW + 30)], 10);
        memos.update(uid, &unknown("m").into(), &changes, NOW);
        memos.update_time(uid, &unknown("m").into(), NOW);
        memos.update_time_by_tag(uid, &unknown("t").into(), NOW);
        memos.clear_category(uid, &unknown("c").into());
        memos.delete(uid, &unknown("m").into());
    }
    for filter in filters() {
        call! { db, statements: memos.count(uid, &filter); memos.find_ids(uid, &filter); }
        for (by, ascending) in [(SortBy::CreatedAt, false), (SortBy::UpdatedAt, true)] {
            call! { db, statements: memos.find_page(uid, &filter, Sort { by, ascending }, FIRST_PAGE); }
        }
    }
    call! { db, statements:
        memo_tags.find_by_memos(uid, &ids);
        memo_tags.delete_by_memo(uid, &unknown("m").into());
        memo_tags.delete_by_tag(uid, &unknown("t").into());
        memo_relations.find_by_sources(uid, &ids);
        memo_relations.find_by_targets(uid, &ids);
        memo_relations.delete_by_source(uid, &unknown("m").into());
        memo_relations.delete_by_target(uid, &unknown("m").into());
        attachments.find_by_id(uid, &id("a", USER, 1).into());
        attachments.find_by_id_for_update(uid, &id("a", USER, 1).into());
        attachments.find_by_ids(uid, &files);
        attachments.find_page(uid, FIRST_PAGE);
        attachments.count(uid);
        attachments.find_all_after(&id("a", USER, 1), 10);
        attachments.update_properties(uid, &unknown("a").into(), &serde_json::Map::new(), NOW);
        attachments.update_location(uid, &unknown("a").into(), &Location::local());
        attachments.delete(uid, &unknown("a").into());
        pending_files.find_by_id(uid, &id("a", USER, 1).into());
        pending_files.find_due(NOW + 5, 10);
        pending_files.update_time(uid, &unknown("a").into(), NOW);
        pending_files.delete(uid, &unknown("a").into(), NOW);
    }
}

async fn other_statements(db: &Database, statements: &mut Statements) {
    let (uid, category, tag): (&Uid, _, _) =
        (&id("u", USER, 0).into(), &id("c", USER, 1).into(), &id("t", USER, 1).into());
    let (conversation, message) = (&id("conv", USER, 1).into(), &id("msg", USER, 1).into());
    let rule = &id("push", USER, 1).into();
    let four_categories: Vec<_> = (0..4).map(|number| id("c", USER, number).into()).collect();
    let tags_of_page: Vec<_> = (0..20).map(|number| id("t", USER, number).into()).collect();
    let color = &Patch::Set("red".to_owned());
    let rename_tag = tags::Changes { name: Some("x"), new_key: true, color };
    let rename_category = categories::Changes { name: Some("x"), new_key: true, color };
    let both = &[uid.clone(), id("u", USER + 1, 0).into()];
    let rules: Vec<PushRuleId> = (0..4).map(|number| id("push", USER, number).into()).collect();
    let slot = "2026-03-05T08";
    let claim = Claim { slot, id: "claim 1".into(), lease_until: NOW };
    let unknown_claim = Claim { slot: "1999-12-31T08", ..claim.clone() };
    let delivery =
        |channel_index| Delivery { rule_id: rules[0].clone(), channel_index, uid: uid.clone(), attempts: 1 };
    let (first, second) = (delivery(0), delivery(1));
    let held = [(&claim.id, &first), (&claim.id, &second)];
    let rule_update = PushRuleUpdate {
        name: Some("x".to_owned()),
        push_time: Some(1),
        content_type: Some("daily_pick".to_owned()),
        channels: Some(Vec::new()),
        enabled: Some(true),
    };
    let unknown_entries: Vec<_> = (0..3)
        .map(|number| Entry {
            entity_id: format!("{}{number}", unknown("m")).into(),
            uid: uid.clone(),
            enqueued_at: NOW,
            attempts: 1,
        })
        .collect();
    call! { db, statements:
        users.find_by_id(uid);
        users.find_account_by_id(uid);
        users.find_account_by_email("nobody@example.com");
        users.exists_email("nobody@example.com");
        users.find_avatar_for_update(uid);
        users.find_avatars_after(&id("u", USER, 0), 10);
        users.update(uid, color, color, NOW);
        users.update_password(uid, "x", "x", NOW);
        categories.find_by_user(uid);
        categories.find_by_id(uid, category);
        categories.find_by_ids(uid, &four_categories);
        categories.find_by_name(uid, "name 1");
        categories.exists_for_update(uid, category);
        categories.update(uid, &unknown("c").into(), &rename_category, NOW);
        categories.delete(uid, &unknown("c").into());
        tags.find_by_user(uid);
        tags.find_by_id(uid, tag);
        tags.find_by_ids(uid, &tags_of_page);
        tags.find_by_ids_for_update(uid, &tags_of_page);
        tags.find_by_name(uid, "name 1");
        tags.find_by_names_for_update(uid, &["name 1", "name 2"]);
        tags.increment_usage(uid, &tags_of_page, NOW);
        tags.decrement_usage(uid, &tags_of_page, NOW);
        tags.update(uid, &unknown("t").into(), &rename_tag, NOW);
        tags.delete(uid, &unknown("t").into());
        ai_conversations.find_by_user(uid);
        ai_conversations.find_by_id(uid, conversation);
        ai_conversations.find_with_messages(uid, conversation);
        ai_conversations.lock(uid, conversation);
        ai_conversations.update(uid, &unknown("conv").into(), "x", NOW);
        ai_conversations.update_time(uid, conversation, NOW);
        ai_messages.find_by_id(uid, message);
        ai_messages.find_by_conversation(uid, conversation);
        ai_messages.find_last_time(conversation);
        ai_messages.delete(uid, &unknown("msg").into());
        ai_messages.delete_by_conversation(uid, &unknown("conv").into());
        ai_conversations.delete(uid, &unknown("conv").into());
        push_rules.find_by_user(uid);
        push_rules.find_by_id(uid, rule);
        push_rules.find_enabled_by_time(8, None, 20);
        push_rules.find_enabled_by_time(8, Some((uid, rule)), 20);
        push_rules.find_enabled_by_ids(&rules);
        push_rules.update(uid, &unknown("push").into(), &rule_update, NOW);
        push_rules.delete(uid, &unknown("push").into());
        daily_recommendations.find_by_date(both, &date(1));
        daily_recommendations.find_by_user(uid);
        daily_recommendations.delete(uid, "1999-12-31");
        vector_outbox.claim(Scope::Due, NOW, NOW + 1, 20);
        vector_outbox.claim(Scope::Of(uid), NOW, NOW + 1, 20);
        vector_outbox.delete_unchanged(&unknown_entries);
        vector_outbox.postpone(&[(&unknown_entries[0], NOW)], "x");
        push_slots.find_by_id(slot);
        push_slots.find_since(NOW);
        push_slots.update_finished("1999-12-31T08", NOW);
        push_slots.delete_before(-1);
        push_deliveries.find_expired(slot, NOW, 20);
        push_deliveries.exists_pending(slot);
        push_deliveries.count(slot);
        push_deliveries.find_by_claim(&claim, &rules);
        push_deliveries.update_claim(&unknown_claim, &rules, NOW);
        push_deliveries.update_state("1999-12-31T08", &held, State::Sent, None, NOW);
        push_deliveries.delete("1999-12-31T08", &held);
        push_deliveries.delete_before(-1, 20);
    }
}

/// Returns the functions of all repositories, but for those that insert, and without those that
/// move whole tables and the ledger of migrations, as `table.function`.
fn functions() -> BTreeSet<String> {
    let directory = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src/repositories");
    let mut functions = BTreeSet::new();
    for file in std::fs::read_dir(directory).unwrap() {
        let file = file.unwrap().path();
        let table = file.file_stem().unwrap().to_str().unwrap().to_owned();
        if matches!(&*table, "tables" | "data_migrations") {
            continue;
        }
        let source = std::fs::read_to_string(&file).unwrap();
        let names = source.lines().filter_map(|line| line.strip_prefix("pub async fn ")?.split('(').next());
        let names = names.map(|name| name.split('<').next().unwrap_or(name));
        let explained = names.filter(|name| !name.starts_with("create") && !name.starts_with("upsert"));
        functions.extend(explained.map(|name| format!("{table}.{name}")));
        // What an operator asks of the whole outbox, which is short, and what the night forgets of everybody.
        let of_all = ["vector_outbox.depth", "vector_outbox.find_errors", "daily_recommendations.delete_before"];
        functions.retain(|function| !of_all.contains(&&**function));
    }
    functions
}

/// Returns the statements of all functions.
async fn statements(kind: Kind) -> Statements {
    static STATEMENTS: [OnceCell<Statements>; 3] = [const { OnceCell::const_new() }; 3];
    let statements = STATEMENTS[kind as usize].get_or_init(|| async {
        let (_turn, db, _) = seeded(kind).await;
        let mut statements = Statements::new();
        memo_statements(&db, &mut statements).await;
        other_statements(&db, &mut statements).await;
        statements
    });
    statements.await.clone()
}

async fn every_statement_uses_an_index(kind: Kind) {
    let statements = statements(kind).await;
    let called: BTreeSet<String> = statements.values().flatten().map(|function| (*function).to_owned()).collect();
    assert_eq!(called, functions(), "every function of every repository, and its statement in the log");
    let (_turn, _, url) = seeded(kind).await;
    let mut slow = Vec::new();
    for (statement, functions) in statements {
        for step in plans::without_index(kind, &url, &statement).await {
            slow.push(format!("{functions:?}: {step}\n{statement}"));
        }
    }
    assert!(slow.is_empty(), "{}", slow.join("\n\n"));
}

/// What gives, counts or spans everything of a user, and may go through it, or is cut from an index in order.
const WHOLE: [&str; 13] = [
    "ai_conversations.find_by_user",
    "attachments.count",
    "attachments.find_page",
    "categories.find_by_user",
    "daily_recommendations.find_by_user",
    "memos.count",
    "memos.count_by_users",
    "memos.find_ids",
    "memos.find_ids_at",
    "memos.find_time_range",
    "push_rules.find_by_user",
    "tags.find_by_user",
    "vector_outbox.claim",
];

async fn a_look_up_does_not_go_through_everything_of_a_user(kind: Kind) {
    let statements = statements(kind).await;
    let (_turn, _, url) = seeded(kind).await;
    let mut found = BTreeSet::new();
    for (statement, functions) in statements {
        if functions.iter().all(|function| WHOLE.contains(function)) {
            continue;
        }
        let steps = plans::by_owner_alone(kind, &url, &statement).await;
        if !steps.is_empty() {
            println!("{functions:?}: {steps:#?}\n{statement}\n");
            found.extend(functions);
        }
    }
    assert_eq!(found, BTreeSet::new());
}

/// The lists that are cut from an index in their order. The others must read all that matches, and
/// sort it: those by the time of the last change within a category, a tag or the public memos.
async fn a_page_of_memos_sorts_no_more_than_the_page(kind: Kind) {
    let (_turn, db, url) = seeded(kind).await;
    let uid = &id("u", USER, 0).into();
    let all = MemoFilter::default;
    let tagged = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
    let by_creation = [
        ("all", all()),
        ("one day", MemoFilter { created_from: Some(NOW), created_to: Some(NOW + 100), ..all() }),
        ("a text", MemoFilter { search: Some("memo".to_owned()), ..all() }),
        ("public", MemoFilter { public_only: true, ..all() }),
        ("a category", MemoFilter { category: CategoryFilter::Of(id("c", USER, 1).into()), ..all() }),
        ("no category", MemoFilter { category: CategoryFilter::Uncategorized, ..all() }),
        ("a common tag", MemoFilter { tags: tagged(&["name 1"]), ..all() }),
        ("a rare tag", MemoFilter { tags: tagged(&["name 9"]), ..all() }),
        ("two tags", MemoFilter { tags: tagged(&["name 1", "name 9"]), ..all() }),
    ];
    let by_change = [("all", all()), ("a text", MemoFilter { search: Some("memo".to_owned()), ..all() })];
    let lists = by_creation.into_iter().map(|list| (SortBy::CreatedAt, list));
    let lists = lists.chain(by_change.into_iter().map(|list| (SortBy::UpdatedAt, list)));
    let mut sorted = BTreeSet::new();
    for (by, (name, filter)) in lists {
        for ascending in [false, true] {
            // What explained the one before.
            log::take(&db).await;
            memos::find_page(&db, uid, &filter, Sort { by, ascending }, FIRST_PAGE).await.unwrap();
            let [statement] = &*log::take(&db).await else { panic!("a page is one statement") };
            if let Some(plan) = plans::sorting_all(kind, &url, statement).await {
                println!("{name} by {by:?}:\n{statement}\n{plan}\n");
                sorted.insert(name);
            }
        }
    }
    assert_eq!(sorted, BTreeSet::new());
}
