//! Query parameters (`contract/http-conventions.md` section 12).

use std::{borrow::Cow, marker::PhantomData};

use axum::{extract::FromRequestParts, http::request::Parts};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};

use crate::{
    Error, Result,
    clock::Millis,
    dto::{
        PageRequest,
        memos::{Sort, SortBy},
        time_in,
    },
    ids::Uid,
};

/// The query parameters of a request, in order. U+0000 is removed from names and values.
#[derive(Debug, Clone, Default)]
pub struct Query(Vec<(String, String)>);

/// The query parameters of a request that a handler reads as `T`.
#[derive(Debug, Clone)]
pub struct Params<T> {
    query: Query,
    reads_as: PhantomData<fn() -> T>,
}

impl<T: for<'a> TryFrom<&'a Query, Error = Error>> Params<T> {
    /// Reads the parameters.
    ///
    /// # Errors
    /// What `T` says of a parameter that is missing or wrong.
    pub fn read(&self) -> Result<T> {
        T::try_from(&self.query)
    }
}

impl<S: Sync, T> FromRequestParts<S> for Params<T> {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self> {
        let query = Query::parse(parts.uri.query().unwrap_or_default());
        Ok(Self { query, reads_as: PhantomData })
    }
}

/// `page` and `limit`, of a list whose pages have `DEFAULT_LIMIT` items at most unless a request says otherwise.
#[derive(Debug, Clone, Copy)]
pub struct Paging<const DEFAULT_LIMIT: u64>(pub PageRequest);

impl<const DEFAULT_LIMIT: u64> TryFrom<&Query> for Paging<DEFAULT_LIMIT> {
    type Error = Error;

    fn try_from(query: &Query) -> Result<Self> {
        let (page, limit) = (query.number("page")?, query.number("limit")?);
        Ok(Self(PageRequest::new(page, limit, DEFAULT_LIMIT)))
    }
}

impl<const DEFAULT_LIMIT: u64> JsonSchema for Paging<DEFAULT_LIMIT> {
    fn schema_name() -> Cow<'static, str> {
        format!("PagingBy{DEFAULT_LIMIT}").into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({"type": "object", "properties": {
            "page": {
                "description": "The number of the page, from 1. Cut to an integer; below 1 means 1.",
                "type": "number",
                "default": 1,
            },
            "limit": {
                "description": "The most items of a page, at most 1000. Cut to an integer; below 1 means the default.",
                "type": "number",
                "default": DEFAULT_LIMIT,
            },
        }})
    }
}

/// The user for whom a machine acts (`contract/http-conventions.md` section 6).
#[derive(Debug, Clone, JsonSchema)]
pub struct Owner {
    /// The user for whom the machine acts.
    pub uid: Uid,
}

impl TryFrom<&Query> for Owner {
    type Error = Error;

    fn try_from(query: &Query) -> Result<Self> {
        let uid = query.text("uid").filter(|uid| !uid.is_empty());
        Ok(Self { uid: uid.ok_or(Error::params("User ID (uid) is required"))?.into() })
    }
}

/// `sortBy` and `sortOrder`; unknown values are the defaults.
impl TryFrom<&Query> for Sort {
    type Error = Error;

    fn try_from(query: &Query) -> Result<Self> {
        let by = if query.text("sortBy") == Some("updatedAt") { SortBy::UpdatedAt } else { SortBy::CreatedAt };
        Ok(Self { by, ascending: query.text("sortOrder") == Some("asc") })
    }
}

impl Query {
    fn parse(query: &str) -> Self {
        let pairs = form_urlencoded::parse(query.as_bytes());
        Self(pairs.map(|(name, value)| (name.replace('\0', ""), value.replace('\0', ""))).collect())
    }

