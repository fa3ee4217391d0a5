//! What is attached to the notes of an answer, as far as names and types of files tell. No file is read (E19).

use std::collections::HashSet;

use shared::{
    error::with_causes,
    ids::AttachmentId,
    repositories::{self, attachments::AttachmentRecord},
};

use super::{Inquiry, Note, Step, prompts};

/// The most files that are looked at.
const MAX_FILES: usize = 5;

/// The most insights, and how many of them a model may give.
const MAX_INSIGHTS: usize = 5;
const MAX_MODEL_INSIGHTS: usize = 2;

/// What is known about the files.
pub struct Attachments {
    /// How many files there are.
    pub count: usize,
    /// What they may hold, one sentence each.
    pub insights: Vec<String>,
}

/// Says what the files of the notes may hold. Nothing when there are none of a kind that could be said something
/// about, or they cannot be read.
pub async fn study(inquiry: &Inquiry<'_>, notes: &[Note]) -> Option<Attachments> {
    let mut seen = HashSet::new();
    let ids = notes.iter().flat_map(|note| &note.memo.attachments).filter(|id| seen.insert(*id));
    let ids: Vec<AttachmentId> = ids.cloned().collect();
    let db = &inquiry.app.context.db;
    let files = repositories::attachments::find_by_ids(db, inquiry.uid, &ids).await.unwrap_or_else(|error| {
        tracing::warn!(error = with_causes(&error), "explore.attachments_not_read");
        Vec::new()
    });
    let files: Vec<AttachmentRecord> =
        files.into_iter().filter(|file| is_image(file) || is_pdf(file)).take(MAX_FILES).collect();
    if files.is_empty() {
        return None;
    }
    let prompt = prompts::attachments(&inquiry.fence, notes, &files);
    let reply = inquiry.ask(Step::Study, "attachments", &prompt).await.unwrap_or_default();
    let insights = insights_of_names(&files).into_iter().chain(insights_of_model(&reply));
    Some(Attachments { count: files.len(), insights: insights.take(MAX_INSIGHTS).collect() })
}

fn is_image(file: &AttachmentRecord) -> bool {
    file.media_type.starts_with("image/")
}

fn is_pdf(file: &AttachmentRecord) -> bool {
    file.media_type == "application/pdf"
}

/// Says what the name of a file tells without a model.
fn insights_of_names(files: &[AttachmentRecord]) -> Vec<String> {
    let mut insights = Vec::new();
    for file in files {
        let name = file.filename.to_lowercase();
        let is_drawing = ["chart", "graph", "diagram", "flow"].iter().any(|word| name.contains(word));
        if is_image(file) && is_drawing {
            insights.push(format!("{} may show data or a process.", file.filename));
        }
        if is_image(file) && name.starts_with("screen") {
            insights.push(format!("{} seems to be a screenshot.", file.filename));
        }
        if is_pdf(file) {
            insights.push(format!("{} may hold more detail.", file.filename));
        }
    }
    insights
}

/// Reads the insights of a model, one on each line. Numbered lines are dropped.
fn insights_of_model(reply: &str) -> Vec<String> {
    let is_numbered = |line: &&str| {
        let rest = line.trim_start_matches(|c: char| c.is_ascii_digit());
        rest.len() < line.len() && rest.starts_with(['.', ')'])
    };
    let lines = reply.lines().map(str::trim).filter(|line| !line.is_empty() && !is_numbered(line));
    lines.take(MAX_MODEL_INSIGHTS).map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(filename: &str, media_type: &str) -> AttachmentRecord {
        AttachmentRecord {
            attachment_id: "a".into(),
            uid: "u1".into(),
            filename: filename.to_owned(),
            media_type: media_type.to_owned(),
            size: 1,
            storage_type: "local".to_owned(),
            path: String::new(),
            bucket: None,
            prefix: None,
            endpoint: None,
            region: None,
            is_public_bucket: None,
            properties: serde_json::Map::new(),
            created_at: 0,
            updated_at: 0,
        }
    }

    #[test]
    fn names_tell_drawings_screenshots_and_documents() {
        let files = [
            file("Sales-CHART.png", "image/png"),
            file("Screenshot of a flow.png", "image/png"),
            file("photo.jpg", "image/jpeg"),
            file("chart.pdf", "application/pdf"),
        ];
        assert_eq!(
            insights_of_names(&files),
            [
                "Sales-CHART.png may show data or a process.",
                "Screenshot of a flow.png may show data or a process.",
                "Screenshot of a flow.png seems to be a screenshot.",
                "chart.pdf may hold more detail.",
            ]
        );
    }

    #[test]
    fn a_model_gives_two_insights_that_are_not_numbered() {
        let read = insights_of_model;
        assert_eq!(read("1. one\n\n  two \n2) three\nfour\nfive"), ["two", "four"]);
        assert_eq!(read("3D models. Yes"), ["3D models. Yes"]);
        assert!(read(" \n").is_empty());
    }
}
