// WebRTC between two pages whose descriptions the test carries by hand: proves capture and tone detection without any SIP.
import { AUDIO, Events, captureStart, captureStop, dtmf, media, stats } from './media.js';

const events = new Events();
let pc = null;

async function gathered() {
  if (pc.iceGatheringState !== 'complete') await new Promise((done) => pc.addEventListener('icegatheringstatechange', () => { if (pc.iceGatheringState === 'complete') done(); }));
  return pc.localDescription.sdp;
}

async function open() {
  pc = new RTCPeerConnection({ iceServers: [] });
  pc.addEventListener('connectionstatechange', () => events.push(pc.connectionState));
  const stream = await navigator.mediaDevices.getUserMedia({ audio: AUDIO });
  stream.getTracks().forEach((track) => pc.addTrack(track, stream));
}

window.phone = {
  events, media, captureStart, captureStop, stats, dtmf,
  async offer() { await open(); await pc.setLocalDescription(await pc.createOffer()); return gathered(); },
  async answer(sdp) {
    await open();
    await pc.setRemoteDescription({ type: 'offer', sdp });
    await pc.setLocalDescription(await pc.createAnswer());
    return gathered();
  },
  accept(sdp) { return pc.setRemoteDescription({ type: 'answer', sdp }); },
};
