// The browser phone's page: draws what Line says, turns clicks and keys into its verbs, and runs meters and numbers.
// Names of callers come from strangers and reach the page by textContent only.
//
// window.sbcPhone is a small hook for automated tests: ready (a promise), register(account), unregister(), call(target),
// answer(), hangup(), mute(on), hold(on), sendDtmf(digits), source(kind), state(), levels(), stats().

import { Line } from './line.js';
import { Meter, MicrophoneError, Tones, audioContext, blip } from './audio.js';
import { readStats } from './stats.js';

const $ = (id) => document.getElementById(id);
const line = new Line();
const tones = new Tones();
const meters = { local: null, remote: null };
let latestStats = null;
const REMEMBERED = 'sbc.phone.account';
const SERVICE_WORDS = { echo: 'hear yourself', tone: '1 kHz', hello: 'a greeting' };
let pending = null; // what to go on with once the question about the microphone is answered
let lastTarget = '';
let sentDigits = '';
let lastState = 'idle';

// ---- the page's fixed parts ----

function buildPad() {
  const letters = { 2: 'ABC', 3: 'DEF', 4: 'GHI', 5: 'JKL', 6: 'MNO', 7: 'PQRS', 8: 'TUV', 9: 'WXYZ', 0: '+' };
  for (const digit of '123456789*0#') {
    const button = document.createElement('button');
    button.type = 'button';
    button.dataset.digit = digit;
    button.setAttribute('aria-label', { '*': 'star', '#': 'hash' }[digit] || digit);
    button.append(span('digit', digit), span('letters', letters[digit] || ''));
    button.addEventListener('click', () => press(digit));
    $('pad').append(button);
  }
}

function buildServices(names) {
  const known = (names || []).filter((name) => /^[a-z0-9_-]{1,32}$/i.test(name)).slice(0, 6);
  $('services').replaceChildren(...known.map((name) => {
    const button = document.createElement('button');
    button.type = 'button';
    button.className = 'service';
    const words = document.createElement('small');
    words.textContent = SERVICE_WORDS[name] || 'test service';
    button.append(span('', `Call ${name}`), words);
    button.addEventListener('click', () => { $('target').value = name; call(name); });
    return button;
  }));
  $('services').hidden = known.length === 0;
}

function span(className, text) {
  const node = document.createElement('span');
  if (className) node.className = className;
  node.textContent = text;
  return node;
}

function log(text, bad = false) {
  const item = document.createElement('li');
  const time = document.createElement('time');
  time.textContent = new Date().toLocaleTimeString('en-GB', { hour: '2-digit', minute: '2-digit', second: '2-digit' });
  item.append(time, span(bad ? 'bad' : '', text));
  $('log').prepend(item);
  while ($('log').children.length > 200) $('log').lastChild.remove();
}

// ---- the account ----

function accountFields() {
  return { ws_uri: $('ws-uri').value.trim(), user: $('user').value.trim(), domain: $('domain').value.trim(), password: $('password').value };
}

function fillAccount(account) {
  $('ws-uri').value = account.ws_uri || '';
  $('user').value = account.user || '';
  $('domain').value = account.domain || '';
  if (account.password) $('password').value = account.password;
}

function register(account = accountFields()) {
  fillAccount(account);
  if (!/^wss?:\/\/./i.test(account.ws_uri)) { setRegistration({ state: 'failed', text: 'The WebSocket address begins with ws:// or wss://' }); return; }
  if (!account.user || !account.domain) { setRegistration({ state: 'failed', text: 'User and domain are needed' }); return; }
  try {
    // The password is never stored.
    localStorage.setItem(REMEMBERED, JSON.stringify({ ws_uri: account.ws_uri, user: account.user, domain: account.domain }));
  } catch { /* storage refused: the fields are typed again next time */ }
  try { line.register(account); } catch (error) { log(String(error.message || error), true); }
}

