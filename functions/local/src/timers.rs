//! The schedules of the functions that nobody calls, as timers of this process.
//!
//! A timer goes off at round times of the configured zone and hands its work the time at which it should have
//! gone off, as EventBridge Scheduler does. The next run begins when the one before has ended.

use std::{sync::Arc, time::Duration};

use jiff::{
    SignedDuration, Timestamp, ToSpan, Zoned,
    civil::DateTime,
    tz::{AmbiguousOffset, TimeZone},
};
use shared::clock::{Clock, Millis};

/// How long a timer sleeps at most before it looks at the clock again, which may have been set, or have gone on
/// while the machine slept.
const MAX_SLEEP: Duration = Duration::from_secs(20);

/// How often a timer goes off.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Every {
    /// At each full minute.
    Minute,
    /// At minute 0 of each local hour; twice in an hour that comes twice.
    Hour,
    /// Once a day at minute 0 of a local hour, or as soon after as the day has it.
    Day {
        /// The hour, 0 to 23.
        hour: i8,
    },
}

impl Every {
    /// Returns the first time after another one; `None` beyond the end of the calendar.
    #[must_use]
    pub fn after(self, time: Millis, zone: &TimeZone) -> Option<Millis> {
        let after = Timestamp::from_millisecond(time).ok()?.to_zoned(zone.clone());
        let first = match self {
            Self::Minute => return (time.div_euclid(60_000) + 1).checked_mul(60_000),
            Self::Hour => first_of(hours(&after), &after, |hour| both(hour, zone)),
            Self::Day { hour } => first_of(days(&after, hour), &after, |day| {
                day.to_zoned(zone.clone()).map(|day| day.timestamp()).into_iter().collect()
            }),
        };
        first.map(Timestamp::as_millisecond)
    }

    /// Returns how old a run may be that is made up for, when the process or the machine was late by more than
    /// one: pushes of an hour are worth sending later, the others do the same work again.
    fn memory(self) -> SignedDuration {
        match self {
            Self::Minute | Self::Day { .. } => SignedDuration::ZERO,
            Self::Hour => SignedDuration::from_hours(24),
        }
    }
}

/// Returns this local hour and those after it.
fn hours(now: &Zoned) -> impl Iterator<Item = DateTime> {
    let this = now.date().at(now.hour(), 0, 0, 0);
    std::iter::successors(Some(this), |hour| hour.checked_add(1.hour()).ok())
}

/// Returns an hour of this local day and of those after it.
fn days(now: &Zoned, hour: i8) -> impl Iterator<Item = DateTime> {
    let today = now.date().at(hour.clamp(0, 23), 0, 0, 0);
    std::iter::successors(Some(today), |day| day.checked_add(1.day()).ok())
}

/// Returns the times of a local time, in order: none where clocks jump over it, two where they are set back.
fn both(local: DateTime, zone: &TimeZone) -> Vec<Timestamp> {
    let found = zone.to_ambiguous_zoned(local);
    if matches!(found.offset(), AmbiguousOffset::Gap { .. }) {
        return Vec::new();
    }
    let times = [found.clone().earlier(), found.later()];
    times.into_iter().flatten().map(|time| time.timestamp()).collect()
}

fn first_of(
    locals: impl Iterator<Item = DateTime>,
    after: &Zoned,
    times: impl Fn(DateTime) -> Vec<Timestamp>,
) -> Option<Timestamp> {
    locals.flat_map(times).find(|time| *time > after.timestamp())
}

