//! Typed access to the members of a request body.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde_json::{Map, Value};

use crate::{Error, Result, clock::Millis};

/// The most elements of a list in a body (`contract/memos.md`, defect 20).
pub const MAX_LIST: usize = 1000;

/// The most bytes of a text that is neither the content of a memo nor of a message: names, titles,
/// colours, URLs. MySQL's `TEXT` ends there, so all three databases do.
const MAX_SHORT_BYTES: usize = 65_535;

/// What an update does to a member that can be unset.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Patch<T> {
    /// The member is absent: leave the value as it is.
    Keep,
    /// The member is `null` or empty: unset the value.
    Clear,
    /// The member has a value: store it.
    Set(T),
}

impl<T> Patch<T> {
    /// Returns what a value becomes.
    #[must_use]
    pub fn apply(self, before: Option<T>) -> Option<T> {
        match self {
            Self::Keep => before,
            Self::Clear => None,
            Self::Set(value) => Some(value),
        }
    }
}

/// A member that may be absent or `null`.
impl<T: JsonSchema> JsonSchema for Patch<T> {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        Option::<T>::schema_name()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        Option::<T>::json_schema(generator)
    }

    fn _schemars_private_is_option() -> bool {
        true
    }
}

/// The members of a request body, always an object (`contract/http-conventions.md` section 3).
///
/// Every accessor treats `null` like an absent member unless it says otherwise, and answers code 2
/// for a value of the wrong type. In form bodies every value is text, from which numbers and
/// booleans are read.
#[derive(Debug, Clone, Default)]
pub struct Fields {
    members: Map<String, Value>,
    is_form: bool,
}

impl Fields {
    /// Wraps the members of a JSON object.
    #[must_use]
    pub fn from_json(members: Map<String, Value>) -> Self {
        Self { members, is_form: false }
    }

    /// Wraps the members of a form.
    #[must_use]
    pub fn from_form(members: Map<String, Value>) -> Self {
        Self { members, is_form: true }
    }

    /// Reports whether they come from a form, in which every value is text.
    #[must_use]
    pub fn is_form(&self) -> bool {
        self.is_form
    }

    /// Returns a member as it was sent, `null` included.
    #[must_use]
    pub fn raw(&self, name: &str) -> Option<&Value> {
        self.members.get(name)
    }

    /// Returns a member that is present and not `null`.
    #[must_use]
    pub fn value(&self, name: &str) -> Option<&Value> {
        self.raw(name).filter(|value| !value.is_null())
    }

