// What the server tells by itself: masks as they are made, progress, changes from another tab.
// A lost connection is said, tried again, and followed by the whole state.

const LONGEST = 5000; // milliseconds between two tries

export class Live {
  /**
   * `hear(message)` gets each event; `connected(again)` and `lost()` tell what becomes of the
   * connection. `again`: there was one before, so that something may have been missed.
   */
  constructor({ hear, connected, lost }) {
    Object.assign(this, { hear, connected, lost });
    this.path = null;
    this.wait = 500;
    document.addEventListener("visibilitychange", () => {
      // A browser opens six connections to a server, so tabs that nobody sees give theirs back.
      if (document.hidden) this.#close();
      else if (this.path) this.#open();
    });
  }

  follow(path) {
    this.#close();
    this.path = path;
    this.before = false;
    if (path && !document.hidden) this.#open();
  }

  #close() {
    clearTimeout(this.timer);
    this.source?.close();
    this.source = null;
  }

  #open() {
    this.#close();
    const source = new EventSource(this.path);
    this.source = source;
    source.onopen = () => {
      this.wait = 500;
      this.connected(this.before);
      this.before = true;
    };
    source.onmessage = (event) => this.hear(JSON.parse(event.data));
    source.onerror = () => {
      if (this.source !== source) return;
      this.lost();
      this.#close();
      this.timer = setTimeout(() => this.#open(), this.wait);
      this.wait = Math.min(this.wait * 1.6, LONGEST);
    };
  }
}
