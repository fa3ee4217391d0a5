//! What the cells of a batch hold, whatever width and encoding a release of the product gave the column
//! (`contract/lancedb-tables.md` section 3).

use std::borrow::Cow;

use arrow_array::{
    Array, ArrayRef, BooleanArray, FixedSizeListArray, Float32Array, Float64Array, GenericListArray, Int64Array,
    LargeListArray, LargeStringArray, ListArray, OffsetSizeTrait, PrimitiveArray, RecordBatch, StringArray,
    StringViewArray, StructArray,
    cast::AsArray,
    types::{
        ArrowPrimitiveType, Float32Type, Float64Type, Int8Type, Int16Type, Int32Type, Int64Type,
        TimestampMicrosecondType, TimestampMillisecondType, TimestampNanosecondType, TimestampSecondType,
        UInt8Type, UInt16Type, UInt32Type, UInt64Type,
    },
};
use arrow_buffer::ArrowNativeType;
use arrow_schema::{DataType, TimeUnit};
use arrow_select::take::take;

use crate::{Error, Result};

/// Some rows of a table. They are checked when they are made, so reading a cell cannot fail.
#[derive(Debug, Clone)]
pub struct Rows {
    len: usize,
    columns: Vec<(String, Values)>,
}

impl Rows {
    pub(crate) fn new(table: &str, batch: &RecordBatch) -> Result<Self> {
        let schema = batch.schema();
        let columns = schema.fields().iter().zip(batch.columns()).map(|(field, array)| {
            let (table, column) = (table.to_owned(), field.name().clone());
            match Values::new(array) {
                Ok(values) => Ok((column, values)),
                Err(Unreadable::Type) => {
                    Err(Error::UnknownType { table, column, data_type: field.data_type().to_string() })
                }
                Err(Unreadable::Range) => Err(Error::OutOfRange { table, column }),
            }
        });
        Ok(Self { len: batch.num_rows(), columns: columns.collect::<Result<_>>()? })
    }

    /// Returns the number of rows.
    #[must_use]
    pub fn len(&self) -> usize {
        self.len
    }

    /// Returns whether there are no rows.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Returns a column. One that the table lacks, or that was not asked for, holds nulls.
    #[must_use]
    pub fn column(&self, name: &str) -> &Values {
        static MISSING: Values = Values(Kind::Null);
        self.columns.iter().find(|(column, _)| column == name).map_or(&MISSING, |(_, values)| values)
    }
}

