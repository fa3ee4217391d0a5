//! The memos worth reading again today (`contract/insights-recommendations.md`, route 3): chosen once a
//! day for each user, by a model where there is a choice, and kept.

use std::{
    collections::{HashMap, HashSet},
    fmt::Write,
    sync::atomic::{AtomicU32, Ordering},
    time::Duration,
};

use futures::stream::{self, StreamExt};
use jiff::{ToSpan, civil::Date};

use super::{
    ai::array_in,
    insights::{utc_date, zoned},
    memos,
    tags::distinct,
    text::beginning,
};
use crate::{
    Context, Result,
    clients::{ChatModel, Patience, Prompt},
    dto::memos::Memo,
    error::with_causes,
    ids::{MemoId, Random, RecommendationId, Uid},
    repositories::{self, daily_recommendations::Recommendation, memos::MemoRecord},
};

/// How much the call may cost (R11).
const PATIENCE: Patience = Patience { total: Duration::from_secs(10), retries: 1 };

/// How many memos are recommended, and from how many the model chooses.
const CHOSEN: usize = 3;
const SAMPLED: u64 = 10;

/// How many users a model is asked for at once, and after how many failures it is not asked again.
const ASKED_AT_ONCE: usize = 16;
const MAX_FAILURES: u32 = 3;

/// The most UTF-16 units of a memo that the model sees.
const MAX_CONTENT: usize = 500;

const SYSTEM: &str = "\
你是一位笔记策展人。请从候选笔记中挑选今天最值得重读的三条。

评判标准：
1. 内容有实质，而不是零碎的记录；
2. 有独特的见解、经历或信息；
3. 今天重读仍有价值；
4. 三条笔记在时间和主题上尽量分散。

只返回一个 JSON 数组，其中恰好有三个笔记 ID，例如 [\"id1\", \"id2\", \"id3\"]，不要返回任何其他内容。";

/// What is stored for a user and a day.
enum Stored {
    /// Nothing: whoever stores first wins.
    Nothing,
    /// Something that cannot be used, and is replaced (R1, R14).
    Unusable,
    /// A choice.
    Choice(Vec<MemoId>),
}

/// Memos of users.
type Records = HashMap<Uid, Vec<MemoRecord>>;

/// Asks a model for its favourites, until it has failed too often.
pub struct Curator<'a> {
    chat: &'a dyn ChatModel,
    /// How often it has failed since it last answered.
    failures: AtomicU32,
}

impl<'a> Curator<'a> {
    /// Returns one who asks this model.
    #[must_use]
    pub fn new(chat: &'a dyn ChatModel) -> Self {
        Self { chat, failures: AtomicU32::new(0) }
    }

    /// Returns the model's favourites of a sample. When it fails, there are none (R12).
    async fn favourites(&self, sample: &[MemoRecord]) -> Vec<MemoId> {
        if self.failures.load(Ordering::Relaxed) >= MAX_FAILURES {
            return Vec::new();
        }
        let prompt = Prompt { system: SYSTEM.to_owned(), user: describe(sample), temperature: 0.7 };
        match self.chat.complete(&prompt, PATIENCE).await {
            Ok(reply) => {
                self.failures.store(0, Ordering::Relaxed);
                favourites(&reply, sample)
            }
            Err(failure) => {
                self.failures.fetch_add(1, Ordering::Relaxed);
                tracing::warn!(error = with_causes(&failure), "recommendations.chosen_by_chance");
                Vec::new()
            }
        }
    }
}

/// Returns the memos of today for a user, in the order of the choice: usually three, fewer when there are
/// no more. The number of statements does not depend on how many memos the user has.
///
/// # Errors
/// The database fails. A model that fails is replaced by chance.
pub async fn of_today(ctx: &Context, chat: &dyn ChatModel, uid: &Uid) -> Result<Vec<Memo>> {
    let today = zoned(ctx, ctx.now()).date();
    let mut chosen = of_day(ctx, &Curator::new(chat), today, std::slice::from_ref(uid)).await?;
    let records = chosen.remove(uid).unwrap_or_default();
    let mut memos = memos::with_tags_and_attachments(ctx, uid, records).await?;
    for memo in &mut memos {
        memo.source = None;
    }
    Ok(memos)
}

