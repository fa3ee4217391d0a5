//! The tags of memos of the first versions, which name them and never got ids
//! (`contract/migration.md` section 4).

use std::collections::BTreeMap;

use sha2::{Digest as _, Sha256};
use shared::{clock::Millis, db::Cell};
use vectors::Snapshot;

use crate::{
    failure::Cause,
    legacy::{Batch, MemoTags, Rules, entity, tags_of},
    plan::TablePlan,
    scan::Scan,
};

/// What the scan of memos for names reads.
const MEMO_COLUMNS: [&str; 6] = ["memoId", "uid", "tagIds", "tags", "createdAt", "deletedAt"];

/// A tag that the memos of its owner name.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Named {
    /// The id: that of the tag that exists, or of the new one.
    id: String,
    /// Whether it is made by the migration.
    is_new: bool,
    /// The name in the oldest memo.
    name: String,
    /// How many memos name it.
    memos: u64,
    /// When the oldest of them was created.
    created_at: Millis,
}

/// The tags that memos name, by owner and key of the name.
#[derive(Debug, Default)]
pub struct Restored(BTreeMap<(String, String), Named>);

impl Restored {
    /// Finds out which tags the memos name, and which of them exist.
    ///
    /// # Errors
    /// The store cannot be read.
    pub async fn find(
        rules: &Rules,
        (memos, memo_plan): (&Snapshot, &TablePlan),
        tags: Option<(&Snapshot, &TablePlan)>,
    ) -> Result<Self, Cause> {
        let mut found = BTreeMap::new();
        let memo = entity("memos");
        let mut scan = Scan::new(memo, memos, &MEMO_COLUMNS);
        while let Some((first, rows)) = scan.next().await? {
            for record in Batch::new(memo, &rows).records(first) {
                if memo_plan.skips(record.position).is_some() || record.is_deleted()? {
                    continue;
                }
                let MemoTags::Names(names) = tags_of(&record)? else { continue };
                let (uid, created_at) = (record.id("uid")?, record.created_at(rules.now)?);
                for (key, name) in names {
                    let id = new_id(&uid, &key);
                    let tag = found.entry((uid.clone(), key)).or_insert_with(|| Named {
                        id,
                        is_new: true,
                        name: name.clone(),
                        memos: 0,
                        created_at,
                    });
                    tag.memos += 1;
                    if created_at < tag.created_at {
                        (tag.name, tag.created_at) = (name, created_at);
                    }
                }
            }
        }
        if let Some((tags, plan)) = tags.filter(|_| !found.is_empty()) {
            find_existing(rules, tags, plan, &mut found).await?;
        }
        Ok(Self(found))
    }

    /// Returns the id of the tag of a name.
    #[must_use]
    pub fn id(&self, uid: &str, key: &str) -> Option<&str> {
        let tag = self.0.get(&(uid.to_owned(), key.to_owned()));
        tag.map(|tag| tag.id.as_str())
    }

    /// Returns the rows of the tags that the migration makes.
    pub fn rows(&self) -> impl Iterator<Item = Vec<Cell>> {
        self.0.iter().filter(|(_, tag)| tag.is_new).map(|((uid, key), tag)| {
            vec![
                tag.id.as_str().into(),
                uid.as_str().into(),
                tag.name.as_str().into(),
                key.as_str().into(),
                Cell::Null,
                i64::try_from(tag.memos).unwrap_or(i64::MAX).into(),
                tag.created_at.into(),
                tag.created_at.into(),
            ]
        })
    }
}

/// The plain key belongs to the oldest tag of a name, so at most one row has it.
async fn find_existing(
    rules: &Rules,
    tags: &Snapshot,
    plan: &TablePlan,
    named: &mut BTreeMap<(String, String), Named>,
) -> Result<(), Cause> {
    let tag = entity("tags");
    let mut scan = Scan::new(tag, tags, &tag.wanted());
    while let Some((first, rows)) = scan.next().await? {
        for record in Batch::new(tag, &rows).records(first) {
            if plan.skips(record.position).is_some() {
                continue;
            }
            let Some(mut row) = tag.row(&record, rules)? else { continue };
            plan.change(tag, record.position, &mut row);
            let text = |place: usize| row[place].as_text().unwrap_or_default().to_owned();
            if let Some(found) = named.get_mut(&(text(1), text(3))) {
                (found.id, found.is_new) = (text(0), false);
            }
        }
    }
    Ok(())
}

/// Returns the id of a new tag: the same in every run, so that a run that is repeated has the same checksums.
fn new_id(uid: &str, key: &str) -> String {
    const LETTERS: &[u8] = b"0123456789abcdefghijklmnopqrstuvwxyz";
    let digest = Sha256::new_with_prefix(uid).chain_update([0]).chain_update(key).finalize();
    let letters = digest.iter().take(23).map(|byte| char::from(LETTERS[usize::from(*byte) % LETTERS.len()]));
    std::iter::once('t').chain(letters).collect()
}
