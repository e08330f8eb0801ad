// The keyboard: one table of shortcuts, which also makes the dialogue that shows them.

import { closeDialog, dialogIsOpen, openHelp, openMerge } from "./dialogs.js";
import { lastFrame } from "./store.js";

const SHOWN = {
  ArrowLeft: "←",
  ArrowRight: "→",
  " ": "Space",
  Escape: "Esc",
  Delete: "Del",
  Backspace: "⌫",
  "-": "−",
};

/** Shortcuts as {keys, shown, what, group, run}. `keys` are in the notation of `nameOf`. */
export function shortcutsOf(app) {
  const { store, actions, stage, tools, transport, objects } = app;
  const { values } = store;
  const table = [];
  const add = (group, keys, what, run, shown) => {
    const list = [keys].flat();
    const looks = shown ?? list.map(look);
    table.push({ group, keys: list, what, run, shown: [looks].flat() });
  };
  const tool = (key, name, what) => add("Tools", key, what, () => store.set({ tool: name }));
  const radius = (factor) => () => app.setRadius(values.radius * factor);
  const onSelected = (run) => {
    if (values.object !== null) run(values.object);
  };

  tool("c", "click", "Click; Alt or right button: outside");
  tool("b", "box", "Box");
  tool("s", "scribble", "Scribble; Alt or right button: outside");
  tool("p", "polygon", "Polygon; a double-click closes it");
  tool("d", "brush", "Brush; right button: eraser");
  tool("x", "eraser", "Eraser");
  tool("v", "pan", "Move the picture");
  add("Tools", "i", "Inside or outside", () => store.set({ inside: !values.inside }));
  add("Tools", ["[", "]"], "Size of brush and eraser", (key) => radius(key === "]" ? 1.25 : 0.8)());
  add("Tools", "Enter", "Close the polygon", () => tools.polygon.close());
  add("Tools", "Backspace", "Take back a corner of the polygon", () => tools.polygon.back());

  add("Objects", digits(), "Choose an object", (key) => chooseNth(app, key), ["1", "…", "0"]);
  add("Objects", "n", "New object", () => actions.addObject());
  add("Objects", "F2", "Rename", () => onSelected((id) => objects.rename(id)));
  add("Objects", "h", "Hide or show", () => app.toggleHidden());
  add("Objects", "j", "Merge into another", () => onSelected((id) => openMerge(app, id)));
  add("Objects", "Delete", "Clear it in this frame", () => actions.clear());
  add("Objects", "Ctrl+Delete", "Clear the whole frame", () => actions.clear(true));
  add("Objects", "Shift+Delete", "Remove it", () => onSelected((id) => actions.removeObject(id)));

  add("Track", "t", "Forward", () => actions.propagate("forward"));
  add("Track", "Shift+t", "Backward", () => actions.propagate("backward"));
  add("Track", "a", "Both ways", () => actions.propagate("both"));
  add("Track", "m", "To the next mark", () => actions.propagateToMark());
  add("Track", "Escape", "Stop; drop an unfinished mark", () => app.escape());
  add("Track", "y", "Accept this frame as right", () => actions.pin());

  add("Time", " ", "Play or pause", () => transport.toggle());
  const step = (by) => actions.seek(values.frame + by);
  const side = (key) => (key.endsWith("Left") ? -1 : 1);
  add("Time", ["ArrowLeft", "ArrowRight"], "One frame", (key) => step(side(key)));
  add("Time", [",", "."], "One frame", (key) => step(key === "," ? -1 : 1));
  const tens = ["Shift+ArrowLeft", "Shift+ArrowRight"];
  add("Time", tens, "Ten frames", (key) => step(10 * side(key)));
  const end = (key) => actions.seek(key === "Home" ? 0 : lastFrame(values));
  add("Time", ["Home", "End"], "First, last frame", end);
  const jump = (key, kind, what) =>
    add("Time", [key, `Shift+${key}`], what, (name) => actions.jump(kind, name === key ? 1 : -1));
  jump("k", "pin", "Next, previous mark");
  jump("l", "low", "Next, previous low score");
  jump("g", "change", "Next, previous change of absence");

  add("Page", "Ctrl+z", "Undo", () => actions.history("undo"));
  add("Page", ["Ctrl+Shift+z", "Ctrl+y"], "Redo", () => actions.history("redo"), "Ctrl+Shift+Z");
  add("Page", ["+", "-"], "Zoom", (key) => stage.zoom(key === "+" ? 1.25 : 0.8));
  add("Page", "z", "Fit to the window", () => stage.fit());
  add("Page", "o", "Masks on or off", () => app.toggleMasks());
  add("Page", "e", "Export", () => app.openExport());
  add("Page", "u", "Upload or open another video", () => app.openLibrary());
  add("Page", "q", "Dark or light", () => app.toggleTheme());
  add("Page", "?", "This list", () => openHelp(table));
  return table;
}

const digits = () => [..."1234567890"];

function chooseNth({ store, actions }, key) {
  const object = store.values.video.objects[(Number(key) + 9) % 10];
  if (object) actions.select(object.id);
}

function look(key) {
  if (key === "+") return key;
  const sign = (part) => SHOWN[part] ?? (part.length === 1 ? part.toUpperCase() : part);
  return key.split("+").map(sign).join("+");
}

/** "Ctrl+Shift+z", "Shift+ArrowLeft", "?": signs that need Shift are named by themselves. */
export function nameOf(event) {
  const letter = event.key.length === 1;
  const sign = letter && event.key.toLowerCase() === event.key.toUpperCase();
  const parts = [];
  if (event.ctrlKey || event.metaKey) parts.push("Ctrl");
  if (event.altKey) parts.push("Alt");
  if (event.shiftKey && !sign) parts.push("Shift");
  parts.push(letter ? event.key.toLowerCase() : event.key);
  return parts.join("+");
}

const ANYWHERE = new Set(["?", "q", "Escape"]); // without a video, too
const TYPING = "input:is([type=text], [type=number]), textarea";

export function followKeys(app, table) {
  const runs = new Map(table.flatMap(({ keys, run }) => keys.map((key) => [key, run])));
  addEventListener("keydown", (event) => {
    if (event.defaultPrevented || event.isComposing) return;
    const name = nameOf(event);
    const { target } = event;
    if (dialogIsOpen()) {
      if (name === "?" && !target.matches?.(TYPING)) closeDialog();
      return;
    }
    if (target.matches?.(`${TYPING}, select`)) {
      if (name === "Escape" || (name === "Enter" && target.type === "number")) target.blur();
      return;
    }
    const presses = target.matches?.("button, a, [type=checkbox], [type=color]");
    if (presses && (name === " " || name === "Enter")) return;
    if (target.matches?.("[type=range]") && /Arrow|Home|End/.test(name)) return;
    const run = runs.get(name);
    if (!run) return;
    if (event.key.length === 1 && !event.ctrlKey && !event.metaKey && event.key !== " ") {
      if (!app.store.values.settings.singleKeys) return;
    }
    if (!app.store.values.video && !ANYWHERE.has(name)) return;
    event.preventDefault();
    run(name);
  });
}
