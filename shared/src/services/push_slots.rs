//! The hours of the schedule (`contract/push-rules-scheduler.md`, required serverless design, points 1 and 9).

use std::{fmt, str::FromStr};

use jiff::{
    ToSpan,
    civil::{Date, DateTime},
    tz::{AmbiguousOffset, TimeZone},
};

use super::insights::timestamp;
use crate::clock::Millis;

/// An hour of a local day, which pushes its rules once, also when the hour comes twice. Written
/// `2026-03-05T08`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Slot(DateTime);

impl Slot {
    /// Returns the slot of a time in a zone.
    #[must_use]
    pub fn at(time: Millis, zone: &TimeZone) -> Self {
        let local = zone.to_datetime(timestamp(time));
        Self(local.date().at(local.hour(), 0, 0, 0))
    }

    /// Returns the local day.
    #[must_use]
    pub fn day(self) -> Date {
        self.0.date()
    }

    /// Returns the local hour.
    #[must_use]
    pub fn hour(self) -> i32 {
        i32::from(self.0.hour())
    }

    /// Returns when the slot begins, the first time; one that clocks jump over begins where they land.
    #[must_use]
    pub fn start(self, zone: &TimeZone) -> Millis {
        // Only the ends of the calendar have no time in a zone.
        zone.to_timestamp(self.0).unwrap_or_default().as_millisecond()
    }

    /// Returns when the local day begins and ends.
    #[must_use]
    pub fn bounds_of_day(self, zone: &TimeZone) -> (Millis, Millis) {
        let start = |day: Date| Self(day.at(0, 0, 0, 0)).start(zone);
        (start(self.day()), self.day().tomorrow().map_or(Millis::MAX, start))
    }

    /// Returns the slots just before this one that have no minute 0, because clocks jump over it, oldest first.
    /// A whole day that a zone leaves out is not among them: nobody lives through it.
    #[must_use]
    pub fn skipped_before(self, zone: &TimeZone) -> Vec<Self> {
        let before = std::iter::successors(Some(self.0), |slot| slot.checked_sub(1.hour()).ok()).skip(1);
        let is_skipped =
            |slot: &DateTime| matches!(zone.to_ambiguous_timestamp(*slot).offset(), AmbiguousOffset::Gap { .. });
        let exists = |slot: &DateTime| {
            let (start, _) = Self(*slot).bounds_of_day(zone);
            Self::at(start, zone).day() == slot.date()
        };
        let mut skipped: Vec<Self> = before.take_while(is_skipped).filter(exists).map(Self).collect();
        skipped.reverse();
        skipped
    }
}

impl fmt::Display for Slot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}T{:02}", self.0.date(), self.0.hour())
    }
}

/// A text is not a date and an hour.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a slot is a local date and hour, such as 2026-03-05T08")]
pub struct NoSlot;

impl FromStr for Slot {
    type Err = NoSlot;

    fn from_str(text: &str) -> Result<Self, NoSlot> {
        let (date, hour) = text.split_once('T').ok_or(NoSlot)?;
        let (date, hour) = date.parse::<Date>().ok().zip(hour.parse().ok()).ok_or(NoSlot)?;
        let slot =
            DateTime::new(date.year(), date.month(), date.day(), hour, 0, 0, 0).map(Self).map_err(|_| NoSlot)?;
        // One way of writing, so that nothing is pushed under two keys.
        if slot.to_string() == text { Ok(slot) } else { Err(NoSlot) }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, HashSet};

    use jiff::Timestamp;

    use super::*;

    const ZONES: [&str; 14] = [
        "Asia/Shanghai",
        "Asia/Kathmandu",
        "Asia/Kolkata",
        "Europe/Berlin",
        "Europe/London",
        "America/New_York",
        "America/Sao_Paulo",
        "America/St_Johns",
        "Africa/Cairo",
        "Asia/Beirut",
        "Australia/Lord_Howe",
        "Pacific/Chatham",
        "Pacific/Apia",
        "UTC",
    ];

    const HOUR: Millis = 3_600_000;

    fn time(text: &str) -> Millis {
        text.parse::<Timestamp>().unwrap().as_millisecond()
    }

