// Dialogues: confirm, merge, settings, keyboard. Each is made as it opens, and goes as it closes.

import { h, icon } from "./dom.js";
import { changeSettings } from "./settings.js";

const HEIGHTS = [
  [360, "360 lines"],
  [480, "480 lines"],
  [720, "720 lines"],
  [1080, "1080 lines"],
  [8192, "As the video"],
];

/** Opens a modal dialogue with `parts`; resolves to the value of the button that closed it. */
export function openDialog({ title, parts, actions = [], wide = false }) {
  return new Promise((resolve) => {
    const close = h(
      "button",
      {
        class: "icon-button",
        type: "button",
        "aria-label": "Close",
        onclick: () => dialog.close(""),
      },
      icon("close"),
    );
    const dialog = h(
      "dialog",
      { class: wide ? "wide" : "", "aria-labelledby": "dialog-title" },
      h("div", { class: "title" }, h("h2", { id: "dialog-title" }, title), close),
      h("div", { class: "dialog-body" }, ...parts),
      actions.length
        ? h(
            "div",
            { class: "dialog-actions" },
            h("button", { type: "button", onclick: () => dialog.close("") }, "Cancel"),
            ...actions.map(({ text, value, kind }) =>
              h(
                "button",
                { class: kind ?? "primary", type: "button", onclick: () => dialog.close(value) },
                text,
              ),
            ),
          )
        : null,
    );
    dialog.addEventListener("click", (event) => {
      if (event.target === dialog) dialog.close(""); // beside it
    });
    dialog.addEventListener("close", () => {
      dialog.remove();
      resolve(dialog.returnValue);
    });
    document.body.append(dialog);
    dialog.showModal();
  });
}

export async function confirm({ title, text, action }) {
  const buttons = [{ text: action, value: "yes", kind: "danger" }];
  return (await openDialog({ title, parts: [h("p", {}, text)], actions: buttons })) === "yes";
}

export async function openMerge({ store, actions }, id) {
  const { objects } = store.values.video;
  const object = objects.find((one) => one.id === id);
  const others = objects.filter((one) => one.id !== id);
  if (!others.length) return;
  const select = h(
    "select",
    { id: "merge-into" },
    ...others.map((one) => h("option", { value: one.id }, one.name)),
  );
  const answer = await openDialog({
    title: `Merge ${object.name}`,
    parts: [
      h("label", { htmlFor: "merge-into" }, `All masks of ${object.name} become part of`),
      select,
    ],
    actions: [{ text: "Merge", value: "merge" }],
  });
  if (answer === "merge") actions.mergeObject(id, Number(select.value));
}

export function openSettings(store) {
  const { settings } = store.values;
  const field = (label, note, control) =>
    h("label", { class: "field" }, h("span", {}, label), control, h("small", {}, note));
  const number = (key, attributes) =>
    h("input", {
      type: "number",
      value: settings[key],
      ...attributes,
      onchange: (event) => {
        const value = Number(event.target.value);
        const { min, max } = attributes;
        if (value >= min && value <= max) changeSettings(store, { [key]: value });
        else event.target.value = store.values.settings[key];
      },
    });
  const select = (key, choices, read = (value) => value) =>
    h(
      "select",
      { onchange: (event) => changeSettings(store, { [key]: read(event.target.value) }) },
      ...choices.map(([value, text]) =>
        h("option", { value, selected: value === settings[key] }, text),
      ),
    );
  return openDialog({
    title: "Settings",
    parts: [
      field(
        "Appearance",
        "As the system says, or always the same.",
        select("theme", [["auto", "As the system"], ["light", "Light"], ["dark", "Dark"]]),
      ),
      field(
        "Memory for frames, MB",
        "Decoded frames and masks that are kept for scrubbing, 64 to 8192.",
        number("cacheMegabytes", { min: 64, max: 8192, step: 64 }),
      ),
      field(
        "Frames at most",
        "Smaller pictures scrub faster; masks are always exact.",
        select("frameHeight", HEIGHTS, Number),
      ),
      field(
        "Low score",
        "Frames below it are flagged on the timeline, 0 to 1.",
        number("lowScore", { min: 0, max: 1, step: 0.05 }),
      ),
      h(
        "label",
        { class: "check" },
        h("input", {
          type: "checkbox",
          checked: settings.singleKeys,
          onchange: (event) => changeSettings(store, { singleKeys: event.target.checked }),
        }),
        "Shortcuts of a single key",
      ),
    ],
  });
}

export function openHelp(shortcuts) {
  const groups = [...new Set(shortcuts.map(({ group }) => group))];
  const table = (group) =>
    h(
      "section",
      {},
      h("h3", {}, group),
      h(
        "dl",
        {},
        ...shortcuts
          .filter((one) => one.group === group)
          .flatMap(({ shown, what }) => [
            h("dt", {}, ...shown.map((key) => h("kbd", {}, key))),
            h("dd", {}, what),
          ]),
      ),
    );
  return openDialog({
    title: "Keyboard",
    wide: true,
    parts: [h("div", { class: "keys" }, ...groups.map(table))],
  });
}

export const dialogIsOpen = () => document.querySelector("dialog[open]") !== null;
export const closeDialog = () => document.querySelector("dialog[open]")?.close("");
