// Says in plain words why a call or a registration failed: SIP status, Reason header (RFC 3326) and Warning header
// become one title and one sentence. Knows nothing about JsSIP objects beyond `status_code`, `reason_phrase`, `getHeader`.

const BY_STATUS = {
  400: ['Bad request', 'The server could not understand the request.'],
  401: ['Wrong user or password', 'The server did not accept the credentials.'],
  403: ['Not allowed', 'The server refuses this call, or the credentials were not accepted.'],
  404: ['Not found', 'Nobody with that name or number is known here.'],
  405: ['Not possible', 'The far end does not support this.'],
  407: ['Wrong user or password', 'The server did not accept the credentials.'],
  408: ['No reply', 'The far end did not reply in time.'],
  410: ['Gone', 'That number or user exists no longer.'],
  420: ['Not possible', 'The far end requires an extension that is not available.'],
  421: ['Not possible', 'The far end insists on an extension that this phone does not offer.'],
  480: ['Unavailable', 'The person called is not reachable at the moment, or did not answer.'],
  481: ['Call no longer known', 'The far end has no record of this call.'],
  482: ['Loop', 'The call came back to where it had been.'],
  483: ['Too many hops', 'The call went through too many servers.'],
  484: ['Number incomplete', 'The number has too few digits.'],
  486: ['Busy', 'The person called is in another call.'],
  487: ['Cancelled', 'The call was cancelled before it was answered.'],
  488: ['No common media', 'The two ends found no codec or encryption that both can use.'],
  489: ['Not possible', 'The far end does not support this.'],
  491: ['Try again', 'Both ends changed the call at the same time.'],
  500: ['Server error', 'The server failed while handling the call.'],
  501: ['Not possible', 'The server does not support this.'],
  502: ['Bad gateway', 'The next server gave an answer that makes no sense.'],
  503: ['Service unavailable', 'The server or trunk is overloaded, at its limit, or down.'],
  504: ['No reply further on', 'A server further on did not reply in time.'],
  513: ['Message too large', 'The request was larger than the far end accepts.'],
  600: ['Busy everywhere', 'The person called is busy on every device.'],
  603: ['Declined', 'The person called declined the call.'],
  604: ['Not found anywhere', 'Nobody with that name or number exists.'],
  606: ['No common media', 'The two ends found no codec or encryption that both can use.'],
  607: ['Unwanted', 'The person called does not want this call.'],
};

const BY_CLASS = {
  3: ['Redirected', 'The far end can be reached somewhere else.'],
  4: ['Refused', 'The request was refused.'],
  5: ['Server error', 'The server failed while handling the request.'],
  6: ['Refused everywhere', 'No device of the person called takes the call.'],
};

// JsSIP's own causes, for ends that no SIP response explains.
const BY_CAUSE = {
  'Connection Error': ['Connection lost', 'The WebSocket to the server is closed.'],
  'Request Timeout': ['No reply', 'The server did not reply in time.'],
  'Internal Error': ['Error in the phone', 'The phone failed while handling the call.'],
  'WebRTC Error': ['Browser media error', 'The browser could not set up the audio connection.'],
  'Bad Media Description': ['Bad media description', 'The audio description from the far end could not be used.'],
  'User Denied Media Access': ['No microphone', 'The browser did not give access to the microphone.'],
  'No Answer': ['No answer', 'The call was not answered in time.'],
  Expires: ['No answer', 'The call was not answered in time.'],
  'No ACK': ['Set-up incomplete', 'The answer was never confirmed by the far end.'],
  'RTP Timeout': ['Audio stopped', 'No audio came from the far end for too long.'],
  'Dialog Error': ['Call no longer known', 'The far end has no record of this call.'],
  Canceled: ['Cancelled', 'The call was cancelled before it was answered.'],
  'Missing SDP': ['No media description', 'The far end sent no audio description.'],
};

/**
 * Explains the end of a call.
 * @param {{cause?: string, message?: object|null, originator?: string}} end as JsSIP's `failed` and `ended` events carry it
 * @returns {{code: number|null, title: string, text: string, reason: string|null}}
 */
export function explainEnd({ cause, message, originator }) {
  const code = statusOf(message);
  const header = (name) => (message && typeof message.getHeader === 'function' ? message.getHeader(name) || null : null);
  const reasonHeader = parseReason(header('Reason'));
  const warning = parseWarning(header('Warning'));
  const reason = reasonHeader || warning;

  if (cause === 'Terminated' || (cause === 'Canceled' && !code)) {
    const who = originator === 'remote' ? 'The far end hung up.' : 'You hung up.';
    if (cause === 'Canceled') {
      return { code: 487, title: 'Cancelled', text: originator === 'remote' ? 'The caller gave up.' : 'You cancelled the call.', reason };
    }
    return { code: null, title: 'Call ended', text: who, reason };
  }
  if (cause === 'Rejected' && originator === 'local') return { code: 603, title: 'Declined', text: 'You declined the call.', reason };
  const [title, text] = BY_STATUS[code] || BY_CAUSE[cause] || BY_CLASS[Math.floor((code || 0) / 100)] || ['Call failed', String(cause || 'No cause was given.')];
  const retry = header('Retry-After');
  const tail = retry && /^\d+/.test(retry) ? ` Try again in ${parseInt(retry, 10)} s.` : '';
  return { code, title, text: text + tail, reason: reason || (code ? phrase(message) : null) };
}

/** Explains a failed registration. */
export function explainRegistration({ response, cause }) {
  const code = statusOf(response);
  if (code === 401 || code === 403 || code === 407) return { code, text: 'User or password not accepted' };
  if (code === 503) return { code, text: 'The server is overloaded or down' };
  const known = BY_STATUS[code] || BY_CAUSE[cause];
  return { code, text: known ? known[0] : String(cause || 'Registration failed') };
}

function statusOf(message) {
  return message && Number.isInteger(message.status_code) ? message.status_code : null;
}

function phrase(message) {
  return message && message.reason_phrase ? String(message.reason_phrase) : null;
}

// RFC 3326: Reason: Q.850;cause=16;text="Terminated"
function parseReason(value) {
  if (!value) return null;
  const protocol = value.split(';', 1)[0].trim();
  const cause = /;\s*cause\s*=\s*(\d+)/i.exec(value);
  const text = /;\s*text\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^;]+))/i.exec(value);
  const words = text ? (text[1] ?? text[2]).replace(/\\(.)/g, '$1').trim() : '';
  return [cause ? `${protocol} ${cause[1]}` : protocol, words].filter(Boolean).join(': ');
}

// RFC 3261 §20.43: Warning: 305 sbc.example "Incompatible media format"
function parseWarning(value) {
  const match = value && /^\s*(\d{3})\s+\S+\s+"((?:[^"\\]|\\.)*)"/.exec(value);
  return match ? `${match[1]}: ${match[2].replace(/\\(.)/g, '$1')}` : null;
}
