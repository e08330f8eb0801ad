// A cache bounded in bytes that forgets what was used least recently.

export class Lru {
  #entries = new Map(); // in order of use, the latest last
  #limit;

  /** `close` is called with what falls out. */
  constructor(limit, close = () => {}) {
    this.#limit = limit;
    this.close = close;
    this.bytes = 0;
  }

  get size() {
    return this.#entries.size;
  }

  has(key) {
    return this.#entries.has(key);
  }

  get(key) {
    const entry = this.#entries.get(key);
    if (!entry) return undefined;
    this.#entries.delete(key);
    this.#entries.set(key, entry);
    return entry.value;
  }

  set(key, value, bytes) {
    this.delete(key);
    this.#entries.set(key, { value, bytes });
    this.bytes += bytes;
    this.#shrink();
  }

  delete(key) {
    const entry = this.#entries.get(key);
    if (!entry) return;
    this.#entries.delete(key);
    this.bytes -= entry.bytes;
    this.close(entry.value);
  }

  clear() {
    for (const key of [...this.#entries.keys()]) this.delete(key);
  }

  set limit(bytes) {
    this.#limit = bytes;
    this.#shrink();
  }

  get limit() {
    return this.#limit;
  }

  #shrink() {
    for (const key of this.#entries.keys()) {
      if (this.bytes <= this.#limit || this.#entries.size <= 1) return;
      this.delete(key);
    }
  }
}
