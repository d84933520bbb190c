//! What the headers of an answer say about time.

use jiff::{Timestamp, fmt::rfc2822};
use reqwest::header::{DATE, HeaderMap, HeaderName, RETRY_AFTER};
use std::time::Duration;

/// A server that asks for more is asked again after this all the same: plans are made every few minutes.
const RETRY_AFTER_MAX: Duration = Duration::from_secs(300);

/// `Retry-After` in seconds or as a date, seen from `now`.
pub(super) fn retry_after(headers: &HeaderMap, now: Timestamp) -> Option<Duration> {
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    let wait = match text.parse() {
        Ok(seconds) => Duration::from_secs(seconds),
        Err(_) if !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit()) => RETRY_AFTER_MAX,
        Err(_) => Duration::try_from(http_date(text)?.duration_since(now)).unwrap_or_default(),
    };
    Some(wait.min(RETRY_AFTER_MAX))
}

/// The server's clock.
pub(super) fn server_time(headers: &HeaderMap) -> Option<Timestamp> {
    date_of(headers, &DATE)
}

fn date_of(headers: &HeaderMap, name: &HeaderName) -> Option<Timestamp> {
    http_date(headers.get(name)?.to_str().ok()?)
}

/// `Sun, 06 Nov 1994 08:49:37 GMT`, which is RFC 2822 with an old zone name.
fn http_date(text: &str) -> Option<Timestamp> {
    rfc2822::DateTimeParser::new().parse_timestamp(text).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(value: &str) -> Option<u64> {
        let now = "1994-11-06T08:49:00Z".parse().unwrap();
        let headers = HeaderMap::from_iter([(RETRY_AFTER, value.parse().unwrap())]);
        retry_after(&headers, now).map(|d| d.as_secs())
    }

    #[test]
    fn retry_after_is_seconds_or_a_date_and_capped() {
        assert_eq!(after("7"), Some(7));
        assert_eq!(after(" 0 "), Some(0));
        assert_eq!(after("86400"), Some(300));
        assert_eq!(after("99999999999999999999999"), Some(300));
        assert_eq!(after("Sun, 06 Nov 1994 08:49:37 GMT"), Some(37));
        assert_eq!(after("Sun, 06 Nov 1994 08:48:37 GMT"), Some(0), "a date gone by");
        assert_eq!(after("Mon, 06 Nov 1995 08:49:37 GMT"), Some(300));
        assert_eq!((after("soon"), after("-1"), after("")), (None, None, None));
    }
}
