// The column of objects: choose, add, name, colour, hide, merge, clear, remove.

import { $, h, icon } from "./dom.js";
import { openMerge } from "./dialogs.js";

export function createObjects({ store, actions }) {
  const list = $("objects");
  $("add-object").addEventListener("click", () => actions.addObject());

  const row = (object, at) => {
    const { id, name, colour, hidden } = object;
    const chosen = id === store.values.object;
    const item = h("li", { class: chosen ? "chosen" : "" });
    item.dataset.object = id;
    const swatch = h("input", {
      type: "color",
      value: colour,
      "aria-label": `Colour of ${name}`,
      title: "Colour",
      onchange: (event) => actions.editObject(id, { colour: event.target.value }),
    });
    const choose = h(
      "button",
      {
        class: "name",
        type: "button",
        "aria-pressed": String(chosen),
        onclick: () => actions.select(id),
        ondblclick: () => rename(id),
      },
      h("span", { class: "label" }, name),
    );
    const score = h("span", { class: "score", "aria-hidden": "true" });
    score.dataset.object = id;
    const key = at < 10 ? h("kbd", { "aria-hidden": "true" }, String((at + 1) % 10)) : null;
    const eye = h(
      "button",
      {
        class: "icon-button",
        type: "button",
        "aria-pressed": String(hidden),
        "aria-label": `Hide ${name}`,
        title: hidden ? "Show (H)" : "Hide (H)",
        onclick: () => actions.editObject(id, { hidden: !hidden }),
      },
      icon(hidden ? "hidden" : "eye"),
    );
    item.append(h("div", { class: "head" }, swatch, choose, score, key, eye));
    if (hidden) item.classList.add("hidden-object");
    if (chosen) item.append(tools(object));
    return item;
  };

  const tools = ({ id, name }) => {
    const button = (glyph, text, keys, run, disabled = false) =>
      h(
        "button",
        {
          class: "quiet small",
          type: "button",
          title: `${text} (${keys})`,
          "aria-label": `${text}: ${name}`,
          onclick: run,
          disabled,
        },
        icon(glyph),
        text.split(" ")[0],
      );
    const alone = store.values.video.objects.length < 2;
    return h(
      "div",
      { class: "object-tools", role: "group", "aria-label": `Actions for ${name}` },
      button("rename", "Rename", "F2", () => rename(id)),
      button("merge", "Merge into another", "J", () => openMerge({ store, actions }, id), alone),
      button("clear", "Clear in this frame", "Delete", () => actions.clear()),
      button("remove", "Remove", "Shift+Delete", () => actions.removeObject(id)),
    );
  };

  const rename = (id) => {
    const object = store.values.video?.objects.find((one) => one.id === id);
    const label = list.querySelector(`li[data-object="${id}"] .name`);
    if (!object || !label) return;
    let finished = false;
    const finish = (keep) => {
      if (finished) return;
      finished = true;
      const name = input.value.trim();
      draw();
      list.querySelector(`li[data-object="${id}"] .name`)?.focus();
      if (keep && name && name !== object.name) actions.editObject(id, { name });
    };
    const input = h("input", {
      class: "name",
      type: "text",
      value: object.name,
      maxLength: 60,
      "aria-label": "Name of the object",
      onblur: () => finish(true),
      onkeydown: (event) => {
        event.stopPropagation();
        if (event.key === "Enter") finish(true);
        if (event.key === "Escape") finish(false);
      },
    });
    label.replaceWith(input);
    input.focus();
    input.select();
  };

  /** Redraws the list; the focus stays on the control that had it. */
  const draw = () => {
    const { video } = store.values;
    if (!video) return;
    const active = list.contains(document.activeElement) ? document.activeElement : null;
    const kept = active && {
      object: active.closest("li")?.dataset.object,
      at: [...(active.closest("li")?.querySelectorAll("button, input") ?? [])].indexOf(active),
    };
    list.replaceChildren(...video.objects.map(row));
    if (!video.objects.length) {
      const text = "Click an object in the picture, or draw a box around it.";
      list.append(h("li", { class: "empty" }, text));
    }
    if (kept?.object) {
      const item = list.querySelector(`li[data-object="${kept.object}"]`);
      item?.querySelectorAll("button, input")[kept.at]?.focus();
    }
    drawScores();
  };

  /** The scores of the frame that is shown, beside the names. */
  const drawScores = () => {
    const { video, frame, settings } = store.values;
    for (const span of list.querySelectorAll(".score")) {
      const score = video?.scores[span.dataset.object]?.[frame];
      span.textContent = score ? (score[2] ? "absent" : score[0].toFixed(2)) : "";
      span.classList.toggle("low", Boolean(score) && !score[2] && score[0] < settings.lowScore);
    }
  };

  store.on(["video", "object"], () => {
    if (!list.querySelector("input.name")) draw(); // not under the fingers of who is typing
  });
  store.on(["frame", "maps"], drawScores);
  return { rename };
}
