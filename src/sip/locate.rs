//! Locating SIP servers: RFC 3263 with RFC 2782, as decisions without I/O.
//!
//! [`Locate`] starts from a URI and asks one DNS question at a time; `edge`
//! asks the resolver and feeds the answer. The result is an ordered list of
//! transports and addresses to try. The machine is data: a call that waits for
//! DNS can be written down.
//!
//! WebSocket servers are never located: a WebSocket client is reached on the
//! flow it opened (RFC 7118 §5). DNS failures are no errors here; a name that
//! leads nowhere gives an empty list, and the call says so.

use std::collections::VecDeque;
use std::net::{IpAddr, SocketAddr};

use serde::{Deserialize, Serialize};

use super::message::{Text, Uri};
use crate::base::{Rng, Transport, limits};

/// A question for the resolver.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Query {
    /// NAPTR records of a domain.
    Naptr(Text),
    /// SRV records of a service: `_sip._udp.example.com`.
    Srv(Text),
    /// A and AAAA records of a host.
    Addresses(Text),
}

/// What the resolver found; an empty list for a name without such records
/// and for a failure alike.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// NAPTR records, in any order.
    Naptr(Vec<Naptr>),
    /// SRV records, in any order.
    Srv(Vec<Srv>),
    /// Addresses in the order to be tried.
    Addresses(Vec<IpAddr>),
}

/// A NAPTR record (RFC 3403 §4.1), of which RFC 3263 uses these.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Naptr {
    /// Lower first.
    pub order: u16,
    /// Lower first within an order.
    pub preference: u16,
    /// `s` for those that lead to SRV.
    pub flags: Text,
    /// `SIP+D2U`, `SIP+D2T`, `SIPS+D2T`.
    pub service: Text,
    /// The name to look up next.
    pub replacement: Text,
}

/// An SRV record (RFC 2782).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Srv {
    /// Lower first.
    pub priority: u16,
    /// Share within a priority.
    pub weight: u16,
    /// Port of the service.
    pub port: u16,
    /// Host of the service; `.` says that there is none.
    pub target: Text,
}

/// Where to send.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Target {
    /// Over which transport.
    pub transport: Transport,
    /// To which address.
    pub address: SocketAddr,
    /// The domain a TLS server has to prove (RFC 5922 §7.1): the URI's host.
    pub domain: Text,
}

/// The next thing to happen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step<'a> {
    /// Ask this, then feed the answer.
    Ask(&'a Query),
    /// Try these in this order; empty if the URI leads nowhere.
    Found(&'a [Target]),
}

/// The location of one URI.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Locate {
    /// The host, or what maddr puts in its place.
    host: Text,
    domain: Text,
    secure: bool,
    /// Transports we speak, in our order of preference.
    supported: Vec<Transport>,
    /// The transport the URI or our default asks for, where that is settled.
    fixed: Option<Transport>,
    /// Questions to ask, with what their answers are for. The first is asked.
    asked: VecDeque<(Query, Purpose)>,
    questions: usize,
    found: Vec<Target>,
}

/// What an answer is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
enum Purpose {
    /// Which transports the domain wants (RFC 3263 §4.1).
    Services,
    /// Hosts for this transport (§4.2).
    Hosts(Transport),
    /// Addresses for this transport and port.
    Address(Transport, u16),
}

impl Locate {
    /// Starts from `uri`; `supported` is what we speak, best first.
    ///
    /// `tel` and other URIs lead nowhere: routing has to make a SIP URI first.
    pub fn new(uri: &Uri, supported: &[Transport]) -> Self {
        // RFC 3263 §4: TARGET is maddr where there is one.
        let maddr = uri.params.get("maddr").map(Text::from);
        let host = maddr.unwrap_or_else(|| Text::from(uri.host.to_string()));
        let mut locate = Self {
            domain: Text::from(uri.host.to_string()),
            secure: uri.is_secure(),
            supported: supported.iter().copied().filter(|t| !t.is_websocket()).collect(),
            fixed: None,
            asked: VecDeque::new(),
            questions: 0,
            found: Vec::new(),
            host,
        };
        if uri.is_sip() {
            locate.begin(uri);
        }
        locate
    }

