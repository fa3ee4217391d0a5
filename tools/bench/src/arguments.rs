//! Reads the options of a command line.

use std::str::FromStr;

/// The options that have not been asked for yet.
pub struct Arguments(Vec<String>);

impl Arguments {
    /// Takes everything behind the command.
    pub fn new(arguments: Vec<String>) -> Self {
        Self(arguments)
    }

    /// Returns the value behind an option, if it is there.
    ///
    /// # Errors
    /// The value is missing or cannot be read.
    pub fn value<T: FromStr>(&mut self, name: &str) -> Result<Option<T>, String> {
        let Some(at) = self.0.iter().position(|argument| argument == name) else { return Ok(None) };
        self.0.remove(at);
        if at == self.0.len() {
            return Err(format!("{name} needs a value"));
        }
        let value = self.0.remove(at);
        value.parse().map(Some).map_err(|_| format!("{name} cannot be {value}"))
    }

    /// As [`Arguments::value`], for a number from 1.
    ///
    /// # Errors
    /// The value is missing or no such number.
    pub fn count(&mut self, name: &str, default: usize) -> Result<usize, String> {
        match self.value(name)? {
            Some(0) => Err(format!("{name} cannot be 0")),
            count => Ok(count.unwrap_or(default)),
        }
    }

    /// Reports whether an option without a value is there.
    pub fn flag(&mut self, name: &str) -> bool {
        let before = self.0.len();
        self.0.retain(|argument| argument != name);
        self.0.len() < before
    }

    /// Checks that nothing is left.
    ///
    /// # Errors
    /// An option is left that nobody has asked for.
    pub fn finish(self) -> Result<(), String> {
        match self.0.first() {
            None => Ok(()),
            Some(unknown) => Err(format!("unknown option {unknown}; see bench --help")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn arguments(list: &[&str]) -> Arguments {
        Arguments::new(list.iter().map(|argument| (*argument).to_owned()).collect())
    }

    #[test]
    fn options_come_in_any_order_and_what_is_left_is_an_error() {
        let mut given = arguments(&["--explain", "--runs", "7"]);
        assert_eq!(given.count("--runs", 50), Ok(7));
        assert_eq!(given.count("--rows", 9), Ok(9));
        assert!(given.flag("--explain") && !given.flag("--explain"));
        assert_eq!(given.finish(), Ok(()));
        assert!(arguments(&["--more"]).finish().is_err());
    }

    #[test]
    fn numbers_must_be_numbers_from_1() {
        for list in [&["--runs"][..], &["--runs", "many"], &["--runs", "0"]] {
            assert!(arguments(list).count("--runs", 50).is_err(), "{list:?}");
        }
    }
}
