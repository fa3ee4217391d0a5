//! Pages of lists (`contract/http-conventions.md` section 13).

use schemars::JsonSchema;
use serde::Serialize;

/// The most items of a page.
const MAX_LIMIT: u64 = 1000;

/// Which part of a list is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PageRequest {
    /// The number of the page, from 1.
    pub page: u64,
    /// The most items of a page, from 1 to 1000.
    pub limit: u64,
}

impl PageRequest {
    /// Brings the numbers of a query into bounds: they are cut to integers, a page below 1 is page
    /// 1, a limit below 1 is `default_limit`, and no limit is above 1000.
    #[must_use]
    pub fn new(page: Option<f64>, limit: Option<f64>, default_limit: u64) -> Self {
        // The casts saturate.
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "negative numbers become 0")]
        let cut = |value: Option<f64>| value.map_or(0, |value| value as u64);
        let limit = match cut(limit) {
            0 => default_limit,
            limit => limit.min(MAX_LIMIT),
        };
        // An offset beyond 2^63 cannot be asked of a database.
        Self { page: cut(page).clamp(1, i64::MAX as u64 / MAX_LIMIT), limit }
    }

    /// Returns how many items come before the page.
    #[must_use]
    pub fn offset(self) -> u64 {
        (self.page - 1) * self.limit
    }
}

/// Where a page lies in its list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, JsonSchema, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Pagination {
    /// The number of items in the whole list.
    pub total: u64,
    /// The number of the page.
    pub page: u64,
    /// The most items of a page.
    pub limit: u64,
    /// The number of pages, 0 for an empty list.
    pub total_pages: u64,
}

/// A page of a list.
#[derive(Debug, Clone, PartialEq, JsonSchema, Serialize)]
#[schemars(rename = "{T}Page")]
pub struct Page<T> {
    /// The items, in the order of the list.
    pub items: Vec<T>,
    /// Where they lie.
    pub pagination: Pagination,
}

impl<T> Page<T> {
    /// Puts the items of a page under the numbers that were asked for.
    #[must_use]
    pub fn new(items: Vec<T>, total: u64, request: PageRequest) -> Self {
        let PageRequest { page, limit } = request;
        Self { items, pagination: Pagination { total, page, limit, total_pages: total.div_ceil(limit) } }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_out_of_bounds_become_the_nearest_sensible_ones() {
        let page = |page, limit| PageRequest::new(Some(page), Some(limit), 10);
        assert_eq!(page(0.0, 0.0), PageRequest { page: 1, limit: 10 });
        assert_eq!(page(-3.0, -1.0), PageRequest { page: 1, limit: 10 });
        assert_eq!(page(2.9, 2.9), PageRequest { page: 2, limit: 2 });
        assert_eq!(page(1.0, 1e9).limit, 1000);
        assert!(i64::try_from(page(1e300, 1000.0).offset()).is_ok());
    }
}
