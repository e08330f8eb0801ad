// The column of tools, and above the picture what the chosen tool can be told.

import { $, h, icon } from "./dom.js";
import { changeSettings } from "./settings.js";

const TOOLS = [
  ["click", "Click", "C", "Click on the object; outside of it with Alt or the right button."],
  ["box", "Box", "B", "Draw a box around the object."],
  ["scribble", "Scribble", "S", "Draw a line through the object; Alt or right button: outside."],
  ["polygon", "Polygon", "P", "Set the corners; a double-click or Enter closes it. Alt cuts out."],
  ["brush", "Brush", "D", "Paint exact pixels; the right button erases."],
  ["eraser", "Eraser", "X", "Erase exact pixels."],
  ["pan", "Move", "V", "Drag the picture; the wheel zooms."],
];
const SIDED = ["click", "scribble", "polygon"]; // tools that speak of inside or outside
const PAINTERS = ["brush", "eraser"];
const MOST = 400; // pixels

export function createToolbar({ store }) {
  const { values } = store;
  const setRadius = (radius) => {
    store.set({ radius: Math.min(Math.max(Math.round(radius * 10) / 10, 0.5), MOST) });
  };
  const buttons = TOOLS.map(([name, label, key]) =>
    h(
      "button",
      {
        id: `tool-${name}`,
        class: "tool",
        type: "button",
        "aria-label": label,
        "aria-keyshortcuts": key,
        title: `${label} (${key})`,
        onclick: () => store.set({ tool: name }),
      },
      icon(name),
    ),
  );
  $("toolbar").append(...buttons);
  $("toolbar").addEventListener("keydown", (event) => {
    const step = { ArrowDown: 1, ArrowRight: 1, ArrowUp: -1, ArrowLeft: -1 }[event.key];
    if (!step) return;
    const at = buttons.indexOf(document.activeElement);
    buttons[(at + step + buttons.length) % buttons.length].focus();
    event.preventDefault();
    event.stopPropagation();
  });

  const side = (inside, text) =>
    h("button", { type: "button", onclick: () => store.set({ inside }), title: "I" }, text);
  const [insideButton, outsideButton] = [side(true, "Inside"), side(false, "Outside")];
  const sides = h(
    "div",
    { class: "segments", role: "group", "aria-label": "What the mark says" },
    insideButton,
    outsideButton,
  );
  const size = h("input", {
    id: "radius",
    type: "range",
    min: 0,
    max: 100,
    step: 1,
    oninput: () => setRadius(fromSlider(Number(size.value))),
  });
  const sizeText = h("output", {});
  const sizes = h("label", { class: "slider" }, h("span", {}, "Size"), size, sizeText);
  const text = h("span", { class: "faint tip" });
  $("options").append(sides, sizes, text);

  store.on(["tool", "inside", "radius"], ({ tool, inside, radius }) => {
    TOOLS.forEach(([name, , , tip], at) => {
      const chosen = name === tool;
      buttons[at].setAttribute("aria-pressed", String(chosen));
      buttons[at].tabIndex = chosen ? 0 : -1;
      if (chosen) text.textContent = tip;
    });
    sides.hidden = !SIDED.includes(tool);
    insideButton.setAttribute("aria-pressed", String(inside));
    outsideButton.setAttribute("aria-pressed", String(!inside));
    sizes.hidden = !PAINTERS.includes(tool);
    size.value = toSlider(radius);
    sizeText.textContent = `${radius} px`;
  });

  $("alpha").addEventListener("input", (event) => {
    changeSettings(store, { alpha: Number(event.target.value) });
  });
  $("contours").addEventListener("change", (event) => {
    changeSettings(store, { contours: event.target.checked });
  });
  store.on(["settings"], ({ settings }) => {
    $("alpha").value = settings.alpha;
    $("alpha-text").textContent = `${Math.round(100 * settings.alpha)} %`;
    $("contours").checked = settings.contours;
  });
  let before = {};
  return {
    setRadius,
    toggleMasks() {
      const { alpha, contours } = values.settings;
      const shown = alpha > 0 || contours;
      if (shown) before = { alpha, contours };
      const back = { alpha: 0.5, contours: true, ...before };
      changeSettings(store, shown ? { alpha: 0, contours: false } : back);
    },
  };
}

/** A slider of 0..100 over radii that grow by a factor each step. */
const fromSlider = (value) => 0.5 * (MOST / 0.5) ** (value / 100);
const toSlider = (radius) => (100 * Math.log(radius / 0.5)) / Math.log(MOST / 0.5);
