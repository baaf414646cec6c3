//! DTLS records as far as they must be seen before the library sees them.
//!
//! RFC 6347 §4.1, RFC 9147 §4. A plain alert (epoch 0) proves nothing about
//! its sender, yet ends a handshake in every library; here it is cut out of
//! its datagram. What is not a record is cut as well. The ServerHello, always
//! plain, tells the cipher suite. Nothing is decrypted.

use std::borrow::Cow;

/// A datagram without its plain alerts and without what is not DTLS.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Filtered<'a> {
    pub records: Cow<'a, [u8]>,
    pub plain_alerts: u32,
    /// Description byte of the last plain alert (RFC 5246 §7.2).
    pub alert: Option<u8>,
    pub not_dtls: bool,
}

/// Cuts plain alerts and foreign bytes out of `datagram`.
pub(super) fn filter(datagram: &[u8]) -> Filtered<'_> {
    let mut out = Filtered { records: Cow::Borrowed(&[]), plain_alerts: 0, alert: None, not_dtls: false };
    let mut at = 0;
    while at < datagram.len() {
        let rest = &datagram[at..];
        let Some(len) = record_len(rest) else {
            out.not_dtls = true;
            break;
        };
        let record = &rest[..len];
        if is_plain(record, ALERT) {
            out.plain_alerts += 1;
            out.alert = record.get(HEADER + 1).copied().or(out.alert);
        } else if let Cow::Borrowed(kept) = out.records
            && kept.len() == at
        {
            // Nothing has been cut so far: the kept records are a prefix.
            out.records = Cow::Borrowed(&datagram[..at + len]);
        } else {
            out.records.to_mut().extend_from_slice(record);
        }
        at += len;
    }
    out
}

/// The cipher suite of a plain ServerHello in `datagram`.
pub(super) fn server_hello_suite(datagram: &[u8]) -> Option<&'static str> {
    let mut rest = datagram;
    while let Some(len) = record_len(rest) {
        let (record, after) = rest.split_at(len);
        if is_plain(record, HANDSHAKE)
            && let Some(suite) = suite_of(&record[HEADER..])
        {
            return Some(suite);
        }
        rest = after;
    }
    None
}

/// A fatal plain alert with `description`, as a datagram (RFC 5246 §7.2).
pub(super) fn fatal_alert(description: u8) -> Vec<u8> {
    // The sequence number is far above those of the handshake's records, so
    // that no replay window has seen it.
    vec![ALERT, 0xfe, 0xfd, 0, 0, 0, 0, 0x7f, 0xff, 0xff, 0xff, 0, 2, 2, description]
}

/// Length of the first record, or `None` if there is none.
fn record_len(bytes: &[u8]) -> Option<usize> {
    let first = *bytes.first()?;
    let len = match first {
        // RFC 9147 §4: unified header 001CSLEE. No connection id is ever
        // negotiated here, so C is not ours.
        0x20..=0x3f if first & 0x10 == 0 => {
            let header = if first & 0x08 == 0 { 2 } else { 3 };
            if first & 0x04 == 0 {
                bytes.len().max(header + 1)
            } else {
                header + 2 + usize::from(u16::from_be_bytes([*bytes.get(header)?, *bytes.get(header + 1)?]))
            }
        }
        20..=26 if bytes.get(1) == Some(&0xfe) => {
            HEADER + usize::from(u16::from_be_bytes([*bytes.get(11)?, *bytes.get(12)?]))
        }
        _ => return None,
    };
    (len <= bytes.len()).then_some(len)
}

fn is_plain(record: &[u8], content_type: u8) -> bool {
    record[0] == content_type && record[3..5] == [0, 0]
}

/// Walks the handshake messages of one record's fragment.
fn suite_of(mut fragment: &[u8]) -> Option<&'static str> {
    const MESSAGE_HEADER: usize = 12;
    const SERVER_HELLO: u8 = 2;
    loop {
        let header = fragment.get(..MESSAGE_HEADER)?;
        let len = u32::from_be_bytes([0, header[9], header[10], header[11]]) as usize;
        let body = fragment.get(MESSAGE_HEADER..MESSAGE_HEADER + len)?;
        if header[0] == SERVER_HELLO && header[6..9] == [0, 0, 0] {
            // Version 2, random 32, session id with its length, then the suite.
            let at = 35 + usize::from(*body.get(34)?);
            return Some(suite_name(u16::from_be_bytes([*body.get(at)?, *body.get(at + 1)?])));
        }
        fragment = &fragment[MESSAGE_HEADER + len..];
    }
}

