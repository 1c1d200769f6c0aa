// Joins the parts of the page: connection, store, view. Everything else is in the modules.

import { Announcer } from './announce.mjs';
import { Connection } from './connection.mjs';
import { Player } from './hearing.mjs';
import { Store } from './store.mjs';
import {
  showAlerts, showFlow, showLanes, showLevel, showReasons, showSounds, showWords,
} from './view.mjs';
import { drawWave } from './wave.mjs';
import { sayLevel } from './words.mjs';

const CALM_MS = 1000; // between two pictures for whoever wants no motion
const LABEL_MS = 5000;

const byId = (id) => document.getElementById(id);
const store = new Store();
const announcer = new Announcer(byId('announcer'));
const player = new Player();
const calm = matchMedia('(prefers-reduced-motion: reduce)');
let waiting = false;
let drawnAt = 0;
let labelledAt = 0;

const connection = new Connection({
  url: `${location.protocol === 'https:' ? 'wss' : 'ws'}://${location.host}/watch`,
  onEvents: receive,
  onState: showState,
  onAudio: (data) => player.play(data),
});

function receive(events) {
  store.take(events);
  announcer.hear(events);
  showSoon();
}

// Show what is known with the next frame; a page that nobody sees waits until it is seen.
function showSoon() {
  if (waiting) return;
  waiting = true;
  requestAnimationFrame(() => {
    waiting = false;
    show();
  });
}

function show() {
  const now = performance.now();
  byId('robot').textContent = store.hello.name ? `· ${store.hello.name}` : '';
  byId('hear').hidden = !store.hello.raw_audio;
  showAlerts(store, acknowledge);
  showWords(store);
  showSounds(store);
  showLanes(store);
  showReasons(store);
  showFlow(store);
  if (calm.matches && now - drawnAt < CALM_MS) return;
  drawnAt = now;
  showLevel(store);
  drawWave(byId('wave'), store);
  if (now - labelledAt > LABEL_MS) {
    labelledAt = now;
    byId('wave').setAttribute('aria-label',
      `Outline of the sound of the last 30 seconds, level ${sayLevel(store.rms)}`);
  }
}

function showState(state, ms) {
  const texts = {
    connecting: 'Connecting', connected: 'Connected',
    waiting: `Not connected. Trying again in ${Math.ceil(ms / 1000)} s`,
  };
  byId('connection').dataset.state = state;
  byId('connection-text').textContent = texts[state];
  byId('again').hidden = state !== 'waiting';
  document.body.dataset.live = state === 'connected' ? 'yes' : 'no';
  if (state === 'connected' && byId('hear').getAttribute('aria-pressed') === 'true') hear(true);
}

function acknowledge(id) {
  if (!connection.say({ do: 'acknowledge', what: id })) {
    store.answers.set(id, { done: false, message: 'not connected' });
    showSoon();
  }
}

function hear(on) {
  byId('hear').setAttribute('aria-pressed', String(on));
  if (on) player.start();
  else player.stop();
  connection.say({ do: 'hear', what: on });
}

byId('again').addEventListener('click', () => connection.start());
byId('all').addEventListener('click', () => acknowledge(''));
byId('hear').addEventListener('click', () => {
  hear(byId('hear').getAttribute('aria-pressed') !== 'true');
});
addEventListener('resize', showSoon);
matchMedia('(prefers-color-scheme: dark)').addEventListener('change', showSoon);
connection.start();
