// Boxes and clicks that led to a mask, so that the next click adds to them. They are kept with the
// hash of the label map that they made, so undo, which brings back an earlier map, brings them too.

const KEY = "vosjax.prompts";
const MOST = 300; // label maps

export class Prompts {
  #maps = new Map(); // "video/frame/hash" -> {object id: {box, points}}

  constructor() {
    try {
      this.#maps = new Map(JSON.parse(sessionStorage.getItem(KEY) ?? "[]"));
    } catch {
      // Nothing is kept, so the next click begins anew.
    }
  }

  #key(video, frame) {
    return `${video.id}/${frame}/${video.labelled[frame] ?? "none"}`;
  }

  /** Prompts of all objects whose masks in the frame came from them. */
  all(video, frame) {
    return this.#maps.get(this.#key(video, frame)) ?? {};
  }

  get(video, frame, object) {
    const { box = null, points = [] } = this.all(video, frame)[object] ?? {};
    return { box, points: [...points] };
  }

  /** After an action on `object` led from one state to the next; `prompt` null: it was painted. */
  follow(before, after, frame, object, prompt) {
    const all = { ...this.all(before, frame) };
    if (prompt) all[object] = prompt;
    else delete all[object];
    const key = this.#key(after, frame);
    this.#maps.delete(key);
    this.#maps.set(key, all);
    while (this.#maps.size > MOST) this.#maps.delete(this.#maps.keys().next().value);
    try {
      sessionStorage.setItem(KEY, JSON.stringify([...this.#maps]));
    } catch {
      // They live as long as the page.
    }
  }
}