/// Returns the memos of a day for some users, as [`of_today`] chooses them. The number of statements does not
/// depend on how many users or memos there are. Those without memos are missing.
///
/// # Errors
/// The database fails.
pub async fn of_day(ctx: &Context, curator: &Curator<'_>, day: Date, uids: &[Uid]) -> Result<Records> {
    let date = day.to_string();
    let stored = find_stored(ctx, uids, &date).await;
    let choices = stored.iter().filter_map(|(uid, stored)| match stored {
        Stored::Choice(ids) => Some((uid.clone(), ids.clone())),
        Stored::Nothing | Stored::Unusable => None,
    });
    let mut records = find_records(ctx, choices.collect()).await?;
    records.retain(|uid, found| matches!(&stored[uid], Stored::Choice(ids) if ids.len() == found.len()));
    let others: Vec<Uid> = distinct(uids.iter().filter(|uid| !records.contains_key(uid)).cloned());
    let mut chosen = choose(ctx, curator, &others).await?;
    let faster = store(ctx, &date, &chosen, &stored).await;
    chosen.extend(find_records(ctx, faster).await?);
    records.extend(chosen);
    Ok(records)
}

/// Returns memos of users, each in the order asked.
async fn find_records(ctx: &Context, wanted: Vec<(Uid, Vec<MemoId>)>) -> Result<Records> {
    if wanted.is_empty() {
        return Ok(Records::new());
    }
    let found = repositories::memos::find_by_ids_of_users(&ctx.db, &wanted).await?;
    let found: HashMap<&MemoId, &MemoRecord> = found.iter().map(|memo| (&memo.memo_id, memo)).collect();
    let of_user = |(uid, ids): (Uid, Vec<MemoId>)| {
        let records = ids.iter().filter_map(|id| found.get(id)).filter(|memo| memo.uid == uid);
        let records = records.map(|memo| (*memo).clone()).collect();
        (uid, records)
    };
    Ok(wanted.into_iter().map(of_user).collect())
}

/// A choice that cannot be read counts as none.
async fn find_stored(ctx: &Context, uids: &[Uid], date: &str) -> HashMap<Uid, Stored> {
    let not_read = |error| tracing::warn!(error = with_causes(&error), "recommendations.not_read");
    let found = match repositories::daily_recommendations::find_by_date(&ctx.db, uids, date).await {
        Ok(found) => found,
        Err(error) => {
            not_read(error);
            return uids.iter().map(|uid| (uid.clone(), Stored::Unusable)).collect();
        }
    };
    let mut stored: HashMap<Uid, Stored> = uids.iter().map(|uid| (uid.clone(), Stored::Nothing)).collect();
    stored.extend(found.into_iter().map(|(uid, found)| match found.map(|found| distinct(found.memo_ids)) {
        Ok(ids) if !ids.is_empty() => (uid, Stored::Choice(ids)),
        Ok(_) => (uid, Stored::Unusable),
        Err(error) => {
            not_read(error);
            (uid, Stored::Unusable)
        }
    }));
    stored
}

/// Stores choices, and returns those that somebody else has stored in the meantime. A failure is logged and
/// ignored.
async fn store(
    ctx: &Context,
    date: &str,
    chosen: &Records,
    stored: &HashMap<Uid, Stored>,
) -> Vec<(Uid, Vec<MemoId>)> {
    let made = chosen.iter().map(|(uid, records)| Recommendation {
        recommendation_id: RecommendationId::new(&*ctx.random),
        uid: uid.clone(),
        date: date.to_owned(),
        memo_ids: records.iter().map(|record| record.memo_id.clone()).collect(),
        created_at: ctx.now(),
    });
    let (first, again): (Vec<_>, Vec<_>) = made.partition(|made| matches!(stored[&made.uid], Stored::Nothing));
    let replaced = repositories::daily_recommendations::upsert(&ctx.db, &again).await;
    let outcome = create_once(ctx, date, &first).await;
    let not_stored = |error| tracing::warn!(error = with_causes(&error), "recommendations.not_stored");
    replaced.unwrap_or_else(not_stored);
    outcome.unwrap_or_else(|error| {
        not_stored(error);
        Vec::new()
    })
}

