// A table that stays still while its data move: rows are kept by key and only changed cells are written, so focus,
// selection and a screen reader's place survive an update every second. Sorts by its headings; moves by arrow keys.

import { h } from './dom.js';

/**
 * columns: [{key, label, cell(row) -> string|Node, sort?(row) -> number|string, class?, num?, text?(row) -> string}].
 * A cell that gives a Node must give `text` too: the cell is rebuilt only when that text changes.
 */
export class Table {
  #columns; #key; #onOpen; #empty; #body; #rows = new Map(); #data = []; #sortBy; #down; #caption; #headings = [];

  constructor({ columns, key, onOpen, empty, sortBy = null, down = false, caption }) {
    this.#columns = columns;
    this.#key = key;
    this.#onOpen = onOpen;
    this.#empty = empty;
    this.#sortBy = sortBy;
    this.#down = down;
    this.#caption = caption;
    this.#body = h('tbody');
    this.node = h('div', { class: 'table-wrap' }, h('table', null, h('caption', { class: 'sr-only' }, this.#caption), h('thead', null, h('tr', null, columns.map((column) => this.#heading(column)))), this.#body));
    this.#body.addEventListener('keydown', (event) => this.#onKey(event));
    this.#body.addEventListener('click', (event) => {
      if (!this.#onOpen || event.target.closest('button, a')) return;
      const row = event.target.closest('tr[data-key]');
      if (row) this.#onOpen(this.#rows.get(row.dataset.key).value);
    });
  }

  update(data) {
    this.#data = data;
    const column = this.#columns.find((one) => one.key === this.#sortBy);
    const ordered = column?.sort ? [...data].sort((a, b) => order(column.sort(a), column.sort(b)) * (this.#down ? -1 : 1)) : data;
    const seen = new Set();
    let place = null;
    for (const value of ordered) {
      const key = String(this.#key(value));
      if (seen.has(key)) continue;
      seen.add(key);
      const row = this.#row(key, value);
      const next = place ? place.nextSibling : this.#body.firstChild;
      if (next !== row.node) this.#body.insertBefore(row.node, next);
      place = row.node;
    }
    for (const [key, row] of this.#rows) if (!seen.has(key)) { row.node.remove(); this.#rows.delete(key); }
    this.#body.querySelector('.empty')?.parentNode.remove();
    if (!ordered.length) this.#body.append(h('tr', null, h('td', { class: 'empty', colspan: this.#columns.length }, this.#empty)));
  }

  #row(key, value) {
    let row = this.#rows.get(key);
    if (!row) {
      row = { node: h('tr', { 'data-key': key, tabindex: this.#onOpen ? 0 : null }, this.#columns.map((column) => h('td', { class: classOf(column) }))), shown: [] };
      this.#rows.set(key, row);
    }
    row.value = value;
    this.#columns.forEach((column, index) => {
      const cell = column.cell(value);
      const shown = column.text ? column.text(value) : cell instanceof Node ? cell.textContent : String(cell);
      if (row.shown[index] === shown) return;
      row.shown[index] = shown;
      row.node.children[index].replaceChildren(cell instanceof Node ? cell : String(cell));
    });
    return row;
  }

  #heading(column) {
    const cell = h('th', { class: column.num ? 'num' : null, scope: 'col' });
    this.#headings.push([column, cell]);
    if (!column.sort) { cell.append(column.label); return cell; }
    cell.append(h('button', {
      type: 'button', class: 'sort', onclick: () => {
        this.#down = this.#sortBy === column.key ? !this.#down : Boolean(column.num);
        this.#sortBy = column.key;
        this.#markSort();
        this.update(this.#data);
      },
    }, column.label));
    if (column.key === this.#sortBy) cell.setAttribute('aria-sort', this.#down ? 'descending' : 'ascending');
    return cell;
  }

  #markSort() {
    for (const [column, cell] of this.#headings) {
      if (column.key === this.#sortBy) cell.setAttribute('aria-sort', this.#down ? 'descending' : 'ascending');
      else cell.removeAttribute('aria-sort');
    }
  }

  #onKey(event) {
    const row = event.target.closest('tr[data-key]');
    if (!row) return;
    if (event.key === 'ArrowDown' || event.key === 'ArrowUp') {
      const to = event.key === 'ArrowDown' ? row.nextElementSibling : row.previousElementSibling;
      const stop = to && (to.tabIndex >= 0 ? to : to.querySelector('button, a'));
      if (stop) { event.preventDefault(); stop.focus(); }
    } else if (event.key === 'Enter' && event.target === row && this.#onOpen) {
      this.#onOpen(this.#rows.get(row.dataset.key).value);
    }
  }
}

function classOf(column) {
  return [column.num ? 'num' : '', column.class || ''].join(' ').trim() || null;
}

function order(a, b) {
  const [noA, noB] = [a === null || a === undefined, b === null || b === undefined];
  if (noA || noB) return noA - noB;
  return typeof a === 'number' && typeof b === 'number' ? a - b : String(a).localeCompare(String(b));
}
