// What a person can do to a video: every change of the project goes through here.

import { ask, inOrder, ServerError } from "./api.js";
import { changeStops, lowStops, nextOf, pinnedFrames, pinStops } from "./marks.js";
import { lastFrame, selectedObject } from "./store.js";

export class Actions {
  constructor({ store, pictures, prompts, status }) {
    Object.assign(this, { store, pictures, prompts, status });
    this.maps = 0; // counts the label maps that the server told of while a request was on its way
    this.recent = [];
    this.starting = false; // a propagation was asked for, and the server has not said yes
  }

  get values() {
    return this.store.values;
  }

  get base() {
    return `/api/videos/${this.values.video.id}`;
  }

  // --- the state of the server

  /** Takes over a state of the server, unless a newer one is here already; `whole`: even then. */
  adopt(state, since = this.maps, { whole = false } = {}) {
    const { video, object } = this.values;
    if (video?.id !== state.id || (!whole && state.revision < video.revision)) return;
    if (state.job?.state === "running") {
      for (const message of this.recent) if (message.count > since) place(state, message);
    }
    const known = state.objects.some(({ id }) => id === object);
    this.store.set({
      video: state,
      job: state.job,
      object: known ? object : (state.objects[0]?.id ?? null),
      frame: Math.min(this.values.frame, state.frames - 1),
    });
    this.pictures.pump();
  }

  /** A label map that a propagation has just made. */
  hearMap(message) {
    const { video } = this.values;
    this.maps += 1;
    this.recent = [...this.recent.slice(-99), { ...message, count: this.maps }];
    place(video, message);
    this.store.touch("maps");
    if (Math.abs(message.frame - this.values.frame) < 3) this.pictures.pump();
  }

  /** Fetches the state unless `revision` is here already; without one, whatever the server has. */
  refresh(revision = Infinity) {
    return inOrder(async () => {
      const { video } = this.values;
      if (!video || video.revision >= revision) return;
      const since = this.maps;
      try {
        const state = await ask("GET", this.base);
        this.adopt(state, since, { whole: revision === Infinity });
      } catch (error) {
        this.failed(error);
      }
    });
  }

  failed(error) {
    if (error instanceof ServerError && error.status === 0) this.store.set({ online: false });
    this.status.complain(error);
  }

  /**
   * Asks the server for a change, after all changes before it; true if it was made.
   * `body` is called when its turn comes, so that it sees the state it changes; it gives null if
   * there is nothing to do.
   */
  change(path, body = () => undefined, { method = "POST", guarded = true, done } = {}) {
    return this.unsaved(async () => {
      try {
        const before = this.values.video;
        const json = await body(before);
        if (json === null || !before) return false;
        const since = this.maps;
        const revision = guarded ? this.values.video.revision : undefined;
        const name = typeof path === "function" ? path() : path;
        const state = await ask(method, `${this.base}/${name}`, { json, revision });
        done?.(before, state, json);
        this.adopt(state, since);
        return true;
      } catch (error) {
        if (error.status === 412) {
          const state = error.body?.state ?? error.body;
          if (state?.id) this.adopt(state);
          this.status.complain("The video was changed elsewhere; this is its newest state.");
        } else this.failed(error);
        return false;
      }
    });
  }

  /** Does what changes the video when its turn comes; until it is answered, it is not saved. */
  async unsaved(change) {
    this.store.set({ pending: this.values.pending + 1 });
    try {
      return await inOrder(change);
    } finally {
      this.store.set({ pending: this.values.pending - 1 });
    }
  }

  // --- masks

