// One call: what it is, why it went as it did, its two legs, media numbers, MOS over time and the ladder.

import { h, panel, name, clean, confirm } from './dom.js';
import { change, get } from './api.js';
import { Chart } from './charts.js';
import { stateChip } from './columns.js';
import { eventTable, ladder } from './ladder.js';
import * as f from './format.js';

// A live call's page asks again this often; an ended one is asked for once more and then left alone.
const AGAIN_MS = 2000;

export function call(state, id) {
  const node = h('div', { class: 'stack' }, h('p', { class: 'muted' }, 'Loading…'));
  let chart = null;
  let timer = null;
  let gone = false;
  let shown = '';

  async function load() {
    try {
      const path = `/calls/${encodeURIComponent(id)}`;
      const [detail, why] = await Promise.all([get(path), get(`${path}/why`).catch(() => null)]);
      if (gone) return;
      const text = JSON.stringify([detail, why]);
      // Redrawing what has not changed would close an open table and drop the selection.
      if (text !== shown) { shown = text; draw(detail, why); }
      if (!detail.ended) timer = setTimeout(load, AGAIN_MS);
    } catch (error) {
      if (gone) return;
      if (error.status === 404) node.replaceChildren(panel('Call not found', h('p', null, 'This call is not live and the node no longer remembers it. Its CDR has the summary: ', h('code', null, 'sbc cdr export'), '.')));
      else { if (!shown) node.replaceChildren(h('p', { class: 'notice bad' }, `The call could not be read: ${clean(error.message)}`)); timer = setTimeout(load, AGAIN_MS * 2); }
    }
  }

  function draw(one, why) {
    chart?.destroy();
    chart = null;
    const opened = node.querySelector('details')?.open;
    const curve = h('div');
    node.replaceChildren(
      heading(one, state),
      h('div', { class: 'split even' }, whyPanel(one, why), factsPanel(one)),
      panel('Legs', legsTable(one), { flush: true }),
      h('div', { class: 'split media' }, panel('Media', mediaTable(one), { flush: true }), panel('MOS', (one.mos_curve || []).length > 1 ? curve : h('p', { class: 'muted' }, 'No quality numbers yet.'))),
      panel('Ladder', h('div', null, (one.events || []).length ? h('div', { class: 'ladder-wrap' }, ladder(one)) : h('p', { class: 'muted' }, 'No events.'), eventTable(one))));
    if (opened) node.querySelector('details').open = true;
    if ((one.mos_curve || []).length > 1) {
      chart = new Chart(curve, [{ key: 'a', label: 'A', colour: '--accent', digits: 2 }, { key: 'b', label: 'B', colour: '--warn', digits: 2 }], { time: false, range: [1, 4.6], label: 'MOS of both legs over the call' });
      chart.update(one.mos_curve.map((point) => point.at_ms / 1000), { a: one.mos_curve.map((point) => point.mos_a), b: one.mos_curve.map((point) => point.mos_b) });
    }
  }

  load();
  return { title: 'Call', node, update() {}, destroy() { gone = true; clearTimeout(timer); chart?.destroy(); } };
}

function heading(one, state) {
  const hang = async () => {
    if (!await confirm('Hang up this call?', `${clean(one.from, 60)} to ${clean(one.to, 60)}`, 'Hang up')) return;
    try { await change('DELETE', `/calls/${encodeURIComponent(one.id)}`); state.say('The call is being hung up.'); } catch (error) { state.say(`The call was not hung up: ${clean(error.message)}`, true); }
  };
  return h('div', { class: 'call-head' },
    h('a', { href: '#/calls', class: 'button small' }, '← Calls'),
    h('h1', null, name(one.from), h('span', { class: 'muted' }, ' → '), name(one.to)), stateChip(one.ended ? 'ended' : one.state), one.held ? h('span', { class: 'chip warn' }, 'held') : null,
    h('span', { class: 'spacer' }),
    one.ended ? null : h('button', { type: 'button', class: 'bad small', onclick: hang }, 'Hang up'));
}

