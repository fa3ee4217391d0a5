//! The rows of the benchmark: memos as people write them, evenly spread over categories and tags.

use sea_query::{Expr, InsertStatement, Query, Value};
use shared::{
    clock::{Clock, Millis, SystemClock},
    db::{Database, Error, schema},
    dto::tags::Tag,
    ids::{CategoryId, MemoId, SystemRandom, TagId, Uid},
    repositories,
};

/// The tag of every second pair of memos.
pub const COMMON: &str = "工作 work";

/// The tag of [`RARE_MEMOS`] memos, half of which carry the common one too.
pub const RARE: &str = "旅行 travel";

const RARE_MEMOS: usize = 20;

/// Memos of one statement, with ten parameters each: SQLite takes 32 766.
const BATCH: usize = 1000;

const START: Millis = 1_700_000_000_000;
const MINUTE: Millis = 60_000;

/// A user with memos.
pub struct Owner {
    /// The user.
    pub uid: Uid,
    /// The category of every second memo; the others have none.
    pub category: CategoryId,
}

/// Makes the tables.
///
/// # Errors
/// The database fails.
pub async fn migrate(db: &Database) -> Result<(), Error> {
    schema::migrate(db, SystemClock.now()).await.map(|_| ())
}

/// Makes a user with some memos, one a minute.
///
/// # Errors
/// The database fails.
pub async fn fill(db: &Database, memos: usize) -> Result<Owner, Error> {
    let owner = Owner { uid: Uid::new(&SystemRandom), category: CategoryId::new(&SystemRandom) };
    let plan = Plan { memos, owner: &owner, common: TagId::new(&SystemRandom), rare: TagId::new(&SystemRandom) };
    let common = (0..memos).filter(|&number| is_common(number)).count();
    let rare = (0..memos).filter(|&number| is_rare(number, memos)).count();
    let tags = [tag(&plan.common, COMMON, common), tag(&plan.rare, RARE, rare)];
    repositories::tags::create(db, &owner.uid, &tags).await?;
    for first in (0..memos).step_by(BATCH) {
        let statements = &plan.statements(first..memos.min(first + BATCH));
        let insert = |tx: shared::db::Executor| async move {
            for statement in statements {
                tx.execute("bench.fill", statement).await?;
            }
            Ok::<(), Error>(())
        };
        db.transaction(insert).await?;
    }
    Ok(owner)
}

/// Which memo has what.
struct Plan<'a> {
    memos: usize,
    owner: &'a Owner,
    common: TagId,
    rare: TagId,
}

impl Plan<'_> {
    /// Returns what inserts some memos and their tags.
    fn statements(&self, numbers: std::ops::Range<usize>) -> Vec<InsertStatement> {
        let mut memos = insert(
            "memos",
            &["memo_id", "uid", "category_id", "content", "type", "is_public", "created_at", "updated_at"],
        );
        let mut memo_tags = insert("memo_tags", &["memo_id", "tag_id", "uid", "position", "created_at"]);
        let mut has_tags = false;
        for number in numbers {
            let memo = MemoId::new(&SystemRandom);
            let uid = &self.owner.uid;
            let created_at = START + millis(number) * MINUTE;
            // Changed in another order than written.
            let updated_at = created_at + millis(number * 7919 % self.memos) * MINUTE;
            let category = has_category(number).then(|| self.owner.category.clone());
            let row: [Value; 8] = [
                (&memo).into(),
                uid.into(),
                category.into(),
                content(number).into(),
                "text".into(),
                0_i32.into(),
                created_at.into(),
                updated_at.into(),
            ];
            memos.values_panic(row.map(Expr::from));
            let tags = [(is_common(number), &self.common), (is_rare(number, self.memos), &self.rare)];
            for (position, (_, tag)) in (0_i32..).zip(tags.iter().filter(|(has, _)| *has)) {
                let row: [Value; 5] =
                    [(&memo).into(), (*tag).into(), uid.into(), position.into(), created_at.into()];
                memo_tags.values_panic(row.map(Expr::from));
                has_tags = true;
            }
        }
        let mut statements = vec![memos];
        if has_tags {
            statements.push(memo_tags);
        }
        statements
    }
}

fn has_category(number: usize) -> bool {
    number.is_multiple_of(2)
}

fn is_common(number: usize) -> bool {
    (number / 2).is_multiple_of(2)
}

/// One of each of [`RARE_MEMOS`] stretches, at the place in it where half of them are common.
fn is_rare(number: usize, memos: usize) -> bool {
    let length = (memos / RARE_MEMOS).max(4) / 4 * 4;
    number % length == number / length % 4 && number / length < RARE_MEMOS
}

fn tag(tag_id: &TagId, name: &str, usage_count: usize) -> Tag {
    Tag {
        tag_id: tag_id.clone(),
        name: name.to_owned(),
        color: None,
        usage_count: i32::try_from(usage_count).unwrap_or(i32::MAX),
        created_at: START,
        updated_at: START,
    }
}

fn insert(table: &'static str, columns: &[&'static str]) -> InsertStatement {
    Query::insert().into_table(table).columns(columns.iter().copied()).to_owned()
}

fn millis(number: usize) -> Millis {
    Millis::try_from(number).unwrap_or(Millis::MAX)
}

/// Some 200 bytes.
fn content(number: usize) -> String {
    format!(
        "第 {number} 条笔记：今天读完了分布式系统的一章，记下三点想法。Note {number}: a write-ahead log makes recovery \
         simple, compaction keeps it small. 明天整理示例代码 and share it with the team."
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn twenty_memos_are_rare_and_ten_of_them_common_whatever_the_number() {
        for memos in [100, 1000, 2000, 100_000] {
            let rare: Vec<usize> = (0..memos).filter(|&number| is_rare(number, memos)).collect();
            assert_eq!(rare.len(), RARE_MEMOS, "{memos}");
            assert_eq!(rare.iter().filter(|&&number| is_common(number)).count(), 10, "{memos}");
            assert_eq!((0..memos).filter(|&number| is_common(number)).count(), memos / 2, "{memos}");
        }
    }
}