async function loadAccount() {
  const secure = location.protocol === 'https:';
  let remembered = {};
  try { remembered = JSON.parse(localStorage.getItem(REMEMBERED)) || {}; } catch { /* nothing usable stored */ }
  fillAccount({ ws_uri: secure ? `wss://${location.hostname}:8443/sip` : `ws://${location.hostname}:8088/sip`, domain: location.hostname, ...remembered });
  buildServices(['echo', 'tone', 'hello']);
  try {
    const answer = await fetch('/api/v1/phone', { headers: { accept: 'application/json' } });
    if (!answer.ok) return;
    const offered = await answer.json();
    fillAccount(offered);
    buildServices(offered.services);
    if (offered.note) { $('note').textContent = offered.note; $('note').hidden = false; }
    register();
  } catch { log('The server offers no demo account; type one in.'); }
}

function setRegistration({ state, text }) {
  const chip = $('reg-chip');
  chip.className = `chip ${{ registered: 'good', failed: 'bad', connecting: 'warn', registering: 'warn' }[state] || ''}`;
  chip.textContent = text;
  $('unregister').disabled = state === 'off';
  $('register').textContent = state === 'off' || state === 'failed' ? 'Register' : 'Register again';
}

line.addEventListener('registration', () => {
  setRegistration(line.registration);
  log(line.registration.text, line.registration.state === 'failed');
  draw();
});

// ---- calls ----

async function call(target) {
  const wanted = String(target ?? $('target').value).trim() || lastTarget;
  if (!wanted) { $('target').focus(); return; }
  if (!$('target').value) $('target').value = wanted;
  lastTarget = wanted;
  if (!line.busy) { line.call = { state: 'idle' }; lastState = 'idle'; draw(); }
  audioContext();
  await withSound(() => line.dial(wanted));
}

async function answer() {
  audioContext();
  await withSound(() => line.answer());
}

/** Runs a verb that needs sound to send; on a microphone problem asks what to send instead and remembers the verb. */
async function withSound(verb) {
  hideNotice();
  try {
    await verb();
  } catch (error) {
    if (error instanceof MicrophoneError) {
      pending = verb;
      $('mic-text').textContent = error.message;
      $('mic-notice').hidden = false;
      $('mic-tone').focus();
    } else {
      showProblem(String(error.message || error));
    }
    log(String(error.message || error), true);
    throw error;
  }
}

function useSource(kind) {
  line.source = kind;
  $('source').value = kind;
  const verb = pending;
  hideNotice();
  if (verb) withSound(verb).catch(() => {});
}

function hideNotice() { pending = null; $('mic-notice').hidden = true; }

function showProblem(text) {
  if (line.busy) return;
  $('display').dataset.state = 'failed';
  $('state').textContent = 'Not possible';
  $('explain').textContent = text;
  $('explain').hidden = false;
}

function press(digit) {
  const key = [...$('pad').children].find((button) => button.dataset.digit === digit);
  key?.classList.add('down');
  setTimeout(() => key?.classList.remove('down'), 120);
  blip(digit);
  if (line.busy) sendDtmf(digit);
  else $('target').value += digit;
}

function sendDtmf(digits) {
  const way = line.sendDtmf(digits);
  if (!way) return null;
  sentDigits = (sentDigits + digits).slice(-64);
  $('sent').textContent = sentDigits;
  if (way === 'info' && line.dtmfMode === 'rtp') log('The far end takes no RTP events: digits go by SIP INFO.');
  return way;
}

const WORDS = {
  idle: () => (line.registered ? 'Ready' : 'Not registered'),
  calling: () => 'Calling…',
  ringing: () => 'Ringing at the far end',
  early: () => 'Far end sends audio before answering',
  incoming: () => 'Incoming call',
  answered: () => (line.call.muted ? 'In call, muted' : 'In call'),
  held: () => (line.call.held_by === 'remote' ? 'The far end holds the call' : 'On hold'),
  ended: () => 'Call ended',
  failed: () => line.call.end?.title || 'Call failed',
};

