// Plays the audio itself, where the robot's owner allowed that and somebody asked for it.

const AHEAD_S = 0.15;
const MOST_AHEAD_S = 1.0;

export class Player {
  constructor() {
    this.context = null;
    this.at = 0;
  }

  start() {
    this.context = this.context || new AudioContext();
    this.context.resume();
    this.at = 0;
  }

  stop() {
    if (this.context) this.context.suspend();
  }

  // A message: the rate as four bytes, then mono samples of 16 bits, all little endian.
  play(data) {
    if (!this.context || this.context.state !== 'running' || data.byteLength < 6) return;
    const view = new DataView(data);
    const samples = new Int16Array(data.slice(4));
    const buffer = this.context.createBuffer(1, samples.length, view.getUint32(0, true));
    const channel = buffer.getChannelData(0);
    for (let i = 0; i < samples.length; i += 1) channel[i] = samples[i] / 32768;
    const now = this.context.currentTime;
    if (this.at < now || this.at > now + MOST_AHEAD_S) this.at = now + AHEAD_S;
    const source = this.context.createBufferSource();
    source.buffer = buffer;
    source.connect(this.context.destination);
    source.start(this.at);
    this.at += buffer.duration;
  }
}