    /// What to do next.
    pub fn step(&self) -> Step<'_> {
        match self.asked.front() {
            Some((query, _)) => Step::Ask(query),
            None => Step::Found(&self.found),
        }
    }

    /// The answer to the question of [`Self::step`]. An answer of another kind
    /// counts as an empty one. The random numbers weigh SRV records.
    pub fn handle_answer(&mut self, answer: Answer, rng: &mut Rng) {
        let Some((_, purpose)) = self.asked.pop_front() else { return };
        match (purpose, answer) {
            (Purpose::Services, Answer::Naptr(records)) => self.on_naptr(records),
            (Purpose::Services, _) => self.ask_every_service(),
            (Purpose::Hosts(transport), Answer::Srv(records)) => self.on_srv(transport, records, rng),
            (Purpose::Hosts(transport), _) => self.on_srv(transport, Vec::new(), rng),
            (Purpose::Address(transport, port), Answer::Addresses(ips)) => {
                for ip in ips {
                    self.add(transport, SocketAddr::new(ip, port));
                }
            }
            (Purpose::Address(..), _) => {}
        }
        if self.found.len() >= limits::LOCATE_ADDRESSES {
            self.asked.clear();
        }
    }

    fn begin(&mut self, uri: &Uri) {
        let asked = uri.transport();
        let named = asked.and_then(transport_named);
        // A transport we do not know or do not speak: nowhere to go. RFC 3261
        // §26.2.2: sips is TLS whatever its transport parameter says.
        let default = if self.secure { Transport::Tls } else { Transport::Udp };
        let wanted = match (asked.is_some(), named) {
            (true, None) => return,
            (true, Some(Transport::Udp)) if self.secure => return,
            (true, Some(Transport::Tcp)) if self.secure => Some(Transport::Tls),
            (true, Some(transport)) => Some(transport),
            (false, _) => None,
        };
        if wanted.is_some_and(|t| !self.supported.contains(&t)) {
            return;
        }
        self.fixed = wanted;
        let numeric = self.host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>().ok();
        match (numeric, uri.port, wanted) {
            // §4.1, §4.2: a numeric address is used as it is.
            (Some(ip), port, _) => {
                let Some(transport) = self.usable(wanted.unwrap_or(default)) else { return };
                self.add(transport, SocketAddr::new(ip, port.unwrap_or(transport.default_port())));
            }
            // §4.2: an explicit port means A and AAAA records.
            (None, Some(port), _) => {
                let Some(transport) = self.usable(wanted.unwrap_or(default)) else { return };
                self.ask(Query::Addresses(self.host.clone()), Purpose::Address(transport, port));
            }
            (None, None, Some(transport)) => self.ask_service(transport),
            (None, None, None) => self.ask(Query::Naptr(self.host.clone()), Purpose::Services),
        }
    }

    /// `transport`, or the best one we speak if we do not speak it.
    fn usable(&self, transport: Transport) -> Option<Transport> {
        if self.supported.contains(&transport) {
            return Some(transport);
        }
        self.supported.iter().copied().find(|t| !self.secure || t.is_secure())
    }

    fn on_naptr(&mut self, mut records: Vec<Naptr>) {
        records.sort_by_key(|record| (record.order, record.preference));
        let mut asked = false;
        for record in records.iter().filter(|r| r.flags.eq_ignore_ascii_case("s")) {
            // §4.1: SIPS+D2T is TLS; what we do not speak, and anything but SIPS
            // for a sips URI, is discarded.
            let transport = match record.service.to_ascii_uppercase().as_str() {
                "SIP+D2U" => Transport::Udp,
                "SIP+D2T" => Transport::Tcp,
                "SIPS+D2T" => Transport::Tls,
                _ => continue,
            };
            if self.supported.contains(&transport) && (!self.secure || transport.is_secure()) {
                asked = true;
                self.ask(Query::Srv(record.replacement.clone()), Purpose::Hosts(transport));
            }
        }
        if !asked {
            self.ask_every_service();
        }
    }

    /// §4.1: without NAPTR records, SRV is asked for each transport we speak.
    fn ask_every_service(&mut self) {
        for transport in self.supported.clone() {
            if !self.secure || transport.is_secure() {
                self.ask_service(transport);
            }
        }
        if self.asked.is_empty() {
            self.ask_host();
        }
    }

    fn ask_service(&mut self, transport: Transport) {
        let service = match transport {
            Transport::Udp => "_sip._udp",
            Transport::Tcp => "_sip._tcp",
            Transport::Tls => "_sips._tcp",
            Transport::Ws | Transport::Wss => return,
        };
        self.ask(Query::Srv(Text::from(format!("{service}.{}", self.host))), Purpose::Hosts(transport));
    }

    fn on_srv(&mut self, transport: Transport, records: Vec<Srv>, rng: &mut Rng) {
        // RFC 2782: a single record with target "." says that there is no such service.
        let ordered = order_srv(records.into_iter().filter(|r| !matches!(&*r.target, "." | "")).collect(), rng);
        // Addresses are asked before the questions that wait: the order of the
        // results is the order of the services.
        for record in ordered.into_iter().rev() {
            self.questions += 1;
            let query = Query::Addresses(record.target.clone());
            self.asked.push_front((query, Purpose::Address(transport, record.port)));
        }
        while self.questions > limits::LOCATE_QUESTIONS && self.asked.len() > 1 {
            self.asked.pop_back();
            self.questions -= 1;
        }
        if self.asked.is_empty() && self.found.is_empty() {
            self.ask_host();
        }
    }

    /// §4.2: without SRV records, A and AAAA of the host and the default port.
    fn ask_host(&mut self) {
        let default = if self.secure { Transport::Tls } else { Transport::Udp };
        let Some(transport) = self.usable(self.fixed.unwrap_or(default)) else { return };
        self.ask(Query::Addresses(self.host.clone()), Purpose::Address(transport, transport.default_port()));
    }

    fn ask(&mut self, query: Query, purpose: Purpose) {
        if self.questions < limits::LOCATE_QUESTIONS {
            self.questions += 1;
            self.asked.push_back((query, purpose));
        }
    }

    fn add(&mut self, transport: Transport, address: SocketAddr) {
        let known = self.found.iter().any(|t| t.transport == transport && t.address == address);
        if !known && self.found.len() < limits::LOCATE_ADDRESSES {
            self.found.push(Target { transport, address, domain: self.domain.clone() });
        }
    }
}

