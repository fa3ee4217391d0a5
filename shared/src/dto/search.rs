//! Search by meaning (`contract/memos.md` routes 2 and 8, `contract/explore.md` section 2).

use schemars::JsonSchema;
use serde::Serialize;

use super::{
    Fields, PageRequest,
    memos::{CategoryFilter, Memo, MemoFilter},
};
use crate::{Error, Result, clock::Millis};

/// A memo that was found, and how close it is to what was searched for.
#[derive(Debug, Clone, PartialEq, JsonSchema, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct FoundMemo {
    /// The memo.
    #[serde(flatten)]
    pub memo: Memo,
    /// From 0 to 1; 1 is the same text.
    pub relevance_score: f64,
}

/// The body of a vector search.
#[derive(Debug, Clone, JsonSchema)]
pub struct VectorSearch {
    /// What is searched for, not blank.
    pub query: String,
    /// Which memos are searched.
    #[schemars(flatten, with = "Bounds")]
    pub filter: MemoFilter,
    /// Which part of the result is asked for.
    #[schemars(skip)]
    pub page: PageRequest,
}

/// The members of a vector search beside the query.
#[derive(JsonSchema)]
#[schemars(rename_all = "camelCase")]
#[expect(dead_code, reason = "the schema of members that are read by hand")]
struct Bounds {
    /// The category; `__uncategorized__` means none.
    category_id: Option<String>,
    /// The earliest time of writing.
    start_date: Option<Millis>,
    /// The latest time of writing.
    end_date: Option<Millis>,
    /// The number of the page, from 1.
    page: Option<f64>,
    /// The most items of a page, at most 1000; 20 unless given.
    limit: Option<f64>,
}

impl TryFrom<&Fields> for VectorSearch {
    type Error = Error;

    fn try_from(fields: &Fields) -> Result<Self> {
        let query = query(fields)?;
        let filter = MemoFilter {
            category: CategoryFilter::read(fields.text("categoryId")?.as_deref()),
            created_from: fields.time_bound("startDate")?,
            created_to: fields.time_bound("endDate")?,
            ..MemoFilter::default()
        };
        let page = PageRequest::new(fields.number("page")?, fields.number("limit")?, 20);
        Ok(Self { query, filter, page })
    }
}

/// The body of a quick search.
#[derive(Debug, Clone, JsonSchema)]
pub struct QuickSearch {
    /// What is searched for, not blank.
    pub query: String,
    /// The most memos, from 1 to 50; 5 unless given.
    #[schemars(with = "Option<f64>")]
    pub limit: usize,
}

impl TryFrom<&Fields> for QuickSearch {
    type Error = Error;

    fn try_from(fields: &Fields) -> Result<Self> {
        // What is no number is the default (`contract/explore.md`, E8).
        let limit = fields.number("limit").ok().flatten().filter(|limit| *limit != 0.0).unwrap_or(5.0);
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "it is from 1 to 50")]
        Ok(Self { query: query(fields)?, limit: limit.clamp(1.0, 50.0) as usize })
    }
}

/// What a quick search has found, the most relevant first.
#[derive(Debug, Clone, PartialEq, JsonSchema, Serialize)]
pub struct QuickSearchResult {
    /// The memos.
    pub items: Vec<FoundMemo>,
    /// The number of items.
    pub total: usize,
}

/// Reads what is searched for, verbatim.
pub(super) fn query(fields: &Fields) -> Result<String> {
    let query = fields.text("query")?.filter(|query| !query.trim().is_empty());
    query.ok_or(Error::params("Query is required"))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn fields(body: &Value) -> Fields {
        Fields::from_json(body.as_object().cloned().unwrap())
    }

    #[test]
    fn a_quick_search_gives_one_to_fifty_memos_and_five_by_default() {
        let limit = |limit: Value| QuickSearch::try_from(&fields(&json!({"query": "x", "limit": limit}))).unwrap();
        for (given, expected) in [
            (json!(null), 5),
            (json!(0), 5),
            (json!("7"), 5),
            (json!(true), 5),
            (json!(1), 1),
            (json!(10), 10),
            (json!(2.9), 2),
            (json!(0.5), 1),
            (json!(-3), 1),
            (json!(51), 50),
            (json!(1e300), 50),
        ] {
            assert_eq!(limit(given.clone()).limit, expected, "{given}");
        }
    }

    #[test]
    fn a_query_is_kept_verbatim_and_must_not_be_blank() {
        let search = |query: Value| VectorSearch::try_from(&fields(&json!({ "query": query })));
        assert_eq!(search(json!("  读书 ")).unwrap().query, "  读书 ");
        for query in [json!(null), json!(""), json!(" \n\t"), json!(5), json!(["x"])] {
            assert!(search(query).is_err());
        }
    }
}
