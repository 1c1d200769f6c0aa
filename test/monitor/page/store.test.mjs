// The store of the page: what it keeps, and that a day of updates takes no memory.

import assert from 'node:assert/strict';
import test from 'node:test';

import { Ring } from '../../../page/ring.mjs';
import { LIMITS, Store, percentile } from '../../../page/store.mjs';

const text = (key, said, more = {}) => ['text', {
  key, kind: 'transcript', text: said, final: false, stable: 0, at: 1, ...more,
}];

function told(...events) {
  const store = new Store();
  store.take(events);
  return store;
}

test('a ring keeps the newest', () => {
  const ring = new Ring(3);
  assert.deepEqual(ring.list(), []);
  [1, 2, 3, 4].forEach((value) => ring.push(value));
  assert.deepEqual(ring.list(), [2, 3, 4]);
  assert.equal(ring.at(0), 2);
  ring.clear();
  assert.deepEqual(ring.list(), []);
});

test('a text grows in its place', () => {
  const store = told(text('a', 'Please'), text('b', 'Hello'), text('a', 'Please bring', { stable: 6 }));
  assert.deepEqual([...store.texts.values()].map((one) => one.text), ['Please bring', 'Hello']);
});

test('where nobody spoke nothing stays', () => {
  assert.equal(told(text('a', 'Thank'), text('a', '', { final: true })).texts.size, 0);
});

test('what was streamed of the same speech ends with its final, under whatever name', () => {
  const store = told(text('lane', 'Stop right', { from: 3, at: 5 }),
    text('next', 'Thank', { from: 8, at: 9 }),
    text('words', 'Stop right there.', { final: true, from: 3, at: 6 }),
    text('lane', 'Stop right there. open', { from: 3, at: 7 }));
  assert.deepEqual([...store.texts.keys()], ['next', 'words']);
  store.take([text('lane', 'Stop.', { final: true, from: 3, at: 7 })]);
  assert.ok(store.texts.has('lane'), 'a final is shown all the same');
});

test('a sound that ends is the one that began', () => {
  const began = { sound: 'bark', began: true, onset: 3, offset: 3, score: 0.8 };
  const store = told(['sound', began], ['sound', { ...began, began: false, offset: 5 }],
    ['sound', { ...began, onset: 9 }]);
  assert.deepEqual(store.sounds.map(({ began: on, offset }) => [on, offset]), [[false, 5], [true, 3]]);
  assert.equal(began.began, true, 'what came is not changed');
});

test('an outline has gaps where no audio was', () => {
  const store = told(['outline', { start: 10, pairs: [-100, 200, -300, 400], rms: -20 }],
    ['outline', { start: 11.04, pairs: [-500, 500], rms: -6 }]);
  const last = store.outline.length - 1;
  assert.ok(Math.abs(store.outline.at(last, 1) - 0.5) < 1e-6);
  assert.ok(Number.isNaN(store.outline.at(last - 1, 0)));
  assert.ok(Math.abs(store.outline.at(last - 51, 1) - 0.4) < 1e-6);
  assert.equal(store.rms, -6);
  store.take([['outline', { start: 500, pairs: [-1, 1], rms: -60 }]]);
  assert.equal(store.outline.list().length, 1, 'of another day nothing is left');
});

test('a lane has its threshold and its newest decisions, in any order', () => {
  const store = told(['decision', { lane: 'assistant', p: 0.25, depth: 2, latency: null, respond: false }],
    ['lane', { key: 'assistant', threshold: 0.5 }],
    ['decision', { lane: 'assistant', p: 0.75, depth: 1, latency: 0.5, respond: true }]);
  const lane = store.lanes.get('assistant');
  assert.deepEqual([lane.threshold, lane.last, lane.respond, lane.depth], [0.5, 0.75, true, 1]);
  assert.deepEqual(lane.values.list(), [0.25, 0.75]);
  assert.deepEqual(lane.latencies.list(), [0.5]);
});

test('alerts that ended are kept apart from the open ones', () => {
  const store = told(['alerts', { open: [{ key: 'a' }] }], ['alert', { key: 'b', state: 'cleared' }],
    ['alert', { key: 'c', state: 'active' }]);
  assert.deepEqual(store.open.map((alert) => alert.key), ['a']);
  assert.deepEqual([...store.ended.keys()], ['b']);
});

test('hello begins anew, and a kind of tomorrow is left alone', () => {
  const store = told(text('a', 'old'), ['of tomorrow', {}], ['hello', { name: 'robot' }], text('b', 'new'));
  assert.deepEqual([...store.texts.keys()], ['b']);
  assert.equal(store.hello.name, 'robot');
});

test('a percentile', () => {
  assert.equal(percentile([], 0.5), null);
  assert.equal(percentile([3, 1, 2], 0.5), 2);
  assert.equal(percentile([1, 2, 3, 4], 0.95), 4);
});

test('24 hours of updates leave no more than an hour does', () => {
  const store = new Store();
  const sizes = [];
  for (let second = 0; second < 24 * 3600; second += 1) {
    store.take([
      ['outline', { start: second, pairs: [-100, 100], rms: -30 }],
      ['decision', { lane: 'assistant', p: 0.5, depth: 0, latency: 0.4, respond: false }],
      ['scores', { at: second, rows: [['bark', 0.1, 0.9]] }],
      ['status', { key: `node: task ${second % 10}`, level: 1, message: `for ${second} s` }],
      text(`t${Math.floor(second / 5)}`, `words ${second}`),
      ['alert', { key: `a${second}`, state: 'expired' }],
      ['sound', { sound: `s${second}`, began: true, onset: second, offset: second }],
    ]);
    if (second % (12 * 3600) === 3600) sizes.push(JSON.stringify([[...store.texts], store.sounds, [...store.ended], [...store.statuses]]).length);
  }
  assert.equal(store.texts.size, LIMITS.texts);
  assert.equal(store.sounds.length, LIMITS.sounds);
  assert.equal(store.ended.size, LIMITS.ended);
  assert.equal(store.statuses.size, 10);
  assert.ok(Math.abs(sizes[1] / sizes[0] - 1) < 0.1, `${sizes}`);
  assert.ok(store.taken >= 7 * 24 * 3600);
});
