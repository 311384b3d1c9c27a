//! Integers as C writes them.

/// Reads an integer literal as C does: sign, decimal, `0x`, `0b` and octal by a leading 0, with `u` and `l` suffixes.
///
/// `None` when the text is anything else. A number too large for 128 bits is given as the largest one: every range
/// that it could be held against ends long before.
pub(crate) fn parse(text: &str) -> Option<i128> {
    let text = text.trim();
    let (negative, digits) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    let digits = digits.to_ascii_lowercase();
    let (radix, digits) = if let Some(rest) = digits.strip_prefix("0x") {
        (16, rest)
    } else if let Some(rest) = digits.strip_prefix("0b") {
        (2, rest)
    } else if digits.len() > 1 && digits.starts_with('0') && digits.as_bytes()[1].is_ascii_digit() {
        (8, &digits[1..])
    } else {
        (10, digits.as_str())
    };
    let end = digits.find(['u', 'l']).unwrap_or(digits.len());
    let (digits, suffix) = digits.split_at(end);
    if !matches!(suffix, "" | "u" | "l" | "ul" | "lu" | "ll" | "ull" | "llu") {
        return None;
    }
    if digits.is_empty() || !digits.chars().all(|digit| digit.is_digit(radix)) {
        return None;
    }
    let value = i128::from_str_radix(digits, radix).unwrap_or(i128::MAX);
    Some(if negative { -value } else { value })
}

#[cfg(test)]
mod tests {
    use super::parse;

    #[test]
    fn reads_what_c_reads() {
        for (text, value) in [
            ("540", 540),
            (" 540 ", 540),
            ("0x21c", 540),
            ("0X21CU", 540),
            ("01034", 540),
            ("540ul", 540),
            ("0", 0),
            ("0u", 0),
            ("-1", -1),
            ("+7", 7),
            ("0b101", 5),
        ] {
            assert_eq!(parse(text), Some(value), "{text}");
        }
    }

    #[test]
    fn refuses_what_is_no_integer() {
        for text in ["", "-", "abc", "1.5", "5e2", "0x", "09", "5 4", "540ulu", "--1", "(540)", "५४०", "u", "- 1"]
        {
            assert_eq!(parse(text), None, "{text}");
        }
    }

    #[test]
    fn keeps_the_sign_of_what_is_too_large() {
        assert_eq!(parse(&"9".repeat(100)), Some(i128::MAX));
        assert_eq!(parse(&format!("-{}", "9".repeat(100))), Some(-i128::MAX));
    }
}
