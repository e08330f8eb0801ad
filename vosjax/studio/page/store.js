// What the page knows at this moment, and who hears of it when it changes.

/** A store of named values: `set` changes some, `on` calls back when one of `keys` changed. */
export function createStore(values) {
  const listeners = [];
  const tell = (keys) => {
    for (const listener of listeners) {
      if (listener.keys.some((key) => keys.includes(key))) listener.call(values);
    }
  };
  return {
    values,
    set(changes) {
      const keys = Object.keys(changes).filter((key) => values[key] !== changes[key]);
      if (!keys.length) return;
      Object.assign(values, changes);
      tell(keys);
    },
    /** For values that were changed in place. */
    touch: (...keys) => tell(keys),
    on(keys, call) {
      listeners.push({ keys, call });
      call(values);
    },
  };
}

/** The values at the start. Keys of `video` and `job` are those of the server's state. */
export function firstValues(settings) {
  return {
    project: null,
    video: null,
    frame: 0,
    object: null, // id of the selected object
    tool: "click",
    inside: true, // what a click or scribble says: this belongs to the object, or it does not
    radius: 8, // of the brush, in pixels of the video
    job: null,
    online: true,
    playing: false,
    pending: 0, // requests that change something and are not answered yet
    settings,
  };
}

export const selectedObject = (values) =>
  values.video?.objects.find((object) => object.id === values.object) ?? null;

export const lastFrame = (values) => Math.max((values.video?.frames ?? 1) - 1, 0);