/// Stores the first choices of a day, and returns those of somebody who was faster.
async fn create_once(
    ctx: &Context,
    date: &str,
    made: &[Recommendation],
) -> crate::db::Result<Vec<(Uid, Vec<MemoId>)>> {
    if made.is_empty() {
        return Ok(Vec::new());
    }
    repositories::daily_recommendations::create(&ctx.db, made).await?;
    let uids: Vec<Uid> = made.iter().map(|made| made.uid.clone()).collect();
    let kept = repositories::daily_recommendations::find_by_date(&ctx.db, &uids, date).await?;
    let kept = kept.into_iter().filter_map(|(uid, kept)| Some((uid, distinct(kept.ok()?.memo_ids))));
    let is_ours = |uid: &Uid, ids: &[MemoId]| made.iter().any(|made| made.uid == *uid && made.memo_ids == ids);
    Ok(kept.filter(|(uid, ids)| !ids.is_empty() && !is_ours(uid, ids)).collect())
}

/// Chooses memos for users; those who have none get none.
async fn choose(ctx: &Context, curator: &Curator<'_>, uids: &[Uid]) -> Result<Records> {
    if uids.is_empty() {
        return Ok(Records::new());
    }
    let counts = repositories::memos::count_by_users(&ctx.db, uids).await?;
    let drawn = counts.into_iter().map(|(uid, count)| (uid, draw(&*ctx.random, count, SAMPLED)));
    let ids = repositories::memos::find_ids_at(&ctx.db, &drawn.collect::<Vec<_>>()).await?;
    let mut wanted: HashMap<Uid, Vec<MemoId>> = HashMap::new();
    for (uid, id) in ids {
        wanted.entry(uid).or_default().push(id);
    }
    let samples = find_records(ctx, wanted.into_iter().collect()).await?;
    let chosen = stream::iter(samples).map(|(uid, sample)| async move {
        if sample.len() <= CHOSEN {
            return (uid, sample);
        }
        let favourites = curator.favourites(&sample).await;
        (uid, top_up(&*ctx.random, favourites, sample))
    });
    let chosen: Records = chosen.buffer_unordered(ASKED_AT_ONCE).collect().await;
    Ok(chosen.into_iter().filter(|(_, records)| !records.is_empty()).collect())
}

/// Draws different numbers from 1 to `count`, all of them if there are no more than `wanted`.
fn draw(random: &dyn Random, count: u64, wanted: u64) -> Vec<u64> {
    let mut drawn = Vec::new();
    // Floyd's algorithm: as many draws as numbers, however large the set.
    for last in count.saturating_sub(wanted) + 1..=count {
        let number = random.below(last) + 1;
        drawn.push(if drawn.contains(&number) { last } else { number });
    }
    drawn
}

/// Lists the memos as the model sees them: number, id, date, and the beginning of the text.
fn describe(sample: &[MemoRecord]) -> String {
    let mut text = String::from("候选笔记：\n");
    for (number, memo) in (1..).zip(sample) {
        let content = beginning(&memo.content, MAX_CONTENT);
        let is_long = memo.content.encode_utf16().nth(MAX_CONTENT - 1).is_some();
        let dots = if is_long { "..." } else { "" };
        // Writing to a String cannot fail.
        let _ = write!(
            text,
            "\n{number}. ID: {}\n日期: {}\n内容: {content}{dots}\n",
            memo.memo_id,
            utc_date(memo.created_at)
        );
    }
    text.push_str("\n请选出三条，只返回 JSON 数组。");
    text
}

/// Reads the ids that the model names, each once, only those of the sample (R5, R6).
fn favourites(reply: &str, sample: &[MemoRecord]) -> Vec<MemoId> {
    let named = array_in(reply).unwrap_or_default();
    let known: HashSet<&str> = sample.iter().map(|memo| memo.memo_id.as_str()).collect();
    let ids = named.iter().filter_map(|id| id.as_str()).filter(|id| known.contains(id)).map(MemoId::from);
    distinct(ids)
}

