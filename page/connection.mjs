// The connection to the server: opened again, ever more slowly, whenever it is lost. Knows no
// document; what opens sockets and waits is given, so that a test needs neither network nor time.

const FIRST_MS = 500;
const MOST_MS = 10000;
const SILENT_MS = 6000; // the server says something every second

export class Connection {
  // `onState` gets 'connecting', 'connected' or 'waiting' and the milliseconds of the wait.
  constructor({ url, onEvents, onState, onAudio = () => {}, open = (to) => new WebSocket(to),
    wait = (call, ms) => setTimeout(call, ms), stop = (timer) => clearTimeout(timer),
    random = Math.random }) {
    Object.assign(this, { url, onEvents, onState, onAudio, open, wait, stop, random });
    this.failures = 0;
    this.socket = null;
    this.timer = null;
    this.watchdog = null;
  }

  // How long to wait after so many failures in a row: twice as long each time, a little by chance.
  delay() {
    const most = Math.min(MOST_MS, FIRST_MS * 2 ** Math.max(0, this.failures - 1));
    return Math.round(most * (0.75 + 0.25 * this.random()));
  }

  start() {
    this.stop(this.timer);
    this.timer = null;
    if (this.socket) return;
    this.onState('connecting', 0);
    const socket = this.open(this.url);
    this.socket = socket;
    socket.binaryType = 'arraybuffer';
    socket.onmessage = ({ data }) => {
      if (this.socket === socket) this.receive(data);
    };
    socket.onclose = () => this.lose(socket);
    this.watch(socket);
  }

  receive(data) {
    this.watch(this.socket);
    if (this.failures || !this.connected) {
      this.failures = 0;
      this.connected = true;
      this.onState('connected', 0);
    }
    if (typeof data === 'string') this.onEvents(JSON.parse(data));
    else this.onAudio(data);
  }

  // A connection on which nothing comes any more is a lost one, whatever the network says.
  watch(socket) {
    this.stop(this.watchdog);
    this.watchdog = this.wait(() => {
      socket.close();
      this.lose(socket);
    }, SILENT_MS);
  }

  lose(socket) {
    if (this.socket !== socket) return;
    this.stop(this.watchdog);
    this.socket = null;
    this.connected = false;
    this.failures += 1;
    const ms = this.delay();
    this.onState('waiting', ms);
    this.timer = this.wait(() => this.start(), ms);
  }

  // Ask for something; false where nobody is there to hear it.
  say(what) {
    if (!this.connected) return false;
    this.socket.send(JSON.stringify(what));
    return true;
  }
}
