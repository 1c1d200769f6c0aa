// How numbers, times and names are written. Knows no document.

const POINTS = ['ahead', 'ahead left', 'left', 'behind left', 'behind', 'behind right', 'right',
  'ahead right'];
const CLOCK_FROM_S = 1e9; // below this a stamp is no time of day

// A text in its part that stays and its part that may still change, by code points.
export function splitText({ text, stable, final }) {
  if (final) return [text, ''];
  const points = Array.from(text);
  return [points.slice(0, stable).join(''), points.slice(stable).join('')];
}

export function sayTime(seconds) {
  if (seconds === null || seconds === undefined) return '';
  if (seconds < CLOCK_FROM_S) return `${seconds.toFixed(1)} s`;
  return new Date(seconds * 1000).toLocaleTimeString([], { hour12: false });
}

export function sayName(name) {
  return name.replaceAll('_', ' ');
}

export function sayLevel(dbfs) {
  return dbfs === null || dbfs === undefined ? 'no audio' : `${Math.round(dbfs)} dB`;
}

export function sayMs(seconds) {
  if (seconds === null || seconds === undefined || Number.isNaN(seconds)) return '–';
  return seconds < 10 ? `${Math.round(seconds * 1000)} ms` : `${seconds.toFixed(0)} s`;
}

export function sayNumber(value, unit = '') {
  return value === null || value === undefined ? '–' : `${value}${unit}`;
}

// A bearing in radians, counter-clockwise from straight ahead; empty where it is not known.
export function sayBearing(radians) {
  if (radians === null || radians === undefined) return '';
  const degrees = Math.round((radians * 180) / Math.PI);
  const index = ((Math.round(degrees / 45) % 8) + 8) % 8;
  return `${POINTS[index]} (${degrees}°)`;
}

// A score beside what it must reach, in words for those who do not see the bar.
export function sayScore(score, threshold) {
  const of = threshold !== null && threshold <= 1 ? ` of ${threshold.toFixed(2)} needed` : '';
  return `${score.toFixed(2)}${of}`;
}
