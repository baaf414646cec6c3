//! Descriptions in the manner of real clients: the inputs of `wire_sdp`.
//!
//! Written by hand after the order, spelling and oddities of each client, not
//! recorded from one; the runs against real clients are in `interop`.

/// Chromium 130 and later: audio, BUNDLE, rtcp-mux, trickled mDNS candidates.
pub const CHROMIUM: &str = "\
v=0
o=- 4611731400430051336 2 IN IP4 127.0.0.1
s=-
t=0 0
a=group:BUNDLE 0
a=extmap-allow-mixed
a=msid-semantic: WMS 0c1e2b2e-9c9d-4f2e-9ad0-8a1c4be0e3a1
m=audio 9 UDP/TLS/RTP/SAVPF 111 63 9 0 8 13 110 126
c=IN IP4 0.0.0.0
a=rtcp:9 IN IP4 0.0.0.0
a=candidate:2163208203 1 udp 2122194687 6d1b0c0e-3f5e-4b6a-a1c1-0f1f8a9f0f44.local 50123 typ host generation 0 network-id 1
a=candidate:1067286111 1 udp 1685987071 198.51.100.23 50123 typ srflx raddr 0.0.0.0 rport 0 generation 0 network-id 1
a=candidate:3388485749 1 tcp 1518214911 6d1b0c0e-3f5e-4b6a-a1c1-0f1f8a9f0f44.local 9 typ host tcptype active generation 0
a=ice-ufrag:hO7b
a=ice-pwd:Wm4w5v3T5bQ9ZfJ0mFJ4d0mV
a=ice-options:trickle
a=fingerprint:sha-256 8B:E9:22:1B:61:50:13:9A:3A:07:6D:7C:22:0A:6B:3F:D4:57:2C:53:D9:4D:38:67:A1:B1:18:5F:11:4E:8F:0B
a=setup:actpass
a=mid:0
a=extmap:1 urn:ietf:params:rtp-hdrext:ssrc-audio-level
a=extmap:2 http://www.webrtc.org/experiments/rtp-hdrext/abs-send-time
a=sendrecv
a=msid:0c1e2b2e-9c9d-4f2e-9ad0-8a1c4be0e3a1 b31f2a85-6d2d-4b28-8f44-6b2bd4c5ad93
a=rtcp-mux
a=rtcp-rsize
a=rtpmap:111 opus/48000/2
a=rtcp-fb:111 transport-cc
a=fmtp:111 minptime=10;useinbandfec=1
a=rtpmap:63 red/48000/2
a=fmtp:63 111/111
a=rtpmap:9 G722/8000
a=rtpmap:0 PCMU/8000
a=rtpmap:8 PCMA/8000
a=rtpmap:13 CN/8000
a=rtpmap:110 telephone-event/48000
a=rtpmap:126 telephone-event/8000
a=ssrc:2231627014 cname:w2Qd7rTcK3xGJtY+
a=ssrc:2231627014 msid:0c1e2b2e-9c9d-4f2e-9ad0-8a1c4be0e3a1 b31f2a85-6d2d-4b28-8f44-6b2bd4c5ad93
";

/// Firefox: fingerprint at session level, audio, video and data bundled.
pub const FIREFOX: &str = "\
v=0
o=mozilla...THIS_IS_SDPARTA-99.0 5923041212332391834 0 IN IP4 0.0.0.0
s=-
t=0 0
a=sendrecv
a=fingerprint:sha-256 3C:DC:0F:97:53:6C:3E:AE:75:48:43:0C:1C:B8:7A:A3:5F:0C:B9:8D:85:1A:E0:88:F2:66:59:83:6B:73:B1:21
a=group:BUNDLE 0 1 2
a=ice-options:trickle
a=msid-semantic:WMS *
m=audio 9 UDP/TLS/RTP/SAVPF 109 9 0 8 101
c=IN IP4 0.0.0.0
a=sendrecv
a=extmap:1 urn:ietf:params:rtp-hdrext:ssrc-audio-level
a=fmtp:109 maxplaybackrate=48000;stereo=1;useinbandfec=1
a=fmtp:101 0-15
a=ice-pwd:6b3d2e9f0a9c8d1b7e6f5a4c3b2d1e0f
a=ice-ufrag:1c8be0a2
a=mid:0
a=msid:{5a0a1c31-4fd8-43f9-8f0c-1c59b52b3a4e} {b5b6cf2c-9f02-4ae5-a1ad-2f5e2d7f6f10}
a=rtcp-mux
a=rtpmap:109 opus/48000/2
a=rtpmap:9 G722/8000/1
a=rtpmap:0 PCMU/8000
a=rtpmap:8 PCMA/8000
a=rtpmap:101 telephone-event/8000/1
a=setup:actpass
a=ssrc:3182042134 cname:{9a3f8b51-1b9a-4a8e-9cf5-cf0e57f1a1b2}
m=video 9 UDP/TLS/RTP/SAVPF 120 124
c=IN IP4 0.0.0.0
a=recvonly
a=ice-pwd:6b3d2e9f0a9c8d1b7e6f5a4c3b2d1e0f
a=ice-ufrag:1c8be0a2
a=mid:1
a=rtcp-mux
a=rtpmap:120 VP8/90000
a=rtpmap:124 rtx/90000
a=fmtp:124 apt=120
a=setup:actpass
m=application 9 UDP/DTLS/SCTP webrtc-datachannel
c=IN IP4 0.0.0.0
a=sendrecv
a=ice-pwd:6b3d2e9f0a9c8d1b7e6f5a4c3b2d1e0f
a=ice-ufrag:1c8be0a2
a=mid:2
a=setup:actpass
a=sctp-port:5000
a=max-message-size:1073741823
";

