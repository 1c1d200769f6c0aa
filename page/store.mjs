// What the page knows. Takes events as the server sends them, [kind, told], and keeps the newest
// of each in bounded memory, however long the page stays open. Knows no document.

import { Ring } from './ring.mjs';

export const OUTLINES_PER_S = 50;
export const SHOWN_S = 30;
export const LIMITS = {
  texts: 40, sounds: 30, ended: 10, lanes: 16, statuses: 64, decisions: 75, open: 100,
};

const GAP_S = 0.1;

export class Store {
  constructor() {
    this.taken = 0;
    this.forget();
  }

  // Begin anew, as when the server says hello: everything is told again.
  forget() {
    this.hello = {};
    this.outline = new Ring(SHOWN_S * OUTLINES_PER_S, 2);
    this.outlineEnd = null; // audio time in seconds at which the outline ends
    this.rms = null;
    this.texts = new Map();
    this.superseded = new Map();
    this.sounds = [];
    this.scores = { rows: [] };
    this.lanes = new Map();
    this.open = [];
    this.ended = new Map();
    this.statuses = new Map();
    this.numbers = {};
    this.answers = new Map();
  }

  // Take in a message of the server; kinds that an older page does not know are left alone.
  take(events) {
    for (const [kind, told] of events) {
      this.taken += 1;
      const method = TAKES[kind];
      if (method) method(this, told);
    }
  }
}

function keep(map, key, value, limit) {
  if (!map.has(key) && map.size >= limit) map.delete(map.keys().next().value);
  map.set(key, value);
}

function takeOutline(store, { start, pairs, rms }) {
  const gap = store.outlineEnd === null ? 0 : start - store.outlineEnd;
  if (Math.abs(gap) > SHOWN_S) store.outline.clear();
  else if (gap > GAP_S) {
    for (let i = 0; i < Math.round(gap * OUTLINES_PER_S); i += 1) store.outline.push(NaN, NaN);
  }
  for (let i = 0; i + 1 < pairs.length; i += 2) {
    store.outline.push(pairs[i] / 1000, pairs[i + 1] / 1000);
  }
  store.outlineEnd = start + pairs.length / 2 / OUTLINES_PER_S;
  store.rms = rms;
}

function takeText(store, told) {
  if (store.superseded.has(told.key) && !told.final) return;
  if (told.final && told.kind !== 'reply') supersede(store, told);
  if (told.final && !told.text) store.texts.delete(told.key); // nobody spoke
  else keep(store.texts, told.key, told, LIMITS.texts);
}

// What was streamed of the same speech under another name is not continued after its final.
function supersede(store, final) {
  for (const [key, text] of store.texts) {
    if (key !== final.key && text.kind === final.kind && !text.final && text.from < final.at) {
      store.texts.delete(key);
      keep(store.superseded, key, true, LIMITS.texts);
    }
  }
}

function takeSound(store, told) {
  const running = store.sounds.findLast((one) => one.sound === told.sound && one.began);
  if (!told.began && running) {
    Object.assign(running, told);
    return;
  }
  store.sounds.push({ ...told });
  if (store.sounds.length > LIMITS.sounds) store.sounds.shift();
}

function laneOf(store, name) {
  if (!store.lanes.has(name)) {
    keep(store.lanes, name, {
      name, threshold: null, values: new Ring(LIMITS.decisions),
      latencies: new Ring(LIMITS.decisions), depth: 0, last: null,
    }, LIMITS.lanes);
  }
  return store.lanes.get(name);
}

function takeDecision(store, { lane, p, respond, depth, latency }) {
  const found = laneOf(store, lane);
  found.values.push(p);
  if (latency !== null) found.latencies.push(latency);
  Object.assign(found, { depth, last: p, respond });
}

function takeAlert(store, told) {
  if (told.state === 'cleared' || told.state === 'expired') {
    store.ended.delete(told.key);
    keep(store.ended, told.key, told, LIMITS.ended);
  }
}

const TAKES = {
  hello: (store, told) => { store.forget(); store.hello = told; },
  outline: takeOutline,
  text: takeText,
  sound: takeSound,
  scores: (store, told) => { store.scores = told; },
  lane: (store, { key, threshold }) => { laneOf(store, key).threshold = threshold; },
  decision: takeDecision,
  alerts: (store, { open }) => { store.open = open.slice(0, LIMITS.open); },
  alert: takeAlert,
  status: (store, told) => keep(store.statuses, told.key, told, LIMITS.statuses),
  numbers: (store, told) => { store.numbers = told; },
  answer: (store, told) => keep(store.answers, told.id, told, LIMITS.ended),
};

// The value below which `part` (0 to 1) of some numbers lie; null where there are none.
export function percentile(numbers, part) {
  if (!numbers.length) return null;
  const sorted = [...numbers].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(part * sorted.length))];
}