/// Returns the favourites, and others of the sample by chance until there are enough.
fn top_up(random: &dyn Random, favourites: Vec<MemoId>, mut sample: Vec<MemoRecord>) -> Vec<MemoRecord> {
    let mut chosen = Vec::new();
    let mut favourites = favourites.into_iter();
    while chosen.len() < CHOSEN && !sample.is_empty() {
        let favourite = favourites.next().and_then(|id| sample.iter().position(|memo| memo.memo_id == id));
        let place =
            favourite.unwrap_or_else(|| usize::try_from(random.below(sample.len() as u64)).unwrap_or_default());
        chosen.push(sample.remove(place));
    }
    chosen
}

/// Forgets the choices of more than 30 days ago, and returns how many those were (R13).
///
/// # Errors
/// The database fails.
pub async fn prune(ctx: &Context) -> Result<u64> {
    let first = zoned(ctx, ctx.now()).date().saturating_sub(30.days());
    Ok(repositories::daily_recommendations::delete_before(&ctx.db, &first.to_string()).await?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::SystemRandom;

    fn memo(id: &str, content: &str) -> MemoRecord {
        MemoRecord {
            memo_id: id.into(),
            uid: "u1".into(),
            category_id: None,
            content: content.to_owned(),
            memo_type: "text".to_owned(),
            source: None,
            is_public: false,
            attachments: Vec::new(),
            created_at: 1_714_950_489_123,
            updated_at: 0,
        }
    }

    fn ids(records: &[MemoRecord]) -> Vec<&str> {
        records.iter().map(|record| record.memo_id.as_str()).collect()
    }

    #[test]
    fn different_places_are_drawn_each_as_likely() {
        let mut seen = [0; 31];
        for _ in 0..3000 {
            let drawn = draw(&SystemRandom, 30, 10);
            assert_eq!((drawn.len(), distinct(drawn.iter().copied()).len()), (10, 10));
            for place in drawn {
                seen[usize::try_from(place).unwrap()] += 1;
            }
        }
        // A thousand each on average; a deviation of 250 is about ten standard deviations.
        assert!(seen[0] == 0 && seen[1..].iter().all(|count| (750..1250).contains(count)), "{seen:?}");
        let mut all = draw(&SystemRandom, 4, 10);
        all.sort_unstable();
        assert_eq!(all, [1, 2, 3, 4]);
        assert!(draw(&SystemRandom, 0, 10).is_empty());
    }

    #[test]
    fn only_ids_of_the_sample_count_and_each_once() {
        let sample = ["m1", "m2", "m3"].map(|id| memo(id, "x"));
        let read = |reply: &str| favourites(reply, &sample).iter().map(ToString::to_string).collect::<Vec<_>>();
        assert_eq!(read("Sure: [\"m3\", \"m9\", 7, \"m3\", \"m1\"]."), ["m3", "m1"]);
        for reply in ["", "m1, m2, m3", "[m1]", "]["] {
            assert!(read(reply).is_empty(), "{reply}");
        }
    }

    #[test]
    fn favourites_come_first_and_chance_fills_up() {
        let sample: Vec<MemoRecord> = ["m1", "m2", "m3", "m4", "m5"].map(|id| memo(id, "x")).into();
        let chosen = |favourites: &[&str]| {
            let favourites = favourites.iter().copied().map(MemoId::from).collect();
            top_up(&SystemRandom, favourites, sample.clone())
        };
        assert_eq!(ids(&chosen(&["m4", "m2", "m5", "m1"])), ["m4", "m2", "m5"]);
        let filled = chosen(&["m4"]);
        let filled = ids(&filled);
        assert_eq!((filled[0], distinct(filled.iter()).len()), ("m4", 3));
        assert_eq!(chosen(&[]).len(), 3);
    }

    #[test]
    fn the_model_sees_number_id_day_and_the_beginning_of_each_memo() {
        let text = describe(&[memo("m1", &"读".repeat(499)), memo("m2", &"读".repeat(500))]);
        assert!(text.contains("1. ID: m1\n日期: 2024-05-05\n"), "{text}");
        assert!(text.contains(&format!("{}\n", "读".repeat(499))), "{text}");
        assert!(text.contains(&format!("2. ID: m2\n日期: 2024-05-05\n内容: {}...\n", "读".repeat(500))), "{text}");
    }
}