function draw() {
  const { state, end, remote } = line.call;
  const live = line.busy;
  $('display').dataset.state = state;
  $('state').textContent = WORDS[state]();
  $('remote').firstElementChild.textContent = state === 'idle' ? '' : clean(remote);
  const why = end && !live ? [end.text, end.code ? `SIP ${end.code}${end.reason ? ` · ${end.reason}` : ''}` : end.reason].filter(Boolean).join(' ') : '';
  $('explain').textContent = clean(why, 300);
  $('explain').hidden = !why;
  $('incoming').hidden = state !== 'incoming';
  $('actions').hidden = state === 'incoming';
  $('call').hidden = live;
  $('hangup').hidden = !live || state === 'incoming';
  $('hangup').textContent = state === 'calling' || state === 'ringing' || state === 'early' ? 'Cancel' : 'Hang up';
  $('call').disabled = !line.registered;
  for (const button of $('services').children) button.disabled = !line.registered || live;
  const talking = state === 'answered' || state === 'held';
  toggle($('mute'), talking, line.call.muted, 'Unmute', 'Mute');
  toggle($('hold'), talking && line.call.held_by !== 'remote' || state === 'answered', state === 'held' && line.call.held_by === 'local', 'Resume', 'Hold');
  $('timer').hidden = !line.call.answered_at;
  document.title = `${state === 'incoming' ? '☎ ' : ''}${WORDS[state]()} · sbc phone`;
}

function toggle(button, enabled, on, textOn, textOff) {
  button.disabled = !enabled;
  button.setAttribute('aria-pressed', String(Boolean(on)));
  button.textContent = on ? textOn : textOff;
}

/** Drops control and direction-changing characters from what a stranger named himself, and bounds it. */
function clean(text, limit = 80) {
  const safe = String(text ?? '').replace(/[\u0000-\u001f\u007f-\u009f\u200e\u200f\u202a-\u202e\u2066-\u2069]/g, '');
  return safe.length > limit ? `${safe.slice(0, limit - 1)}…` : safe;
}

line.addEventListener('call', () => {
  const { state, end, code, remote } = line.call;
  draw();
  if (state === lastState) return;
  const before = lastState;
  lastState = state;
  if (state === 'incoming') { tones.play('ring'); $('answer').focus(); } else if (state === 'ringing') tones.play('ringback');
  else tones.stop();
  if (state === 'calling' || state === 'incoming') { sentDigits = ''; $('sent').textContent = ''; }
  if (state === 'answered' && before !== 'held') startSound();
  if (state === 'calling' || state === 'early') startSound();
  if (state === 'ended' || state === 'failed') {
    hideNotice();
    stopSound();
    if (end?.code === 486 || end?.code === 600) tones.play('busy');
    if (document.activeElement === document.body || document.activeElement?.hidden) $('target').focus({ preventScroll: true });
  }
  const words = { calling: `Calling ${clean(remote)}`, incoming: `${clean(remote)} calls`, ringing: `${code || 180} Ringing`, early: `${code || 183} Session progress with audio`, answered: before === 'held' ? 'Resumed' : 'Answered', held: WORDS.held() };
  log(words[state] || `${end?.title}. ${end?.text}${end?.code ? ` (SIP ${end.code}${end.reason ? `, ${clean(end.reason)}` : ''})` : ''}`, state === 'failed');
});
line.addEventListener('digit', (event) => log(`Digit received: ${clean(event.detail.digit, 4)}`));
line.addEventListener('ice', (event) => { if (['connected', 'failed', 'disconnected'].includes(event.detail.state)) log(`Audio path ${event.detail.state}`, event.detail.state === 'failed'); });
line.addEventListener('remote', (event) => {
  const { stream } = event.detail;
  const audio = $('remote-audio');
  audio.srcObject = stream;
  audio.play().catch(() => log('The browser blocks sound until you click on the page.', true));
  meters.remote?.close();
  meters.remote = new Meter(stream);
});