/// Does work whenever a timer goes off after `since`; never ends.
pub async fn run<F: Future<Output = ()>>(
    every: Every,
    zone: TimeZone,
    clock: Arc<dyn Clock>,
    since: Millis,
    mut work: impl FnMut(Millis) -> F,
) {
    let mut last = since;
    while let Some(next) = every.after(last, &zone) {
        while clock.now() < next {
            let left = u64::try_from(next - clock.now()).unwrap_or_default();
            tokio::time::sleep(Duration::from_millis(left).min(MAX_SLEEP)).await;
        }
        work(next).await;
        let forgotten = SignedDuration::from_millis(clock.now()).saturating_sub(every.memory()).as_millis();
        last = next.max(Millis::try_from(forgotten).unwrap_or(next));
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use shared::clock::ManualClock;

    use super::*;

    /// Returns the next `count` local times of a timer.
    fn next(every: Every, zone: &str, after: &str, count: usize) -> Vec<String> {
        let zone = TimeZone::get(zone).unwrap();
        let after: Timestamp = after.parse().unwrap();
        let times = std::iter::successors(Some(after.as_millisecond()), |time| every.after(*time, &zone));
        let local = |time| Timestamp::from_millisecond(time).unwrap().to_zoned(zone.clone());
        times.skip(1).take(count).map(|time| local(time).strftime("%m-%dT%H:%M%:z").to_string()).collect()
    }

    #[test]
    fn minutes_hours_and_days_are_those_of_the_zone() {
        let kathmandu = "Asia/Kathmandu";
        assert_eq!(
            next(Every::Minute, kathmandu, "2026-03-05T08:00:59.999Z", 2),
            ["03-05T13:46+05:45", "03-05T13:47+05:45"]
        );
        assert_eq!(
            next(Every::Hour, kathmandu, "2026-03-05T08:15:00Z", 2),
            ["03-05T15:00+05:45", "03-05T16:00+05:45"]
        );
        let day = Every::Day { hour: 2 };
        assert_eq!(next(day, kathmandu, "2028-02-28T20:15:00Z", 2), ["03-01T02:00+05:45", "03-02T02:00+05:45"]);
    }

    #[test]
    fn an_hour_that_is_skipped_is_none_and_one_that_comes_twice_is_two() {
        let berlin = "Europe/Berlin";
        let spring = next(Every::Hour, berlin, "2026-03-29T00:00:00Z", 2);
        assert_eq!(spring, ["03-29T03:00+02:00", "03-29T04:00+02:00"]);
        let autumn = next(Every::Hour, berlin, "2026-10-24T23:59:00Z", 3);
        assert_eq!(autumn, ["10-25T02:00+02:00", "10-25T02:00+01:00", "10-25T03:00+01:00"]);
    }

    #[test]
    fn a_day_comes_once_also_when_its_hour_comes_twice_or_not_at_all() {
        let day = Every::Day { hour: 2 };
        let spring = next(day, "Europe/Berlin", "2026-03-28T12:00:00Z", 2);
        assert_eq!(spring, ["03-29T03:00+02:00", "03-30T02:00+02:00"]);
        let autumn = next(day, "Europe/Berlin", "2026-10-24T12:00:00Z", 2);
        assert_eq!(autumn, ["10-25T02:00+02:00", "10-26T02:00+01:00"]);
    }

    /// Returns the times that are handed to the work until the clock stands at `until`; each run takes `takes`.
    async fn handed(every: Every, since: Millis, until: Millis, takes: Millis) -> Vec<Millis> {
        let clock = Arc::new(ManualClock::at(until));
        let seen = Arc::new(Mutex::new(Vec::new()));
        let work = |time| {
            seen.lock().unwrap().push(time);
            clock.set(clock.now() + takes);
            std::future::ready(())
        };
        let timer = run(every, TimeZone::UTC, clock.clone(), since, work);
        futures::future::select(Box::pin(timer), Box::pin(tokio::task::yield_now())).await;
        seen.lock().unwrap().clone()
    }

    #[tokio::test]
    async fn missed_hours_are_made_up_for_and_missed_minutes_are_not() {
        const HOUR: Millis = 3_600_000;
        assert_eq!(handed(Every::Hour, HOUR / 2, 3 * HOUR + 1, 0).await, [HOUR, 2 * HOUR, 3 * HOUR]);
        let of_a_day = handed(Every::Hour, 0, 100 * HOUR + 1, 0).await;
        assert_eq!((of_a_day.len(), of_a_day[1]), (25, 77 * HOUR));
        assert_eq!(handed(Every::Minute, 0, 10 * 60_000 + 1, 0).await, [60_000]);
        // Work that takes longer than a minute is not begun twice.
        assert_eq!(handed(Every::Minute, 0, 60_000, 150_000).await, [60_000]);
    }
}
