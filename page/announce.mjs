// What a screen reader says by itself: finals and alerts, once each, and nothing that only grows.

const MOST = 20;

export class Announcer {
  constructor(element) {
    this.element = element;
    this.said = new Map();
  }

  // Say what is new of these events; those of a page that has just joined are no news.
  hear(events) {
    const joined = events.length > 0 && events[0][0] === 'hello';
    for (const [kind, told] of events) {
      if (kind === 'text' && told.final && told.text) this.say(told.key, told.text, joined);
      if (kind === 'alerts') {
        for (const alert of told.open) {
          const text = `${alert.severity} alert, ${alert.state}: ${alert.message}`;
          this.say(`alert ${alert.key} ${alert.state} ${alert.severity}`, text, joined);
        }
      }
    }
  }

  say(key, text, silently) {
    if (this.said.has(key)) return;
    this.said.set(key, true);
    if (this.said.size > 20 * MOST) this.said.delete(this.said.keys().next().value);
    if (silently) return;
    const line = document.createElement('p');
    line.textContent = text;
    this.element.append(line);
    while (this.element.childElementCount > MOST) this.element.firstElementChild.remove();
  }
}
