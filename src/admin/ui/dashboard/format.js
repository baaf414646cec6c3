// Numbers for people: durations, ratios, sizes, times. Unknown values read as an en dash.

const NONE = '–';
const known = (value) => typeof value === 'number' && Number.isFinite(value);

/** 75 -> 1:15, 3725 -> 1:02:05, 2 days -> 2 d 3 h. */
export function duration(secs) {
  if (!known(secs)) return NONE;
  const whole = Math.max(0, Math.floor(secs));
  if (whole >= 86400) return `${Math.floor(whole / 86400)} d ${Math.floor((whole % 86400) / 3600)} h`;
  const two = (value) => String(value).padStart(2, '0');
  const [hours, minutes] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60];
  return hours ? `${hours}:${two(minutes)}:${two(whole % 60)}` : `${minutes}:${two(whole % 60)}`;
}

export function ms(value) {
  if (!known(value)) return NONE;
  if (value >= 1000) return `${(value / 1000).toFixed(value < 10_000 ? 2 : 1)} s`;
  return value < 10 && value % 1 ? `${value.toFixed(1)} ms` : `${Math.round(value)} ms`;
}

export function percent(ratio, digits = 1) {
  return known(ratio) ? `${(ratio * 100).toFixed(digits)} %` : NONE;
}

export function decimal(value, digits = 1) {
  return known(value) ? value.toFixed(digits) : NONE;
}

export function count(value) {
  return known(value) ? Math.round(value).toLocaleString('en').replaceAll(',', '\u202f') : NONE;
}

export function bytes(value) {
  if (!known(value)) return NONE;
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];
  let at = 0;
  while (value >= 1024 && at < units.length - 1) { value /= 1024; at += 1; }
  return `${at === 0 ? value : value.toFixed(1)} ${units[at]}`;
}

export function clock(rfc3339) {
  const at = new Date(rfc3339);
  return rfc3339 && !Number.isNaN(at.getTime()) ? at.toLocaleTimeString('en-GB', { hour: '2-digit', minute: '2-digit', second: '2-digit' }) : NONE;
}

/** How long ago, as a duration. */
export function ago(rfc3339) {
  const at = Date.parse(rfc3339 ?? '');
  return Number.isNaN(at) ? NONE : duration((Date.now() - at) / 1000);
}

export function dateTime(rfc3339) {
  const at = new Date(rfc3339);
  return rfc3339 && !Number.isNaN(at.getTime()) ? at.toLocaleString('en-GB', { dateStyle: 'medium', timeStyle: 'medium' }) : NONE;
}

/** `opus/48000/2` -> Opus, `PCMA/8000` -> PCMA. */
export function codec(text) {
  if (!text) return NONE;
  const short = String(text).split('/', 1)[0];
  return /^opus$/i.test(short) ? 'Opus' : short;
}

/** Class of a MOS: below 3.1 nearly all users complain, below 3.6 many do (ITU-T G.107 Annex B). */
export function mosClass(mos) {
  if (!known(mos)) return 'muted';
  return mos < 3.1 ? 'bad' : mos < 3.6 ? 'warn' : 'good';
}
