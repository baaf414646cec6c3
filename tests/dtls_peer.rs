//! The DTLS handshake against a foreign library, webrtc-dtls, in both roles:
//! the exporters of both ends give the same keys. Datagrams go through a pipe
//! in memory; only the two clocks are real.

use std::sync::Arc;
use std::time::{Duration, Instant as Clock};

use sbc::base::{Instant, Now};
use sbc::dtls::{
    Anchor, Certificate, Config, DimplHandshake, DimplHandshakes, Fingerprint, Handshake, HashKind, KeyingMaterial,
    Output, Outputs, Role, SrtpProfile, Versions,
};
use webrtc_dtls::config::{ClientAuthType, ExtendedMasterSecretType};
use webrtc_dtls::conn::DTLSConn;
use webrtc_dtls::extension::extension_use_srtp::SrtpProtectionProfile;
use webrtc_util::KeyingMaterialExporter;
use webrtc_util::conn::Conn;
use webrtc_util::conn::conn_pipe::pipe;

/// Drives `shake` over `conn` until it has keys.
async fn connect(mut shake: DimplHandshake, conn: impl Conn, origin: Clock) -> (KeyingMaterial, SrtpProfile) {
    let now = || Now { mono: Instant::from_millis(1000) + origin.elapsed(), ..Now::from_millis(0, 0) };
    let (mut out, mut room) = (Outputs::new(), [0; 2048]);
    shake.start(now(), &mut out);
    let mut agreed = None;
    loop {
        for output in out.drain(..) {
            match output {
                Output::Transmit(datagram) => drop(conn.send(&datagram).await.expect("the pipe holds")),
                Output::Connected { keys, profile, .. } => agreed = Some((keys, profile)),
                Output::Failed { .. } | Output::Closed => panic!("{output:?}"),
            }
        }
        if let Some(agreed) = agreed {
            return agreed;
        }
        let wait = shake.poll_timeout().map_or(Duration::from_secs(1), |at| at.since(now().mono));
        match tokio::time::timeout(wait, conn.recv(&mut room)).await {
            Ok(len) => shake.handle_datagram(now(), &room[..len.expect("the pipe holds")], &mut out),
            Err(_) => shake.handle_timeout(now(), &mut out),
        }
    }
}

async fn agree(role: Role, versions: Versions, theirs: SrtpProtectionProfile, ours: SrtpProfile) {
    let foreign = webrtc_dtls::crypto::Certificate::generate_self_signed(vec!["peer".to_owned()]).expect("entropy");
    let expected = [Fingerprint::of(HashKind::Sha256, &foreign.certificate[0])];
    let origin = Clock::now();
    let anchor = Anchor { std: origin, base: Instant::from_millis(1000) };
    let config = Config { versions, ..Config::default() };
    let maker = DimplHandshakes::new(config, Certificate::self_signed().expect("entropy"), anchor).expect("valid");

    let (here, there) = pipe();
    let peer = tokio::spawn(async move {
        let config = webrtc_dtls::config::Config {
            certificates: vec![foreign],
            srtp_protection_profiles: vec![theirs],
            client_auth: ClientAuthType::RequireAnyClientCert,
            extended_master_secret: ExtendedMasterSecretType::Require,
            insecure_skip_verify: true,
            ..Default::default()
        };
        let conn = DTLSConn::new(Arc::new(there), config, role == Role::Server, None).await.expect("a handshake");
        let state = conn.connection_state().await;
        state.export_keying_material("EXTRACTOR-dtls_srtp", &[], ours.exported_len()).await.expect("an exporter")
    });
    let (keys, profile) = connect(maker.handshake(role, &expected), here, origin).await;
    let foreign_keys = peer.await.expect("the peer does not panic");
    assert_eq!(profile, ours, "{role:?}, {versions:?}");
    assert_eq!(keys.bytes(), foreign_keys, "{role:?}, {versions:?}");
}

#[tokio::test]
async fn exports_the_same_keys_as_a_foreign_peer_in_both_roles() {
    for role in [Role::Client, Role::Server] {
        for versions in [Versions::Dtls12, Versions::Auto] {
            let (sha1, gcm) =
                (SrtpProtectionProfile::Srtp_Aes128_Cm_Hmac_Sha1_80, SrtpProtectionProfile::Srtp_Aead_Aes_128_Gcm);
            agree(role, versions, sha1, SrtpProfile::Aes128CmSha1_80).await;
            agree(role, versions, gcm, SrtpProfile::AeadAes128Gcm).await;
        }
    }
}
