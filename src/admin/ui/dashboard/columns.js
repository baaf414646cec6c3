// The columns of the tables, shared by the overview (short) and the lists (full).

import { h, name, clean } from './dom.js';
import * as f from './format.js';

const STATE_CLASS = { answered: 'good', ringing: 'warn', setup: '', ending: '', up: 'good', down: 'bad', unknown: 'warn', disabled: '' };

export function stateChip(state) {
  return h('span', { class: `chip ${STATE_CLASS[state] ?? ''}` }, clean(state, 16));
}

function mosCell(call) {
  const cell = (value) => h('span', { class: f.mosClass(value) }, f.decimal(value, 1));
  return h('span', null, cell(call.mos_a), ' / ', cell(call.mos_b));
}

/** Seconds of a call at this moment: the server's count plus the time since it was received. */
export function callSecs(call, received) {
  return call.duration_secs + (call.state === 'answered' || call.state === 'ringing' || call.state === 'setup' ? (Date.now() - received) / 1000 : 0);
}

export function callColumns(received, { short = false } = {}) {
  const route = (call) => `${call.realm_in} → ${call.trunk || call.realm_out || '…'}`;
  const columns = [
    { key: 'state', label: 'State', cell: (call) => stateChip(call.state), sort: (call) => call.state },
    { key: 'from', label: 'A', class: 'party', cell: (call) => name(call.from, 40), text: (call) => clean(call.from, 40), sort: (call) => call.from },
    { key: 'to', label: 'B', class: 'party', cell: (call) => name(call.to, 40), text: (call) => clean(call.to, 40), sort: (call) => call.to },
    { key: 'route', label: 'Realm → trunk', class: 'muted', cell: (call) => name(route(call), 60), text: route, sort: route },
    { key: 'secs', label: 'Duration', num: true, cell: (call) => f.duration(callSecs(call, received())), sort: (call) => call.duration_secs },
    { key: 'codec', label: 'Codecs', cell: (call) => clean(`${f.codec(call.codec_a)} / ${f.codec(call.codec_b)}`, 40), sort: (call) => `${call.codec_a}${call.codec_b}` },
    { key: 'mos', label: 'MOS A / B', num: true, cell: mosCell, text: (call) => `${call.mos_a}/${call.mos_b}`, sort: (call) => Math.min(call.mos_a ?? 5, call.mos_b ?? 5) },
  ];
  if (short) return columns;
  return [...columns,
    { key: 'path', label: 'Media', class: 'muted', cell: (call) => clean(call.held ? `${call.path || '–'}, held` : call.path || '–', 24), sort: (call) => call.path },
    { key: 'started', label: 'Started', num: true, class: 'muted', cell: (call) => f.clock(call.started), sort: (call) => call.started },
  ];
}

const limit = (value, max) => (max === null || max === undefined ? f.count(value) : `${f.count(value)} / ${f.count(max)}`);

export function trunkColumns({ short = false } = {}) {
  const columns = [
    { key: 'name', label: 'Trunk', class: 'party', cell: (trunk) => name(trunk.name), text: (trunk) => trunk.name, sort: (trunk) => trunk.name },
    { key: 'state', label: 'State', cell: (trunk) => h('span', { title: trunk.reason ? clean(trunk.reason) : null }, stateChip(trunk.state)), text: (trunk) => `${trunk.state}|${trunk.reason}`, sort: (trunk) => trunk.state },
    { key: 'calls', label: 'Calls', num: true, cell: (trunk) => limit(trunk.calls_active, trunk.calls_limit), sort: (trunk) => trunk.calls_active },
    { key: 'cps', label: 'CPS', num: true, cell: (trunk) => (trunk.cps_limit === null ? f.decimal(trunk.cps) : `${f.decimal(trunk.cps)} / ${f.count(trunk.cps_limit)}`), sort: (trunk) => trunk.cps },
    { key: 'asr', label: 'ASR', num: true, cell: (trunk) => f.percent(trunk.asr_ratio), sort: (trunk) => trunk.asr_ratio },
    { key: 'ner', label: 'NER', num: true, cell: (trunk) => h('span', { class: typeof trunk.ner_ratio === 'number' && trunk.ner_ratio < 0.9 ? 'bad' : null }, f.percent(trunk.ner_ratio)), text: (trunk) => String(trunk.ner_ratio), sort: (trunk) => trunk.ner_ratio },
    { key: 'acd', label: 'ACD', num: true, cell: (trunk) => f.duration(trunk.acd_secs), sort: (trunk) => trunk.acd_secs },
    { key: 'pdd', label: 'PDD p95', num: true, cell: (trunk) => f.ms(trunk.pdd_p95_ms), sort: (trunk) => trunk.pdd_p95_ms },
    { key: 'mos', label: 'MOS', num: true, cell: (trunk) => h('span', { class: f.mosClass(trunk.mos_avg) }, f.decimal(trunk.mos_avg, 2)), text: (trunk) => String(trunk.mos_avg), sort: (trunk) => trunk.mos_avg },
  ];
  if (short) return columns;
  return [...columns,
    { key: 'probe', label: 'Probe', num: true, cell: (trunk) => f.ms(trunk.probe_ms), sort: (trunk) => trunk.probe_ms },
    { key: 'attempts', label: 'Attempts', num: true, cell: (trunk) => f.count(trunk.attempts), sort: (trunk) => trunk.attempts },
    { key: 'realm', label: 'Realm', class: 'muted', cell: (trunk) => name(trunk.realm), text: (trunk) => trunk.realm, sort: (trunk) => trunk.realm },
    { key: 'target', label: 'Target', class: 'muted mono', cell: (trunk) => name(trunk.target, 60), text: (trunk) => trunk.target, sort: (trunk) => trunk.target },
    { key: 'since', label: 'In this state', num: true, class: 'muted', cell: (trunk) => h('span', { title: f.dateTime(trunk.since) }, f.ago(trunk.since)), text: (trunk) => f.ago(trunk.since), sort: (trunk) => trunk.since },
    { key: 'why', label: 'Reason', class: 'wrap', cell: (trunk) => name(trunk.reason, 120), text: (trunk) => clean(trunk.reason, 120) },
  ];
}

