// The dashboard: keeps the last data of each kind, shows one view at a time by the location's hash, and redraws it when
// data come. Views: overview, calls, trunks, bans, registrations, call/ID.

import { Feed, onTokenNeeded } from './api.js';
import { clean } from './dom.js';
import { History } from './charts.js';
import * as f from './format.js';
import { overview } from './view_overview.js';
import { calls, registrations, trunks } from './view_lists.js';
import { bans } from './view_bans.js';
import { call } from './view_call.js';

const $ = (id) => document.getElementById(id);
const VIEWS = { overview, calls, trunks, bans, registrations };
const KEYS = ['overview', 'calls', 'trunks', 'bans', 'registrations'];
const KINDS = ['status', 'calls', 'trunks', 'bans', 'registrations'];

const state = {
  status: null, calls: null, trunks: null, bans: null, registrations: null,
  received: Object.fromEntries(KINDS.map((kind) => [kind, Date.now()])),
  history: new History(),
  refresh: () => feed.refresh(),
  say,
};
let view = null;
let due = false;

const feed = new Feed(onData, onLink);

function onData(kind, value) {
  if (!KINDS.includes(kind) || typeof value !== 'object' || value === null) return;
  state[kind] = value;
  state.received[kind] = Date.now();
  if (kind === 'status') {
    const rates = value.rates || {};
    state.history.push(Math.floor(Date.now() / 1000), {
      calls: value.calls_active, cps: value.cps, r2: rates.responses_2xx_per_sec, r4: rates.responses_4xx_per_sec,
      r5: (rates.responses_5xx_per_sec || 0) + (rates.responses_6xx_per_sec || 0), drops: rates.drops_per_sec,
    });
  }
  schedule();
}

function onLink(link) {
  const chip = $('link-chip');
  chip.className = `chip ${{ live: 'good', polling: 'warn', offline: 'bad' }[link]}`;
  chip.textContent = { live: 'Live', polling: 'Polling', offline: 'No connection' }[link];
  document.body.classList.toggle('stale', link === 'offline');
}

// Several events of one second become one redraw.
function schedule() {
  if (due) return;
  due = true;
  requestAnimationFrame(() => { due = false; draw(); });
}

function draw() {
  const { status } = state;
  if (status) {
    $('node').textContent = clean(status.node, 40);
    $('meta').textContent = `sbc ${clean(status.version, 20)} · up ${f.duration(status.uptime_secs)}`;
    const alarms = [];
    if (status.state && status.state !== 'running') alarms.push(`This node is ${clean(status.state, 20)}: it takes no further calls.`);
    if (status.overload === 'hard') alarms.push('Overload: calls are being refused with 503.');
    if (status.overload === 'soft') alarms.push('Close to overload: low-priority requests are being refused.');
    const down = (state.trunks?.trunks || []).filter((trunk) => trunk.state === 'down').map((trunk) => clean(trunk.name, 30));
    if (down.length) alarms.push(`Trunk down: ${down.slice(0, 6).join(', ')}${down.length > 6 ? ` and ${down.length - 6} more` : ''}.`);
    const text = alarms.join(' ');
    if ($('alarm').textContent !== text) $('alarm').textContent = text;
    $('alarm').hidden = !text;
    badge('n-calls', status.calls_active);
    badge('n-bans', status.bans);
    badge('n-registrations', status.registrations);
    badge('n-trunks', state.trunks?.trunks.length);
  }
  view?.update();
}

function badge(id, value) {
  const text = typeof value === 'number' ? f.count(value) : '';
  if ($(id).textContent !== text) $(id).textContent = text;
}

function route() {
  const [, kind = '', id = ''] = location.hash.split('/');
  view?.destroy();
  let decoded = '';
  try { decoded = decodeURIComponent(id); } catch { /* a broken escape names no call */ }
  const known = Object.hasOwn(VIEWS, kind) ? kind : 'overview';
  view = kind === 'call' && decoded ? call(state, decoded) : VIEWS[known](state);
  $('main').replaceChildren(view.node);
  for (const link of $('nav').children) {
    if (link.dataset.view === (kind === 'call' ? 'calls' : known)) link.setAttribute('aria-current', 'page');
    else link.removeAttribute('aria-current');
  }
  document.title = `${view.title} · sbc`;
  draw();
}

let sayTimer = null;
function say(text, bad = false) {
  const toast = $('toast');
  toast.textContent = text;
  toast.className = `toast ${bad ? 'bad' : ''}`;
  toast.hidden = false;
  clearTimeout(sayTimer);
  sayTimer = setTimeout(() => { toast.hidden = true; }, 6000);
}

onTokenNeeded((again) => new Promise((resolve) => {
  const dialog = $('token-dialog');
  $('token-text').textContent = again ? 'That token was not accepted. It is kept in this browser tab only.' : 'This node asks for a bearer token. It is kept in this browser tab only.';
  $('token').value = '';
  if (!dialog.open) dialog.showModal();
  const done = () => { dialog.removeEventListener('cancel', keep); resolve($('token').value.trim()); $('token').value = ''; };
  const keep = (event) => event.preventDefault();
  dialog.addEventListener('cancel', keep);
  dialog.addEventListener('close', done, { once: true });
}));

document.addEventListener('keydown', (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || document.querySelector('dialog[open]')) return;
  const typing = event.target instanceof Element && event.target.matches('input, select, textarea');
  if (event.key === 'Escape') {
    if (typing) { event.target.value = ''; event.target.dispatchEvent(new Event('input')); event.target.blur(); } else if (location.hash.startsWith('#/call/')) location.hash = '#/calls';
    return;
  }
  if (typing) return;
  const number = Number(event.key);
  if (number >= 1 && number <= KEYS.length) location.hash = number === 1 ? '#/' : `#/${KEYS[number - 1]}`;
  else if (event.key === '/') { const search = document.querySelector('.search'); if (search) { event.preventDefault(); search.focus(); } else { location.hash = '#/calls'; event.preventDefault(); setTimeout(() => document.querySelector('.search')?.focus()); } }
  else if (event.key === '?') $('help-dialog').showModal();
  else if (event.key === 'ArrowDown' && event.target === document.body) document.querySelector('tr[tabindex="0"]')?.focus();
});
$('help-button').addEventListener('click', () => $('help-dialog').showModal());
document.querySelector('.skip').addEventListener('click', (event) => { event.preventDefault(); $('main').focus(); });
addEventListener('hashchange', route);

route();
feed.start();
// Durations and time left count on between two messages.
setInterval(schedule, 1000);
