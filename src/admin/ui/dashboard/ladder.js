// The ladder of a call as SVG: three lifelines (caller, sbc, callee), an arrow for each message that crossed, a note on
// the middle line for what happened inside. Time runs down; equal spacing, with the time beside each row.

import { s, h, clean } from './dom.js';
import * as f from './format.js';

const ROW = 34;
const TOP = 44;
const X = { caller: 150, sbc: 430, callee: 710 };
const WIDTH = 860;

export function ladder(call) {
  const events = call.events || [];
  const height = TOP + events.length * ROW + 24;
  const heads = { caller: clean(call.from, 22) || 'caller', sbc: 'sbc', callee: clean(call.to, 22) || 'callee' };
  const svg = s('svg', { class: 'ladder', viewBox: `0 0 ${WIDTH} ${height}`, role: 'img', 'aria-label': 'Ladder of the call; the same is in the table below' },
    s('defs', null, ['sip', 'bad', 'ok'].map((kind) => s('marker', { id: `tip-${kind}`, class: `tip ${kind}`, viewBox: '0 0 10 10', refX: 9, refY: 5, markerWidth: 7, markerHeight: 7, orient: 'auto-start-reverse' }, s('path', { d: 'M0 0L10 5L0 10z' })))),
    Object.entries(X).map(([who, x]) => [
      s('line', { class: 'life', x1: x, x2: x, y1: TOP - 8, y2: height - 8 }),
      s('rect', { class: 'head', x: x - 90, y: 4, width: 180, height: 28, rx: 7 }),
      s('text', { class: 'head-text', x, y: 23 }, heads[who]),
    ]));
  events.forEach((event, index) => svg.append(row(event, TOP + index * ROW + 20)));
  return svg;
}

function row(event, y) {
  const group = s('g', { class: `event ${clean(event.kind, 10).replace(/[^a-z]/g, '')}` }, s('title', null, clean(event.detail || event.label, 400)), s('text', { class: 'time', x: 8, y: y + 4 }, stamp(event.at_ms)));
  const [from, to] = [X[event.from] ?? X.sbc, X[event.to] ?? X.sbc];
  const label = clean(event.label, 48);
  if (from === to) {
    const width = Math.min(320, 22 + label.length * 7.2);
    group.append(s('rect', { class: 'note', x: from - width / 2, y: y - 13, width, height: 24, rx: 12 }), s('text', { class: 'note-text', x: from, y: y + 4 }, label));
    return group;
  }
  const tone = toneOf(event.label);
  group.append(
    s('line', { class: `arrow ${tone}`, x1: from, x2: to, y1: y + 5, y2: y + 5, 'marker-end': `url(#tip-${tone})` }),
    s('text', { class: `label ${tone}`, x: (from + to) / 2, y: y - 1 }, label));
  return group;
}

function toneOf(label) {
  const status = /^(\d)\d\d\b/.exec(label || '');
  if (!status) return 'sip';
  return Number(status[1]) >= 4 ? 'bad' : status[1] === '2' ? 'ok' : 'sip';
}

function stamp(atMs) {
  return typeof atMs === 'number' ? `${(atMs / 1000).toFixed(3)} s` : '';
}

/** The same events as a table, for screen readers, copying and search. */
export function eventTable(call) {
  return h('details', { class: 'as-table' }, h('summary', null, `As a table (${(call.events || []).length} events)`),
    h('div', { class: 'table-wrap' }, h('table', null,
      h('thead', null, h('tr', null, ['At', 'Time', 'Kind', 'From → to', 'Event', 'Detail'].map((label) => h('th', { scope: 'col' }, label)))),
      h('tbody', null, (call.events || []).map((event) => h('tr', null,
        h('td', { class: 'num' }, stamp(event.at_ms)), h('td', { class: 'muted' }, f.clock(event.at)), h('td', null, clean(event.kind, 12)),
        h('td', { class: 'muted' }, event.from === event.to ? clean(event.from, 10) : `${clean(event.from, 10)} → ${clean(event.to, 10)}`),
        h('td', null, clean(event.label, 80)), h('td', { class: 'wrap' }, clean(event.detail || '', 400))))))));
}