// ---- meters and numbers ----

function startSound() {
  if (!line.localStream || meters.local) return;
  meters.local = new Meter(line.localStream);
}

function stopSound() {
  meters.local?.close();
  meters.remote?.close();
  meters.local = null;
  meters.remote = null;
  $('remote-audio').srcObject = null;
  $('audio-hint').textContent = '';
  drawLevel('local', null);
  drawLevel('remote', null);
  $('s-pitch').textContent = '–';
}

function drawLevel(side, db) {
  const meter = $(`meter-${side}`);
  const share = db === null ? 0 : Math.max(0, Math.min(1, (db + 60) / 60));
  meter.firstElementChild.style.clipPath = `inset(0 ${((1 - share) * 100).toFixed(1)}% 0 0)`;
  meter.setAttribute('aria-valuenow', String(Math.round(db ?? -60)));
  $(`value-${side}`).textContent = db === null ? '–' : db <= -59.5 ? 'silent' : `${Math.round(db)} dB`;
}

/** Level in dB below full scale and pitch in Hz of both directions at this moment. */
function readLevels() {
  const levels = {};
  for (const side of ['local', 'remote']) {
    const heard = meters[side] && !(side === 'local' && line.call.muted);
    levels[`${side}_db`] = heard ? meters[side].level() : -60;
    levels[`${side}_hz`] = heard ? meters[side].pitch() : null;
  }
  return levels;
}

let frame = 0;
function animate() {
  frame += 1;
  if (line.busy && frame % 3 === 0) {
    const levels = readLevels();
    drawLevel('local', meters.local ? levels.local_db : null);
    drawLevel('remote', meters.remote ? levels.remote_db : null);
    $('s-pitch').textContent = levels.remote_hz ? `${Math.round(levels.remote_hz)} Hz` : '–';
  }
  requestAnimationFrame(animate);
}

async function second() {
  const since = line.call.answered_at;
  if (line.busy && since) {
    const secs = Math.floor((Date.now() - since) / 1000);
    const two = (value) => String(value).padStart(2, '0');
    $('timer').textContent = `${secs >= 3600 ? `${Math.floor(secs / 3600)}:` : ''}${two(Math.floor(secs / 60) % 60)}:${two(secs % 60)}`;
  }
  const pc = line.connection;
  if (!line.busy || !pc || pc.signalingState === 'closed') return;
  try { latestStats = await readStats(pc); } catch { return; }
  if (line.busy) drawStats(latestStats, since ? (Date.now() - since) / 1000 : 0);
}

let packetsBefore = 0;
function drawStats(stats, talkSecs) {
  const set = (id, text) => { $(id).textContent = text ?? '–'; $(id).title = text ?? ''; };
  const ms = (value) => (value === null ? null : `${value < 10 ? value.toFixed(1) : Math.round(value)} ms`);
  const percent = (value) => (value === null ? null : `${(value * 100).toFixed(value < 0.1 ? 1 : 0)} %`);
  set('s-codec-out', stats.codec_out);
  set('s-codec-in', stats.codec_in);
  set('s-rtt', ms(stats.rtt_ms));
  set('s-loss-in', percent(stats.loss_in_ratio));
  set('s-loss-out', percent(stats.loss_out_ratio));
  set('s-jitter', ms(stats.jitter_ms));
  set('s-packets', `${stats.packets_in} / ${stats.packets_out}`);
  set('s-crypto', stats.srtp_cipher);
  const silent = stats.packets_in === packetsBefore;
  packetsBefore = stats.packets_in;
  const hint = $('audio-hint');
  let text = '';
  if (talkSecs > 3 && line.call.state === 'answered') {
    if (stats.ice_state !== 'connected' && stats.ice_state !== 'completed') text = `No audio path to the server (ICE ${stats.ice_state}).`;
    else if (stats.packets_in === 0) text = 'No audio packet has come from the far end: one-way audio.';
    else if (silent) text = 'Audio packets from the far end have stopped.';
    else if (stats.packets_out === 0) text = 'This browser sends no audio packets.';
  }
  if (hint.textContent !== text) { hint.textContent = text; hint.className = `hint ${text ? 'bad' : ''}`; }
}

