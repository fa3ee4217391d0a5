//! How the notes of an answer are related to others.

use std::collections::HashSet;

use shared::{
    Result,
    error::with_causes,
    ids::MemoId,
    repositories::{self, memo_relations::Edge, memos::MemoRecord},
};

use super::{Inquiry, Note, Step, prompts};

/// The most related memos that are read.
const MAX_RELATED: usize = 20;

const MILLIS_PER_DAY: i64 = 86_400_000;

/// A shorter time between the first and the last note says nothing.
const MIN_SPAN_DAYS: i64 = 30;

/// What is known about the relations of notes.
struct Related {
    outgoing: Vec<Edge>,
    incoming: Vec<Edge>,
    memos: Vec<MemoRecord>,
}

/// Says how the notes are related: what can be counted, and what a model reads out of the related memos. Nothing
/// when they have no relations, or these cannot be read.
pub async fn study(inquiry: &Inquiry<'_>, notes: &[Note]) -> Option<String> {
    let related = find(inquiry, notes).await.unwrap_or_else(|error| {
        tracing::warn!(error = with_causes(&error), "explore.relations_not_read");
        None
    })?;
    let mut text = statements(notes, &related.outgoing, &related.incoming).join(" ");
    if !related.memos.is_empty() {
        let prompt = prompts::relations(&inquiry.fence, notes, &related.memos);
        let reply = inquiry.ask(Step::Study, "relations", &prompt).await.unwrap_or_default();
        if !reply.trim().is_empty() {
            text = format!("{text}\n\n{}", reply.trim());
        }
    }
    Some(text)
}

/// Reads the relations of all notes in both directions, and the memos at their other ends, in three statements.
async fn find(inquiry: &Inquiry<'_>, notes: &[Note]) -> Result<Option<Related>> {
    let db = &inquiry.app.context.db;
    let ids: Vec<MemoId> = notes.iter().map(|note| note.memo.memo_id.clone()).collect();
    let outgoing = repositories::memo_relations::find_by_sources(db, inquiry.uid, &ids).await?;
    let incoming = repositories::memo_relations::find_by_targets(db, inquiry.uid, &ids).await?;
    let mut seen = HashSet::new();
    let ends = outgoing.iter().map(|edge| &edge.target).chain(incoming.iter().map(|edge| &edge.source));
    let ends: Vec<MemoId> = ends.filter(|id| seen.insert(*id)).take(MAX_RELATED).cloned().collect();
    if ends.is_empty() {
        return Ok(None);
    }
    let memos = repositories::memos::find_by_ids(db, inquiry.uid, &ends).await?;
    Ok(Some(Related { outgoing, incoming, memos }))
}

/// Says what can be counted.
fn statements(notes: &[Note], outgoing: &[Edge], incoming: &[Edge]) -> Vec<String> {
    let is_related = |id: &MemoId| {
        outgoing.iter().any(|edge| edge.source == *id) || incoming.iter().any(|edge| edge.target == *id)
    };
    let related = notes.iter().filter(|note| is_related(&note.memo.memo_id)).count();
    let mut statements = vec![format!("{related} of the {} notes are related to other notes.", notes.len())];
    if !incoming.is_empty() {
        statements.push(format!("Links from other notes to them: {}.", incoming.len()));
    }
    let times = || notes.iter().map(|note| note.memo.created_at);
    let span =
        times().max().zip(times().min()).map_or(0, |(last, first)| last.saturating_sub(first) / MILLIS_PER_DAY);
    if span > MIN_SPAN_DAYS {
        statements.push(format!("They were written over a period of {span} days."));
    }
    statements
}

#[cfg(test)]
mod tests {
    use super::{super::tests::note, *};

    fn edge(source: &str, target: &str) -> Edge {
        Edge { source: source.into(), target: target.into() }
    }

    #[test]
    fn related_notes_backlinks_and_long_spans_are_counted() {
        let notes = [note("m1", "x", 0), note("m2", "x", 30 * MILLIS_PER_DAY), note("m3", "x", 5)];
        assert_eq!(
            statements(&notes, &[edge("m1", "m9"), edge("m1", "m8")], &[]),
            ["1 of the 3 notes are related to other notes."]
        );
        let notes = [note("m1", "x", 0), note("m2", "x", 31 * MILLIS_PER_DAY)];
        assert_eq!(
            statements(&notes, &[edge("m1", "m9")], &[edge("m9", "m2"), edge("m8", "m2")]),
            [
                "2 of the 2 notes are related to other notes.",
                "Links from other notes to them: 2.",
                "They were written over a period of 31 days.",
            ]
        );
    }
}
