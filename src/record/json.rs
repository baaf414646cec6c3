//! Records as JSON lines: one object a line, without LF inside.
//!
//! serde_json escapes every control character, so that a line of the journal
//! ends where its LF is and nowhere else, whatever a peer put into a header.

use serde::Serialize;

use super::cdr::Record;

/// A value as one line, without its LF.
pub fn line<T: Serialize>(value: &T) -> Vec<u8> {
    let mut line = Vec::with_capacity(LINE_BYTES);
    serde_json::to_writer(&mut line, value).expect("records have string keys only and a Vec takes every write");
    line
}

/// Reads a line of the journal.
///
/// # Errors
/// What is wrong with it, in words: torn, no object, no record.
pub fn parse(line: &str) -> Result<Record, String> {
    let record: Record = serde_json::from_str(line).map_err(|e| e.to_string())?;
    // Every field has a default, so that any object would pass for a record.
    if record.schema == 0 || record.call.is_empty() {
        return Err("no record: it has neither schema nor call".to_owned());
    }
    if record.schema > super::cdr::SCHEMA {
        return Err(format!("schema {} is not known here", record.schema));
    }
    Ok(record)
}

/// Room for a usual final record at once; growing step by step costs more than writing it.
const LINE_BYTES: usize = 2_048;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_break_in_a_field_does_not_break_the_line() {
        let record = Record { schema: 1, call: "1".into(), from_in: "a\r\nb\u{2028}\"".into(), ..Record::default() };
        let bytes = line(&record);
        assert!(!bytes.contains(&b'\n') && !bytes.contains(&b'\r'));
        assert_eq!(parse(std::str::from_utf8(&bytes).expect("UTF-8")), Ok(record));
    }

    #[test]
    fn what_is_no_record_is_not_taken_for_one() {
        assert!(parse("{}").is_err() && parse("{\"schema\":1,\"call\":\"1\"").is_err() && parse("[1]").is_err());
        assert_eq!(parse("{\"schema\":9,\"call\":\"1\"}"), Err("schema 9 is not known here".to_owned()));
    }
}
