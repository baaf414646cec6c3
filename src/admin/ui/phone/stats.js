// Reads RTCPeerConnection.getStats() once and returns the few numbers that a person at a phone wants.

/**
 * @param {RTCPeerConnection} pc
 * @returns {Promise<object>} codec_out, codec_in, rtt_ms, loss_in_ratio, loss_out_ratio, jitter_ms, packets_in, packets_out,
 *   srtp_cipher, ice_state; unknown values are null
 */
export async function readStats(pc) {
  const report = await pc.getStats();
  const byId = new Map();
  report.forEach((entry) => byId.set(entry.id, entry));
  const find = (type, test = () => true) => [...byId.values()].find((entry) => entry.type === type && test(entry)) || null;
  const audio = (entry) => entry.kind === 'audio';

  const inbound = find('inbound-rtp', audio);
  const outbound = find('outbound-rtp', audio);
  const farReport = find('remote-inbound-rtp', audio);
  const transport = find('transport');
  const pair = (transport?.selectedCandidatePairId && byId.get(transport.selectedCandidatePairId)) || find('candidate-pair', (entry) => entry.nominated && entry.state === 'succeeded');

  const rtt = farReport?.roundTripTime ?? pair?.currentRoundTripTime;
  const expected = (inbound?.packetsReceived ?? 0) + (inbound?.packetsLost ?? 0);
  return {
    codec_out: codecName(byId.get(outbound?.codecId)),
    codec_in: codecName(byId.get(inbound?.codecId)),
    rtt_ms: Number.isFinite(rtt) ? rtt * 1000 : null,
    loss_in_ratio: expected > 0 ? Math.max(0, inbound.packetsLost) / expected : null,
    loss_out_ratio: Number.isFinite(farReport?.fractionLost) ? farReport.fractionLost : null,
    jitter_ms: Number.isFinite(inbound?.jitter) && inbound.packetsReceived > 0 ? inbound.jitter * 1000 : null,
    packets_in: inbound?.packetsReceived ?? 0,
    packets_out: outbound?.packetsSent ?? 0,
    srtp_cipher: transport?.srtpCipher ?? null,
    ice_state: pc.iceConnectionState,
  };
}

function codecName(codec) {
  if (!codec) return null;
  const name = codec.mimeType.replace(/^audio\//i, '');
  const channels = codec.channels > 1 ? `/${codec.channels}` : '';
  return `${name}/${codec.clockRate}${channels}`;
}