    /// Returns a text of any length, empty included.
    ///
    /// # Errors
    /// Code 2 when the member is no text.
    pub fn text(&self, name: &str) -> Result<Option<String>> {
        match self.value(name) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text.clone())),
            Some(_) => Err(Error::bad_params()),
        }
    }

    /// Returns a text of at most 65 535 bytes, empty included.
    ///
    /// # Errors
    /// Code 2 when the member is no text or too long.
    pub fn short_text(&self, name: &str) -> Result<Option<String>> {
        let text = self.text(name)?;
        text.as_deref().map_or(Ok(()), require_short)?;
        Ok(text)
    }

    /// Returns what an update does to a text of at most 65 535 bytes: `null` and `""` clear it.
    ///
    /// # Errors
    /// As [`Fields::short_text`].
    pub fn patch_text(&self, name: &str) -> Result<Patch<String>> {
        if self.raw(name).is_none() {
            return Ok(Patch::Keep);
        }
        let text = self.short_text(name)?.filter(|text| !text.is_empty());
        Ok(text.map_or(Patch::Clear, Patch::Set))
    }

    /// Returns a boolean.
    ///
    /// # Errors
    /// Code 2 when the member is no boolean.
    pub fn boolean(&self, name: &str) -> Result<Option<bool>> {
        match self.value(name) {
            None => Ok(None),
            Some(Value::Bool(value)) => Ok(Some(*value)),
            Some(Value::String(text)) if self.is_form => match text.as_str() {
                "true" | "1" => Ok(Some(true)),
                "false" | "0" => Ok(Some(false)),
                "" => Ok(None),
                _ => Err(Error::bad_params()),
            },
            Some(_) => Err(Error::bad_params()),
        }
    }

    /// Returns an integer. A fraction is no integer.
    ///
    /// # Errors
    /// Code 2 when the member is no integer of 64 bits.
    pub fn integer(&self, name: &str) -> Result<Option<i64>> {
        let integer = match self.value(name) {
            None => return Ok(None),
            Some(Value::Number(number)) => number.as_i64().or_else(|| whole(number.as_f64()?)),
            Some(Value::String(text)) if self.is_form => match text.trim() {
                "" => return Ok(None),
                text => text.parse().ok().or_else(|| whole(text.parse().ok()?)),
            },
            Some(_) => None,
        };
        integer.map(Some).ok_or_else(Error::bad_params)
    }

    /// Returns a number.
    ///
    /// # Errors
    /// Code 2 when the member is no number.
    pub fn number(&self, name: &str) -> Result<Option<f64>> {
        let number = match self.value(name) {
            None => return Ok(None),
            Some(Value::Number(number)) => number.as_f64(),
            Some(Value::String(text)) if self.is_form => match text.trim() {
                "" => return Ok(None),
                text => text.parse().ok().filter(|number: &f64| number.is_finite()),
            },
            Some(_) => None,
        };
        number.map(Some).ok_or_else(Error::bad_params)
    }

    /// Returns a bound of a range of times in milliseconds: a number, or the digits at the beginning of a text.
    /// Other text is ignored.
    ///
    /// # Errors
    /// Code 2 when the member is neither a number nor a text.
    pub fn time_bound(&self, name: &str) -> Result<Option<Millis>> {
        match self.value(name) {
            Some(Value::String(text)) => Ok(time_in(text)),
            // The cast saturates: a bound beyond all times is the last possible one.
            #[expect(clippy::cast_possible_truncation, reason = "a fraction of a millisecond is cut")]
            _ => Ok(self.number(name)?.map(|number| number as i64)),
        }
    }

    /// Returns a time in milliseconds; 0 counts as absent, a fraction of a millisecond is cut.
    ///
    /// # Errors
    /// Code 2 when the member is no number.
    pub fn time(&self, name: &str) -> Result<Option<Millis>> {
        let time = match self.value(name) {
            Some(Value::Number(number)) if !number.is_i64() => {
                number.as_f64().and_then(|value| whole(value.trunc())).ok_or_else(Error::bad_params)?
            }
            _ => self.integer(name)?.unwrap_or_default(),
        };
        Ok(Some(time).filter(|time| *time != 0))
    }

    /// Returns an object with members of its own.
    ///
    /// # Errors
    /// Code 2 when the member is no object.
    pub fn object(&self, name: &str) -> Result<Option<Self>> {
        match self.value(name) {
            None => Ok(None),
            Some(Value::Object(members)) => Ok(Some(Self { members: members.clone(), is_form: self.is_form })),
            Some(_) => Err(Error::bad_params()),
        }
    }

    /// Returns a list of at most [`MAX_LIST`] texts.
    ///
    /// # Errors
    /// Code 2 when the member is no list, too long, or has an element that is no text.
    pub fn texts(&self, name: &str) -> Result<Option<Vec<String>>> {
        let Some(list) = self.list(name)? else { return Ok(None) };
        let texts = list.iter().map(|element| element.as_str().map(str::to_owned)).collect::<Option<_>>();
        texts.map(Some).ok_or_else(Error::bad_params)
    }

    /// Returns a list of at most [`MAX_LIST`] elements of any type.
    ///
    /// # Errors
    /// Code 2 when the member is no list, or too long.
    pub fn list(&self, name: &str) -> Result<Option<&Vec<Value>>> {
        match self.value(name) {
            None => Ok(None),
            Some(Value::Array(list)) if list.len() <= MAX_LIST => Ok(Some(list)),
            Some(_) => Err(Error::bad_params()),
        }
    }
}