  /** The id of the selected object; the first mark on a video makes an object for itself. */
  async #target() {
    if (this.values.object !== null) return this.values.object;
    const { revision } = this.values.video;
    this.adopt(await ask("POST", `${this.base}/objects`, { json: {}, revision }));
    return this.values.object;
  }

  async #on(frame, path, make, prompted) {
    const name = () => selectedObject(this.values)?.name;
    let object = this.values.object;
    const made = await this.change(
      path,
      async () => {
        object ??= await this.#target();
        return { frame, object, ...make(object) };
      },
      {
        done: (before, after, json) => {
          const prompt = prompted ? { box: json.box ?? null, points: json.points ?? [] } : null;
          this.prompts.follow(before, after, frame, object, prompt);
        },
      },
    );
    if (made && selectedObject(this.values)?.hidden) this.status.say(`${name()} is hidden.`);
    return made;
  }

  box(frame, box) {
    return this.#on(frame, "mark", () => ({ box }), true);
  }

  click(frame, point, inside) {
    return this.#on(
      frame,
      "mark",
      (object) => {
        const { box, points } = this.prompts.get(this.values.video, frame, object);
        return { ...(box && { box }), points: [...points, [...point, inside]] };
      },
      true,
    );
  }

  scribble(frame, points, inside) {
    return this.#on(frame, "scribble", () => ({ strokes: [{ points, inside }] }));
  }

  brush(frame, points, radius, erase) {
    return this.#on(frame, "paint", () => ({ kind: "brush", points, radius, erase }));
  }

  polygon(frame, points, erase) {
    return this.#on(frame, "paint", () => ({ kind: "polygon", points, erase }));
  }

  /** Clears the selected object of this frame, or the whole frame. */
  async clear(whole = false) {
    const { frame, object } = this.values;
    const json = whole || object === null ? { frame } : { frame, object };
    if (await this.change("clear", () => json)) this.status.say(`Cleared on frame ${frame}.`);
  }

  async pin() {
    const { frame, video } = this.values;
    if (!video.labelled[frame]) return this.status.say("There is no mask here to be right.");
    if (await this.change("pin", () => ({ frame }))) {
      this.status.say(`Frame ${frame} is right and will stay as it is.`);
    }
  }

  // --- objects

  async addObject() {
    const known = new Set(this.values.video.objects.map(({ id }) => id));
    if (!(await this.change("objects", () => ({})))) return;
    const added = this.values.video.objects.find(({ id }) => !known.has(id));
    if (!added) return;
    this.store.set({ object: added.id });
    this.status.say(`${added.name} added.`);
  }

  select(object) {
    this.store.set({ object });
  }

  editObject(id, json) {
    return this.change(`objects/${id}`, () => json, { method: "PATCH" });
  }

  async removeObject(id) {
    const { name } = this.values.video.objects.find((object) => object.id === id);
    const made = await this.change(`objects/${id}`, undefined, { method: "DELETE" });
    if (made) this.status.say(`${name} removed. Undo brings it back.`);
  }

  async mergeObject(id, into) {
    if (await this.change(`objects/${id}/merge`, () => ({ into }))) {
      this.store.set({ object: into });
      this.status.say(`Merged into ${selectedObject(this.values)?.name}.`);
    }
  }

  // --- tracking

  async propagate(direction, to) {
    const { frame } = this.values;
    this.starting = true;
    await this.change("propagate", () => ({ frame, direction, ...(to !== undefined && { to }) }));
    this.starting = false;
  }

  propagateToMark() {
    const { video, frame } = this.values;
    const to = pinnedFrames(video).find((pin) => pin > frame);
    if (to === undefined) return this.status.say("There is no marked frame ahead.");
    return this.propagate("forward", to);
  }

  /** Right at any revision; it waits for nothing but a start that is on its way. */
  async stop() {
    const end = () => ask("POST", `${this.base}/stop`);
    try {
      this.adopt(await (this.starting ? inOrder(end) : end()));
    } catch (error) {
      this.failed(error);
    }
  }

  async history(step) {
    let what = null;
    const look = (video) => {
      what = video[step];
      return what ? undefined : null;
    };
    const made = await this.change(step, look);
    if (made) this.status.say(`${step === "undo" ? "Undone" : "Done again"}: ${what}.`);
    else if (!what) this.status.say(`There is nothing to ${step}.`);
  }

  // --- where to look

  seek(frame) {
    const to = Math.min(Math.max(Math.round(frame), 0), lastFrame(this.values));
    this.store.set({ frame: to });
  }

  jump(kind, direction) {
    const { video, frame, settings } = this.values;
    const stops = {
      pin: () => pinStops(video),
      low: () => lowStops(video, settings.lowScore),
      change: () => changeStops(video),
    }[kind]();
    const stop = nextOf(stops, frame, direction);
    const names = { pin: "marked frame", low: "low score", change: "change of absence" };
    const where = direction > 0 ? "ahead" : "behind";
    if (!stop) return this.status.say(`There is no ${names[kind]} ${where}.`);
    this.seek(stop.frame);
    return this.status.say(`Frame ${stop.frame}: ${stop.line}.`);
  }
}

function place(video, { frame, hash, scores }) {
  if (hash) video.labelled[frame] = hash;
  else delete video.labelled[frame];
  for (const [object, score] of Object.entries(scores ?? {})) {
    (video.scores[object] ??= {})[frame] = score;
  }
}
