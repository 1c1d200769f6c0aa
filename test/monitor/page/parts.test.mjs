// Words, pictures and the connection: no document, no network, no time.

import assert from 'node:assert/strict';
import test from 'node:test';

import { Connection } from '../../../page/connection.mjs';
import { Ring } from '../../../page/ring.mjs';
import { findColumns, placeSpan } from '../../../page/wave.mjs';
import { sayBearing, sayLevel, sayMs, sayScore, sayTime, splitText } from '../../../page/words.mjs';

test('a text is split by code points', () => {
  assert.deepEqual(splitText({ text: '𝄞请帮我', stable: 2, final: false }), ['𝄞请', '帮我']);
  assert.deepEqual(splitText({ text: 'done', stable: 0, final: true }), ['done', '']);
});

test('numbers are said as people read them', () => {
  assert.equal(sayTime(4.2), '4.2 s');
  assert.match(sayTime(1.7e9), /^\d\d:\d\d:\d\d$/);
  assert.equal(sayLevel(null), 'no audio');
  assert.equal(sayMs(0.4321), '432 ms');
  assert.equal(sayMs(null), '–');
  assert.equal(sayScore(0.5, 0.97), '0.50 of 0.97 needed');
  assert.equal(sayScore(0.5, 2), '0.50', 'no rule asks for it');
});

test('a bearing is said from where the robot stands', () => {
  assert.equal(sayBearing(0), 'ahead (0°)');
  assert.equal(sayBearing(Math.PI / 2), 'left (90°)');
  assert.equal(sayBearing(-Math.PI / 2), 'right (-90°)');
  assert.equal(sayBearing(Math.PI), 'behind (180°)');
  assert.equal(sayBearing(null), '');
});

test('a column has the extremes of its part, and none where there was no audio', () => {
  const ring = new Ring(6, 2);
  [[-1, 1], [-2, 1], [-1, 3]].forEach((pair) => ring.push(...pair));
  assert.deepEqual(findColumns(ring, 2), [null, [-2, 3]]);
  assert.equal(findColumns(ring, 12).length, 12);
});

test('a span lies where its seconds are', () => {
  assert.deepEqual(placeSpan(85, 100, 100), [0.5, 1]);
  assert.deepEqual(placeSpan(0, 85, 100), [0, 0.5]);
  assert.equal(placeSpan(0, 10, 100), null);
});

// A network and a clock that do what a test tells them.
function world() {
  const made = { sockets: [], timers: new Map(), states: [], events: [], next: 0 };
  made.connection = new Connection({
    url: 'ws://here/watch',
    onEvents: (events) => made.events.push(...events),
    onState: (state, ms) => made.states.push([state, ms]),
    open: () => {
      const socket = { sent: [], send: (data) => socket.sent.push(data), close: () => {} };
      made.sockets.push(socket);
      return socket;
    },
    wait: (call, ms) => { made.next += 1; made.timers.set(made.next, { call, ms }); return made.next; },
    stop: (timer) => made.timers.delete(timer),
    random: () => 1,
  });
  made.fire = () => {
    const [[key, { call }]] = [...made.timers].slice(-1);
    made.timers.delete(key);
    call();
  };
  made.say = (events) => made.sockets.at(-1).onmessage({ data: JSON.stringify(events) });
  return made;
}

test('a lost connection is opened again, ever more slowly, and quickly again after it worked', () => {
  const { connection, sockets, states, fire, say } = world();
  connection.start();
  for (let i = 0; i < 7; i += 1) {
    sockets.at(-1).onclose();
    fire();
  }
  assert.deepEqual(states.filter(([state]) => state === 'waiting').map(([, ms]) => ms),
    [500, 1000, 2000, 4000, 8000, 10000, 10000]);
  say([['hello', {}]]);
  sockets.at(-1).onclose();
  assert.deepEqual(states.slice(-2), [['connected', 0], ['waiting', 500]]);
});

test('a connection on which nothing comes is a lost one', () => {
  const { connection, states, sockets, fire, say, timers } = world();
  connection.start();
  say([['hello', {}]]);
  assert.equal(timers.size, 1, 'one watchdog, however much comes');
  fire();
  assert.equal(states.at(-1)[0], 'waiting');
  sockets[0].onmessage({ data: '[["late", {}]]' });
  assert.equal(states.at(-1)[0], 'waiting', 'what comes late is not believed');
});

test('nothing is asked of nobody', () => {
  const { connection, sockets, say } = world();
  connection.start();
  assert.equal(connection.say({ do: 'acknowledge', what: 'a' }), false);
  say([['hello', {}]]);
  assert.equal(connection.say({ do: 'acknowledge', what: 'a' }), true);
  assert.deepEqual(sockets[0].sent, ['{"do":"acknowledge","what":"a"}']);
});

test('somebody who will not wait is not kept waiting, and makes no second connection', () => {
  const { connection, sockets } = world();
  connection.start();
  connection.start();
  assert.equal(sockets.length, 1);
  sockets[0].onclose();
  connection.start();
  assert.equal(sockets.length, 2);
});
