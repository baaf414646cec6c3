// What both pages share: keeps hold of every RTCPeerConnection, plays and records what arrives, fixes the codec on demand.

const Native = window.RTCPeerConnection;
const wanted = new URLSearchParams(location.search).get('codec'); // such as `opus` or `PCMA`; absent: the browser's order
export const media = { connections: [], tracks: [] };

function preferCodec(pc) {
  if (!wanted) return;
  const all = RTCRtpReceiver.getCapabilities('audio').codecs;
  const codecs = all.filter((c) => [wanted.toLowerCase(), 'telephone-event'].includes(c.mimeType.toLowerCase().replace('audio/', '')));
  for (const transceiver of pc.getTransceivers()) transceiver.setCodecPreferences(codecs);
}

/** The offer without the other codecs: a preference alone does not keep an answering Chromium from sending them. */
function onlyWanted(sdp) {
  const names = [wanted.toLowerCase(), 'telephone-event'];
  const fixed = { 0: 'pcmu', 8: 'pcma' };
  const map = Object.fromEntries([...sdp.matchAll(/^a=rtpmap:(\d+) ([^/]+)/gm)].map((m) => [m[1], m[2].toLowerCase()]));
  const keep = (type) => names.includes(map[type] ?? fixed[type]);
  return sdp
    .replace(/^(m=audio \d+ \S+)((?: \d+)+)/m, (_, head, list) => head + list.split(' ').filter((t) => t && keep(t)).map((t) => ` ${t}`).join(''))
    .replace(/^a=(?:rtpmap|fmtp|rtcp-fb):(\d+) .*\r?\n/gm, (line, type) => (keep(type) ? line : ''));
}

window.RTCPeerConnection = class extends Native {
  constructor(...args) {
    super(...args);
    media.connections.push(this);
    this.addEventListener('track', ({ track, streams }) => {
      const audio = document.createElement('audio'); // without an element Chromium decodes nothing
      audio.autoplay = true;
      audio.srcObject = streams[0] || new MediaStream([track]);
      document.body.append(audio);
      media.tracks.push(track);
    });
  }
  setRemoteDescription(description, ...rest) {
    if (wanted && description?.type === 'offer') return super.setRemoteDescription({ type: 'offer', sdp: onlyWanted(description.sdp) }, ...rest);
    return super.setRemoteDescription(description, ...rest);
  }
  createOffer(...args) { preferCodec(this); return super.createOffer(...args); }
  createAnswer(...args) { preferCodec(this); return super.createAnswer(...args); }
};

const TAP = URL.createObjectURL(new Blob([`
  registerProcessor('tap', class extends AudioWorkletProcessor {
    process(inputs) { if (inputs[0][0]) this.port.postMessage(inputs[0][0].slice()); return true; }
  });`], { type: 'text/javascript' }));

let tape = null;

/** Begins to record the newest remote track; resolves once sound is being taken down. */
export async function captureStart() {
  const context = new AudioContext({ sampleRate: 48000 }); // a multiple of 8 kHz for the analysis
  await context.resume();
  await context.audioWorklet.addModule(TAP);
  const source = context.createMediaStreamSource(new MediaStream([media.tracks.at(-1)]));
  const tap = new AudioWorkletNode(context, 'tap');
  const blocks = [];
  tape = { context, source, blocks };
  const begun = new Promise((done) => { tap.port.onmessage = ({ data }) => { blocks.push(data); done(); }; });
  source.connect(tap).connect(context.destination);
  await begun;
}

/** Ends it: {rate, pcm: base64 of s16le}. */
export async function captureStop() {
  const { context, source, blocks } = tape;
  source.disconnect();
  const pcm = new Int16Array(blocks.reduce((n, b) => n + b.length, 0));
  let at = 0;
  for (const block of blocks) for (const s of block) pcm[at++] = Math.max(-32768, Math.min(32767, s * 32767));
  await context.close();
  const bytes = new Uint8Array(pcm.buffer);
  let text = '';
  for (let i = 0; i < bytes.length; i += 32768) text += String.fromCharCode(...bytes.subarray(i, i + 32768));
  return { rate: context.sampleRate, pcm: btoa(text) };
}

/** Codec, cipher and counters of the newest connection. */
export async function stats() {
  const out = {};
  for (const s of (await media.connections.at(-1).getStats()).values()) {
    if (s.type === 'inbound-rtp') Object.assign(out, { packets_in: s.packetsReceived, lost: s.packetsLost, codec_in: s.codecId });
    if (s.type === 'outbound-rtp') Object.assign(out, { packets_out: s.packetsSent, codec_out: s.codecId });
    if (s.type === 'transport') Object.assign(out, { dtls: s.dtlsState, srtp: s.srtpCipher, ice: s.iceState, tls: s.tlsVersion });
    if (s.type === 'candidate-pair' && s.nominated) out.rtt = s.currentRoundTripTime;
  }
  for (const s of (await media.connections.at(-1).getStats()).values()) {
    if (s.id === out.codec_in) out.codec_in = s.mimeType;
    if (s.id === out.codec_out) out.codec_out = s.mimeType;
  }
  return out;
}

/** Sends digits as RFC 4733 events; resolves when the last has gone. */
export function dtmf(digits, ms = 240, gap = 120) {
  const sender = media.connections.at(-1).getSenders().find((s) => s.track?.kind === 'audio').dtmf;
  return new Promise((done) => {
    sender.addEventListener('tonechange', ({ tone }) => { if (tone === '') setTimeout(done, 300); });
    sender.insertDTMF(digits, ms, gap);
  });
}

/** A log of events that tests wait for: push(what, more); wait(what, ms) gives the first such event not yet taken. */
export class Events {
  all = [];
  #waiters = [];
  push(what, more = {}) {
    this.all.push({ what, ...more, taken: false });
    for (const check of [...this.#waiters]) check();
  }
  wait(what, ms) {
    const names = what.split('|');
    return new Promise((done, fail) => {
      const check = () => {
        const event = this.all.find((e) => !e.taken && names.includes(e.what));
        if (!event) return;
        event.taken = true;
        finish();
        done(event);
      };
      const timer = setTimeout(() => {
        finish();
        fail(new Error(`no ${what} within ${ms} ms; there were: ${JSON.stringify(this.all)}`));
      }, ms);
      const finish = () => { clearTimeout(timer); this.#waiters = this.#waiters.filter((w) => w !== check); };
      this.#waiters.push(check);
      check();
    });
  }
}

export const AUDIO = { echoCancellation: false, noiseSuppression: false, autoGainControl: false };
