//! Telephone numbers: from what is dialled to E.164 and back.
//!
//! E.164 numbers are a country code and a national number, at most 15 digits,
//! written with a plus sign (RFC 3966 §5.1.4 global numbers). What a caller
//! dials depends on where he stands: `00` or `011` for abroad, `0` or `1` for
//! another area. Short and emergency numbers are none and stay as they are.

use std::fmt;

use serde::Serialize;

/// A number in E.164: 3 to 15 digits, the first of which is not 0.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct E164(String);

impl E164 {
    /// Reads `+493012345` with the visual separators of RFC 3966 §5.1.1
    /// (`-`, `.`, `(`, `)`) and blanks.
    pub fn parse(text: &str) -> Option<Self> {
        let digits = bare(text)?;
        Self::from_digits(digits.strip_prefix('+')?)
    }

    /// The digits without the plus sign.
    pub fn digits(&self) -> &str {
        &self.0
    }

    fn from_digits(digits: &str) -> Option<Self> {
        let fits = (3..=15).contains(&digits.len()) && !digits.starts_with('0');
        (fits && digits.bytes().all(|b| b.is_ascii_digit())).then(|| Self(digits.to_owned()))
    }
}

/// `+493012345`.
impl fmt::Display for E164 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "+{}", self.0)
    }
}

/// How numbers are dialled in a place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dialling {
    country: String,
    international: String,
    national: String,
}

impl Dialling {
    /// A place by its country code (`49`), its prefix for calls abroad (`00`)
    /// and for calls inside the country (`0`; empty where there is none).
    ///
    /// `None` unless all are digits, the country code has 1 to 3 of them and
    /// the prefix for abroad is not empty.
    pub fn new(country: &str, international: &str, national: &str) -> Option<Self> {
        let digits = |s: &str| s.bytes().all(|b| b.is_ascii_digit());
        let fits = (1..=3).contains(&country.len())
            && !country.starts_with('0')
            && !international.is_empty()
            && [country, international, national].into_iter().all(digits);
        fits.then(|| Self {
            country: country.to_owned(),
            international: international.to_owned(),
            national: national.to_owned(),
        })
    }

    /// The E.164 number that is meant by what was dialled; `None` for what is
    /// none: names, short numbers, local numbers without area code.
    pub fn normalise(&self, dialled: &str) -> Option<E164> {
        let number = bare(dialled)?;
        if let Some(digits) = number.strip_prefix('+') {
            return E164::from_digits(digits);
        }
        // The longer prefix first: `00` begins with `0`.
        if let Some(digits) = number.strip_prefix(&self.international) {
            return E164::from_digits(digits);
        }
        if self.national.is_empty() {
            return None;
        }
        let rest = number.strip_prefix(&self.national)?;
        E164::from_digits(&format!("{}{rest}", self.country))
    }

    /// A number in a format.
    pub fn write(&self, number: &E164, format: NumberFormat) -> Option<String> {
        let digits = number.digits();
        match format {
            NumberFormat::AsIs => None,
            NumberFormat::Plus => Some(number.to_string()),
            NumberFormat::Digits => Some(digits.to_owned()),
            NumberFormat::International => Some(format!("{}{digits}", self.international)),
            NumberFormat::National => Some(match digits.strip_prefix(&self.country) {
                Some(rest) => format!("{}{rest}", self.national),
                None => format!("{}{digits}", self.international),
            }),
        }
    }

    /// What was dialled in a format; as it is if it is no E.164 number.
    pub fn convert(&self, dialled: &str, format: NumberFormat) -> String {
        self.normalise(dialled).and_then(|number| self.write(&number, format)).unwrap_or_else(|| dialled.to_owned())
    }
}

/// How a peer wants numbers written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum NumberFormat {
    /// As the rules leave them.
    #[default]
    AsIs,
    /// `+493012345`.
    Plus,
    /// `493012345`.
    Digits,
    /// `00493012345`.
    International,
    /// `03012345`; abroad as `International`.
    National,
}

impl NumberFormat {
    /// Every format.
    pub const ALL: [Self; 5] = [Self::AsIs, Self::Plus, Self::Digits, Self::International, Self::National];

    /// The name in the configuration.
    pub const fn name(self) -> &'static str {
        match self {
            Self::AsIs => "as-is",
            Self::Plus => "plus",
            Self::Digits => "digits",
            Self::International => "international",
            Self::National => "national",
        }
    }

    /// The format of a name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|format| format.name() == name)
    }
}

/// The number without separators and without parameters; `None` if it holds
/// anything but digits after an optional plus.
fn bare(text: &str) -> Option<String> {
    // `+4930;phone-context=...`: RFC 3966 §3, also as the user part of a SIP URI.
    let number = text.split(';').next().unwrap_or(text);
    let mut out = String::with_capacity(number.len());
    for c in number.chars() {
        match c {
            '-' | '.' | '(' | ')' | ' ' => {}
            '+' if out.is_empty() => out.push(c),
            '0'..='9' => out.push(c),
            _ => return None,
        }
    }
    (!out.is_empty()).then_some(out)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn germany() -> Dialling {
        Dialling::new("49", "00", "0").expect("a place")
    }

    #[test]
    fn every_way_to_dial_means_the_same_number() {
        for dialled in ["+493012345", "00493012345", "03012345", "+49 (30) 123-45", "+49.30.12345;isub=1"] {
            let number = germany().normalise(dialled).map(|n| n.to_string());
            assert_eq!(number.as_deref(), Some("+493012345"), "{dialled}");
        }
        let america = Dialling::new("1", "011", "1").expect("a place");
        assert_eq!(america.normalise("1-212-555-0100").map(|n| n.to_string()).as_deref(), Some("+12125550100"));
        assert_eq!(america.normalise("011 49 30 12345").map(|n| n.to_string()).as_deref(), Some("+493012345"));
    }

    #[test]
    fn what_is_no_global_number_stays_as_it_is() {
        for dialled in ["110", "112", "echo", "12345", "", "+", "+0301", "+1234567890123456", "00", "0", "+49x", "4+9"]
        {
            assert_eq!(germany().normalise(dialled), None, "{dialled}");
            assert_eq!(germany().convert(dialled, NumberFormat::Plus), dialled);
        }
    }

    #[test]
    fn each_format_is_written_as_peers_expect() {
        let formats = NumberFormat::ALL.map(|format| germany().convert("030 12345", format));
        assert_eq!(formats, ["030 12345", "+493012345", "493012345", "00493012345", "03012345"]);
        assert_eq!(germany().convert("+12125550100", NumberFormat::National), "0012125550100");
    }

    #[test]
    fn a_place_is_made_of_digits() {
        assert_eq!(Dialling::new("049", "00", "0"), None);
        assert_eq!(Dialling::new("49", "", "0"), None);
        assert_eq!(Dialling::new("49", "+", "0"), None);
        assert!(Dialling::new("39", "00", "").is_some());
    }

    proptest! {
        #[test]
        fn writing_and_reading_gives_the_number_back(digits in "[1-9][0-9]{4,14}") {
            let number = E164::parse(&format!("+{digits}")).expect("a number");
            for format in [NumberFormat::Plus, NumberFormat::International, NumberFormat::National] {
                let text = germany().write(&number, format).expect("a format");
                // `0` and a national number that begins with 0 is what `00` is too.
                if !(format == NumberFormat::National && digits.starts_with("490")) {
                    prop_assert_eq!(germany().normalise(&text), Some(number.clone()));
                }
            }
        }

        #[test]
        fn any_text_is_read_without_panic(text in ".{0,60}") {
            let _ = germany().convert(&text, NumberFormat::National);
        }
    }
}