/// Refuses a text that the column of a short text cannot hold.
///
/// # Errors
/// Code 2 when the text has more than 65 535 bytes.
pub fn require_short(text: &str) -> Result<()> {
    if text.len() <= MAX_SHORT_BYTES { Ok(()) } else { Err(Error::bad_params()) }
}

/// Returns the time at the beginning of a text: an optional sign and digits.
#[must_use]
pub fn time_in(text: &str) -> Option<Millis> {
    let text = text.trim_start();
    let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
    let length = digits.bytes().take_while(u8::is_ascii_digit).count();
    let value: i128 = digits[..length].parse().ok()?;
    let value = if text.starts_with('-') { -value } else { value };
    // A bound beyond all times is the last possible one.
    Some(i64::try_from(value).unwrap_or(if value < 0 { i64::MIN } else { i64::MAX }))
}

/// Returns a float as an integer if it is one.
fn whole(value: f64) -> Option<i64> {
    // Every integer of a double below 2^63 converts exactly.
    #[expect(clippy::cast_possible_truncation, reason = "the range is checked before")]
    (value.fract() == 0.0 && value.abs() < 9.2e18).then_some(value as i64)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn fields(value: Value) -> Fields {
        let Value::Object(members) = value else { panic!("not an object") };
        Fields::from_json(members)
    }

    #[test]
    fn null_is_absent_and_another_type_is_refused() {
        let body = fields(json!({"a": null, "b": 5, "c": "x"}));
        assert_eq!(body.text("a").unwrap(), None);
        assert!(body.text("b").is_err());
        assert_eq!(body.text("c").unwrap().as_deref(), Some("x"));
        assert_eq!(body.patch_text("a").unwrap(), Patch::Clear);
        assert_eq!(body.patch_text("z").unwrap(), Patch::Keep);
    }

    #[test]
    fn integers_may_be_written_as_floats_but_have_no_fraction() {
        let body = fields(json!({"a": 8.0, "b": 8.5, "c": "8", "d": 1e300}));
        assert_eq!(body.integer("a").unwrap(), Some(8));
        assert!(body.integer("b").is_err());
        assert!(body.integer("c").is_err());
        assert!(body.integer("d").is_err());
        assert_eq!(body.time("b").unwrap(), Some(8));
    }

    #[test]
    fn a_list_has_at_most_1000_elements() {
        let list = |n: usize| fields(json!({"tags": vec!["x"; n]}));
        assert_eq!(list(1000).texts("tags").unwrap().unwrap().len(), 1000);
        assert!(list(1001).texts("tags").is_err());
        assert!(fields(json!({"tags": ["x", 1]})).texts("tags").is_err());
    }

    #[test]
    fn a_bound_is_a_number_or_begins_with_one() {
        let bound = |value: Value| fields(json!({ "t": value })).time_bound("t");
        assert_eq!(bound(json!(1_600_000_000_000_i64)).unwrap(), Some(1_600_000_000_000));
        assert_eq!(bound(json!(0)).unwrap(), Some(0));
        assert_eq!(bound(json!(-1.9)).unwrap(), Some(-1));
        assert_eq!(bound(json!(1e300)).unwrap(), Some(i64::MAX));
        assert_eq!(bound(json!(" -5x")).unwrap(), Some(-5));
        assert_eq!(bound(json!("99999999999999999999")).unwrap(), Some(i64::MAX));
        for absent in [json!(null), json!(""), json!("soon")] {
            assert_eq!(bound(absent).unwrap(), None);
        }
        for wrong in [json!(true), json!([1]), json!({})] {
            assert!(bound(wrong).is_err());
        }
    }

    #[test]
    fn forms_carry_numbers_and_booleans_as_text() {
        let Value::Object(members) = json!({"n": "1600000000000", "b": "true"}) else { unreachable!() };
        let form = Fields::from_form(members);
        assert_eq!(form.time("n").unwrap(), Some(1_600_000_000_000));
        assert_eq!(form.number("n").unwrap(), Some(1.6e12));
        assert!(form.number("b").is_err());
        assert_eq!(form.boolean("b").unwrap(), Some(true));
    }
}