/// What a cell holds.
#[derive(Debug, Clone, PartialEq)]
pub enum Value<'a> {
    /// Nothing.
    Null,
    /// A text.
    Text(&'a str),
    /// A whole number of any width.
    Integer(i64),
    /// Yes or no.
    Boolean(bool),
    /// A time in milliseconds since 1970, rounded down where the column is finer.
    Millis(i64),
    /// A number of either width.
    Float(f64),
    /// A list of any length.
    List(Vec<Value<'a>>),
    /// Named values in the order of the type.
    Struct(Vec<(&'a str, Value<'a>)>),
    /// A list of the length that the column prescribes. A number that is null reads as NaN.
    Vector(Cow<'a, [f32]>),
}

/// A column of [`Rows`].
#[derive(Debug, Clone)]
pub struct Values(Kind);

#[derive(Debug, Clone)]
enum Kind {
    Null,
    Text(StringArray),
    LargeText(LargeStringArray),
    TextView(StringViewArray),
    Integer(Int64Array),
    Boolean(BooleanArray),
    Millis(Int64Array),
    Float(Float64Array),
    List(ListArray, Box<Values>),
    LargeList(LargeListArray, Box<Values>),
    Struct(StructArray, Vec<(String, Values)>),
    Vector(FixedSizeListArray, Float32Array),
}

/// Why an array cannot be read.
#[derive(Debug)]
pub(crate) enum Unreadable {
    /// No release of the product wrote this type.
    Type,
    /// A number does not fit into 64 bits.
    Range,
}

impl Values {
    /// Resolves the type of an array, once for all its cells.
    pub(crate) fn new(array: &ArrayRef) -> Result<Self, Unreadable> {
        let kind = match array.data_type() {
            DataType::Null => Kind::Null,
            DataType::Utf8 => Kind::Text(array.as_string().clone()),
            DataType::LargeUtf8 => Kind::LargeText(array.as_string().clone()),
            DataType::Utf8View => Kind::TextView(array.as_string_view().clone()),
            DataType::Int8 => Kind::Integer(widened::<Int8Type>(array)),
            DataType::Int16 => Kind::Integer(widened::<Int16Type>(array)),
            DataType::Int32 => Kind::Integer(widened::<Int32Type>(array)),
            DataType::Int64 => Kind::Integer(widened::<Int64Type>(array)),
            DataType::UInt8 => Kind::Integer(widened::<UInt8Type>(array)),
            DataType::UInt16 => Kind::Integer(widened::<UInt16Type>(array)),
            DataType::UInt32 => Kind::Integer(widened::<UInt32Type>(array)),
            DataType::UInt64 => Kind::Integer(checked::<UInt64Type>(array, |number| number.try_into().ok())?),
            DataType::Boolean => Kind::Boolean(array.as_boolean().clone()),
            DataType::Timestamp(TimeUnit::Second, _) => {
                Kind::Millis(checked::<TimestampSecondType>(array, |time| time.checked_mul(1000))?)
            }
            DataType::Timestamp(TimeUnit::Millisecond, _) => {
                Kind::Millis(widened::<TimestampMillisecondType>(array))
            }
            DataType::Timestamp(TimeUnit::Microsecond, _) => {
                Kind::Millis(array.as_primitive::<TimestampMicrosecondType>().unary(|time| time.div_euclid(1000)))
            }
            DataType::Timestamp(TimeUnit::Nanosecond, _) => Kind::Millis(
                array.as_primitive::<TimestampNanosecondType>().unary(|time| time.div_euclid(1_000_000)),
            ),
            DataType::Float32 => Kind::Float(array.as_primitive::<Float32Type>().unary(f64::from)),
            DataType::Float64 => Kind::Float(array.as_primitive::<Float64Type>().clone()),
            DataType::List(_) => {
                let list: &ListArray = array.as_list();
                Kind::List(list.clone(), Box::new(Self::new(list.values())?))
            }
            DataType::LargeList(_) => {
                let list: &LargeListArray = array.as_list();
                Kind::LargeList(list.clone(), Box::new(Self::new(list.values())?))
            }
            DataType::Struct(fields) => {
                let array = array.as_struct();
                let members = fields.iter().zip(array.columns());
                let members = members.map(|(field, column)| Ok((field.name().clone(), Self::new(column)?)));
                Kind::Struct(array.clone(), members.collect::<Result<_, Unreadable>>()?)
            }
            vector if is_vector(vector) => {
                let array = array.as_fixed_size_list();
                Kind::Vector(array.clone(), array.values().as_primitive::<Float32Type>().clone())
            }
            DataType::Dictionary(_, _) => {
                let dictionary = array.as_any_dictionary();
                let plain = take(dictionary.values(), dictionary.keys(), None).map_err(|_| Unreadable::Type)?;
                return Self::new(&plain);
            }
            _ => return Err(Unreadable::Type),
        };
        Ok(Self(kind))
    }

    /// Returns the cell of a row.
    ///
    /// # Panics
    /// There are not so many rows.
    #[must_use]
    pub fn get(&self, row: usize) -> Value<'_> {
        match &self.0 {
            Kind::Null => Value::Null,
            Kind::Text(array) => cell(array, row, |row| Value::Text(array.value(row))),
            Kind::LargeText(array) => cell(array, row, |row| Value::Text(array.value(row))),
            Kind::TextView(array) => cell(array, row, |row| Value::Text(array.value(row))),
            Kind::Integer(array) => cell(array, row, |row| Value::Integer(array.value(row))),
            Kind::Boolean(array) => cell(array, row, |row| Value::Boolean(array.value(row))),
            Kind::Millis(array) => cell(array, row, |row| Value::Millis(array.value(row))),
            Kind::Float(array) => cell(array, row, |row| Value::Float(array.value(row))),
            Kind::List(array, items) => items.list(array, row),
            Kind::LargeList(array, items) => items.list(array, row),
            Kind::Struct(array, members) => cell(array, row, |row| {
                Value::Struct(members.iter().map(|(name, values)| (name.as_str(), values.get(row))).collect())
            }),
            Kind::Vector(array, numbers) => cell(array, row, |row| {
                let (start, length) = (array.value_offset(row).as_usize(), array.value_length().as_usize());
                if numbers.null_count() == 0 {
                    return Value::Vector(Cow::Borrowed(&numbers.values()[start..start + length]));
                }
                let numbers = numbers.slice(start, length);
                Value::Vector(numbers.iter().map(|number| number.unwrap_or(f32::NAN)).collect())
            }),
        }
    }

    fn list<O: OffsetSizeTrait>(&self, array: &GenericListArray<O>, row: usize) -> Value<'_> {
        if array.is_null(row) {
            return Value::Null;
        }
        let offsets = array.value_offsets();
        Value::List((offsets[row].as_usize()..offsets[row + 1].as_usize()).map(|item| self.get(item)).collect())
    }
}

/// Returns whether a type is that of embeddings.
pub(crate) fn is_vector(data_type: &DataType) -> bool {
    matches!(data_type, DataType::FixedSizeList(item, _) if *item.data_type() == DataType::Float32)
}

fn cell<'a>(array: &dyn Array, row: usize, value: impl FnOnce(usize) -> Value<'a>) -> Value<'a> {
    if array.is_null(row) { Value::Null } else { value(row) }
}

fn widened<T: ArrowPrimitiveType<Native: Into<i64>>>(array: &ArrayRef) -> Int64Array {
    array.as_primitive::<T>().unary(Into::into)
}

fn checked<T: ArrowPrimitiveType>(
    array: &ArrayRef,
    convert: impl Fn(T::Native) -> Option<i64>,
) -> Result<PrimitiveArray<Int64Type>, Unreadable> {
    array.as_primitive::<T>().try_unary(|value| convert(value).ok_or(Unreadable::Range))
}
