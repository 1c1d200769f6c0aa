// The newest numbers of a kind in a fixed amount of memory.

export class Ring {
  // Keeps the newest `length` rows of `width` numbers each; missing rows are NaN.
  constructor(length, width = 1) {
    this.length = length;
    this.width = width;
    this.values = new Float32Array(length * width).fill(NaN);
    this.next = 0;
  }

  push(...row) {
    for (let i = 0; i < this.width; i += 1) this.values[this.next * this.width + i] = row[i];
    this.next = (this.next + 1) % this.length;
  }

  // The value of column `column` in row `index`, 0 being the oldest.
  at(index, column = 0) {
    return this.values[((this.next + index) % this.length) * this.width + column];
  }

  // The rows that are there, the oldest first; of the first column only.
  list() {
    const found = [];
    for (let i = 0; i < this.length; i += 1) {
      const value = this.at(i);
      if (!Number.isNaN(value)) found.push(value);
    }
    return found;
  }

  clear() {
    this.values.fill(NaN);
  }
}
