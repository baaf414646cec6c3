// window.phone over SIP.js: the verbs and events are the same as in jssip.js.
import { AUDIO, Events, captureStart, captureStop, dtmf, media, stats } from './media.js';
import { Inviter, Registerer, RegistererState, SessionState, UserAgent } from '/vendor/sipjs.min.js';

const events = new Events();
const handlers = { constraints: { audio: AUDIO, video: false } };
let ua = null;
let registerer = null;
let session = null;
let ours = false; // did we end it?

function follow(newSession, incoming) {
  session = newSession;
  ours = false;
  let established = false;
  let code = null;
  session.delegate = { onBye: () => {}, onCancel: () => {} };
  session.codeOf = (response) => { code = response.message.statusCode; };
  session.stateChange.addListener((state) => {
    if (state === SessionState.Established) { established = true; events.push('answered'); }
    if (state === SessionState.Terminated) events.push(established ? 'ended' : 'failed', { by: ours ? 'local' : 'remote', code });
  });
  if (incoming) events.push('incoming', { from: session.remoteIdentity.uri.toString() });
}

window.phone = {
  events, media, captureStart, captureStop, stats, dtmf,
  async start({ ws, user, domain, password, register = true }) {
    ua = new UserAgent({
      uri: UserAgent.makeURI(`sip:${user}@${domain}`),
      transportOptions: { server: ws },
      authorizationUsername: user,
      authorizationPassword: password,
      sessionDescriptionHandlerFactoryOptions: { iceGatheringTimeout: 1000, peerConnectionConfiguration: { iceServers: [], bundlePolicy: 'max-bundle', rtcpMuxPolicy: 'require' } },
      delegate: { onInvite: (invitation) => follow(invitation, true), onDisconnect: () => events.push('disconnected') },
      logBuiltinEnabled: false,
    });
    await ua.start();
    events.push('connected');
    if (!register) return;
    registerer = new Registerer(ua, { expires: 120 });
    registerer.stateChange.addListener((state) => {
      if (state === RegistererState.Registered) events.push('registered');
      if (state === RegistererState.Unregistered) events.push('unregistered');
    });
    await registerer.register({ requestDelegate: { onReject: (r) => events.push('refused', { code: r.message.statusCode }) } });
  },
  async stop() { await registerer?.unregister(); await ua.stop(); },
  async call(target) {
    const inviter = new Inviter(ua, UserAgent.makeURI(target), { sessionDescriptionHandlerOptions: handlers, earlyMedia: true });
    follow(inviter, false);
    await inviter.invite({ requestDelegate: {
      onProgress: (r) => events.push('progress', { code: r.message.statusCode, early: Boolean(r.message.body) }),
      onReject: (r) => inviter.codeOf(r),
    } });
  },
  async answer() { await session.accept({ sessionDescriptionHandlerOptions: handlers }); },
  async reject(code) { ours = true; await session.reject({ statusCode: code }); },
  async hangup() {
    ours = true;
    if (session.state === SessionState.Established) await session.bye();
    else if (session instanceof Inviter) await session.cancel();
    else await session.reject();
  },
};
