// One SIP line: registration and at most one call, over JsSIP. Emits plain events (`registration`, `call`,
// `remote`, `ice`, `digit`) and owns no DOM, so that phone.js can draw what it is told. A second incoming call is answered 486.
//
// Call states: idle, calling, ringing (180), early (183 with audio), incoming, answered, held, ended, failed.

import JsSIP from '/vendor/jssip.min.js';
import { explainEnd, explainRegistration } from './causes.js';
import { openSource } from './audio.js';

// Milliseconds to go on gathering after the first candidate: local candidates come at once, and the server is
// ICE-lite with a public address, so waiting for more only delays the call.
const GATHER_MORE_MS = 300;
// A digit lasts 100 ms with 70 ms between: above the 40 ms that receivers must accept (ITU-T Q.24) with room for loss.
const DIGIT_MS = 100;
const DIGIT_GAP_MS = 70;

export class Line extends EventTarget {
  /** @type {'mic'|'tone'|'silence'} */
  source = 'mic';
  /** @type {'rtp'|'info'} */
  dtmfMode = 'rtp';
  registration = { state: 'off', text: 'Not registered' };
  call = { state: 'idle' };

  #ua = null;
  #account = null;
  #session = null;
  #sound = null;

  /** Connects and registers. @param {{ws_uri: string, user: string, domain: string, password: string}} account */
  register(account) {
    this.#stopUa();
    this.#account = account;
    let ua;
    try {
      ua = new JsSIP.UA({
        sockets: [new JsSIP.WebSocketInterface(account.ws_uri)],
        uri: `sip:${encodeURIComponent(account.user)}@${account.domain}`,
        password: account.password || undefined,
        authorization_user: account.user,
        display_name: null,
        register: true,
        register_expires: 300,
        user_agent: 'sbc browser phone',
        connection_recovery_min_interval: 1,
        connection_recovery_max_interval: 15,
        no_answer_timeout: 90,
      });
    } catch (error) {
      this.#registration('failed', error?.parameter ? `Check the field: ${error.parameter}` : 'The account is not valid');
      throw error;
    }
    this.#ua = ua;
    const mine = (handler) => (event) => { if (this.#ua === ua) handler(event); };
    ua.on('connecting', mine(() => this.#registration('connecting', 'Connecting…')));
    ua.on('connected', mine(() => this.#registration('registering', 'Registering…')));
    ua.on('disconnected', mine(() => this.#registration('failed', 'No connection to the server; trying again')));
    ua.on('registered', mine(() => this.#registration('registered', `Registered as ${account.user}`)));
    ua.on('unregistered', mine((event) => {
      if (event?.cause) return;
      this.#registration('off', 'Not registered');
    }));
    ua.on('registrationFailed', mine((event) => {
      const { code, text } = explainRegistration(event);
      this.#registration('failed', code ? `${text} (${code})` : text);
    }));
    ua.on('newRTCSession', mine((event) => this.#onSession(event)));
    ua.start();
  }

  /** Unregisters and closes the WebSocket. */
  unregister() {
    this.#stopUa();
    this.#registration('off', 'Not registered');
  }

  get registered() { return this.registration.state === 'registered'; }
  get busy() { return this.#session !== null; }
  get connection() { return this.#session?.connection ?? null; }
  get localStream() { return this.#sound?.stream ?? null; }

  /** Calls a number, a user or a SIP address. @throws {MicrophoneError|Error} */
  async dial(target) {
    if (!this.#ua) throw new Error('Register first');
    if (this.busy) throw new Error('Already in a call');
    const address = normalise(target, this.#account.domain);
    if (!address) throw new Error('Not a number, a user or a SIP address');
    const sound = await openSource(this.source);
    if (this.busy || !this.#ua) { sound.stop(); throw new Error('Already in a call'); }
    this.#sound = sound;
    try {
      this.#ua.call(address, { mediaStream: sound.stream, pcConfig: pcConfig(), mediaConstraints: { audio: true, video: false } });
    } catch (error) {
      this.#release();
      throw error;
    }
  }

  /** Answers the incoming call. @throws {MicrophoneError} */
  async answer() {
    const session = this.#session;
    if (!session || this.call.state !== 'incoming') return;
    const sound = await openSource(this.source);
    if (this.#session !== session || this.call.state !== 'incoming') { sound.stop(); return; }
    this.#sound = sound;
    session.answer({ mediaStream: sound.stream, pcConfig: pcConfig(), mediaConstraints: { audio: true, video: false } });
  }

  /** Ends whatever call there is: CANCEL, BYE, or 603 for an incoming one. */
  hangup() {
    const session = this.#session;
    if (!session || session.isEnded()) return;
    if (session.direction === 'incoming' && !session.isEstablished()) session.terminate({ status_code: 603, reason_phrase: 'Decline' });
    else session.terminate();
  }

  setMuted(on) {
    if (!this.#session) return;
    if (on) this.#session.mute({ audio: true }); else this.#session.unmute({ audio: true });
  }

  /** Holds or resumes by re-INVITE. Resolves to false when it was not possible. */
  setHeld(on) {
    const session = this.#session;
    if (!session?.isEstablished()) return Promise.resolve(false);
    return new Promise((resolve) => {
      const options = { eventHandlers: { succeeded: () => resolve(true), failed: () => resolve(false) } };
      if (!(on ? session.hold(options, () => resolve(true)) : session.unhold(options, () => resolve(true)))) resolve(false);
    });
  }

  /** Sends digits. @returns {'rtp'|'info'|null} how they went, null when there is no call to send them in */
  sendDtmf(digits) {
    const session = this.#session;
    if (!session || !/^[0-9A-D*#,]+$/i.test(digits)) return null;
    if (!session.isEstablished() && this.call.state !== 'early') return null;
    const sender = session.connection?.getSenders().find((one) => one.track?.kind === 'audio')?.dtmf;
    if (this.dtmfMode === 'rtp' && sender?.canInsertDTMF) {
      sender.insertDTMF(sender.toneBuffer + digits.toUpperCase(), DIGIT_MS, DIGIT_GAP_MS);
      return 'rtp';
    }
    session.sendDTMF(digits.toUpperCase(), { transportType: 'INFO', duration: DIGIT_MS, interToneGap: 200 });
    return 'info';
  }

  #onSession({ session, originator, request }) {
    if (this.#session) {
      if (originator === 'remote') session.terminate({ status_code: 486, reason_phrase: 'Busy Here' });
      return;
    }
    this.#session = session;
    const identity = session.remote_identity;
    const remote = identity?.display_name || identity?.uri?.user || identity?.uri?.host || String(request?.from || '');
    this.call = { remote, direction: session.direction, held: false, muted: false, answered_at: null, end: null };
    this.#callState(originator === 'remote' ? 'incoming' : 'calling');

    const attach = (pc) => {
      const onTrack = (event) => this.#emit('remote', { stream: event.streams[0] || new MediaStream([event.track]) });
      pc.addEventListener('track', onTrack);
      pc.addEventListener('iceconnectionstatechange', () => this.#emit('ice', { state: pc.iceConnectionState }));
      pc.getReceivers().forEach((receiver) => { if (receiver.track?.readyState === 'live') this.#emit('remote', { stream: new MediaStream([receiver.track]) }); });
    };
    if (session.connection) attach(session.connection);
    else session.on('peerconnection', (event) => attach(event.peerconnection));

    let gatherTimer = null;
    session.on('icecandidate', (event) => { gatherTimer ??= setTimeout(() => event.ready(), GATHER_MORE_MS); });
    session.on('progress', (event) => {
      if (event.originator !== 'remote') return;
      this.#callState(event.response?.body ? 'early' : 'ringing', event.response?.status_code);
    });
    session.on('accepted', () => { this.call.answered_at ??= Date.now(); this.#callState('answered'); });
    session.on('confirmed', () => { this.call.answered_at ??= Date.now(); this.#callState(this.call.held ? 'held' : 'answered'); });
    session.on('hold', (event) => { this.call.held = true; this.call.held_by = event.originator; this.#callState('held'); });
    session.on('unhold', () => {
      const { local, remote: far } = session.isOnHold();
      this.call.held = local || far;
      if (this.call.held) this.call.held_by = local ? 'local' : 'remote';
      this.#callState(this.call.held ? 'held' : 'answered');
    });
    session.on('muted', () => { this.call.muted = true; this.#emit('call'); });
    session.on('unmuted', () => { this.call.muted = false; this.#emit('call'); });
    session.on('newDTMF', (event) => { if (event.originator === 'remote') this.#emit('digit', { digit: event.dtmf.tone }); });
    const over = (kind) => (event) => {
      clearTimeout(gatherTimer);
      if (this.#session !== session) return;
      this.call.end = explainEnd(event);
      this.#release();
      this.#callState(kind === 'ended' || event.cause === 'Canceled' || (event.cause === 'Rejected' && event.originator === 'local') ? 'ended' : 'failed');
    };
    session.on('ended', over('ended'));
    session.on('failed', over('failed'));
  }

  #release() {
    this.#sound?.stop();
    this.#sound = null;
    this.#session = null;
  }

  #stopUa() {
    const ua = this.#ua;
    if (!ua) return;
    this.hangup();
    this.#ua = null;
    ua.stop();
    if (this.#session) {
      // The stopped UA reports to nobody: close the call here.
      this.#release();
      this.call.end = { code: null, title: 'Call ended', text: 'You unregistered.', reason: null };
      this.#callState('ended');
    }
  }

  #registration(state, text) {
    this.registration = { state, text };
    this.#emit('registration');
  }

  #callState(state, code = null) {
    this.call = { ...this.call, state, code };
    this.#emit('call');
  }

  #emit(type, detail = {}) { this.dispatchEvent(new CustomEvent(type, { detail })); }
}

function pcConfig() {
  return { iceServers: [], bundlePolicy: 'max-bundle', rtcpMuxPolicy: 'require' };
}

/** A SIP URI for what a person typed: `echo`, `+49 30 (12) 34`, `alice@example.org`, `sip:…`; null if it cannot be one. */
export function normalise(typed, domain) {
  let text = String(typed ?? '').trim();
  if (/^tel:/i.test(text)) text = text.slice(4).split(';', 1)[0];
  if (/^[+0-9*#][0-9*#\s().\/-]*$/.test(text)) text = text.replace(/[\s().\/-]/g, '');
  if (!text || /[\s<>"\u0000-\u001f]/.test(text)) return null;
  if (/^sips?:/i.test(text)) return JsSIP.URI.parse(text) ? text : null;
  const at = text.lastIndexOf('@');
  const user = at < 0 ? text : text.slice(0, at);
  const host = at < 0 ? domain : text.slice(at + 1);
  // encodeURIComponent leaves RFC 3261's unreserved marks; + and * stay readable, # must be escaped in a user part.
  const escaped = encodeURIComponent(user).replace(/%2B/gi, '+').replace(/%3D/gi, '=').replace(/%26/g, '&').replace(/%24/g, '$').replace(/%2C/gi, ',').replace(/%2F/gi, '/');
  const uri = `sip:${escaped}@${host}`;
  return JsSIP.URI.parse(uri) ? uri : null;
}
