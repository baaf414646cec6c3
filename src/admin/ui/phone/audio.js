// Everything that makes or measures sound: the microphone or a generated track to send, level meters for both
// directions, and the ring tones. One AudioContext, made at the first use because browsers start it suspended until
// the person has touched the page.

let context = null;

/** The page's AudioContext, resumed when the browser allows it. */
export function audioContext() {
  context ??= new AudioContext({ latencyHint: 'interactive' });
  if (context.state === 'suspended') context.resume().catch(() => {});
  return context;
}

/** Why the microphone cannot be used, for the person at the page. */
export class MicrophoneError extends Error {}

/**
 * Opens the sound to send.
 * @param {'mic'|'tone'|'silence'} kind
 * @returns {Promise<{stream: MediaStream, stop: () => void}>}
 * @throws {MicrophoneError} when `mic` is asked for and there is none to use
 */
export async function openSource(kind) {
  if (kind !== 'mic') return generated(kind);
  if (!navigator.mediaDevices?.getUserMedia) {
    throw new MicrophoneError('This page was not loaded over https or from 127.0.0.1, so the browser gives no access to a microphone.');
  }
  try {
    const stream = await navigator.mediaDevices.getUserMedia({ audio: { echoCancellation: true, noiseSuppression: true, autoGainControl: true }, video: false });
    return { stream, stop: () => stream.getTracks().forEach((track) => track.stop()) };
  } catch (error) {
    throw new MicrophoneError(microphoneText(error));
  }
}

function microphoneText(error) {
  switch (error?.name) {
    case 'NotFoundError':
    case 'OverconstrainedError':
      return 'This machine has no microphone. You can still call: send a test tone or silence instead.';
    case 'NotAllowedError':
    case 'SecurityError':
      return 'The browser refuses access to the microphone. Allow it in the address bar and try again, or send a test tone or silence instead.';
    case 'NotReadableError':
    case 'AbortError':
      return 'The microphone is in use by another program, or does not work. You can still call: send a test tone or silence instead.';
    default:
      return `The microphone could not be opened (${error?.name || 'unknown error'}). You can still call: send a test tone or silence instead.`;
  }
}

function generated(kind) {
  const ctx = audioContext();
  const out = ctx.createMediaStreamDestination();
  out.channelCount = 1;
  const osc = ctx.createOscillator();
  const gain = ctx.createGain();
  osc.frequency.value = 440;
  gain.gain.value = kind === 'tone' ? 0.2 : 0;
  osc.connect(gain).connect(out);
  osc.start();
  return {
    stream: out.stream,
    stop: () => {
      osc.stop();
      gain.disconnect();
      out.stream.getTracks().forEach((track) => track.stop());
    },
  };
}

const FLOOR_DB = -60;

/** Level and pitch of one stream. */
export class Meter {
  #source; #analyser; #wave; #spectrum;

  constructor(stream) {
    const ctx = audioContext();
    this.#source = ctx.createMediaStreamSource(stream);
    this.#analyser = ctx.createAnalyser();
    this.#analyser.fftSize = 4096;
    this.#analyser.smoothingTimeConstant = 0.5;
    this.#source.connect(this.#analyser);
    this.#wave = new Float32Array(2048);
    this.#spectrum = new Float32Array(this.#analyser.frequencyBinCount);
  }

  /** Root mean square of the last 43 ms in dB below full scale, not below -60. */
  level() {
    this.#analyser.getFloatTimeDomainData(this.#wave);
    let sum = 0;
    for (const sample of this.#wave) sum += sample * sample;
    const rms = Math.sqrt(sum / this.#wave.length);
    return Math.max(FLOOR_DB, rms > 0 ? 20 * Math.log10(rms) : FLOOR_DB);
  }

  /** Frequency of the strongest tone in Hz, or null when nothing stands out. */
  pitch() {
    this.#analyser.getFloatFrequencyData(this.#spectrum);
    const bins = this.#spectrum;
    const hz = audioContext().sampleRate / this.#analyser.fftSize;
    const first = Math.ceil(80 / hz);
    const last = Math.min(bins.length - 2, Math.floor(4000 / hz));
    let top = first;
    let sum = 0;
    for (let i = first; i <= last; i += 1) {
      if (bins[i] > bins[top]) top = i;
      sum += Math.max(bins[i], -140);
    }
    if (bins[top] < -70 || bins[top] < sum / (last - first + 1) + 25) return null;
    // A parabola through the strongest bin and its neighbours finds the tone between two bins.
    const [a, b, c] = [bins[top - 1], bins[top], bins[top + 1]];
    const bend = a - 2 * b + c;
    const shift = Number.isFinite(bend) && bend !== 0 ? (a - c) / (2 * bend) : 0;
    return (top + Math.max(-0.5, Math.min(0.5, shift))) * hz;
  }

  close() {
    this.#source.disconnect();
    this.#analyser.disconnect();
  }
}

// Cadences in seconds as [on, off, on, off …]; the frequencies are those of ITU-T E.180 Supplement 2, common in Europe.
const TONES = {
  ring: { hz: [480, 620], cadence: [0.4, 0.2, 0.4, 2], gain: 0.12 },
  ringback: { hz: [425], cadence: [1, 4], gain: 0.06 },
  busy: { hz: [425], cadence: [0.48, 0.48], gain: 0.06, rounds: 3 },
};

/** Plays one tone at a time until `stop`. */
export class Tones {
  #playing = null;
  #stop = () => {};

  /** @param {'ring'|'ringback'|'busy'} name */
  play(name) {
    if (this.#playing === name) return;
    this.stop();
    const { hz, cadence, gain, rounds = 20 } = TONES[name];
    const ctx = audioContext();
    const volume = ctx.createGain();
    volume.gain.value = 0;
    volume.connect(ctx.destination);
    const oscillators = hz.map((frequency) => {
      const osc = ctx.createOscillator();
      osc.frequency.value = frequency;
      osc.connect(volume);
      osc.start();
      return osc;
    });
    let at = ctx.currentTime + 0.05;
    for (let round = 0; round < rounds; round += 1) {
      cadence.forEach((seconds, index) => {
        // 10 ms ramps: a square edge clicks.
        volume.gain.setTargetAtTime(index % 2 === 0 ? gain : 0, at, 0.01);
        at += seconds;
      });
    }
    oscillators[0].addEventListener('ended', () => volume.disconnect());
    oscillators.forEach((osc) => osc.stop(at));
    this.#playing = name;
    this.#stop = () => oscillators.forEach((osc) => osc.stop());
  }

  stop() {
    this.#stop();
    this.#stop = () => {};
    this.#playing = null;
  }
}

/** A short local blip so that a pressed digit is heard by who pressed it. */
export function blip(digit) {
  const rows = ['123A', '456B', '789C', '*0#D'];
  const row = rows.findIndex((line) => line.includes(digit));
  if (row < 0) return;
  const ctx = audioContext();
  const gain = ctx.createGain();
  gain.gain.value = 0.03;
  gain.connect(ctx.destination);
  const tones = [[697, 770, 852, 941][row], [1209, 1336, 1477, 1633][rows[row].indexOf(digit)]].map((frequency) => {
    const osc = ctx.createOscillator();
    osc.frequency.value = frequency;
    osc.connect(gain);
    osc.start();
    osc.stop(ctx.currentTime + 0.09);
    return osc;
  });
  tones[0].addEventListener('ended', () => gain.disconnect());
}
