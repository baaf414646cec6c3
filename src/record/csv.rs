//! Records as CSV (RFC 4180) for spreadsheets and old billing systems.
//!
//! The columns are fixed in name and order; new ones are added at the end.
//! Lines end with CRLF. A field is quoted if it holds a comma, a quote or a
//! line break.
//!
//! A field that a spreadsheet would run as a formula (first character `=`, `+`,
//! `-`, `@`, tab or CR) gets an apostrophe in front, which spreadsheets hide.
//! The exception is a telephone number, `+` and digits only: it is no formula,
//! and billing needs it as it is; it is always quoted.

use serde_json::Value;

/// The first line, without its CRLF.
pub fn header() -> String {
    COLUMNS.map(|path| path.replace('.', "_")).join(",")
}

/// A line of the journal as a line of CSV, without its CRLF; `None` if it is
/// no final record.
///
/// # Errors
/// What is wrong with the line.
pub fn row(line: &str) -> Result<Option<String>, String> {
    super::json::parse(line)?;
    let value: Value = serde_json::from_str(line).map_err(|e| e.to_string())?;
    if !matches!(value["kind"].as_str(), Some("attempt" | "session")) {
        return Ok(None);
    }
    Ok(Some(COLUMNS.map(|path| cell(path.split('.').fold(&value, |v, key| &v[key]))).join(",")))
}

fn cell(value: &Value) -> String {
    match value {
        Value::Null | Value::Array(_) | Value::Object(_) => String::new(),
        Value::Bool(b) => b.to_string(),
        Value::Number(n) => n.to_string(),
        Value::String(s) => text(s),
    }
}

fn text(s: &str) -> String {
    if is_number(s) {
        return format!("\"{s}\"");
    }
    let guard = if s.starts_with(['=', '+', '-', '@', '\t', '\r']) { "'" } else { "" };
    if guard.is_empty() && !s.contains([',', '"', '\r', '\n']) {
        return s.to_owned();
    }
    format!("\"{guard}{}\"", s.replace('"', "\"\""))
}

/// A global number as E.164 has it.
fn is_number(s: &str) -> bool {
    s.strip_prefix('+').is_some_and(|digits| !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit()))
}

/// Paths into the record; the column's name has `_` for the dot.
const COLUMNS: [&str; 77] = [
    "schema",
    "kind",
    "seq",
    "node_id",
    "engine",
    "config_version",
    "session_id",
    "call",
    "call_id_a",
    "call_id_b",
    "attempt",
    "target",
    "from_in",
    "from_routing",
    "from_out",
    "to_in",
    "to_routing",
    "to_out",
    "user",
    "realm_a",
    "realm_b",
    "trunk_a",
    "trunk_b",
    "transport_a",
    "transport_b",
    "signalling_a",
    "signalling_b",
    "signalling_local_a",
    "signalling_local_b",
    "media_a",
    "media_b",
    "media_local_a",
    "media_local_b",
    "started",
    "ringing",
    "answered",
    "ended",
    "setup_ms",
    "pdd_ms",
    "ring_ms",
    "talk_ms",
    "disconnect_initiator",
    "cause.sip_code",
    "cause.q850",
    "cause.reason",
    "cause.internal_code",
    "codec_a",
    "codec_b",
    "crypto_a",
    "crypto_b",
    "early_media",
    "a_in.packets",
    "a_in.bytes",
    "a_in.lost",
    "a_in.loss_ratio",
    "a_in.jitter_ms",
    "a_in.rtt_ms",
    "a_in.mos",
    "a_in.mos_method",
    "a_in.mos_confidence",
    "a_out.packets",
    "a_out.bytes",
    "a_out.loss_ratio",
    "a_out.rtt_ms",
    "b_in.packets",
    "b_in.bytes",
    "b_in.lost",
    "b_in.loss_ratio",
    "b_in.jitter_ms",
    "b_in.rtt_ms",
    "b_in.mos",
    "b_in.mos_method",
    "b_in.mos_confidence",
    "b_out.packets",
    "b_out.bytes",
    "b_out.loss_ratio",
    "b_out.rtt_ms",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn formulas_are_disarmed_and_numbers_kept() {
        assert_eq!(text("+4930123456"), "\"+4930123456\"");
        assert_eq!(text("=cmd|'/c calc'!A1"), "\"'=cmd|'/c calc'!A1\"");
        assert_eq!(text("+1+cmd"), "\"'+1+cmd\"");
        assert_eq!(text("@SUM(1,2)"), "\"'@SUM(1,2)\"");
        assert_eq!(text("-2"), "\"'-2\"");
        assert_eq!(text("say \"hi\", bob"), "\"say \"\"hi\"\", bob\"");
        assert_eq!(text("alice"), "alice");
    }

    #[test]
    fn every_row_has_the_header_s_columns() {
        let line = concat!(
            "{\"schema\":1,\"kind\":\"session\",\"seq\":3,\"call\":\"0a\",\"from_in\":\"+491\",",
            "\"cause\":{\"sip_code\":486,\"q850\":17,\"reason\":\"Busy, here\",\"internal_code\":\"rejected\"}}"
        );
        let row = row(line).expect("a record").expect("a final one");
        assert!(row.starts_with("1,session,3,,,,,0a,,,,,\"+491\","), "{row}");
        assert!(row.contains(",486,17,\"Busy, here\",rejected,"), "{row}");
        assert_eq!(row.matches(',').count() - 1, header().matches(',').count());
        assert!(header().starts_with("schema,kind,seq,node_id") && header().ends_with("b_out_loss_ratio,b_out_rtt_ms"));
    }

    #[test]
    fn notes_on_the_way_are_left_out() {
        assert_eq!(row("{\"schema\":1,\"kind\":\"open\",\"call\":\"1\"}"), Ok(None));
    }
}
