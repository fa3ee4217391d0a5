//! Digests: of keys, to find equal ones among millions in little memory, and of rows, to prove that all of
//! them arrived.

use sha2::{Digest as _, Sha256};
use shared::db::Cell;

/// The digest of a key.
pub type Digest = u128;

/// Makes digests of keys as a database compares them.
#[derive(Debug, Clone, Copy, Default)]
pub struct Keys {
    /// MySQL takes texts for equal that differ in spaces at their end only.
    pub ignores_trailing_spaces: bool,
}

impl Keys {
    /// Returns the digest of a key of one or more texts.
    #[must_use]
    pub fn digest(self, parts: &[&str]) -> Digest {
        let mut hash = Sha256::new();
        for part in parts {
            let part = if self.ignores_trailing_spaces { part.trim_end_matches(' ') } else { part };
            hash.update((part.len() as u64).to_le_bytes());
            hash.update(part);
        }
        let bytes: [u8; 32] = hash.finalize().into();
        let [low, _] = halves(bytes);
        low
    }
}

fn halves(bytes: [u8; 32]) -> [u128; 2] {
    let (low, high) = bytes.split_at(16);
    [low, high].map(|half| u128::from_le_bytes(half.try_into().unwrap_or_default()))
}

/// Many digests, 16 bytes each.
#[derive(Debug, Default)]
pub struct DigestSet(Vec<Digest>);

impl DigestSet {
    /// Returns the set of some digests, and those among them that occur more than once.
    #[must_use]
    pub fn new(mut digests: Vec<Digest>) -> (Self, Vec<Digest>) {
        digests.sort_unstable();
        let mut repeated: Vec<Digest> =
            digests.windows(2).filter(|pair| pair[0] == pair[1]).map(|pair| pair[0]).collect();
        repeated.dedup();
        digests.dedup();
        (Self(digests), repeated)
    }

    /// Reports whether a digest is in the set.
    #[must_use]
    pub fn contains(&self, digest: Digest) -> bool {
        self.0.binary_search(&digest).is_ok()
    }

    /// Adds a few digests.
    pub fn extend(&mut self, digests: impl IntoIterator<Item = Digest>) {
        self.0.extend(digests);
        self.0.sort_unstable();
        self.0.dedup();
    }
}

/// A checksum of rows that does not depend on their order: the SHA-256 of each, added modulo 2²⁵⁶
/// (`contract/migration.md` section 7).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Checksum {
    low: u128,
    high: u128,
}

impl Checksum {
    /// Adds a row.
    pub fn add(&mut self, row: &[Cell]) {
        let mut hash = Sha256::new();
        for cell in row {
            match cell {
                Cell::Null => hash.update([0]),
                Cell::Text(text) => {
                    hash.update([1]);
                    hash.update((text.len() as u64).to_le_bytes());
                    hash.update(text);
                }
                Cell::Integer(integer) => {
                    let decimal = integer.to_string();
                    hash.update([2]);
                    hash.update((decimal.len() as u64).to_le_bytes());
                    hash.update(decimal);
                }
            }
        }
        let [low, high] = halves(hash.finalize().into());
        let (sum, carry) = self.low.overflowing_add(low);
        self.low = sum;
        self.high = self.high.wrapping_add(high).wrapping_add(u128::from(carry));
    }
}

impl std::fmt::Display for Checksum {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:032x}{:032x}", self.high, self.low)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sum(rows: &[&[Cell]]) -> Checksum {
        let mut checksum = Checksum::default();
        for row in rows {
            checksum.add(row);
        }
        checksum
    }

    #[test]
    fn the_order_of_rows_does_not_matter_and_their_number_does() {
        let (a, b): (&[Cell], &[Cell]) = (&["a".into()], &["b".into()]);
        assert_eq!(sum(&[a, b, a]), sum(&[a, a, b]));
        assert_ne!(sum(&[a, b]), sum(&[a, b, b]));
        assert_ne!(sum(&[a, a, b]), sum(&[b]));
    }

    #[test]
    fn what_looks_alike_differs() {
        let texts = |first: &str, second: &str| sum(&[&[first.into(), second.into()]]);
        assert_ne!(texts("ab", "c"), texts("a", "bc"));
        assert_ne!(sum(&[&[Cell::Null]]), sum(&[&["".into()]]));
        assert_ne!(sum(&[&[Cell::Integer(1)]]), sum(&[&["1".into()]]));
    }

    #[test]
    fn carries_reach_the_upper_half() {
        let mut checksum = Checksum { low: u128::MAX, high: 1 };
        let before = checksum;
        checksum.add(&[Cell::Null]);
        let [low, high] = halves(Sha256::digest([0]).into());
        assert_eq!(checksum.low, low.wrapping_sub(1));
        assert_eq!(checksum.high, before.high + high + u128::from(low > 0));
    }

    #[test]
    fn repeated_digests_are_named_once() {
        let (set, repeated) = DigestSet::new(vec![3, 1, 3, 2, 3, 1]);
        assert_eq!(repeated, [1, 3]);
        assert!(set.contains(2) && !set.contains(4));
    }

    #[test]
    fn mysql_ignores_spaces_at_the_end() {
        let mysql = Keys { ignores_trailing_spaces: true };
        assert_eq!(mysql.digest(&["a "]), mysql.digest(&["a"]));
        assert_ne!(Keys::default().digest(&["a "]), Keys::default().digest(&["a"]));
        assert_ne!(mysql.digest(&["a", "b"]), mysql.digest(&["ab"]));
    }
}
