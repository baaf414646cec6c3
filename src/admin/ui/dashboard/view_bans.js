// Bans: who is refused, why, on what evidence and for how long; lifts one and adds one.

import { h, panel, clean, confirm } from './dom.js';
import { change } from './api.js';
import { Table } from './table.js';
import { banColumns } from './columns.js';

/** Asks, lifts the ban, and refreshes. */
export function liftBan(state) {
  return async (ban) => {
    const prefix = clean(ban.prefix, 64);
    if (!await confirm(`Lift the ban of ${prefix}?`, `Reason: ${clean(ban.reason, 60)}. ${clean(ban.evidence, 300)}`, 'Lift the ban')) return;
    try {
      await change('DELETE', `/bans/${encodeURIComponent(ban.prefix)}`);
      state.say(`The ban of ${prefix} is lifted.`);
    } catch (error) {
      state.say(`The ban was not lifted: ${clean(error.message)}`, true);
    }
    state.refresh();
  };
}

export function bans(state) {
  const table = new Table({ caption: 'Bans', columns: banColumns(() => state.received.bans, liftBan(state)), key: (ban) => ban.prefix, empty: 'Nobody is banned.' });
  const problem = h('p', { class: 'bad', role: 'alert' });
  const prefix = h('input', { id: 'ban-prefix', required: true, spellcheck: 'false', autocomplete: 'off', placeholder: '203.0.113.7 or 2001:db8::/48', maxlength: 64 });
  const reason = h('input', { id: 'ban-reason', maxlength: 200, placeholder: 'For the audit log', autocomplete: 'off' });
  const secs = h('select', { id: 'ban-secs' }, [['900', '15 minutes'], ['3600', '1 hour'], ['86400', '1 day'], ['604800', '1 week'], ['', 'until lifted']].map(([value, label]) => h('option', { value, selected: value === '3600' }, label)));
  const field = (label, control) => h('div', { class: 'field' }, h('label', { for: control.id }, label), control);
  const form = h('form', {
    class: 'ban-form', onsubmit: async (event) => {
      event.preventDefault();
      problem.textContent = '';
      try {
        const ban = await change('POST', '/bans', { prefix: prefix.value.trim(), secs: secs.value ? Number(secs.value) : null, reason: reason.value.trim() || 'manual' });
        state.say(`${clean(ban?.prefix || prefix.value, 64)} is banned.`);
        form.reset();
      } catch (error) { problem.textContent = clean(error.message, 300); }
      state.refresh();
    },
  }, field('Address or prefix', prefix), field('For', secs), field('Reason', reason), h('button', { type: 'submit', class: 'primary' }, 'Ban'), problem);
  const node = h('div', { class: 'stack' }, panel('Ban an address', form), panel('Bans', table.node, { flush: true }));
  return { title: 'Bans', node, update: () => { if (state.bans) table.update(state.bans.bans); }, destroy() {} };
}
