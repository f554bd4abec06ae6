//! Moments: as files keep them (UTC, RFC 3339), as names have them, and as a person reads them.

use std::fmt;

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A moment, to the nanosecond.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Moment(Timestamp);

impl Moment {
    /// The realtime clock's, which may jump.
    pub fn now() -> Moment {
        Moment(Timestamp::now())
    }

    /// Nanoseconds since 1970.
    pub fn of_ns(ns: u64) -> Moment {
        Moment(Timestamp::from_nanosecond(ns.into()).unwrap_or(Timestamp::MAX))
    }

    /// Nanoseconds since 1970; a moment before has 0.
    pub fn ns(self) -> u64 {
        u64::try_from(self.0.as_nanosecond()).unwrap_or(0)
    }

    /// So many seconds later, or the last moment that there is.
    pub fn after(self, seconds: u64) -> Moment {
        let duration = SignedDuration::from_secs(i64::try_from(seconds).unwrap_or(i64::MAX));
        Moment(self.0.checked_add(duration).unwrap_or(Timestamp::MAX))
    }

    /// Whole seconds from this moment to a later one; negative to an earlier one.
    pub fn seconds_to(self, later: Moment) -> i64 {
        later.0.duration_since(self.0).as_secs()
    }

    /// `YYYYMMDD-HHMMSS` in UTC: what a report's name has.
    pub fn stamp(self) -> String {
        self.0.strftime("%Y%m%d-%H%M%S").to_string()
    }

    /// `YYYY-MM-DD HH:MM:SS` where this machine is.
    pub fn local(self) -> String {
        self.0.to_zoned(TimeZone::system()).strftime("%Y-%m-%d %H:%M:%S").to_string()
    }

    /// What a person writes: RFC 3339, a date or a date and time where this machine is, or how long ago (`90s`, `15m`, `2h`, `3d`).
    ///
    /// # Errors
    /// A sentence that says what would be understood.
    pub fn parse(text: &str, now: Moment) -> Result<Moment, String> {
        let ago = || {
            let split = text.len().checked_sub(1)?;
            let number: i64 = text.get(..split)?.parse().ok()?;
            let seconds = match text.get(split..)? {
                "s" => 1,
                "m" => 60,
                "h" => 3600,
                "d" => 86_400,
                _ => return None,
            };
            now.0.checked_sub(SignedDuration::from_secs(number.checked_mul(seconds)?)).ok().map(Moment)
        };
        let written = || {
            let civil = text.parse::<jiff::civil::DateTime>().ok()?;
            civil.to_zoned(TimeZone::system()).ok().map(|zoned| Moment(zoned.timestamp()))
        };
        let exact = text.parse::<Timestamp>().ok().map(Moment);
        exact.or_else(ago).or_else(written).ok_or_else(|| {
            format!(
                "'{}' is no time: 2026-11-22, 2026-11-22T15:30:12, 2026-11-22T15:30:12Z, 90s, 15m, 2h and 3d (ago) are",
                text.escape_debug()
            )
        })
    }
}

impl fmt::Display for Moment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:.9}", self.0)
    }
}

impl Serialize for Moment {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Moment {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Moment, D::Error> {
        let text = std::borrow::Cow::<str>::deserialize(deserializer)?;
        text.parse().map(Moment).map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_is_written_in_utc_and_read_back() {
        let moment = Moment::of_ns(1_795_361_412_123_456_000);
        assert_eq!(
            (moment.to_string().as_str(), moment.stamp().as_str()),
            ("2026-11-22T15:30:12.123456000Z", "20261122-153012")
        );
        assert_eq!(Moment::parse(&moment.to_string(), moment), Ok(moment));
        assert_eq!(Moment::parse("2h", moment).map(|then| then.seconds_to(moment)), Ok(7200));
        assert!(Moment::parse("yesterday", moment).is_err_and(|why| why.contains("3d (ago)")));
        assert!(Moment::parse("99999999999999999d", moment).is_err());
        assert_eq!(moment.after(u64::MAX), Moment(Timestamp::MAX));
    }
}
