//! From the calendar fields of a certificate to seconds.

use crate::raw;

/// Seconds since 1970-01-01T00:00:00Z.
pub(crate) fn unix_seconds(time: &raw::mbedtls_x509_time) -> i64 {
    let (year, month, day) = (i64::from(time.year), i64::from(time.mon), i64::from(time.day));
    // Years that begin in March put the leap day last, so the days of a month follow one formula.
    let (year, month) = if month <= 2 { (year - 1, month + 9) } else { (year, month - 3) };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let day_of_year = (153 * month + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    let days = era * 146_097 + day_of_era - 719_468;
    ((days * 24 + i64::from(time.hour)) * 60 + i64::from(time.min)) * 60 + i64::from(time.sec)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(year: i32, mon: i32, day: i32, hour: i32, min: i32, sec: i32) -> i64 {
        unix_seconds(&raw::mbedtls_x509_time { year, mon, day, hour, min, sec })
    }

    #[test]
    fn known_dates() {
        assert_eq!(at(1970, 1, 1, 0, 0, 0), 0);
        assert_eq!(at(2000, 2, 29, 12, 0, 0), 951_825_600);
        assert_eq!(at(2000, 3, 1, 0, 0, 0), 951_868_800);
        assert_eq!(at(2038, 1, 19, 3, 14, 8), 2_147_483_648);
        assert_eq!(at(9999, 12, 31, 23, 59, 59), 253_402_300_799);
        assert_eq!(at(1950, 1, 1, 0, 0, 0), -631_152_000);
    }
}
