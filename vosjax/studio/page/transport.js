// Playing, stepping, and the jumps to where a person should look.

import { $, h, icon } from "./dom.js";
import { lastFrame } from "./store.js";

export function createTransport({ store, actions, pictures, timeline }) {
  const { values } = store;
  const button = (name, label, keys, run) =>
    h(
      "button",
      {
        class: "icon-button",
        type: "button",
        "aria-label": label,
        title: `${label} (${keys})`,
        onclick: run,
      },
      icon(name),
    );
  const play = button("play", "Play", "Space", () => toggle());
  const number = h("input", {
    id: "frame-number",
    type: "number",
    min: 0,
    "aria-label": "Frame number",
    onchange: (event) => actions.seek(Number(event.target.value) || 0),
  });
  const of = h("span", { class: "faint" });
  const clock = h("span", { class: "faint clock" });
  const speed = h(
    "select",
    { "aria-label": "Speed", title: "Speed", onchange: (event) => {
        event.target.blur();
        restart();
      } },
    ...[0.25, 0.5, 1, 2, 4].map((rate) =>
      h("option", { value: rate, selected: rate === 1 }, `${rate}×`),
    ),
  );
  const jumpPair = (name, what, kind, keys) =>
    h(
      "div",
      { class: "group jump", role: "group", "aria-label": what },
      button("previous", `Previous ${what}`, `Shift+${keys}`, () => actions.jump(kind, -1)),
      h("span", { class: "jump-name" }, icon(name), h("span", {}, what)),
      button("next", `Next ${what}`, keys, () => actions.jump(kind, 1)),
    );
  $("transport").append(
    h(
      "div",
      { class: "group" },
      button("first", "First frame", "Home", () => actions.seek(0)),
      button("previous", "One frame back", "←", () => actions.seek(values.frame - 1)),
      play,
      button("next", "One frame on", "→", () => actions.seek(values.frame + 1)),
      button("last", "Last frame", "End", () => actions.seek(lastFrame(values))),
    ),
    h("div", { class: "place" }, number, of, clock),
    speed,
    h("span", { class: "space" }),
    jumpPair("mark", "mark", "pin", "K"),
    jumpPair("low", "low score", "low", "L"),
    jumpPair("change", "absence", "change", "G"),
    h("span", { class: "space" }),
    h(
      "div",
      { class: "group zooms", role: "group", "aria-label": "Zoom of the timeline" },
      button("minus", "Show more of the timeline", "Ctrl+wheel", () => timeline.zoom(1 / 1.6)),
      button("plus", "Show less of the timeline", "Ctrl+wheel", () => timeline.zoom(1.6)),
    ),
  );

  store.on(["frame", "video"], ({ frame, video }) => {
    if (!video) return;
    number.value = frame;
    number.max = lastFrame(values);
    of.textContent = `of ${lastFrame(values)}`;
    clock.textContent = time(frame / (video.fps || 25));
  });

  let start = null; // {time, frame}: where playing began
  const restart = () => {
    start = null;
  };
  const tick = (now) => {
    const { video, playing, frame } = values;
    if (!playing || !video) return;
    start ??= { time: now, frame };
    const rate = (video.fps || 25) * Number(speed.value);
    const passed = Math.floor(((now - start.time) / 1000) * rate);
    const next = Math.min(start.frame + passed, lastFrame(values));
    if (next !== frame) {
      if (pictures.has(next)) store.set({ frame: next });
      else if (pictures.has(frame + 1)) {
        store.set({ frame: frame + 1 });
        start = { time: now, frame: frame + 1 };
      } else {
        pictures.pump();
        start = { time: now, frame }; // waits for the picture rather than leaving it out
      }
    }
    if (values.frame === lastFrame(values)) store.set({ playing: false });
    else requestAnimationFrame(tick);
  };
  store.on(["playing"], ({ playing }) => {
    play.replaceChildren(icon(playing ? "pause" : "play"));
    play.setAttribute("aria-label", playing ? "Pause" : "Play");
    play.title = `${playing ? "Pause" : "Play"} (Space)`;
    restart();
    if (playing) requestAnimationFrame(tick);
  });

  const toggle = () => {
    if (!values.playing && values.frame === lastFrame(values)) actions.seek(0);
    store.set({ playing: !values.playing });
  };
  return { toggle };
}

function time(seconds) {
  const minutes = Math.floor(seconds / 60);
  return `${minutes}:${(seconds - 60 * minutes).toFixed(2).padStart(5, "0")}`;
}