    /// Returns a text as it is; the first one if it is repeated.
    #[must_use]
    pub fn text(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(given, _)| given == name).map(|(_, value)| value.as_str())
    }

    /// Returns a number.
    ///
    /// # Errors
    /// HTTP 400 when the text is empty or no decimal number.
    pub fn number(&self, name: &str) -> Result<Option<f64>> {
        let is_decimal =
            |text: &str| text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'+' | b'-' | b'.' | b'e' | b'E'));
        self.parsed(name, "number", |text| text.trim().parse().ok().filter(|_| is_decimal(text.trim())))
    }

    /// Returns a boolean: `true` or `1`, `false` or `0`; an empty text is `true`.
    ///
    /// # Errors
    /// HTTP 400 when the text is something else.
    pub fn boolean(&self, name: &str) -> Result<Option<bool>> {
        self.parsed(name, "boolean", |text| match text {
            "true" | "1" | "" => Some(true),
            "false" | "0" => Some(false),
            _ => None,
        })
    }

    fn parsed<T>(&self, name: &str, kind: &str, parse: impl FnOnce(&str) -> Option<T>) -> Result<Option<T>> {
        let Some(text) = self.text(name) else { return Ok(None) };
        parse(text).map(Some).ok_or_else(|| {
            let quoted = serde_json::Value::from(text);
            let message =
                format!("Given parameter {name} is invalid. Value ({quoted}) cannot be parsed into {kind}.");
            Error::Unreadable { status: 400, message: message.into() }
        })
    }

    /// Returns a list of texts: `name=a&name=b`, `name[]=a` or `name[0]=a`.
    #[must_use]
    pub fn texts(&self, name: &str) -> Vec<String> {
        let is_element = |given: &str| {
            let index = given.strip_prefix(name)?.strip_prefix('[')?.strip_suffix(']')?;
            Some(index.bytes().all(|byte| byte.is_ascii_digit()))
        };
        let elements = self.0.iter().filter(|(given, _)| given == name || is_element(given) == Some(true));
        elements.map(|(_, value)| value.clone()).collect()
    }

    /// Returns a time: an optional sign and the digits at the beginning. Other text is ignored.
    #[must_use]
    pub fn time(&self, name: &str) -> Option<Millis> {
        self.text(name).and_then(time_in)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_decimal_or_refused() {
        let number = |text: &str| Query::parse(&format!("page={text}")).number("page");
        assert_eq!(number("2").unwrap(), Some(2.0));
        assert_eq!(number("-1.5e1").unwrap(), Some(-15.0));
        // A plus sign in a query is a blank.
        assert_eq!(number("+2%20").unwrap(), Some(2.0));
        for text in ["", "x", "NaN", "inf", "0x10", "1_000", "%20"] {
            assert!(number(text).is_err(), "{text}");
        }
        assert_eq!(Query::parse("").number("page").unwrap(), None);
    }

    #[test]
    fn booleans_have_two_spellings_and_a_bare_name_is_true() {
        let boolean = |text: &str| Query::parse(text).boolean("b");
        assert_eq!(boolean("").unwrap(), None);
        for (text, value) in [("b=true", true), ("b=1", true), ("b", true), ("b=false", false), ("b=0", false)] {
            assert_eq!(boolean(text).unwrap(), Some(value), "{text}");
        }
        for text in ["b=yes", "b=TRUE", "b=2", "b=%20"] {
            assert!(boolean(text).is_err(), "{text}");
        }
    }

    #[test]
    fn lists_have_three_notations_and_commas_do_not_separate() {
        let query = Query::parse("tags=a,b&tags[]=c&tags[1]=d&tags[x]=e&tagsy=f");
        assert_eq!(query.texts("tags"), ["a,b", "c", "d"]);
    }

    #[test]
    fn times_are_the_digits_at_the_beginning() {
        let time = |text: &str| Query::parse(&format!("t={text}")).time("t");
        assert_eq!(time("-5x"), Some(-5));
        assert_eq!(time("x5"), None);
        assert_eq!(time(""), None);
        assert_eq!(time("99999999999999999999"), Some(i64::MAX));
    }
}