/// RFC 2782: by priority; within one, drawn by weight without putting back.
fn order_srv(mut records: Vec<Srv>, rng: &mut Rng) -> Vec<Srv> {
    records.sort_by(|a, b| (a.priority, a.weight, &a.target, a.port).cmp(&(b.priority, b.weight, &b.target, b.port)));
    let mut ordered = Vec::with_capacity(records.len());
    while let Some(first) = records.first() {
        let group = records.iter().take_while(|r| r.priority == first.priority).count();
        // A weight of 0 has a small chance beside others and an even one among
        // its like.
        let share = |record: &Srv| (u64::from(record.weight) << 8).max(1);
        let mut left = rng.below(records[..group].iter().map(share).sum());
        let chosen = records[..group].iter().position(|record| {
            let hit = left < share(record);
            left = left.saturating_sub(share(record));
            hit
        });
        ordered.push(records.remove(chosen.unwrap_or(0)));
    }
    ordered
}

/// The transport of a URI's `transport` parameter, for those that are dialled.
fn transport_named(name: &str) -> Option<Transport> {
    [Transport::Udp, Transport::Tcp, Transport::Tls].into_iter().find(|t| name.eq_ignore_ascii_case(t.uri_name()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: [Transport; 3] = [Transport::Udp, Transport::Tcp, Transport::Tls];

    fn locate(uri: &str) -> Locate {
        Locate::new(&Uri::parse(uri).expect("test URI"), &ALL)
    }

    fn found(locate: &Locate) -> Vec<String> {
        match locate.step() {
            Step::Found(targets) => targets.iter().map(|t| format!("{} {}", t.transport, t.address)).collect(),
            Step::Ask(query) => vec![format!("ask {query:?}")],
        }
    }

    fn srv(priority: u16, weight: u16, port: u16, target: &str) -> Srv {
        Srv { priority, weight, port, target: target.into() }
    }

    fn naptr(order: u16, service: &str, replacement: &str) -> Naptr {
        Naptr { order, preference: 0, flags: "s".into(), service: service.into(), replacement: replacement.into() }
    }

    fn addresses(ips: &[&str]) -> Answer {
        Answer::Addresses(ips.iter().map(|ip| ip.parse().expect("test address")).collect())
    }

    #[test]
    fn numeric_hosts_need_no_question() {
        assert_eq!(found(&locate("sip:bob@192.0.2.1")), ["udp 192.0.2.1:5060"]);
        assert_eq!(found(&locate("sip:bob@192.0.2.1;transport=tcp")), ["tcp 192.0.2.1:5060"]);
        assert_eq!(found(&locate("sip:[2001:db8::1]:5070")), ["udp [2001:db8::1]:5070"]);
        assert_eq!(found(&locate("sips:192.0.2.1")), ["tls 192.0.2.1:5061"]);
        assert_eq!(found(&locate("sips:192.0.2.1;transport=tcp")), ["tls 192.0.2.1:5061"]);
        assert_eq!(found(&locate("sip:example.com;maddr=192.0.2.9")), ["udp 192.0.2.9:5060"]);
    }

    #[test]
    fn what_we_do_not_speak_leads_nowhere() {
        for uri in ["sip:a.example;transport=sctp", "sip:a.example;transport=ws", "sips:192.0.2.1;transport=udp"] {
            assert_eq!(locate(uri).step(), Step::Found(&[]), "{uri}");
        }
        assert_eq!(locate("tel:+4930123456").step(), Step::Found(&[]));
        let only_udp = Locate::new(&Uri::parse("sips:a.example").expect("test URI"), &[Transport::Udp]);
        let Step::Ask(Query::Naptr(_)) = only_udp.step() else { panic!("asks before it gives up") };
    }

    #[test]
    fn an_explicit_port_means_addresses() {
        let (mut l, mut rng) = (locate("sip:a.example:5070;transport=tls"), Rng::from_number(1));
        assert_eq!(l.step(), Step::Ask(&Query::Addresses("a.example".into())));
        l.handle_answer(addresses(&["192.0.2.1", "2001:db8::1", "192.0.2.1"]), &mut rng);
        assert_eq!(found(&l), ["tls 192.0.2.1:5070", "tls [2001:db8::1]:5070"]);
    }

    #[test]
    fn naptr_srv_and_addresses_in_order() {
        let (mut l, mut rng) = (locate("sip:a.example"), Rng::from_number(1));
        assert_eq!(l.step(), Step::Ask(&Query::Naptr("a.example".into())));
        l.handle_answer(
            Answer::Naptr(vec![
                naptr(20, "SIP+D2U", "u.example"),
                naptr(10, "sips+d2t", "t.example"),
                naptr(5, "SIP+D2S", "s.example"),
            ]),
            &mut rng,
        );
        assert_eq!(l.step(), Step::Ask(&Query::Srv("t.example".into())));
        l.handle_answer(Answer::Srv(vec![srv(2, 0, 5062, "b"), srv(1, 0, 5061, "a")]), &mut rng);
        assert_eq!(l.step(), Step::Ask(&Query::Addresses("a".into())));
        l.handle_answer(addresses(&["192.0.2.1"]), &mut rng);
        assert_eq!(l.step(), Step::Ask(&Query::Addresses("b".into())));
        l.handle_answer(addresses(&["192.0.2.2"]), &mut rng);
        assert_eq!(l.step(), Step::Ask(&Query::Srv("u.example".into())));
        l.handle_answer(Answer::Srv(vec![srv(0, 0, 5060, ".")]), &mut rng);
        assert_eq!(found(&l), ["tls 192.0.2.1:5061", "tls 192.0.2.2:5062"]);
    }

    #[test]
    fn without_naptr_and_srv_the_host_itself() {
        let (mut l, mut rng) = (locate("sip:a.example"), Rng::from_number(1));
        l.handle_answer(Answer::Naptr(vec![]), &mut rng);
        for service in ["_sip._udp.a.example", "_sip._tcp.a.example", "_sips._tcp.a.example"] {
            assert_eq!(l.step(), Step::Ask(&Query::Srv(service.into())));
            l.handle_answer(Answer::Srv(vec![]), &mut rng);
        }
        assert_eq!(l.step(), Step::Ask(&Query::Addresses("a.example".into())));
        l.handle_answer(addresses(&["192.0.2.1"]), &mut rng);
        assert_eq!(found(&l), ["udp 192.0.2.1:5060"]);
    }

    #[test]
    fn a_named_transport_falls_back_to_its_default_port() {
        let (mut l, mut rng) = (locate("sip:a.example;transport=tls"), Rng::from_number(1));
        assert_eq!(l.step(), Step::Ask(&Query::Srv("_sips._tcp.a.example".into())));
        l.handle_answer(Answer::Naptr(vec![]), &mut rng);
        l.handle_answer(addresses(&["192.0.2.1"]), &mut rng);
        assert_eq!(found(&l), ["tls 192.0.2.1:5061"]);
    }

    #[test]
    fn weights_share_the_load() {
        let mut rng = Rng::from_number(4);
        let mut first = [0; 2];
        for _ in 0..4000 {
            let ordered = order_srv(vec![srv(1, 3, 1, "a"), srv(1, 1, 2, "b"), srv(0, 0, 3, "c")], &mut rng);
            assert_eq!((ordered[0].port, ordered.len()), (3, 3));
            first[usize::from(ordered[1].port - 1)] += 1;
        }
        assert!((2900..3100).contains(&first[0]), "{first:?}");
    }

    #[test]
    fn a_zone_cannot_keep_us_asking() {
        let (mut l, mut rng) = (locate("sip:a.example"), Rng::from_number(1));
        let mut asked = 0;
        while let Step::Ask(query) = l.step() {
            let answer = match query {
                Query::Naptr(_) => Answer::Naptr((0..999).map(|n| naptr(n, "SIP+D2U", "u.example")).collect()),
                Query::Srv(_) => Answer::Srv((0..999).map(|n| srv(n, 0, n, "t")).collect()),
                Query::Addresses(_) => Answer::Addresses(vec![]),
            };
            l.handle_answer(answer, &mut rng);
            asked += 1;
        }
        assert!(asked <= limits::LOCATE_QUESTIONS, "{asked}");
        assert_eq!(found(&l), Vec::<String>::new());
    }
}
