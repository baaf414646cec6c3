//! Values with units, as operators write them: `"20ms"`, `"50/s"`, `"30000-39999"`.

use std::time::Duration;

/// A duration: a whole number with `ms`, `s`, `m`, `h` or `d`.
pub fn duration(text: &str) -> Option<Duration> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let number: u64 = text[..digits].parse().ok()?;
    let millis = match text[digits..].trim() {
        "ms" => 1,
        "s" => 1000,
        "m" => 60_000,
        "h" => 3_600_000,
        "d" => 86_400_000,
        _ => return None,
    };
    number.checked_mul(millis).map(Duration::from_millis)
}

/// A duration as this file's unit spells it, for messages.
pub fn spell(duration: Duration) -> String {
    let ms = duration.as_millis();
    match ms {
        0 => "0s".into(),
        _ if ms.is_multiple_of(86_400_000) => format!("{}d", ms / 86_400_000),
        _ if ms.is_multiple_of(3_600_000) => format!("{}h", ms / 3_600_000),
        _ if ms.is_multiple_of(60_000) => format!("{}m", ms / 60_000),
        _ if ms.is_multiple_of(1000) => format!("{}s", ms / 1000),
        _ => format!("{ms}ms"),
    }
}

/// A rate a second: `50/s`, `120/m`, `0.5/s`.
pub fn rate(text: &str) -> Option<f64> {
    let (number, unit) = text.split_once('/')?;
    let number: f64 = number.trim().parse().ok().filter(|n: &f64| n.is_finite() && *n >= 0.0)?;
    match unit.trim() {
        "s" => Some(number),
        "m" => Some(number / 60.0),
        "h" => Some(number / 3600.0),
        _ => None,
    }
}

/// A range of ports: `30000-39999`, the first below the last.
pub fn ports(text: &str) -> Option<(u16, u16)> {
    let (first, last) = text.split_once('-')?;
    let (first, last): (u16, u16) = (first.trim().parse().ok()?, last.trim().parse().ok()?);
    (first > 0 && first < last).then_some((first, last))
}

/// A DSCP value by name (RFC 4594, RFC 2597) or number 0 to 63.
pub fn dscp(text: &str) -> Option<u8> {
    let name = text.to_ascii_uppercase();
    match name.as_str() {
        "EF" => Some(46),
        "BE" => Some(0),
        _ => match name.strip_prefix("CS").or_else(|| name.strip_prefix("AF")) {
            Some(n) if name.starts_with("CS") => n.parse::<u8>().ok().filter(|n| *n < 8).map(|n| n * 8),
            Some(n) if n.len() == 2 => {
                let (class, drop) = (n.as_bytes()[0].wrapping_sub(b'0'), n.as_bytes()[1].wrapping_sub(b'0'));
                ((1..=4).contains(&class) && (1..=3).contains(&drop)).then_some(class * 8 + drop * 2)
            }
            _ => name.parse::<u8>().ok().filter(|n| *n < 64),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_need_a_unit() {
        assert_eq!(duration("20ms"), Some(Duration::from_millis(20)));
        assert_eq!(duration("2 m"), Some(Duration::from_secs(120)));
        assert_eq!((duration("20"), duration("-1s"), duration("s"), duration("")), (None, None, None, None));
        assert_eq!(duration("18446744073709551615d"), None);
        assert_eq!(spell(Duration::from_secs(90)), "90s");
        assert_eq!(spell(Duration::from_secs(7200)), "2h");
    }

    #[test]
    fn rates_ports_and_classes() {
        assert_eq!((rate("50/s"), rate("120/m"), rate("50"), rate("inf/s")), (Some(50.0), Some(2.0), None, None));
        assert_eq!((ports("30000-39999"), ports("5-4"), ports("1")), (Some((30_000, 39_999)), None, None));
        assert_eq!((dscp("EF"), dscp("af41"), dscp("cs3"), dscp("99")), (Some(46), Some(34), Some(24), None));
    }
}