fn suite_name(code: u16) -> &'static str {
    match code {
        0x1301 => "TLS_AES_128_GCM_SHA256",
        0x1302 => "TLS_AES_256_GCM_SHA384",
        0x1303 => "TLS_CHACHA20_POLY1305_SHA256",
        0xc02b => "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256",
        0xc02c => "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384",
        0xcca9 => "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256",
        _ => UNKNOWN_SUITE,
    }
}

/// Stands for a suite without a name here, or one that was not seen.
pub(super) const UNKNOWN_SUITE: &str = "unknown";

const ALERT: u8 = 21;
const HANDSHAKE: u8 = 22;
/// Bytes of a DTLSPlaintext header: type, version, epoch, sequence, length.
const HEADER: usize = 13;

#[cfg(test)]
mod tests {
    use super::*;

    fn record(content_type: u8, epoch: u8, body: &[u8]) -> Vec<u8> {
        let mut r = vec![content_type, 0xfe, 0xfd, 0, epoch, 0, 0, 0, 0, 0, 1, 0, body.len() as u8];
        r.extend_from_slice(body);
        r
    }

    #[test]
    fn keeps_a_clean_datagram_without_copying() {
        let datagram = [record(22, 0, b"hello"), record(20, 0, b"\x01"), record(22, 1, b"sealed")].concat();
        let out = filter(&datagram);
        assert!(matches!(out.records, Cow::Borrowed(kept) if kept == datagram));
        assert_eq!((out.plain_alerts, out.not_dtls), (0, false));
    }

    #[test]
    fn cuts_plain_alerts_wherever_they_stand() {
        let (hello, alert, sealed) = (record(22, 0, b"hello"), record(21, 0, &[2, 40]), record(21, 1, b"sealed alert"));
        for datagram in [
            [alert.clone(), hello.clone(), sealed.clone()].concat(),
            [hello.clone(), alert.clone(), sealed.clone()].concat(),
            [hello.clone(), sealed.clone(), alert.clone()].concat(),
        ] {
            let out = filter(&datagram);
            assert_eq!(*out.records, *[hello.clone(), sealed.clone()].concat());
            assert_eq!((out.plain_alerts, out.alert, out.not_dtls), (1, Some(40), false));
        }
        assert_eq!(filter(&alert).records.len(), 0);
        assert_eq!(filter(&fatal_alert(42)).alert, Some(42));
    }

    #[test]
    fn cuts_what_is_no_record() {
        let good = record(22, 0, b"hello");
        for tail in [&b"\x80garbage"[..], b"\x16\xfe", b"\x16\x03\x01\x00\x00", b"\x16\xfe\xfd\0\0\0\0\0\0\0\0\xff\xff"]
        {
            let datagram = [&good, tail].concat();
            let out = filter(&datagram);
            assert_eq!(*out.records, *good);
            assert!(out.not_dtls);
            assert_eq!(filter(tail).records.len(), 0);
        }
    }

    #[test]
    fn walks_the_unified_header_of_dtls_13() {
        // S and L set: two bytes of sequence number, two of length.
        let sized = [0x2e, 0, 1, 0, 3, 9, 9, 9];
        // Neither: one byte of sequence number, the rest is the record.
        let open = [0x22, 7, 1, 2, 3, 4];
        let datagram = [&sized[..], &open].concat();
        assert_eq!(*filter(&datagram).records, *datagram);
        // A connection id was never agreed.
        assert!(filter(&[0x3e, 0, 1, 0, 0]).not_dtls);
        assert!(filter(&[0x22]).not_dtls);
    }

    #[test]
    fn names_the_suite_of_a_server_hello() {
        let mut body = vec![0xfe, 0xfd];
        body.extend_from_slice(&[7; 32]);
        body.extend_from_slice(&[2, 1, 1, 0xc0, 0x2b, 0]);
        let len = body.len() as u8;
        let message = [&[2, 0, 0, len, 0, 0, 0, 0, 0, 0, 0, len][..], &body].concat();
        let suite = server_hello_suite(&[record(20, 0, b"x"), record(22, 0, &message)].concat());
        assert_eq!(suite, Some("TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256"));
        assert_eq!(server_hello_suite(&record(22, 0, &message[..30])), None);
        assert_eq!(server_hello_suite(&record(22, 0, &[1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0])), None);
    }
}