// ---- clicks and keys ----

function wire() {
  $('account').addEventListener('submit', (event) => { event.preventDefault(); register(); });
  $('unregister').addEventListener('click', () => line.unregister());
  $('dial-form').addEventListener('submit', (event) => { event.preventDefault(); if (!line.busy) call().catch(() => {}); });
  $('backspace').addEventListener('click', () => { $('target').value = $('target').value.slice(0, -1); });
  $('hangup').addEventListener('click', () => line.hangup());
  $('answer').addEventListener('click', () => answer().catch(() => {}));
  $('decline').addEventListener('click', () => line.hangup());
  $('mute').addEventListener('click', () => line.setMuted(!line.call.muted));
  $('hold').addEventListener('click', () => line.setHeld(line.call.state !== 'held'));
  $('mic-tone').addEventListener('click', () => useSource('tone'));
  $('mic-silence').addEventListener('click', () => useSource('silence'));
  $('mic-retry').addEventListener('click', () => useSource('mic'));
  $('source').addEventListener('change', (event) => { line.source = event.target.value; });
  $('dtmf-mode').addEventListener('change', (event) => { line.dtmfMode = event.target.value; });
  $('clear-log').addEventListener('click', () => $('log').replaceChildren());
  document.addEventListener('keydown', onKey);
  addEventListener('pagehide', () => line.unregister());
}

function onKey(event) {
  if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return;
  const at = event.target instanceof Element ? event.target : document.body;
  const typing = at.matches('input, select, textarea');
  if (event.key === 'Escape') {
    if (line.busy) { event.preventDefault(); line.hangup(); } else if (at.id === 'target') at.value = '';
    return;
  }
  if (event.key === 'Enter' && !at.closest('button, a, form.account, select')) {
    if (line.call.state === 'incoming') { event.preventDefault(); answer().catch(() => {}); }
    else if (!line.busy && at.id !== 'target') { event.preventDefault(); call().catch(() => {}); }
    return;
  }
  const inDial = at.id === 'target';
  if (/^[0-9*#]$/.test(event.key) && (!typing || (inDial && line.busy))) { event.preventDefault(); press(event.key); }
  else if (!typing && event.key === '+' && !line.busy) $('target').value += '+';
  else if (!typing && event.key === 'Backspace' && !line.busy) $('target').value = $('target').value.slice(0, -1);
}

buildPad();
wire();
draw();
requestAnimationFrame(animate);
setInterval(second, 500);
const ready = loadAccount().then(draw);

window.sbcPhone = Object.freeze({
  ready,
  register,
  unregister: () => line.unregister(),
  call,
  answer,
  hangup: () => line.hangup(),
  mute: (on) => line.setMuted(on),
  hold: (on) => line.setHeld(on),
  sendDtmf,
  source: (kind) => { line.source = kind; $('source').value = kind; },
  state: () => ({
    registration: line.registration.state,
    call: line.call.state,
    remote: line.call.remote ?? null,
    muted: Boolean(line.call.muted),
    held: Boolean(line.call.held),
    duration_secs: line.call.answered_at && line.busy ? (Date.now() - line.call.answered_at) / 1000 : 0,
    end: line.call.end ?? null,
    mic_problem: $('mic-notice').hidden ? null : $('mic-text').textContent,
  }),
  levels: readLevels,
  stats: () => (latestStats ? { ...latestStats } : null),
});
