// From the store to the document: what is shown, in place, with as few changes as can be.

import { percentile } from './store.mjs';
import {
  sayBearing, sayLevel, sayMs, sayName, sayNumber, sayScore, sayTime, splitText,
} from './words.mjs';

const KINDS = { transcript: 'Heard', translation: 'Translated', reply: 'Answer' };
const SOURCES = {
  partial: 'while it is spoken', streamed: 'as streamed', second_pass: 'read again',
};
const FLOOR_DB = -80;
const SPARK = 75;

const byId = (id) => document.getElementById(id);

function make(tag, className = '', text = '') {
  const element = document.createElement(tag);
  if (className) element.className = className;
  if (text) element.textContent = text;
  return element;
}

function setText(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

function setData(element, name, value) {
  if (element.dataset[name] !== value) element.dataset[name] = value;
}

// Let the children of a list be those of `items`, made once for each key and then updated.
function syncList(list, items, keyOf, create, update) {
  const before = new Map([...list.children].map((child) => [child.dataset.key, child]));
  let place = list.firstElementChild;
  for (const item of items) {
    const key = keyOf(item);
    let child = before.get(key);
    before.delete(key);
    if (!child) {
      child = create(item);
      child.dataset.key = key;
    }
    update(child, item);
    if (child === place) place = place.nextElementSibling;
    else list.insertBefore(child, place);
  }
  for (const child of before.values()) child.remove();
}

// A bar with a mark; `meter` gets what a screen reader says.
function setBar(bar, part, mark, text) {
  bar.style.setProperty('--part', Math.max(0, Math.min(1, part || 0)).toFixed(3));
  bar.setAttribute('aria-valuenow', (part || 0).toFixed(2));
  bar.setAttribute('aria-valuetext', text);
  const line = bar.querySelector('b');
  if (line) {
    line.hidden = mark === null || mark > 1;
    line.style.setProperty('--mark-at', mark ?? 0);
  }
}

function makeRow() {
  const row = make('li');
  const line = make('div', 'line');
  line.append(make('span', 'name'), make('span', 'figure'));
  const bar = make('div', 'bar');
  bar.setAttribute('role', 'meter');
  bar.setAttribute('aria-valuemin', '0');
  bar.setAttribute('aria-valuemax', '1');
  bar.append(make('i'), make('b'));
  row.append(line, bar);
  return row;
}

function updateRow(row, name, value, threshold, reached) {
  const said = value === null ? '–' : sayScore(value, threshold);
  setText(row.querySelector('.name'), name);
  setText(row.querySelector('.figure'), said);
  const bar = row.querySelector('.bar');
  bar.setAttribute('aria-label', name);
  setBar(bar, value, threshold, said);
  setData(row, 'reached', reached ? 'yes' : 'no');
}

export function showAlerts(store, acknowledge) {
  const waiting = store.open.filter((alert) => alert.state === 'active');
  setData(byId('alerts-section'), 'open', String(store.open.length));
  byId('calm').hidden = store.open.length > 0;
  byId('all').hidden = waiting.length < 2;
  syncList(byId('alerts'), store.open, (alert) => alert.key, () => makeAlert(acknowledge),
    (item, alert) => updateAlert(item, alert, store.answers.get(alert.key) ?? store.answers.get('')));
  byId('ended').hidden = store.ended.size === 0;
  syncList(byId('ended-list'), [...store.ended.values()].reverse(), (alert) => alert.key,
    () => make('li'), (item, alert) => setText(item,
      `${sayTime(alert.seen)} · ${sayName(alert.label)} · ${alert.state} · heard ${alert.count} ×`));
}

function makeAlert(acknowledge) {
  const item = make('li', 'alert');
  const button = make('button', '', 'Acknowledge');
  button.type = 'button';
  button.addEventListener('click', () => acknowledge(item.dataset.key));
  item.append(make('span', 'severity'), make('strong'), make('p'), button);
  return item;
}

function updateAlert(item, alert, answer) {
  setData(item, 'severity', alert.severity);
  setData(item, 'state', alert.state);
  setText(item.querySelector('.severity'), `${alert.severity} · ${alert.state}`);
  setText(item.querySelector('strong'), alert.message || sayName(alert.label));
  const from = sayBearing(alert.bearing);
  setText(item.querySelector('p'), [
    sayName(alert.label), `since ${sayTime(alert.onset)}`, `heard ${alert.count} ×`,
    from && `from ${from}`,
    alert.evidence === 'sound' ? `score ${sayScore(alert.score, alert.threshold)}`
      : alert.evidence === 'words' ? 'from words' : 'from a reply of the model',
    answer && !answer.done ? answer.message : '',
  ].filter(Boolean).join(' · '));
  const button = item.querySelector('button');
  button.hidden = alert.state !== 'active';
  button.setAttribute('aria-label', `Acknowledge ${sayName(alert.label)}`);
}

export function showWords(store) {
  const texts = orderTexts([...store.texts.values()]);
  byId('no-words').hidden = texts.length > 0;
  const list = byId('words');
  const before = list.lastElementChild;
  const atEnd = list.scrollHeight - list.scrollTop - list.clientHeight < 60;
  syncList(list, texts, (text) => text.key, makeText, updateText);
  if (atEnd && (list.lastElementChild !== before || list.scrollHeight > list.clientHeight)) {
    list.scrollTop = list.scrollHeight;
  }
}

// By the time at which each was said; what came of it stands behind it.
export function orderTexts(texts) {
  const ranks = Object.keys(KINDS);
  return texts.sort((a, b) => a.at - b.at || ranks.indexOf(a.kind) - ranks.indexOf(b.kind));
}

function makeText() {
  const item = make('li');
  const said = make('div', 'said');
  said.append(make('span', 'firm'), make('span', 'loose'));
  item.append(make('div', 'tags'), said);
  return item;
}

function updateText(item, text) {
  const [firm, loose] = splitText(text);
  setData(item, 'kind', text.kind);
  setData(item, 'final', text.final ? 'yes' : 'no');
  setText(item.querySelector('.firm'), firm);
  setText(item.querySelector('.loose'), loose);
  const slots = (text.slots || []).map(([name, value]) => `${name} ${value}`).join(', ');
  const from = sayBearing(text.bearing);
  const tags = [sayTime(text.at), text.language, text.final ? SOURCES[text.source] : '',
    text.intent && `${text.intent}${slots ? `: ${slots}` : ''}`, from && `from ${from}`,
    text.origin && `← ${text.origin}`].filter(Boolean);
  const place = item.querySelector('.tags');
  const said = [KINDS[text.kind] || text.kind, ...tags].join('\n');
  if (place.dataset.said !== said) {
    place.dataset.said = said;
    place.replaceChildren(make('span', 'kind', KINDS[text.kind] || text.kind),
      ...tags.map((tag) => make('span', '', tag)));
    if (text.language) item.lang = text.language;
  }
}

export function showLevel(store) {
  const part = store.rms === null ? 0 : (store.rms - FLOOR_DB) / -FLOOR_DB;
  const bar = byId('level');
  setBar(bar, part, null, sayLevel(store.rms));
  bar.setAttribute('aria-valuenow', Math.max(FLOOR_DB, Math.round(store.rms ?? FLOOR_DB)));
  setText(byId('level-text'), store.numbers.muted ? 'muted' : sayLevel(store.rms));
}

export function showSounds(store) {
  const on = new Set(store.sounds.filter((sound) => sound.began).map((sound) => sound.sound));
  syncList(byId('classes'), store.scores.rows, ([name]) => name, makeRow,
    (row, [name, score, threshold]) => updateRow(row, sayName(name), score, threshold,
      on.has(name)));
}

export function showLanes(store) {
  syncList(byId('lanes'), [...store.lanes.values()], (lane) => lane.name, () => {
    const row = makeRow();
    row.append(makeSpark());
    return row;
  }, (row, lane) => {
    updateRow(row, lane.name, lane.last, lane.threshold, lane.respond);
    updateSpark(row.querySelector('svg'), lane);
  });
}

function makeSpark() {
  const svg = document.createElementNS('http://www.w3.org/2000/svg', 'svg');
  svg.setAttribute('class', 'spark');
  svg.setAttribute('viewBox', `0 0 ${SPARK - 1} 1`);
  svg.setAttribute('preserveAspectRatio', 'none');
  svg.setAttribute('aria-hidden', 'true');
  for (const tag of ['line', 'polyline']) {
    svg.append(document.createElementNS('http://www.w3.org/2000/svg', tag));
  }
  return svg;
}

function updateSpark(svg, lane) {
  const [line, curve] = svg.children;
  const values = lane.values.list();
  curve.setAttribute('points', values.map((value, index) => (
    `${SPARK - values.length + index},${(1 - value).toFixed(3)}`)).join(' '));
  const height = 1 - (lane.threshold ?? 2);
  for (const [name, value] of [['x1', 0], ['x2', SPARK - 1], ['y1', height], ['y2', height]]) {
    line.setAttribute(name, value);
  }
  line.style.visibility = lane.threshold === null ? 'hidden' : 'visible';
}

export function showReasons(store) {
  const all = [...store.statuses.values()];
  const found = all.filter((status) => status.level > 0 || !['ok', ''].includes(status.message));
  byId('well').hidden = found.length > 0;
  setText(byId('well'), all.length ? 'Nothing is wrong: it listens.'
    : 'No node has reported yet. Is the assistant running?');
  syncList(byId('why'), found, (status) => status.key, () => {
    const item = make('li');
    item.append(make('b'), make('span'));
    return item;
  }, (item, status) => {
    setData(item, 'level', String(status.level));
    setText(item.querySelector('b'), status.key);
    setText(item.querySelector('span'), status.message);
  });
}

export function showFlow(store) {
  const lanes = [...store.lanes.values()];
  const latencies = lanes.flatMap((lane) => lane.latencies.list());
  const { numbers } = store;
  const rows = [
    ['Decides after', sayMs(percentile(latencies, 0.5))],
    ['95 % within', sayMs(percentile(latencies, 0.95))],
    ['Chunks waiting', sayNumber(numbers.waiting)],
    ['Chunks dropped', sayNumber(numbers.dropped), numbers.dropped > 0],
    ['Audio lost', numbers.lost_s === undefined || numbers.lost_s === null ? '–'
      : `${numbers.lost_s.toFixed(1)} s`, numbers.lost_s > 0],
    ['Encoder · decoder', `${sayNumber(numbers.encode_ms)} · ${sayNumber(numbers.decode_ms, ' ms')}`],
    ['Busy', numbers.busy === undefined || numbers.busy === null ? '–'
      : `${Math.round(numbers.busy * 100)} % of real time`, numbers.busy > 1],
    ['Pages · missed', `${sayNumber(numbers.pages)} · ${sayNumber(numbers.missed)}`],
  ];
  syncList(byId('flow'), rows, ([name]) => name, ([name]) => {
    const item = make('div');
    item.append(make('dt', '', name), make('dd'));
    return item;
  }, (item, [, value, bad]) => {
    setText(item.querySelector('dd'), value);
    setData(item.querySelector('dd'), 'bad', bad ? 'yes' : 'no');
  });
}
