//! The time that a question may take (`contract/explore.md`, E13).

use std::time::Duration;

use shared::{
    clients::Patience,
    clock::{Clock, Millis},
};

/// All of it. The clients give up after 30 seconds, the gateway little earlier.
pub const TOTAL: Duration = Duration::from_secs(25);

/// What is left when the last call has used up its time.
const MARGIN: Duration = Duration::from_millis(500);

/// A call that has less time is not worth its price.
const LEAST: Duration = Duration::from_secs(1);

/// A call of a model.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// What is thought about the notes before the answer. It may take long only when the answer still can.
    Study,
    /// The answer.
    Answer,
    /// What could be asked next.
    FollowUps,
}

impl Step {
    /// Returns the most that a step may take, and what it must leave for those after it.
    fn bounds(self) -> (Duration, Duration) {
        match self {
            Self::Study => (Duration::from_secs(10), Duration::from_secs(10)),
            Self::Answer => (TOTAL, MARGIN),
            Self::FollowUps => (Duration::from_secs(5), MARGIN),
        }
    }
}

/// The time of one question.
pub struct Budget<'a> {
    clock: &'a dyn Clock,
    end: Millis,
}

impl<'a> Budget<'a> {
    /// Begins now.
    pub fn start(clock: &'a dyn Clock) -> Self {
        let total = Millis::try_from(TOTAL.as_millis()).unwrap_or(Millis::MAX);
        Self { clock, end: clock.now() + total }
    }

    /// Returns how much a step may cost that begins now; nothing when it must be left out.
    pub fn patience(&self, step: Step) -> Option<Patience> {
        let left = Duration::from_millis(u64::try_from(self.end - self.clock.now()).unwrap_or_default());
        let (most, kept) = step.bounds();
        let total = most.min(left.saturating_sub(kept));
        (total >= LEAST).then_some(Patience { total, retries: 2 })
    }
}

#[cfg(test)]
mod tests {
    use shared::clock::ManualClock;

    use super::*;
    use crate::ranking;

    /// Lets every step take all the time that it is given, and returns how much that is.
    fn spend(clock: &ManualClock, budget: &Budget<'_>, step: Step) -> Option<Duration> {
        let time = budget.patience(step)?.total;
        pass(clock, time);
        Some(time)
    }

    fn pass(clock: &ManualClock, time: Duration) {
        clock.set(clock.now() + Millis::try_from(time.as_millis()).unwrap());
    }

    #[test]
    fn everything_together_ends_within_the_total_and_an_answer_is_always_tried() {
        for ranked in [Duration::ZERO, Duration::from_secs(3), ranking::LIMIT] {
            let clock = ManualClock::at(1_000_000);
            let budget = Budget::start(&clock);
            pass(&clock, ranked);
            let study = spend(&clock, &budget, Step::Study).unwrap();
            let answer = spend(&clock, &budget, Step::Answer).unwrap();
            assert!(study >= Duration::from_secs(5) && answer >= Duration::from_secs(9), "{study:?} {answer:?}");
            assert_eq!(spend(&clock, &budget, Step::FollowUps), None);
            assert!(clock.now() - 1_000_000 <= i64::try_from(TOTAL.as_millis()).unwrap());
        }
    }

    #[test]
    fn what_is_short_of_time_is_left_out_the_answer_last() {
        let clock = ManualClock::at(0);
        let budget = Budget::start(&clock);
        let after = |seconds: i64| {
            clock.set(seconds * 1000);
            [Step::Study, Step::Answer, Step::FollowUps].map(|step| budget.patience(step).is_some())
        };
        assert_eq!(after(0), [true, true, true]);
        assert_eq!(after(15), [false, true, true]);
        assert_eq!(after(24), [false, false, false]);
        assert_eq!(after(1000), [false, false, false]);
    }
}