export function banColumns(received, onLift, { short = false } = {}) {
  const left = (ban) => (ban.expires_secs === null ? null : Math.max(0, ban.expires_secs - (Date.now() - received()) / 1000));
  const prefix = (ban) => String(ban.prefix).replace(/^([0-9.]+)\/32$|^([0-9a-f:.]+)\/128$/i, '$1$2');
  const columns = [
    { key: 'prefix', label: 'Address', class: 'mono party', cell: (ban) => name(prefix(ban)), text: prefix, sort: (ban) => ban.prefix },
    { key: 'reason', label: 'Reason', cell: (ban) => clean(String(ban.reason).replaceAll('_', ' '), 40), sort: (ban) => ban.reason },
    { key: 'left', label: 'Time left', num: true, cell: (ban) => (left(ban) === null ? 'until lifted' : f.duration(left(ban))), sort: (ban) => left(ban) ?? Infinity },
    { key: 'hits', label: 'Dropped', num: true, cell: (ban) => f.count(ban.hits), sort: (ban) => ban.hits },
  ];
  const lift = { key: 'lift', label: '', class: 'end', cell: (ban) => h('button', { type: 'button', class: 'small', 'aria-label': `Lift the ban of ${prefix(ban)}`, onclick: () => onLift(ban) }, 'Unban'), text: () => 'x' };
  if (short) return [...columns, lift];
  return [...columns,
    { key: 'evidence', label: 'Evidence', class: 'wrap', cell: (ban) => name(ban.evidence, 200), text: (ban) => clean(ban.evidence, 200) },
    { key: 'by', label: 'By', class: 'muted', cell: (ban) => clean(ban.by, 20), sort: (ban) => ban.by },
    { key: 'enforced', label: 'Dropped in', class: 'muted', cell: (ban) => clean(String(ban.enforced).replaceAll('_', ' '), 20), sort: (ban) => ban.enforced },
    { key: 'since', label: 'Since', class: 'muted', cell: (ban) => f.dateTime(ban.since), sort: (ban) => ban.since },
    lift];
}

export function registrationColumns(received) {
  return [
    { key: 'user', label: 'User', class: 'party', cell: (one) => name(one.user), text: (one) => clean(one.user, 64), sort: (one) => one.user },
    { key: 'realm', label: 'Realm', cell: (one) => name(one.realm), text: (one) => one.realm, sort: (one) => one.realm },
    { key: 'transport', label: 'Transport', cell: (one) => clean(one.transport, 10).toUpperCase(), sort: (one) => one.transport },
    { key: 'source', label: 'Source', class: 'mono', cell: (one) => clean(one.source || '–', 64), sort: (one) => one.source },
    { key: 'agent', label: 'User agent', class: 'muted', cell: (one) => name(one.user_agent || '–', 60), text: (one) => clean(one.user_agent || '–', 60), sort: (one) => one.user_agent },
    { key: 'registered', label: 'Since', class: 'muted', cell: (one) => f.dateTime(one.registered), sort: (one) => one.registered },
    { key: 'expires', label: 'Expires in', num: true, cell: (one) => f.duration(Math.max(0, one.expires_secs - (Date.now() - received()) / 1000)), sort: (one) => one.expires_secs },
  ];
}
