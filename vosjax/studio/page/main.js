// Puts the page together: one store, the parts that show it, and the server's events.

import { Actions } from "./actions.js";
import { ask, inOrder } from "./api.js";
import { openHelp, openSettings } from "./dialogs.js";
import { $, onNextPaint } from "./dom.js";
import { openExport } from "./exports.js";
import { createImport } from "./imports.js";
import { followKeys, shortcutsOf } from "./keys.js";
import { acceptDrops, createLibrary } from "./library.js";
import { Live } from "./live.js";
import { measureScrubbing } from "./measure.js";
import { createObjects } from "./objects.js";
import { Pictures } from "./pictures.js";
import { followPointer } from "./pointer.js";
import { createProgress } from "./progress.js";
import { Prompts } from "./prompts.js";
import { changeSettings, followTheme, readSettings, shownTheme } from "./settings.js";
import { Stage } from "./stage.js";
import * as status from "./status.js";
import { createStore, firstValues, selectedObject } from "./store.js";
import { Timeline } from "./timeline.js";
import { createToolbar } from "./toolbar.js";
import { createTools } from "./tools.js";
import { createTransport } from "./transport.js";

const store = createStore(firstValues(readSettings()));
const { values } = store;
const canvas = $("stage");

status.watchForErrors();
const showCache = onNextPaint(() => {
  const { bytes, limit } = pictures.cache;
  const mega = (count) => Math.round(count / 2 ** 20);
  $("cache-text").textContent = `Cache ${mega(bytes)} of ${mega(limit)} MB`;
});
const pictures = new Pictures(store, {
  ready: () => {
    stage.invalidate();
    showCache();
  },
  failed: (line) => {
    if (values.online) status.complain(line);
  },
});
const prompts = new Prompts();
const actions = new Actions({ store, pictures, prompts, status });
const stage = new Stage({ canvas, store, pictures, prompts });
const tools = createTools({ store, stage, actions, status });
const timeline = new Timeline({ store, actions });
const transport = createTransport({ store, actions, pictures, timeline });
const objects = createObjects({ store, actions });
const toolbar = createToolbar({ store });
createProgress({ store, actions, status });
const announce = (text) => {
  $("announce").textContent = text;
};
followPointer({ canvas, store, stage, tools, announce });

// --- the open video

const live = new Live({
  hear(message) {
    const { video } = values;
    if (!video) return;
    if (message.type === "map") actions.hearMap(message);
    else if (message.type === "job") {
      const { type, ...job } = message;
      store.set({ job });
    } else if (message.type === "state") actions.refresh(message.revision);
  },
  connected(again) {
    if (!values.online) status.say("Connected again.");
    store.set({ online: true });
    // Otherwise the first event tells whether there is a newer state than the one just fetched.
    if (again || values.job?.state === "running") actions.refresh();
  },
  lost() {
    store.set({ online: false });
  },
});

async function openVideo(id, frame = 0) {
  try {
    const state = await inOrder(() => ask("GET", `/api/videos/${id}`));
    pictures.clear();
    store.set({
      video: state,
      job: state.job,
      frame: Math.min(frame, state.frames - 1),
      object: state.objects[0]?.id ?? null,
      playing: false,
    });
    document.body.dataset.view = "editor";
    document.title = `${state.name} – vosjax studio`;
    stage.fit();
    pictures.seek(values.frame);
    live.follow(`/api/videos/${id}/events`);
    rememberPlace();
    if (state.notes?.length) status.say(state.notes.at(-1));
  } catch (error) {
    if (error.status === 0) store.set({ online: false });
    status.complain(error);
    openLibrary();
  }
}

async function openLibrary() {
  await inOrder(async () => {}); // what was drawn last is on its way
  live.follow(null);
  store.set({ video: null, job: null, object: null, playing: false });
  pictures.clear();
  document.body.dataset.view = "library";
  document.title = "vosjax studio";
  history.replaceState(null, "", location.pathname + location.search);
  await library.refresh();
}

const library = createLibrary({ store, status, open: openVideo });
acceptDrops({ store, status, library, importMasks: createImport({ store, actions, status }) });

/** The address names the video and the frame, so that a page loaded again is where it was. */
let remembering = 0;
function rememberPlace() {
  clearTimeout(remembering);
  remembering = setTimeout(() => {
    const { video, frame } = values;
    if (video) history.replaceState(null, "", `#${video.id}/${frame}`);
  }, 250);
}

