//! How times are written.

use jiff::Timestamp;

use super::Micros;

/// RFC 3339 in UTC with `Z`, whole seconds.
pub fn timestamp(at: Micros) -> String {
    let second = at.div_euclid(1_000_000);
    Timestamp::from_second(second).map_or_else(|_| format!("@{second}"), |time| time.to_string())
}

/// `2024-02-27T11:00:00`: UTC, whole seconds, and no zone, as document 004 has it.
pub fn timestamp_bare(at: Micros) -> String {
    timestamp(at).trim_end_matches('Z').to_owned()
}

/// RFC 3339 in UTC with `Z`, milliseconds.
pub fn timestamp_ms(at: Micros) -> String {
    let ms = at.div_euclid(1_000);
    let time = Timestamp::from_millisecond(ms);
    time.map_or_else(|_| format!("@{ms}"), |time| format!("{time:.3}"))
}

/// RFC 3339 in UTC with `Z`, with as many digits of the second as it takes.
pub fn timestamp_exact(at: Micros) -> String {
    Timestamp::from_microsecond(at).map_or_else(|_| timestamp(at), |time| time.to_string())
}

#[cfg(test)]
mod tests {
    #[test]
    fn times_may_be_exact() {
        assert_eq!(super::timestamp_exact(1_672_531_200_000_000), "2023-01-01T00:00:00Z");
        assert_eq!(super::timestamp_exact(1_672_531_200_250_000), "2023-01-01T00:00:00.25Z");
        assert_eq!(super::timestamp_exact(1_672_531_200_000_001), "2023-01-01T00:00:00.000001Z");
    }

    #[test]
    fn times_may_have_milliseconds() {
        assert_eq!(super::timestamp_ms(1_672_531_200_000_999), "2023-01-01T00:00:00.000Z");
        assert_eq!(super::timestamp_ms(1_672_531_200_123_456), "2023-01-01T00:00:00.123Z");
        assert_eq!(super::timestamp_ms(-1), "1969-12-31T23:59:59.999Z");
    }

    #[test]
    fn times_are_whole_seconds_in_utc() {
        assert_eq!(super::timestamp(1_672_531_200_000_000), "2023-01-01T00:00:00Z");
        assert_eq!(super::timestamp(1_672_531_200_999_999), "2023-01-01T00:00:00Z");
        assert_eq!(super::timestamp(-1), "1969-12-31T23:59:59Z");
        assert_eq!(super::timestamp_bare(1_672_531_200_999_999), "2023-01-01T00:00:00");
    }
}
