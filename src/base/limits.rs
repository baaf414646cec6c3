//! Every bound of the program, with its unit and its reason.
//!
//! A queue, table, message or retry without a line here is a bug. What an
//! operator may move is a key of `sbc.toml`; these are the walls behind it.

/// Longest SIP message accepted, bytes. A UDP datagram cannot be longer, and a
/// WebSocket client with trickled candidates stays below a quarter of it.
pub const SIP_MESSAGE_BYTES: usize = 65_535;

/// Most header lines in a SIP message. Real ones stay below 60; what is over
/// this costs time and is an attack.
pub const SIP_HEADERS: usize = 256;

/// Longest SIP start line or header line, bytes.
pub const SIP_LINE_BYTES: usize = 16_384;

/// Most live transactions of an engine. At 64*T1 of memory each, 4,500 calls a
/// second need about 300,000.
pub const TRANSACTIONS: usize = 1_000_000;

/// Most live calls of an engine.
pub const CALLS: usize = 100_000;

/// Most bindings of one address-of-record.
pub const BINDINGS_PER_USER: usize = 10;

/// Most bindings of an engine.
pub const BINDINGS: usize = 1_000_000;

/// Most targets tried for one call.
pub const TARGETS_PER_CALL: usize = 10;

/// Nonces whose use counts an engine remembers; only those that proved a
/// password are held, and when they are used up the oldest become stale.
pub const DIGEST_NONCES: usize = 100_000;

/// Most media lines in an SDP that we read; 2,000 of them are an attack.
pub const SDP_MEDIA: usize = 32;

/// Most attribute lines in a section of SDP.
pub const SDP_ATTRIBUTES: usize = 512;

/// Most formats on one media line.
pub const SDP_FORMATS: usize = 64;

/// Most candidates kept for one media line.
pub const SDP_CANDIDATES: usize = 64;

/// Bindings of one user that are called at the same time; more are old
/// registrations of devices that are gone.
pub const FORKS_PER_TARGET: usize = 5;

/// Most attempts of one call: every target with some addresses.
pub const ATTEMPTS_PER_CALL: usize = 30;

/// Early dialogs kept for one attempt: downstream forks that have rung.
pub const EARLY_DIALOGS: usize = 8;

/// Longest user part, display name or header value that crosses from one leg
/// to the other, bytes.
pub const CROSSING_VALUE_BYTES: usize = 1024;

/// Own Via headers a request may carry before it is a loop: a call may come
/// back once or twice on purpose (a PBX that forwards).
pub const OWN_VIAS: usize = 3;
/// Longest session description read, bytes: what fits one SIP message.
pub const SDP_BYTES: usize = SIP_MESSAGE_BYTES;

/// Longest line of a session description, bytes. The longest in the field are
/// identity assertions and video parameter sets of 2 to 4 KiB.
pub const SDP_LINE_BYTES: usize = 8_192;

/// Most lines besides `m=`, `c=` and `a=` in a section of SDP.
pub const SDP_OTHER_LINES: usize = 32;

/// Most `a=crypto` lines in a section of SDP: one a cipher suite is 13 at most.
pub const SDP_CRYPTO: usize = 16;

/// Most fingerprints kept for one media line: one a hash, and a few certificates.
pub const SDP_FINGERPRINTS: usize = 16;

/// Most SSRCs kept for one media line.
pub const SDP_SSRCS: usize = 16;

/// Longest UDP media packet handled, bytes: an Ethernet jumbo-free MTU with room.
pub const MEDIA_PACKET_BYTES: usize = 2048;

/// Sources (SSRC) of one SRTP direction. A call uses one or two, each hold or
/// transfer may add one; none can be forgotten while its keys live.
pub const SRTP_SOURCES: usize = 64;

/// Packets in one RTCP datagram; a report has three or four, and more than this
/// is an attack.
pub const RTCP_PACKETS: usize = 64;

/// Attributes of one STUN message; ICE checks have about ten.
pub const STUN_ATTRIBUTES: usize = 32;

/// Longest STUN message read, bytes: it has to fit an Ethernet frame.
pub const STUN_MESSAGE_BYTES: usize = 1500;

/// Candidate pairs kept for one ICE agent; the least recently checked go first.
pub const ICE_PAIRS: usize = 32;

/// STUN transactions remembered by one ICE agent against replays.
pub const ICE_TRANSACTIONS: usize = 64;

/// Addresses on shared sockets that lead to one session: both sides' pairs of
/// the running and the former ICE generation; the least recently checked go first.
pub const MEDIA_SOURCES: usize = 4 * ICE_PAIRS;

/// Digits waiting to be rendered towards one side. People and dialling strings
/// stay below it; what is over is dropped.
pub const DIGITS_WAITING: usize = 64;

/// Most media sessions in a shard.
pub const MEDIA_SESSIONS: usize = 20_000;

/// Sources the guard remembers; the least recently seen go first.
pub const GUARD_SOURCES: usize = 200_000;

/// Sources with earned trust that the guard remembers, apart from strangers
/// so that a flood of those cannot push them out.
pub const GUARD_KNOWN_SOURCES: usize = 200_000;

/// Users whose rates the guard remembers; the least recently seen go first.
pub const GUARD_USERS: usize = 100_000;

/// Bans held at once.
pub const BANS: usize = 100_000;

/// Events of one call kept for `sbc why` and `sbc trace`.
pub const EVENTS_PER_CALL: usize = 400;

/// Finished calls kept for `sbc why`.
pub const CALLS_REMEMBERED: usize = 10_000;

/// WebSocket connections of a node.
pub const WS_CONNECTIONS: usize = 50_000;

/// Messages waiting to be written to one WebSocket; a browser that stops
/// reading is closed when they are used up.
pub const WS_QUEUE: usize = 256;

/// Commands or events waiting between an engine and a media thread.
pub const MEDIA_RING: usize = 65_536;

/// How long a call goes on after a browser closed DTLS. A page that hangs up
/// closes its media at once, and its BYE comes by another way a little later.
pub const CLOSE_GRACE: std::time::Duration = std::time::Duration::from_secs(2);

/// Facts waiting for the records of an engine; they are taken after each input.
pub const FACTS_WAITING: usize = 65_536;

/// CDRs waiting for a sink besides the journal.
pub const CDR_QUEUE: usize = 65_536;

const _: () = assert!(SIP_LINE_BYTES < SIP_MESSAGE_BYTES, "a line fits a message");
const _: () = assert!(CALLS_REMEMBERED * EVENTS_PER_CALL <= 4_000_000, "memory of `why` stays below 400 MB");

/// Most DNS questions for one SIP URI. NAPTR, three SRV and the addresses of
/// their targets stay below it; a zone that asks for more is made to.
pub const LOCATE_QUESTIONS: usize = 16;

/// Most addresses to try for one SIP URI.
pub const LOCATE_ADDRESSES: usize = 16;

/// Share of [`TRANSACTIONS`] kept free of INVITEs, so that calls can end in
/// overload: one in eight.
pub const TRANSACTIONS_FOR_OTHERS: usize = TRANSACTIONS / 8;