store.on(["frame"], ({ frame, video }) => {
  if (!video) return;
  pictures.seek(frame);
  rememberPlace();
});
store.on(["settings"], () => pictures.pump());
store.on(["online"], ({ online }) => {
  $("offline").hidden = online;
  $("offline").textContent = online ? "" : "The connection to the server is lost. Trying again …";
  if (!online && !values.video) setTimeout(() => library.refresh(), 1500);
});

// --- the bar at the top and the line at the foot

store.on(["video"], ({ video }) => {
  $("video-name").textContent = video?.name ?? "";
  for (const step of ["undo", "redo"]) {
    const what = video?.[step];
    const name = step === "undo" ? "Undo" : "Redo";
    $(step).disabled = !what;
    const keys = step === "undo" ? "Ctrl+Z" : "Ctrl+Shift+Z";
    $(step).title = `${what ? `${name}: ${what}` : `Nothing to ${step}`} (${keys})`;
  }
});
store.on(["video", "job", "maps"], ({ video, job }) => {
  const labelled = video ? Object.keys(video.labelled).length : 0;
  $("hint").hidden = !video || labelled > 1 || video.frames === 1 || job?.state === "running";
  $("hint").textContent = labelled
    ? "If the mask is right, track it: Forward, or T."
    : "Click on an object to mark it, or draw a box around it.";
});
store.on(["pending", "online", "video"], ({ pending, online, video }) => {
  const saved = video ? (pending ? "Saving …" : "Saved") : "";
  $("saved-text").textContent = online ? saved : "Not connected";
});
followTheme(store, () => {
  const theme = shownTheme(values.settings);
  const other = theme === "dark" ? "light" : "dark";
  $("theme").setAttribute("aria-label", `Change to ${other}`);
  $("theme").title = `Change to ${other} (Q)`;
  stage.readColours();
  timeline.readColours();
});

const app = {
  store,
  actions,
  stage,
  tools,
  transport,
  objects,
  openLibrary,
  setRadius: toolbar.setRadius,
  toggleMasks: toolbar.toggleMasks,
  openExport: () => openExport({ store, status }),
  toggleTheme() {
    changeSettings(store, { theme: shownTheme(values.settings) === "dark" ? "light" : "dark" });
  },
  toggleHidden() {
    const object = selectedObject(values);
    if (object) actions.editObject(object.id, { hidden: !object.hidden });
  },
  escape() {
    if (tools[values.tool].busy) tools[values.tool].cancel();
    else if (actions.starting || values.job?.state === "running") actions.stop();
  },
};
const shortcuts = shortcutsOf(app);
followKeys(app, shortcuts);

const press = (id, run) => $(id).addEventListener("click", () => run());
press("to-library", openLibrary);
press("undo", () => actions.history("undo"));
press("redo", () => actions.history("redo"));
press("open-export", app.openExport);
press("theme", app.toggleTheme);
press("open-settings", () => openSettings(store));
press("open-help", () => openHelp(shortcuts));
press("zoom-in", () => stage.zoom(1.25));
press("zoom-out", () => stage.zoom(0.8));
press("zoom-fit", () => stage.fit());

addEventListener("beforeunload", (event) => {
  if (values.pending) event.preventDefault(); // the browser asks whether to leave unsaved changes
});

// After a click of the mouse the keys are the page's again, so that Space plays and does not press.
addEventListener("click", (event) => {
  const pressed = event.pointerType && event.target.closest("button, input[type=checkbox]");
  if (pressed && !pressed.closest("dialog")) pressed.blur();
});

if (new URLSearchParams(location.search).has("measure")) {
  window.measureScrubbing = (options) => measureScrubbing({ store, stage, pictures }, options);
}

/** Goes where the address points: #VIDEO/FRAME. */
async function followAddress() {
  const [, id, frame] = /^#([^/]+)\/(\d+)$/.exec(location.hash) ?? [];
  if (!id) return;
  if (values.video?.id === id) actions.seek(Number(frame));
  else await openVideo(id, Number(frame));
}

addEventListener("hashchange", followAddress);
await library.refresh();
await followAddress();
document.body.dataset.ready = "true";
