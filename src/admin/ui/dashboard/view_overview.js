// The wall screen: the numbers that matter in large type, three charts, and short lists of trunks, calls and bans.

import { h, panel, clean } from './dom.js';
import * as f from './format.js';
import { Table } from './table.js';
import { Chart } from './charts.js';
import { callColumns, trunkColumns, banColumns } from './columns.js';
import { liftBan } from './view_bans.js';

const ROWS = { calls: 12, trunks: 8, bans: 6 };

export function overview(state) {
  const tile = (label) => {
    const value = h('span', { class: 'value' }, '–');
    const note = h('span', { class: 'note' });
    return { node: h('div', { class: 'tile' }, h('span', { class: 'label' }, label), value, note), value, note };
  };
  const tiles = {
    calls: tile('Calls'), cps: tile('Calls a second'), mos: tile('MOS'), registrations: tile('Registrations'),
    bans: tile('Bans'), media: tile('Media load'), cdr: tile('CDR journal'), overload: tile('Overload'),
  };
  const set = (one, value, note = '', tone = '') => {
    if (one.value.textContent !== value) one.value.textContent = value;
    if (one.note.textContent !== note) one.note.textContent = note;
    one.node.className = `tile ${tone}`;
  };

  const charts = [
    new Chart(h('div'), [{ key: 'calls', label: 'Active', colour: '--accent', fill: true }], { label: 'Active calls, last ten minutes' }),
    new Chart(h('div'), [{ key: 'cps', label: 'CPS', colour: '--accent', digits: 1, fill: true }], { minTop: 1, label: 'Calls a second, last ten minutes' }),
    new Chart(h('div'), [
      { key: 'r2', label: '2xx', colour: '--good', digits: 1 }, { key: 'r4', label: '4xx', colour: '--warn', digits: 1 },
      { key: 'r5', label: '5xx', colour: '--bad', digits: 1 }, { key: 'drops', label: 'Drops', colour: '--muted', digits: 1 },
    ], { minTop: 1, label: 'SIP responses and drops a second, last ten minutes' }),
  ];

  const open = (call) => { location.hash = `#/call/${encodeURIComponent(call.id)}`; };
  const calls = new Table({ caption: 'Newest calls', columns: callColumns(() => state.received.calls, { short: true }), key: (call) => call.id, onOpen: open, empty: 'No calls at the moment.' });
  const trunks = new Table({ caption: 'Trunks', columns: trunkColumns({ short: true }), key: (trunk) => trunk.name, empty: 'No trunks are configured.' });
  const bans = new Table({ caption: 'Newest bans', columns: banColumns(() => state.received.bans, liftBan(state), { short: true }), key: (ban) => ban.prefix, empty: 'Nobody is banned.' });
  const more = (href) => h('a', { href }, 'All');

  const node = h('div', { class: 'overview' },
    h('div', { class: 'tiles' }, Object.values(tiles).map((one) => one.node)),
    h('div', { class: 'charts' }, panel('Active calls', charts[0].node), panel('Calls a second', charts[1].node), panel('Responses a second', charts[2].node)),
    h('div', { class: 'split' },
      panel('Trunks', trunks.node, { flush: true, side: [more('#/trunks')] }),
      panel('Bans', bans.node, { flush: true, side: [more('#/bans')] })),
    panel('Calls', calls.node, { flush: true, side: [more('#/calls')] }));

  function update() {
    const { status } = state;
    if (status) {
      set(tiles.calls, f.count(status.calls_active), `${f.count(status.calls_total)} since start`);
      set(tiles.cps, f.decimal(status.cps), `${f.count(status.attempts_total)} attempts`);
      const quality = status.quality || {};
      set(tiles.mos, f.decimal(quality.mos_avg, 2), `lowest ${f.decimal(quality.mos_min, 2)}`, f.mosClass(quality.mos_avg));
      set(tiles.registrations, f.count(status.registrations), `${f.count(status.ws_connections)} WebSockets`);
      set(tiles.bans, f.count(status.bans), `${f.decimal(status.rates?.drops_per_sec)} drops/s`);
      const threads = status.media_threads || [];
      const load = threads.length ? Math.max(...threads.map((one) => one.load_ratio)) : null;
      const free = threads.reduce((sum, one) => sum + one.ports_free, 0);
      set(tiles.media, f.percent(load, 0), `${f.count(free)} ports free`, load > 0.85 ? 'bad' : load > 0.7 ? 'warn' : '');
      const oldest = status.cdr?.oldest_unsent_secs ?? null;
      set(tiles.cdr, f.bytes(status.cdr?.journal_bytes), oldest === null ? 'all delivered' : `oldest waits ${f.duration(oldest)}`, oldest > 300 ? 'warn' : '');
      set(tiles.overload, clean(status.overload, 12), `${f.count(status.engines)} engines`, status.overload === 'none' ? '' : status.overload === 'soft' ? 'warn' : 'bad');
    }
    if (state.calls) calls.update(state.calls.calls.slice(0, ROWS.calls));
    if (state.trunks) trunks.update(worstFirst(state.trunks.trunks).slice(0, ROWS.trunks));
    if (state.bans) bans.update(state.bans.bans.slice(0, ROWS.bans));
    for (const chart of charts) chart.update(state.history.times, state.history.series);
  }
  return { title: 'Overview', node, update, destroy: () => charts.forEach((chart) => chart.destroy()) };
}

function worstFirst(trunks) {
  const rank = { down: 0, unknown: 1, up: 2, disabled: 3 };
  return [...trunks].sort((a, b) => (rank[a.state] ?? 1) - (rank[b.state] ?? 1) || a.name.localeCompare(b.name));
}
