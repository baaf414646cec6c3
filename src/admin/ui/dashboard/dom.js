// Builds DOM nodes. The only way by which text reaches the page is a text node, so a name chosen by a stranger can
// never become markup; addresses of links are made from parts that the caller has encoded.

const SVG = 'http://www.w3.org/2000/svg';

/**
 * h('td', {class: 'num'}, '12') makes an element; a property that starts with `on` adds a listener, `null`, `undefined`
 * and `false` leave the attribute out. Children: strings, numbers, nodes, arrays of them; null and false are skipped.
 */
export function h(tag, props, ...children) {
  return fill(document.createElement(tag), props, children);
}

/** The same for SVG. */
export function s(tag, props, ...children) {
  return fill(document.createElementNS(SVG, tag), props, children);
}

function fill(node, props, children) {
  for (const [name, value] of Object.entries(props || {})) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith('on')) node.addEventListener(name.slice(2), value);
    else node.setAttribute(name, value === true ? '' : String(value));
  }
  for (const child of children.flat(3)) {
    if (child === null || child === undefined || child === false) continue;
    node.append(child instanceof Node ? child : String(child));
  }
  return node;
}

/** Text from a stranger: without control and direction-changing characters, bounded, isolated from its surroundings. */
export function name(text, limit = 64) {
  return h('bdi', { title: text && String(text).length > limit ? clean(text, 512) : null }, clean(text, limit) || '–');
}

/** The same as a plain string. */
export function clean(text, limit = 256) {
  const safe = String(text ?? '').replace(/[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u200b-\u200f\u2028-\u202e\u2066-\u2069\ufeff]/g, '');
  return safe.length > limit ? `${safe.slice(0, limit - 1)}…` : safe;
}

/** A panel with a heading, optional things at its right, and a body. */
export function panel(title, body, { side = [], flush = false, cls = '' } = {}) {
  return h('section', { class: `panel ${cls}`, 'aria-label': title }, h('header', null, h('h2', null, title), side), h('div', { class: flush ? 'flush' : 'body' }, body));
}

/** Asks yes or no in the page's own dialog. */
export function confirm(title, text, yes) {
  const dialog = document.getElementById('confirm-dialog');
  document.getElementById('confirm-title').textContent = title;
  document.getElementById('confirm-text').textContent = text;
  document.getElementById('confirm-yes').textContent = yes;
  dialog.returnValue = 'no';
  dialog.showModal();
  document.getElementById('confirm-no').focus();
  return new Promise((resolve) => dialog.addEventListener('close', () => resolve(dialog.returnValue === 'yes'), { once: true }));
}