function whyPanel(one, why) {
  if (!why) return panel('Why', h('p', { class: 'muted' }, 'No causal record.'));
  return panel('Why', h('div', { class: 'why' }, h('p', { class: 'summary' }, clean(why.summary, 500)),
    h('ol', null, (why.chain || []).map((step) => h('li', { class: ['info', 'warn', 'bad'].includes(step.severity) ? step.severity : 'info' }, h('span', { class: 'at' }, typeof step.at_ms === 'number' ? `${(step.at_ms / 1000).toFixed(3)} s` : ''), h('span', null, clean(step.text, 500))))),
    h('details', null, h('summary', null, 'As text'), h('pre', { tabindex: 0 }, String(why.text ?? '').replace(/[\u0000-\u0008\u000b-\u001f\u202a-\u202e\u2066-\u2069]/g, '')))));
}

function factsPanel(one) {
  const cause = one.cause ? [one.cause.sip_code ? `SIP ${one.cause.sip_code}` : null, one.cause.q850 !== null && one.cause.q850 !== undefined ? `Q.850 ${one.cause.q850}` : null, clean(one.cause.reason, 120), one.cause.internal_code ? `(${clean(one.cause.internal_code, 60)})` : null].filter(Boolean).join(' · ') : '–';
  const rows = [
    ['Route', `${clean(one.realm_in, 40)} → ${clean(one.trunk || one.realm_out || '–', 40)}`],
    ['Started', f.dateTime(one.started)],
    ['Ended', one.ended ? `${f.dateTime(one.ended)} by ${clean(one.disconnect_initiator || 'unknown', 16)}` : 'live'],
    ['Cause', cause],
    ['Set-up', f.ms(one.setup_ms)], ['PDD', f.ms(one.pdd_ms)], ['Ringing', f.ms(one.ring_ms)], ['Talk', one.talk_ms === null ? f.duration(one.duration_secs) : f.duration(one.talk_ms / 1000)],
    ['Media path', clean(one.path || '–', 20)],
    ['Call', h('code', null, clean(one.id, 80))], ['Session-ID', h('code', null, clean(one.session_id || '–', 80))],
  ];
  return panel('Facts', h('dl', { class: 'facts' }, rows.map(([label, value]) => h('div', null, h('dt', null, label), h('dd', null, value)))));
}

function simpleTable(headings, rows, empty) {
  return h('div', { class: 'table-wrap' }, h('table', null, h('thead', null, h('tr', null, headings.map(([label, num]) => h('th', { scope: 'col', class: num ? 'num' : null }, label)))),
    h('tbody', null, rows.length ? rows.map((cells) => h('tr', null, cells.map((cell, index) => h('td', { class: headings[index][1] ? 'num' : headings[index][2] || null }, cell)))) : h('tr', null, h('td', { class: 'empty', colspan: headings.length }, empty)))));
}

function legsTable(one) {
  return simpleTable([['Leg'], ['Realm'], ['Peer', false, 'mono'], ['Transport'], ['Codec'], ['Encryption', false, 'muted'], ['Media from', false, 'mono'], ['Media at', false, 'mono'], ['User agent', false, 'muted'], ['Call-ID', false, 'mono muted']],
    (one.legs || []).map((leg) => [clean(leg.name, 2), name(leg.realm), clean(leg.peer || '–', 64), clean(leg.transport || '–', 8).toUpperCase(), clean(leg.codec || '–', 30), clean(leg.crypto || 'none', 40), clean(leg.remote_media || '–', 64), clean(leg.local_media || '–', 64), name(leg.user_agent || '–', 40), name(leg.call_id_header || '–', 36)]), 'No legs.');
}

function mediaTable(one) {
  const dir = { in: 'from the peer', out: 'to the peer' };
  return simpleTable([['Leg'], ['Direction'], ['Packets', true], ['Bytes', true], ['Lost', true], ['Loss', true], ['Jitter', true], ['RTT', true], ['MOS', true], ['First', true], ['Last', true]],
    (one.media || []).map((row) => [clean(row.leg, 2), dir[row.direction] || clean(row.direction, 12), row.packets === 0 ? h('span', { class: 'bad' }, '0') : f.count(row.packets), f.bytes(row.bytes), f.count(row.lost), f.percent(row.loss_ratio), f.ms(row.jitter_ms), f.ms(row.rtt_ms), h('span', { class: f.mosClass(row.mos), title: clean(row.mos_method || '', 40) }, f.decimal(row.mos, 2)), f.ms(row.first_packet_ms), f.ms(row.last_packet_ms)]), 'No media yet.');
}
