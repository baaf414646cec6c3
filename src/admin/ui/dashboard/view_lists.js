// The full lists of calls, trunks and registrations: one panel, one table, one search field each.

import { h, panel, clean } from './dom.js';
import { Table } from './table.js';
import { callColumns, registrationColumns, trunkColumns } from './columns.js';

function list({ title, hint, table, rows, words }) {
  const shown = h('span', { class: 'muted', role: 'status' });
  const search = h('input', { type: 'search', class: 'search', placeholder: hint, 'aria-label': hint, spellcheck: 'false', autocomplete: 'off', oninput: () => update() });
  const node = panel(title, table.node, { flush: true, side: [shown, search] });
  function update() {
    const all = rows();
    if (!all) return;
    const wanted = search.value.trim().toLowerCase();
    const found = wanted ? all.filter((row) => words(row).some((word) => String(word ?? '').toLowerCase().includes(wanted))) : all;
    shown.textContent = wanted ? `${found.length} of ${all.length}` : '';
    table.update(found);
  }
  return { title, node, update, destroy() {} };
}

export function calls(state) {
  return list({
    title: 'Live calls', hint: 'Number, realm, trunk, id …',
    table: new Table({
      caption: 'Live calls', columns: callColumns(() => state.received.calls), key: (call) => call.id, sortBy: 'started', down: true,
      onOpen: (call) => { location.hash = `#/call/${encodeURIComponent(call.id)}`; }, empty: 'No calls.',
    }),
    rows: () => state.calls?.calls,
    words: (call) => [call.from, call.to, call.realm_in, call.realm_out, call.trunk, call.id, call.session_id, call.state],
  });
}

export function trunks(state) {
  return list({
    title: 'Trunks', hint: 'Name, realm, target …',
    table: new Table({ caption: 'Trunks', columns: trunkColumns(), key: (trunk) => trunk.name, sortBy: 'name', empty: 'No trunks are configured.' }),
    rows: () => state.trunks?.trunks,
    words: (trunk) => [trunk.name, trunk.realm, trunk.target, trunk.state, clean(trunk.reason)],
  });
}

export function registrations(state) {
  return list({
    title: 'Registrations', hint: 'User, address, agent …',
    table: new Table({ caption: 'Registrations', columns: registrationColumns(() => state.received.registrations), key: (one) => `${one.user} ${one.source} ${one.registered}`, sortBy: 'user', empty: 'Nobody is registered.' }),
    rows: () => state.registrations?.registrations,
    words: (one) => [one.user, one.realm, one.source, one.user_agent, one.transport],
  });
}
