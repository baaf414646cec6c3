// window.phone over JsSIP: the verbs and events are the same as in sipjs.js.
import { AUDIO, Events, captureStart, captureStop, dtmf, media, stats } from './media.js';
import JsSIP from '/vendor/jssip.min.js';

const events = new Events();
const pcConfig = { iceServers: [], bundlePolicy: 'max-bundle', rtcpMuxPolicy: 'require' };
let ua = null;
let session = null;

function follow(newSession, originator) {
  session = newSession;
  if (originator === 'remote') events.push('incoming', { from: session.remote_identity.uri.toString() });
  session.on('progress', (e) => { if (e.originator === 'remote') events.push('progress', { code: e.response.status_code, early: Boolean(e.response.body) }); });
  session.on('confirmed', () => events.push('answered'));
  session.on('ended', (e) => events.push('ended', { by: e.originator, cause: e.cause, reason: e.message?.getHeader?.('Reason') ?? null }));
  session.on('failed', (e) => events.push('failed', { by: e.originator, cause: e.cause, code: e.message?.status_code ?? null,
    warning: e.message?.getHeader?.('Warning') ?? null, reason: e.message?.getHeader?.('Reason') ?? null }));
  session.on('newDTMF', (e) => { if (e.originator === 'remote') events.push('digit', { digit: e.dtmf.tone }); });
}

window.phone = {
  events, media, captureStart, captureStop, stats, dtmf,
  start({ ws, user, domain, password, register = true }) {
    ua = new JsSIP.UA({ sockets: [new JsSIP.WebSocketInterface(ws)], uri: `sip:${user}@${domain}`, password, register, register_expires: 120 });
    ua.on('connected', () => events.push('connected'));
    ua.on('disconnected', (e) => events.push('disconnected', { code: e.code ?? null }));
    ua.on('registered', () => events.push('registered'));
    ua.on('unregistered', () => events.push('unregistered'));
    ua.on('registrationFailed', (e) => events.push('refused', { code: e.response?.status_code ?? null }));
    ua.on('newRTCSession', (e) => follow(e.session, e.originator));
    ua.start();
  },
  stop() { ua.stop(); },
  call(target) { ua.call(target, { mediaConstraints: { audio: AUDIO, video: false }, pcConfig }); },
  answer() { session.answer({ mediaConstraints: { audio: AUDIO, video: false }, pcConfig }); },
  reject(code) { session.terminate({ status_code: code }); },
  hangup() { session.terminate(); },
  hold(on) { return new Promise((done) => (on ? session.hold({}, () => done(true)) : session.unhold({}, () => done(true)))); },
  /** The connection goes without a goodbye. */
  drop() { ua.transport.socket._ws.close(); },
};
