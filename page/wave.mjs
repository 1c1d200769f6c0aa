// The picture of the last 30 seconds: the outline of the audio, and which sounds began in it.

import { SHOWN_S } from './store.mjs';
import { sayName } from './words.mjs';

const ROW = 18; // height of a row of sounds, in CSS pixels
const ROWS = 2;
const BAND = ROW * ROWS;
const LEAST = 0.02; // outlines are shown as if full scale were at least this

// The lowest and highest value of every column of a picture, [[low, high] or null, …].
export function findColumns(outline, columns) {
  const found = [];
  for (let column = 0; column < columns; column += 1) {
    const from = Math.floor((column * outline.length) / columns);
    const to = Math.max(from + 1, Math.floor(((column + 1) * outline.length) / columns));
    let [low, high] = [Infinity, -Infinity];
    for (let i = from; i < to; i += 1) {
      const [a, b] = [outline.at(i, 0), outline.at(i, 1)];
      if (a < low) low = a;
      if (b > high) high = b;
    }
    found.push(high >= low ? [low, high] : null);
  }
  return found;
}

// Where a span of audio time lies in a picture, as parts of its width; null where outside.
export function placeSpan(from, to, end) {
  const place = (at) => 1 - (end - at) / SHOWN_S;
  const [left, right] = [Math.max(0, place(from)), Math.min(1, place(to))];
  return right > 0 && left < 1 ? [left, Math.max(right, left)] : null;
}

export function drawWave(canvas, store) {
  const { clientWidth: width, clientHeight: height } = canvas;
  const scale = window.devicePixelRatio || 1;
  if (canvas.width !== Math.round(width * scale)) canvas.width = Math.round(width * scale);
  if (canvas.height !== Math.round(height * scale)) canvas.height = Math.round(height * scale);
  const pen = canvas.getContext('2d');
  const style = getComputedStyle(canvas);
  const colour = (name) => style.getPropertyValue(name).trim();
  pen.setTransform(scale, 0, 0, scale, 0, 0);
  pen.clearRect(0, 0, width, height);
  drawSeconds(pen, width, height, colour('--line'));
  const columns = findColumns(store.outline, Math.max(1, Math.floor(width / 2)));
  const loudest = columns.reduce((most, it) => (it ? Math.max(most, -it[0], it[1]) : most), LEAST);
  const middle = (height - BAND) / 2;
  pen.fillStyle = colour('--wave');
  columns.forEach((pair, index) => {
    if (!pair) return;
    const top = middle - (pair[1] / loudest) * (middle - 4);
    const bottom = middle - (pair[0] / loudest) * (middle - 4);
    pen.fillRect(index * 2, top, 1.4, Math.max(1, bottom - top));
  });
  drawSounds(pen, width, height, store, colour);
}

function drawSeconds(pen, width, height, colour) {
  pen.fillStyle = colour;
  for (let second = 0; second < SHOWN_S; second += 5) {
    pen.fillRect(Math.round((second / SHOWN_S) * width), 0, 1, height - BAND);
  }
}

function drawSounds(pen, width, height, store, colour) {
  if (store.outlineEnd === null) return;
  pen.font = '600 11px system-ui, sans-serif';
  pen.textBaseline = 'middle';
  const ends = new Array(ROWS).fill(-Infinity); // up to where each row is taken
  for (const sound of store.sounds) {
    const until = sound.began ? store.outlineEnd : sound.offset;
    const span = placeSpan(sound.onset, until, store.outlineEnd);
    if (!span) continue;
    const [left, right] = [span[0] * width, Math.max(span[1] * width, span[0] * width + 3)];
    const name = sayName(sound.sound);
    const row = Math.max(0, ends.findIndex((end) => end < left));
    const top = height - BAND + row * ROW;
    pen.fillStyle = colour('--heard');
    pen.fillRect(left, top + 1, right - left, 3);
    pen.fillStyle = colour('--muted');
    const room = pen.measureText(name).width;
    pen.fillText(name, Math.min(left, width - room), top + 11);
    ends[row] = Math.max(right, left + room + 6);
  }
}
