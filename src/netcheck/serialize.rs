//! How values stand in the JSON of a report.

use serde::Serializer;
use std::time::Duration;

/// Milliseconds, with three digits after the point.
pub(super) fn milliseconds<S: Serializer>(duration: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_f64((duration.as_secs_f64() * 1e6).round() / 1e3)
}

/// Text, with every byte that is not printable ASCII as `\xNN`.
pub(super) fn printable<S: Serializer>(bytes: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(&bytes.escape_ascii())
}
