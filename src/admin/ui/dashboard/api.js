// The admin API: GET, POST and DELETE with the bearer token, and the live feed. The feed is server-sent events read with
// fetch (EventSource cannot send the token, and a token in a URL ends up in logs); while it is down, plain GETs every 2 s.

const TOKEN = 'sbc.token';
const POLL_MS = 2000;
// The server sends at least a comment every 15 s; a stream that is silent for longer is dead.
const SILENCE_MS = 25_000;
const BACKOFF_MS = [1000, 2000, 5000, 10_000, 15_000];

export class ApiError extends Error {
  constructor(status, message) { super(message); this.status = status; }
}

const store = {
  read() { try { return sessionStorage.getItem(TOKEN); } catch { return this.kept ?? null; } },
  write(token) { this.kept = token; try { if (token) sessionStorage.setItem(TOKEN, token); else sessionStorage.removeItem(TOKEN); } catch { /* kept in memory */ } },
};

let askToken = async () => null;
let asking = null;

/** Sets who is asked for a token on 401. @param {(again: boolean) => Promise<string>} ask */
export function onTokenNeeded(ask) { askToken = ask; }

async function send(path, options, retried = false) {
  const headers = { ...options.headers };
  const token = store.read();
  if (token) headers.authorization = `Bearer ${token}`;
  const response = await fetch(path, { ...options, headers, cache: 'no-store', credentials: 'omit' });
  if (response.status !== 401) return response;
  if (retried === 'twice') throw new ApiError(401, 'not authorised');
  // Every request that meets the 401 waits for the same answer; one with an outdated token just repeats.
  if (token === store.read()) {
    asking ??= askToken(Boolean(token)).then((fresh) => { store.write(fresh); }).finally(() => { asking = null; });
    await asking;
  }
  return send(path, options, retried ? 'twice' : true);
}

async function failure(response) {
  let message = `${response.status} ${response.statusText}`.trim();
  try { message = (await response.json()).error.message || message; } catch { /* the status has to do */ }
  return new ApiError(response.status, message);
}

/** @returns {Promise<any>} the JSON body @throws {ApiError|TypeError} */
export async function get(path) {
  const response = await send(`/api/v1${path}`, { headers: { accept: 'application/json' } });
  if (!response.ok) throw await failure(response);
  return response.json();
}

/** POST or DELETE. */
export async function change(method, path, body) {
  const response = await send(`/api/v1${path}`, {
    method,
    headers: { accept: 'application/json', 'content-type': 'application/json', 'x-sbc-request': '1' },
    body: body === undefined ? undefined : JSON.stringify(body),
  });
  if (!response.ok) throw await failure(response);
  return response.status === 204 ? null : response.json().catch(() => null);
}

/** The live feed. `onData(kind, value)` gets status, calls, trunks, bans, registrations; `onLink` gets live, polling, offline. */
export class Feed {
  #onData; #onLink;
  #attempt = 0;
  #live = false;
  #pollTimer = null;

  constructor(onData, onLink) {
    this.#onData = onData;
    this.#onLink = onLink;
  }

  start() {
    this.#poll();
    this.#stream();
  }

  /** Fetches everything once now. */
  async refresh() {
    const kinds = ['status', 'calls', 'trunks', 'bans', 'registrations'];
    const results = await Promise.allSettled(kinds.map((kind) => get(`/${kind}`)));
    results.forEach((result, index) => { if (result.status === 'fulfilled') this.#onData(kinds[index], result.value); });
    return results[0].status === 'fulfilled';
  }

  async #poll() {
    clearTimeout(this.#pollTimer);
    if (this.#live) return;
    const reached = await this.refresh();
    if (this.#live) return;
    this.#onLink(reached ? 'polling' : 'offline');
    this.#pollTimer = setTimeout(() => this.#poll(), POLL_MS);
  }

  async #stream() {
    const abort = new AbortController();
    let silence = null;
    const heard = () => { clearTimeout(silence); silence = setTimeout(() => abort.abort(), SILENCE_MS); };
    try {
      const response = await send('/api/v1/events', { headers: { accept: 'text/event-stream' }, signal: abort.signal });
      if (!response.ok || !response.body) throw await failure(response);
      this.#live = true;
      this.#attempt = 0;
      this.#onLink('live');
      heard();
      if (this.#pollTimer) await this.refresh();
      const parser = new EventParser((kind, data) => {
        try { this.#onData(kind, JSON.parse(data)); } catch { /* one unreadable event is skipped; the next brings everything */ }
      });
      const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
      for (;;) {
        const { value, done } = await reader.read();
        if (done) break;
        heard();
        parser.push(value);
      }
    } catch { /* the fall-back below is the answer to every failure */ }
    clearTimeout(silence);
    if (this.#live) { this.#live = false; this.#poll(); }
    setTimeout(() => this.#stream(), BACKOFF_MS[Math.min(this.#attempt++, BACKOFF_MS.length - 1)]);
  }
}

/** Splits text/event-stream (HTML Living Standard §9.2.6) into (event, data). */
export class EventParser {
  #rest = '';
  #event = '';
  #data = [];
  #emit;

  constructor(emit) { this.#emit = emit; }

  push(text) {
    const lines = (this.#rest + text).split(/\r\n|\n|\r(?!$)/);
    this.#rest = lines.pop();
    for (const line of lines) this.#line(line);
  }

  #line(line) {
    if (line === '') {
      if (this.#data.length) this.#emit(this.#event || 'message', this.#data.join('\n'));
      this.#event = '';
      this.#data = [];
      return;
    }
    const colon = line.indexOf(':');
    if (colon === 0) return;
    const field = colon < 0 ? line : line.slice(0, colon);
    const value = colon < 0 ? '' : line.slice(colon + 1).replace(/^ /, '');
    if (field === 'event') this.#event = value;
    else if (field === 'data') this.#data.push(value);
  }
}