    /// Returns what each run of ten years delivers that is due at a minute 0 of the zone.
    fn runs(zone: &TimeZone, from: Millis, to: Millis) -> Vec<Vec<Slot>> {
        // No zone has had an offset that is not a multiple of a quarter of an hour for fifty years.
        let quarters = (from..to).step_by(900_000);
        let due = quarters.filter(|time| zone.to_datetime(timestamp(*time)).minute() == 0);
        let slots = due.map(|time| Slot::at(time, zone));
        slots.map(|slot| [slot.skipped_before(zone), vec![slot]].concat()).collect()
    }

    /// Every hour of every local day that exists is delivered once in ten years, in every zone; what comes twice
    /// is only the hour that comes twice, which the ledger knows by its key.
    #[test]
    fn in_ten_years_no_hour_of_a_day_is_missed() {
        let (from, to) = (time("2010-01-01T00:00:00Z"), time("2020-01-01T00:00:00Z"));
        for name in ZONES {
            let zone = TimeZone::get(name).unwrap();
            let mut delivered: BTreeMap<Slot, u32> = BTreeMap::new();
            for slot in runs(&zone, from, to).concat() {
                *delivered.entry(slot).or_default() += 1;
            }
            let first = Slot::at(from, &zone).day().tomorrow().unwrap();
            let last = Slot::at(to, &zone).day().yesterday().unwrap();
            let days = first.series(1.day()).take_while(|day| *day <= last);
            let lived: HashSet<Date> =
                (from..to).step_by(900_000).map(|time| Slot::at(time, &zone).day()).collect();
            let mut missing = 0;
            for day in days {
                let hours = (0..24).filter(|hour| delivered.contains_key(&Slot(day.at(*hour, 0, 0, 0)))).count();
                assert_eq!(hours, if lived.contains(&day) { 24 } else { 0 }, "{name} {day}");
                missing += usize::from(hours == 0);
            }
            assert_eq!(missing, usize::from(name == "Pacific/Apia"), "{name}: the day that Samoa left out");
            for (slot, times) in delivered {
                let comes_twice =
                    matches!(zone.to_ambiguous_timestamp(slot.0).offset(), AmbiguousOffset::Fold { .. });
                assert_eq!(times, 1 + u32::from(comes_twice), "{name} {slot}");
            }
        }
    }

    #[test]
    fn the_day_of_a_slot_is_as_long_as_the_zone_makes_it() {
        for (zone, slot, hours) in [
            ("Asia/Shanghai", "2026-03-05T08", 24),
            ("Europe/Berlin", "2026-03-29T02", 23),
            ("Europe/Berlin", "2026-10-25T02", 25),
            // Midnight does not exist.
            ("America/Sao_Paulo", "2018-11-04T00", 23),
        ] {
            let (start, end) = slot.parse::<Slot>().unwrap().bounds_of_day(&TimeZone::get(zone).unwrap());
            assert_eq!((end - start) / HOUR, hours, "{zone} {slot}");
        }
    }

    #[test]
    fn a_time_belongs_to_the_hour_of_the_zone() {
        let slot = |zone, text| Slot::at(time(text), &TimeZone::get(zone).unwrap()).to_string();
        assert_eq!(slot("Asia/Kathmandu", "2028-02-28T18:15:00Z"), "2028-02-29T00");
        assert_eq!(slot("Asia/Kathmandu", "2028-02-29T17:15:00Z"), "2028-02-29T23");
        assert_eq!(slot("Asia/Shanghai", "2026-03-05T00:59:59.999Z"), "2026-03-05T08");
    }

    #[test]
    fn a_slot_is_written_in_one_way() {
        assert_eq!("2026-03-05T08".parse::<Slot>().unwrap().hour(), 8);
        for text in [
            "2026-03-05T8",
            "2026-03-05T24",
            "2026-02-29T01",
            "2026-03-05",
            "20260305T08",
            "2026-03-05T08:00",
            "",
            "T",
        ] {
            assert_eq!(text.parse::<Slot>(), Err(NoSlot), "{text}");
        }
    }
}
