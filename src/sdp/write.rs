//! A session as text (RFC 8866 §5, §9: the order of lines).
//!
//! Lines end in CRLF. What was read by `parse` is written so that it reads back
//! to the same value; what we describe ourselves is built by `offer_answer`
//! from words without line ends, so no value can begin a line of its own.

use std::fmt;

use super::media::Media;
use super::session::{Connection, Line, Origin, Session};

impl fmt::Display for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "v=0\r\no={}\r\ns={}\r\n", self.origin, self.name)?;
        let (before, after) = around_connection(&self.lines);
        write_lines(f, before)?;
        if let Some(connection) = &self.connection {
            write!(f, "c={connection}\r\n")?;
        }
        // Before the timing stand c= (of a second address) and b=.
        let timing = after.partition_point(|line| line.rank() <= RANK_BANDWIDTH);
        write_lines(f, &after[..timing])?;
        write!(f, "t={}\r\n", self.timing)?;
        write_lines(f, &after[timing..])?;
        for attribute in self.attributes.iter() {
            write!(f, "a={attribute}\r\n")?;
        }
        self.media.iter().try_for_each(|media| media.fmt(f))
    }
}

impl fmt::Display for Media {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "m={} {}", self.kind, self.port)?;
        if let Some(count) = self.port_count {
            write!(f, "/{count}")?;
        }
        write!(f, " {}", self.protocol)?;
        for format in &self.formats {
            write!(f, " {format}")?;
        }
        f.write_str("\r\n")?;
        let (before, after) = around_connection(&self.lines);
        write_lines(f, before)?;
        if let Some(connection) = &self.connection {
            write!(f, "c={connection}\r\n")?;
        }
        write_lines(f, after)?;
        for attribute in self.attributes.iter() {
            write!(f, "a={attribute}\r\n")?;
        }
        Ok(())
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} {} {}", self.username, self.id, self.version, self.address)
    }
}

impl fmt::Display for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.address)?;
        match &self.suffix {
            Some(suffix) => write!(f, "/{suffix}"),
            None => Ok(()),
        }
    }
}

/// Lines that stand before `c=`, and the others.
fn around_connection(lines: &[Line]) -> (&[Line], &[Line]) {
    lines.split_at(lines.partition_point(|line| line.rank() < RANK_CONNECTION))
}

fn write_lines(f: &mut fmt::Formatter<'_>, lines: &[Line]) -> fmt::Result {
    lines.iter().try_for_each(|line| write!(f, "{}={}\r\n", line.kind, line.value))
}

const RANK_CONNECTION: u8 = 4;
const RANK_BANDWIDTH: u8 = 5;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::attribute::{Attribute, Attributes};
    use super::super::media::MediaKind;
    use super::super::parse::parse;
    use super::super::profile::Protocol;
    use super::super::session::Address;
    use super::*;

    #[test]
    fn lines_are_written_in_the_order_of_the_rfc() {
        let text = "v=0\r\no=a 1 2 IN IP4 h.example\r\ns=x\r\nc=IN IP4 192.0.2.1\r\nz=0 0\r\nb=AS:64\r\ni=info\r\nt=1 2\r\nr=7\r\nt=3 4\r\n\
                    a=tool:x\r\nm=audio 4000 RTP/AVP 0\r\nx=unknown\r\nb=AS:9\r\nc=IN IP4 192.0.2.2\r\n";
        let session = parse(text.as_bytes()).expect("a description");
        assert_eq!(
            session.to_string(),
            "v=0\r\no=a 1 2 IN IP4 h.example\r\ns=x\r\ni=info\r\nc=IN IP4 192.0.2.1\r\nb=AS:64\r\nt=1 2\r\nz=0 0\r\nr=7\r\nt=3 4\r\n\
             a=tool:x\r\nm=audio 4000 RTP/AVP 0\r\nc=IN IP4 192.0.2.2\r\nb=AS:9\r\nx=unknown\r\n"
        );
        assert_eq!(parse(&session.to_bytes()), Ok(session));
    }

    fn word() -> impl Strategy<Value = String> {
        "[a-zA-Z0-9_.+-]{1,12}"
    }

    fn text() -> impl Strategy<Value = String> {
        "[ -~äß]{0,20}[!-~]"
    }

    fn address() -> impl Strategy<Value = Address> {
        prop_oneof![
            any::<std::net::IpAddr>().prop_map(Address::Ip),
            ("[g-z][a-z]{0,6}\\.example", any::<bool>()).prop_map(|(name, v6)| Address::Name { v6, name }),
            Just(Address::Other("TN RFC2543 +49-30-1".into())),
        ]
    }

    fn connection() -> impl Strategy<Value = Option<Connection>> {
        proptest::option::of(
            (address(), proptest::option::of("[0-9]{1,3}"))
                .prop_map(|(address, suffix)| Connection { address, suffix }),
        )
    }

    fn attributes() -> impl Strategy<Value = Attributes> {
        let one = ("[a-z-]{1,5}", proptest::option::of(text())).prop_map(|(name, value)| Attribute { name, value });
        proptest::collection::vec(one, 0..8).prop_map(Attributes)
    }

    fn lines(kinds: &'static str) -> impl Strategy<Value = Vec<Line>> {
        let letters: Vec<char> = kinds.chars().collect();
        let one = (proptest::sample::select(letters), text()).prop_map(|(kind, value)| Line { kind, value });
        proptest::collection::vec(one, 0..6).prop_map(|mut lines| {
            lines.sort_by_key(Line::rank);
            lines
        })
    }

    fn media() -> impl Strategy<Value = Media> {
        let kind = prop_oneof![
            Just(MediaKind::Audio),
            Just(MediaKind::Video),
            Just(MediaKind::Image),
            Just(MediaKind::Other("message".into()))
        ];
        let format = prop_oneof![
            (Just(Protocol::Avp), proptest::collection::vec((0..128u8).prop_map(|pt| pt.to_string()), 1..5)),
            (Just(Protocol::Other("UDP/DTLS/SCTP".into())), proptest::collection::vec(word(), 1..3)),
        ];
        (kind, any::<u16>(), proptest::option::of(any::<u16>()), format, connection(), lines("ibkxy"), attributes())
            .prop_map(|(kind, port, port_count, (protocol, formats), connection, lines, attributes)| Media {
                kind,
                port,
                port_count,
                protocol,
                formats,
                connection,
                lines,
                attributes,
            })
    }

    fn session() -> impl Strategy<Value = Session> {
        let origin = (word(), "[0-9]{1,30}", "[0-9]{1,12}", address())
            .prop_map(|(username, id, version, address)| Origin { username, id, version, address });
        (
            origin,
            text(),
            connection(),
            "[0-9]{1,9} [0-9]{1,9}",
            lines("iuepbtrzkxy"),
            attributes(),
            proptest::collection::vec(media(), 0..4),
        )
            .prop_map(|(origin, name, connection, timing, lines, attributes, media)| Session {
                origin,
                name: if name.trim().is_empty() { "-".into() } else { name },
                connection,
                timing,
                lines,
                attributes,
                media,
            })
    }

    proptest! {
        #[test]
        fn what_is_written_reads_back(session in session()) {
            prop_assert_eq!(parse(&session.to_bytes()), Ok(session));
        }
    }
}
