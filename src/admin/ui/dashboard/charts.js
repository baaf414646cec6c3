// Time charts with uPlot in the page's colours. `History` keeps the last ten minutes of numbers in the browser; `Chart`
// draws some of its series and is redrawn when the theme changes.

import uPlot from '/vendor/uplot.min.js';

const LEAST_SECS = 120; // a chart that has only just begun shows two minutes, so that its line does not jump about
const KEEP = 600; // points: ten minutes at one a second

export class History {
  times = [];
  series = {};

  push(at, values) {
    if (this.times.length && at <= this.times[this.times.length - 1]) return;
    this.times.push(at);
    for (const [key, value] of Object.entries(values)) {
      (this.series[key] ??= Array(this.times.length - 1).fill(null)).push(value ?? null);
    }
    if (this.times.length > KEEP) {
      this.times.shift();
      for (const list of Object.values(this.series)) list.shift();
    }
  }
}

const css = (variable) => resolveColour(`var(${variable})`);

// A canvas cannot read light-dark(): let the browser compute the colour on an element.
function resolveColour(value) {
  const probe = document.createElement('span');
  probe.style.color = value;
  document.body.append(probe);
  const colour = getComputedStyle(probe).color;
  probe.remove();
  return colour;
}

/** lines: [{key, label, colour: '--accent', digits}] */
export class Chart {
  #lines; #plot = null; #observer; #onTheme; #time; #data = null; #minTop; #range;

  constructor(node, lines, { time = true, minTop = 4, range = null, label = '' } = {}) {
    this.node = node;
    this.#lines = lines;
    this.#time = time;
    this.#minTop = minTop;
    this.#range = range;
    node.classList.add('chart', ...(time ? ['timed'] : []));
    node.setAttribute('role', 'img');
    node.setAttribute('aria-label', label);
    this.#onTheme = () => this.#draw();
    document.addEventListener('themechange', this.#onTheme);
    this.#observer = new ResizeObserver(() => this.#resize());
    this.#observer.observe(node);
  }

  /** @param {number[]} times seconds; @param {Object<string, (number|null)[]>} series */
  update(times, series) {
    this.#data = [times, ...this.#lines.map((line) => series[line.key] || Array(times.length).fill(null))];
    if (this.#plot) { this.#plot.setData(this.#data); this.#showLast(); } else this.#draw();
  }

  destroy() {
    this.#observer.disconnect();
    document.removeEventListener('themechange', this.#onTheme);
    this.#plot?.destroy();
    this.#plot = null;
  }

  #size() { return { width: Math.max(160, this.node.clientWidth), height: Math.max(110, this.node.clientHeight - 30) }; }

  #resize() {
    if (!this.#plot) { if (this.#data) this.#draw(); return; }
    this.#plot.setSize(this.#size());
  }

  #draw() {
    this.#plot?.destroy();
    this.#plot = null;
    if (!this.#data || !this.node.isConnected || this.node.clientWidth === 0) return;
    // The axes grow with the page's type, which is larger on wall screens.
    const em = parseFloat(getComputedStyle(document.documentElement).fontSize) / 15;
    const font = `${Math.round(12 * em)}px ${getComputedStyle(document.body).fontFamily}`;
    const grid = { stroke: css('--line'), width: 1 };
    const axis = { stroke: css('--muted'), font, grid, ticks: { show: false } };
    const digits = (line) => line.digits ?? 0;
    this.#plot = new uPlot({
      ...this.#size(),
      padding: [10, 26, 0, 0],
      cursor: { points: { size: 6 }, drag: { x: false, y: false } },
      legend: { live: true },
      scales: { x: { time: this.#time, range: this.#time ? (_u, min, max) => [Math.min(min, max - LEAST_SECS), max] : undefined }, y: { range: this.#range ? () => this.#range : (_u, _min, max) => [0, Math.max(this.#minTop, (max ?? 0) * 1.15)] } },
      axes: [
        this.#time ? { ...axis, size: 28 * em, space: 80 * em, values: [[60, '{HH}:{mm}', null, null, null, null, null, null, 1], [1, '{HH}:{mm}:{ss}', null, null, null, null, null, null, 1]] } : { ...axis, size: 28 * em, space: 60 * em, values: (_u, splits) => splits.map((value) => `${value} s`) },
        { ...axis, size: 40 * em, space: 30 * em },
      ],
      series: [
        { label: this.#time ? 'Time' : 'At', value: this.#time ? '{HH}:{mm}:{ss}' : (_u, value) => (value === null ? '–' : `${Math.round(value)} s`) },
        ...this.#lines.map((line) => ({
          label: line.label, stroke: css(line.colour), width: 2, spanGaps: true, points: { show: false },
          fill: line.fill ? fade(css(line.colour)) : undefined,
          value: (_u, value) => (value === null || value === undefined ? '–' : value.toFixed(digits(line))),
        })),
      ],
    }, this.#data, this.node);
    this.#plot.over.addEventListener('mouseleave', () => this.#showLast());
    this.#showLast();
  }

  // Without a pointer over it the legend shows the latest values.
  #showLast() {
    const plot = this.#plot;
    if (plot && this.#data[0].length && !plot.over.matches(':hover')) plot.setLegend({ idx: this.#data[0].length - 1 }, false);
  }
}

function fade(colour) {
  return colour.replace(/^rgb\((.*)\)$/, 'rgba($1, .14)');
}
