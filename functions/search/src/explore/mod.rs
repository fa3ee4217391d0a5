//! The answer to a question, from the notes of who asks (`contract/explore.md` section 1).
//!
//! 1. *Retrieve*: the memos closest to the question.
//! 2. *Study*, all at once: a model weighs them against the question, and looks at how they are related and what is
//!    attached to them.
//! 3. *Answer*: a model answers from their full text and what was thought about it.
//! 4. *Follow-ups*: a model says what could be asked next.
//!
//! A stage that fails, or for which there is no time, leaves out what it would have added; only the answer itself
//! cannot be left out. What the client sees then is the outcome table of the contract. Nothing is stored.

mod attachments;
mod budget;
mod prompts;
mod relations;

use shared::{
    Error, Result,
    clients::Prompt,
    dto::{
        explore::{Answer, Question, Source},
        memos::MemoFilter,
    },
    error::with_causes,
    http::App,
    ids::{MemoId, Uid},
    metrics::{self, Metric},
    repositories::{self, memos::MemoRecord},
    services::text::{beginning, shortened},
};
use tokio::time::timeout;

use self::{
    budget::{Budget, Step},
    prompts::{Fence, Findings},
};
use crate::{found::RELEVANT, ranking::Ranking};

/// The most memos that an answer is made from.
const MAX_NOTES: usize = 10;

/// The most UTF-16 units of a memo that a source shows, and of the analysis that is shown as topic.
const MAX_SOURCE: usize = 200;
const MAX_TOPIC: usize = 100;

/// The most follow-up questions.
const MAX_FOLLOW_UPS: usize = 3;

const NOTHING_FOUND: &str = "I could not find any relevant notes in your knowledge base to answer this question.";
const NOTHING_TO_ANALYSE: &str = "No relevant memos found for this query.";
const NOT_ANALYSED: &str = "Analysis could not be completed due to an error.";
const NOT_ANSWERED: &str = "An error occurred while generating the response.";
const EMPTY_ANSWER: &str = "Unable to generate a response.";

/// A memo that is close to the question.
struct Note {
    memo: MemoRecord,
    score: f64,
}

/// Answers a question.
///
/// # Errors
/// Code 1 when all the time is over and there is still no outcome.
pub async fn answer(app: &App, uid: &Uid, question: &Question) -> Result<Answer> {
    let fence = Fence::new(&*app.context.random);
    let inquiry = Inquiry { app, uid, question, fence, budget: Budget::start(&*app.context.clock) };
    timeout(budget::TOTAL, inquiry.answer()).await.map_err(|late| {
        tracing::error!(error = %late, "explore.failed");
        Error::system("Exploration failed: it took too long")
    })
}

/// A question that is being answered.
struct Inquiry<'a> {
    app: &'a App,
    uid: &'a Uid,
    question: &'a Question,
    fence: Fence,
    budget: Budget<'a>,
}

