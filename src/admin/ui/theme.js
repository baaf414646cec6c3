// Light or dark: follows the system until the person at the page chooses, then keeps the choice in localStorage.
// Loaded as a classic script in <head> so that a dark page never flashes white.
(() => {
  'use strict';
  const root = document.documentElement;
  let stored = null;
  try { stored = localStorage.getItem('sbc.theme'); } catch { /* storage may be refused: follow the system */ }
  if (stored === 'light' || stored === 'dark') root.dataset.theme = stored;

  document.addEventListener('click', (event) => {
    if (!(event.target instanceof Element) || !event.target.closest('[data-theme-toggle]')) return;
    const dark = root.dataset.theme ? root.dataset.theme === 'dark' : matchMedia('(prefers-color-scheme: dark)').matches;
    root.dataset.theme = dark ? 'light' : 'dark';
    try { localStorage.setItem('sbc.theme', root.dataset.theme); } catch { /* kept for this page only */ }
    document.dispatchEvent(new CustomEvent('themechange'));
  });
  matchMedia('(prefers-color-scheme: dark)').addEventListener('change', () => document.dispatchEvent(new CustomEvent('themechange')));
})();
