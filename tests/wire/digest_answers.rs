//! Known digest answers: the examples of RFC 7616 and SIP-shaped ones.

use sbc::sip::digest::{Algorithm, Proof};
use serde_json::Value;

#[test]
fn known_answers_are_reproduced() {
    let cases: Vec<Value> = serde_json::from_str(include_str!("digest/digest_kat.json")).expect("a JSON list");
    assert_eq!(cases.len(), 9);
    for case in &cases {
        let get = |name: &str| case[name].as_str().expect("a string");
        let algorithm = match get("algorithm") {
            "MD5" => Algorithm::Md5,
            "SHA-256" => Algorithm::Sha256,
            "SHA-512-256" => Algorithm::Sha512_256,
            other => panic!("unknown algorithm {other}"),
        };
        let proof = Proof {
            algorithm,
            username: get("username"),
            realm: get("realm"),
            password: get("password"),
            method: get("method"),
            uri: get("uri"),
            nonce: get("nonce"),
            auth: (get("qop") == "auth").then(|| (get("nc"), get("cnonce"))),
        };
        assert_eq!(proof.response(), get("response"), "{case}");
    }
}