/// JsSIP hold in Chromium: the same session, version up, sendonly, candidates in place.
pub const JSSIP_HOLD: &str = "\
v=0
o=- 4611731400430051336 3 IN IP4 127.0.0.1
s=-
t=0 0
a=group:BUNDLE 0
a=msid-semantic: WMS
m=audio 50123 UDP/TLS/RTP/SAVPF 111 0 8 110 126
c=IN IP4 198.51.100.23
a=rtcp:9 IN IP4 0.0.0.0
a=candidate:1 1 udp 2122194687 10.1.2.3 50123 typ host generation 0
a=candidate:1 2 udp 2122194686 10.1.2.3 50124 typ host generation 0
a=ice-ufrag:hO7b
a=ice-pwd:Wm4w5v3T5bQ9ZfJ0mFJ4d0mV
a=fingerprint:sha-256 8B:E9:22:1B:61:50:13:9A:3A:07:6D:7C:22:0A:6B:3F:D4:57:2C:53:D9:4D:38:67:A1:B1:18:5F:11:4E:8F:0B
a=setup:actpass
a=mid:0
a=sendonly
a=rtcp-mux
a=rtpmap:111 opus/48000/2
a=fmtp:111 minptime=10;useinbandfec=1
a=rtpmap:0 PCMU/8000
a=rtpmap:8 PCMA/8000
a=rtpmap:110 telephone-event/48000
a=rtpmap:126 telephone-event/8000
";

/// Chromium's answer to our offer.
pub const CHROMIUM_ANSWER: &str = "\
v=0
o=- 7315043200873910221 2 IN IP4 127.0.0.1
s=-
t=0 0
a=group:BUNDLE 0
a=extmap-allow-mixed
a=msid-semantic: WMS 7f7d
m=audio 9 UDP/TLS/RTP/SAVPF 111 8 110 101
c=IN IP4 0.0.0.0
a=rtcp:9 IN IP4 0.0.0.0
a=ice-ufrag:Qx3L
a=ice-pwd:kq0lJx4z2o0dIuT7Vw2b0zRy
a=ice-options:trickle
a=fingerprint:sha-256 8B:E9:22:1B:61:50:13:9A:3A:07:6D:7C:22:0A:6B:3F:D4:57:2C:53:D9:4D:38:67:A1:B1:18:5F:11:4E:8F:0B
a=setup:active
a=mid:0
a=sendrecv
a=msid:7f7d a1
a=rtcp-mux
a=rtpmap:111 opus/48000/2
a=fmtp:111 minptime=10;useinbandfec=1
a=rtpmap:8 PCMA/8000
a=rtpmap:110 telephone-event/48000
a=rtpmap:101 telephone-event/8000
a=ssrc:1188224411 cname:w2Qd7rTcK3xGJtY+
";

/// baresip 1.0 with G.711, Opus and rtcp-mux offered.
pub const BARESIP: &str = "\
v=0
o=- 3456789012 1234567890 IN IP4 192.0.2.20
s=-
c=IN IP4 192.0.2.20
t=0 0
a=tool:baresip 1.0.0
m=audio 10178 RTP/AVP 96 0 8 101
b=AS:128
a=rtpmap:96 opus/48000/2
a=fmtp:96 stereo=1;sprop-stereo=1
a=rtpmap:0 PCMU/8000
a=rtpmap:8 PCMA/8000
a=rtpmap:101 telephone-event/8000
a=fmtp:101 0-15
a=rtcp:10179
a=sendrecv
a=label:1
a=rtcp-rsize
a=ssrc:2013478521 cname:sip:alice@192.0.2.20
a=minptime:20
a=ptime:20
";

/// SIPp's built-in uac scenario: the least that is a description.
pub const SIPP: &str = "\
v=0
o=user1 53655765 2353687637 IN IP4 192.0.2.30
s=-
c=IN IP4 192.0.2.30
t=0 0
m=audio 6000 RTP/AVP 0
a=rtpmap:0 PCMU/8000
";

/// Asterisk (chan_pjsip) answering what we offered to it.
pub const ASTERISK_ANSWER: &str = "\
v=0
o=- 1817294518 3 IN IP4 192.0.2.40
s=Asterisk
c=IN IP4 192.0.2.40
t=0 0
m=audio 14562 RTP/AVP 8 101
a=rtpmap:8 PCMA/8000
a=rtpmap:101 telephone-event/8000
a=fmtp:101 0-16
a=ptime:20
a=maxptime:150
a=sendrecv
";

/// Cisco IOS gateway: c= twice, G.729 first, NTE, fax on a second line.
pub const CISCO: &str = "\
v=0
o=CiscoSystemsSIP-GW-UserAgent 3174 8576 IN IP4 192.0.2.50
s=SIP Call
c=IN IP4 192.0.2.50
t=0 0
m=audio 18216 RTP/AVP 18 8 0 101 19
c=IN IP4 192.0.2.51
a=rtpmap:18 G729/8000
a=fmtp:18 annexb=no
a=rtpmap:8 PCMA/8000
a=rtpmap:0 PCMU/8000
a=rtpmap:101 telephone-event/8000
a=fmtp:101 0-16
a=rtpmap:19 CN/8000
a=ptime:20
m=image 18218 udptl t38
c=IN IP4 192.0.2.51
a=T38FaxVersion:0
a=T38MaxBitRate:14400
";
