//! How long a call may take, and when it is tried again.

use std::{ops::ControlFlow, time::Duration};

use tokio::time::{Instant, sleep};

use crate::ids::Random;

/// The pause before the first retry; it doubles with each further one.
const FIRST_PAUSE: Duration = Duration::from_millis(200);

/// How much a call may cost: the time in all, retries and pauses included, and the number of retries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Patience {
    /// The time in all.
    pub total: Duration,
    /// The most retries.
    pub retries: u32,
}

impl Patience {
    /// Returns the same with less time, if `limit` is less.
    #[must_use]
    pub fn within(self, limit: Duration) -> Self {
        Self { total: self.total.min(limit), ..self }
    }
}

/// How an attempt ended: for good, or with an outcome that may be better a little later, at the
/// earliest after the time that the provider asks for.
pub(super) type Attempt<T> = ControlFlow<T, (T, Option<Duration>)>;

/// Tries until an attempt ends for good, or patience does. Each attempt gets the time that is left.
pub(super) async fn persist<T, F: Future<Output = Attempt<T>>>(
    patience: Patience,
    random: &dyn Random,
    mut attempt: impl FnMut(Duration) -> F,
) -> T {
    let deadline = Instant::now() + patience.total;
    let left = || deadline.saturating_duration_since(Instant::now());
    let mut retries = 0;
    loop {
        let (outcome, wanted) = match attempt(left()).await {
            ControlFlow::Break(outcome) => return outcome,
            ControlFlow::Continue(outcome) => outcome,
        };
        let pause = pause(retries, wanted, random);
        if retries >= patience.retries || pause >= left() {
            return outcome;
        }
        sleep(pause).await;
        retries += 1;
    }
}

/// Returns how long to wait: twice as long each time, half of it by chance, so that those who were
/// refused together do not come back together; and never less than the provider wants.
fn pause(retries: u32, wanted: Option<Duration>, random: &dyn Random) -> Duration {
    let whole = FIRST_PAUSE * 2_u32.saturating_pow(retries.min(10));
    let half = u64::try_from(whole.as_millis() / 2).unwrap_or_default();
    let backoff = Duration::from_millis(half + random.below(half + 1));
    backoff.max(wanted.unwrap_or_default())
}

/// Reads the header `Retry-After`: seconds, or a date.
pub(super) fn retry_after(header: Option<&str>, now: crate::clock::Millis) -> Option<Duration> {
    let header = header?.trim();
    if let Ok(seconds) = header.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let date = jiff::fmt::rfc2822::parse(header).ok()?.timestamp().as_millisecond();
    Some(Duration::from_millis(u64::try_from(date - now).unwrap_or_default()))
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    /// Draws the largest number.
    struct Largest;

    impl Random for Largest {
        fn below(&self, bound: u64) -> u64 {
            bound.saturating_sub(1)
        }
    }

    /// Draws zero.
    struct Smallest;

    impl Random for Smallest {
        fn below(&self, _: u64) -> u64 {
            0
        }
    }

    #[test]
    fn pauses_double_and_half_of_each_is_chance() {
        let pauses = |random: &dyn Random| [0, 1, 2].map(|retries| pause(retries, None, random).as_millis());
        assert_eq!(pauses(&Smallest), [100, 200, 400]);
        assert_eq!(pauses(&Largest), [200, 400, 800]);
        assert!(pause(u32::MAX, None, &Largest) < Duration::from_mins(5));
    }

    #[test]
    fn the_provider_may_ask_for_a_longer_pause_but_not_for_a_shorter_one() {
        assert_eq!(pause(0, Some(Duration::from_secs(7)), &Largest), Duration::from_secs(7));
        assert_eq!(pause(0, Some(Duration::ZERO), &Smallest), Duration::from_millis(100));
    }

    #[test]
    fn retry_after_is_seconds_or_a_date() {
        let now = 784_111_777_000;
        assert_eq!(retry_after(Some(" 3 "), now), Some(Duration::from_secs(3)));
        let date = retry_after(Some("Sun, 06 Nov 1994 08:49:40 GMT"), now);
        assert_eq!(date, Some(Duration::from_secs(3)));
        assert_eq!(retry_after(Some("Sun, 06 Nov 1994 08:49:30 GMT"), now), Some(Duration::ZERO));
        assert_eq!(retry_after(Some("soon"), now), None);
        assert_eq!(retry_after(None, now), None);
    }

    /// Fails every attempt and returns how many there were.
    async fn attempts(patience: Patience, wanted: Option<Duration>) -> usize {
        let count = Cell::new(0);
        persist(patience, &Smallest, |_| {
            count.set(count.get() + 1);
            async move { Attempt::<()>::Continue(((), wanted)) }
        })
        .await;
        count.get()
    }

    #[tokio::test]
    async fn retries_and_time_are_bounded() {
        let patience = Patience { total: Duration::from_mins(1), retries: 2 };
        assert_eq!(attempts(patience, None).await, 3);
        // A pause that would end after the time allowed is not begun.
        assert_eq!(attempts(patience.within(Duration::from_millis(150)), None).await, 2);
        assert_eq!(attempts(patience, Some(Duration::from_mins(2))).await, 1);
        assert_eq!(attempts(patience.within(Duration::ZERO), None).await, 1);
    }
}
