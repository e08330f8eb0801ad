// Frames and label maps of the video: fetched ahead around the playhead, kept decoded in a cache
// of bounded size.

import { Lru } from "./lru.js";

const AT_ONCE = 4; // requests; a browser opens six to a server, and actions need some
const WINDOW = 400; // frames fetched ahead and behind, if the cache has room
const BUSY_WINDOW = 32; // the same while the server tracks

export class Pictures {
  /** `ready(kind, key)` is called as each picture arrives, `failed(line)` if one does not. */
  constructor(store, { ready, failed }) {
    this.store = store;
    this.ready = ready;
    this.failed = failed;
    this.cache = new Lru(store.values.settings.cacheMegabytes * 2 ** 20, (picture) =>
      picture.image?.close(),
    );
    this.running = new Map(); // key -> AbortController, or null for the worker's
    this.refused = new Map(); // key -> when: asked for again after some seconds
    this.direction = 1;
    this.at = 0;
    this.worker = new Worker(new URL("./labels_worker.js", import.meta.url), { type: "module" });
    this.worker.onmessage = ({ data }) => this.#labelsCame(data);
    store.on(["settings"], ({ settings }) => {
      this.cache.limit = settings.cacheMegabytes * 2 ** 20;
    });
  }

  /** The height at which frames are fetched: the video's own, or the setting's if that is less. */
  get height() {
    const { video, settings } = this.store.values;
    return Math.min(video.height, settings.frameHeight);
  }

  #frameKey(index) {
    return `${this.store.values.video.id}/${index}@${this.height}`;
  }

  #labelsKey(hash) {
    return `${this.store.values.video.id}#${hash}`;
  }

  /** ImageBitmap of a frame, or undefined while it is not there. */
  image(index) {
    return this.cache.get(this.#frameKey(index))?.image;
  }

  /** {hash, width, height, labels} of a frame; null: nothing labelled, undefined: not here yet. */
  labels(index) {
    const hash = this.store.values.video.labelled[index];
    return hash ? this.cache.get(this.#labelsKey(hash)) : null;
  }

  /** Everything that frame `index` shows is there. */
  has(index) {
    const hash = this.store.values.video.labelled[index];
    const image = this.cache.has(this.#frameKey(index));
    return image && (!hash || this.cache.has(this.#labelsKey(hash)));
  }

  /** The playhead is at `index`: what it needs comes first, then what lies ahead and behind. */
  seek(index) {
    if (index !== this.at) this.direction = index > this.at ? 1 : -1;
    this.at = index;
    this.pump();
  }

  /** Number of frames that fit into the cache, with some room to spare. */
  get room() {
    const { video } = this.store.values;
    const width = Math.ceil((video.width * this.height) / video.height);
    const bytes = width * this.height * 4 + video.width * video.height;
    return Math.max(Math.floor((0.9 * this.cache.limit) / bytes), 2);
  }

  /** Frames in the order in which they are wanted: two ahead for each one behind. */
  #plan() {
    const { video, job } = this.store.values;
    const limit = Math.min(this.room, job?.state === "running" ? BUSY_WINDOW : WINDOW);
    const plan = [this.at];
    let ahead = this.at + this.direction;
    let behind = this.at - this.direction;
    const inside = (index) => index >= 0 && index < video.frames;
    while (plan.length < limit && (inside(ahead) || inside(behind))) {
      for (let n = 0; n < 2 && inside(ahead); n++, ahead += this.direction) plan.push(ahead);
      if (inside(behind)) plan.push(behind);
      behind -= this.direction;
    }
    return plan.slice(0, limit);
  }

  /** Starts what is wanted most and is not there, and ends what is not wanted any more. */
  pump() {
    const { video } = this.store.values;
    if (!video) return;
    const plan = this.#plan();
    const wanted = [];
    for (const index of plan) {
      const hash = video.labelled[index];
      const frame = this.#frameKey(index);
      if (!this.cache.has(frame)) wanted.push([frame, () => this.#fetchFrame(frame, index)]);
      if (!hash) continue;
      const labels = this.#labelsKey(hash);
      if (!this.cache.has(labels)) wanted.push([labels, () => this.#fetchLabels(labels, hash)]);
    }
    // What lies nearest is forgotten last.
    for (const index of plan.reverse()) {
      this.cache.get(this.#frameKey(index));
      this.cache.get(this.#labelsKey(video.labelled[index]));
    }
    const soon = new Set(wanted.slice(0, 4 * AT_ONCE).map(([key]) => key));
    for (const [key, abort] of this.running) {
      if (abort && !soon.has(key)) abort.abort();
    }
    for (const [key, start] of wanted) {
      if (this.running.size >= AT_ONCE) break;
      if (!this.running.has(key) && !(performance.now() - this.refused.get(key) < 3000)) start();
    }
  }

  async #fetchFrame(key, index) {
    const { video } = this.store.values;
    const abort = new AbortController();
    this.running.set(key, abort);
    try {
      const url = `/api/videos/${video.id}/frames/${index}.jpg?height=${this.height}`;
      const response = await fetch(url, { signal: abort.signal, credentials: "same-origin" });
      if (!response.ok) throw new Error(`frame ${index}: the server answers ${response.status}`);
      const image = await createImageBitmap(await response.blob());
      this.cache.set(key, { image }, image.width * image.height * 4);
      this.#came(key, "frame");
    } catch (error) {
      this.#ended(key, error.name === "AbortError" ? null : error.message);
    }
  }

  #fetchLabels(key, hash) {
    const { video } = this.store.values;
    this.running.set(key, null);
    const path = `/api/videos/${video.id}/maps/${hash}.png`;
    this.worker.postMessage({ key, url: new URL(path, location.href).href });
  }

  #labelsCame({ key, width, height, labels, error }) {
    if (error) return this.#ended(key, error);
    this.cache.set(key, { hash: key, width, height, labels }, labels.length);
    return this.#came(key, "labels");
  }

  #came(key, kind) {
    this.running.delete(key);
    this.refused.delete(key);
    this.ready(kind);
    this.pump();
  }

  #ended(key, line) {
    this.running.delete(key);
    if (line) {
      this.refused.set(key, performance.now());
      this.failed(line);
      setTimeout(() => this.pump(), 3100);
    } else queueMicrotask(() => this.pump());
  }

  /** Forgets everything, as another video is opened. */
  clear() {
    for (const abort of this.running.values()) abort?.abort();
    this.cache.clear();
    this.refused.clear();
    this.at = 0;
    this.direction = 1;
  }
}