impl Inquiry<'_> {
    async fn answer(&self) -> Answer {
        let notes = self.retrieve().await.unwrap_or_else(|error| {
            // Contract: the client cannot tell this from a question without notes (E2); the operator can.
            tracing::error!(error = with_causes(&error), "explore.not_retrieved");
            metrics::add(Metric::Failures, 1);
            Vec::new()
        });
        if notes.is_empty() {
            return Answer {
                answer: NOTHING_FOUND.to_owned(),
                sources: Vec::new(),
                related_topics: Some([NOTHING_TO_ANALYSE.to_owned()]),
                suggested_questions: Some(Vec::new()),
            };
        }
        let (analysis, relations, attachments) =
            tokio::join!(self.analyse(&notes), relations::study(self, &notes), attachments::study(self, &notes));
        let topic = beginning(&analysis, MAX_TOPIC).to_owned();
        let related_topics = (!analysis.trim().is_empty()).then_some([topic]);
        let findings = Findings { analysis, relations, attachments };
        let prompt = prompts::answer(&self.fence, self.question, &notes, &findings);
        let Some(answer) = self.ask(Step::Answer, "answer", &prompt).await else {
            let answer = NOT_ANSWERED.to_owned();
            return Answer { answer, sources: Vec::new(), related_topics, suggested_questions: None };
        };
        let answer = if answer.trim().is_empty() { EMPTY_ANSWER.to_owned() } else { answer };
        let suggested_questions = Some(self.follow_up(&answer).await);
        Answer { answer, sources: sources(notes), related_topics, suggested_questions }
    }

    async fn retrieve(&self) -> Result<Vec<Note>> {
        let ranking = Ranking::by_text(self.app, self.uid, &self.question.query, &MemoFilter::default()).await?;
        let best = ranking.best(MAX_NOTES, RELEVANT);
        let ids: Vec<MemoId> = best.iter().map(|scored| scored.memo.clone()).collect();
        let memos = repositories::memos::find_by_ids(&self.app.context.db, self.uid, &ids).await?;
        let notes = memos.into_iter().filter_map(|memo| {
            let score = best.iter().find(|scored| scored.memo == memo.memo_id)?.score;
            Some(Note { memo, score })
        });
        Ok(notes.collect())
    }

    async fn analyse(&self, notes: &[Note]) -> String {
        let prompt = prompts::analysis(&self.fence, self.question, notes);
        self.ask(Step::Study, "analysis", &prompt).await.unwrap_or_else(|| NOT_ANALYSED.to_owned())
    }

    async fn follow_up(&self, answer: &str) -> Vec<String> {
        let prompt = prompts::follow_ups(&self.fence, self.question, answer);
        let reply = self.ask(Step::FollowUps, "follow_ups", &prompt).await.unwrap_or_default();
        questions(&reply)
    }

    /// Asks the model. Nothing comes back when it fails, or when there is no time to ask.
    async fn ask(&self, step: Step, stage: &'static str, prompt: &Prompt) -> Option<String> {
        let Some(patience) = self.budget.patience(step) else {
            tracing::warn!(stage, "explore.no_time");
            return None;
        };
        let reply = self.app.chat().complete(prompt, patience).await;
        reply.inspect_err(|error| tracing::warn!(stage, error = with_causes(error), "explore.stage_failed")).ok()
    }
}

fn sources(notes: Vec<Note>) -> Vec<Source> {
    let source = |Note { memo, score }| Source {
        content: shortened(&memo.content, MAX_SOURCE),
        memo_id: memo.memo_id,
        relevance_score: score,
        created_at: memo.created_at,
    };
    notes.into_iter().map(source).collect()
}

/// Reads follow-up questions, one on each line, without the number or bullet in front (E11).
fn questions(reply: &str) -> Vec<String> {
    let lines = reply.lines().map(|line| without_marker(line.trim()).to_owned());
    lines.filter(|line| !line.is_empty()).take(MAX_FOLLOW_UPS).collect()
}

fn without_marker(line: &str) -> &str {
    let is_digit = |c: char| c.is_ascii_digit();
    let rest = line.trim_start_matches(is_digit);
    let rest = match rest.strip_prefix(['.', ')', '、', '．', '）']) {
        // A decimal number is no marker.
        Some(rest) if line.starts_with(is_digit) && !rest.starts_with(is_digit) => rest,
        _ => match line.strip_prefix(['-', '*', '•', '–']) {
            Some(rest) if rest.is_empty() || rest.starts_with(char::is_whitespace) => rest,
            _ => line,
        },
    };
    rest.trim_start()
}

#[cfg(test)]
mod tests {
    use shared::clock::Millis;

    use super::*;
    use crate::fixtures::memo;

    /// Makes a note that is close to the question.
    pub fn note(id: &str, content: &str, created_at: Millis) -> Note {
        Note { memo: memo(id, content, created_at), score: 0.875 }
    }

    #[test]
    fn follow_ups_are_lines_without_numbers_and_bullets() {
        let reply = "What changed?\n1. A numbered line\n\n   \n- Who?\nToo many?";
        assert_eq!(questions(reply), ["What changed?", "A numbered line", "Who?"]);
        for (line, question) in [
            ("12) Why?", "Why?"),
            ("1、为什么？", "为什么？"),
            ("3.What?", "What?"),
            ("* What?", "What?"),
            ("• What?", "What?"),
            ("2024 was what?", "2024 was what?"),
            ("1.5 hours of what?", "1.5 hours of what?"),
            ("**What** now?", "**What** now?"),
            ("-1 or 1?", "-1 or 1?"),
            (") what?", ") what?"),
        ] {
            assert_eq!(questions(line), [question]);
        }
        for nothing in ["", "\n\n", "1.", "-", " 2) "] {
            assert_eq!(questions(nothing), Vec::<String>::new(), "{nothing:?}");
        }
    }
}
