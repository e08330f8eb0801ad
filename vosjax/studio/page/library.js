// The project's videos: open, upload, remove; and files that are dropped anywhere on the page.

import { ask, upload } from "./api.js";
import { $, h, icon } from "./dom.js";
import { confirm } from "./dialogs.js";

const MASKS = /\.(png|json|xml|webp|bmp|tiff?)$/i;

export function createLibrary({ store, status, open }) {
  const refresh = async () => {
    try {
      const project = await ask("GET", "/api/project");
      store.set({ project, online: true });
    } catch (error) {
      if (error.status === 0) store.set({ online: false });
      status.complain(error);
    }
  };

  const remove = async ({ id, name }) => {
    const sure = await confirm({
      title: `Remove ${name}?`,
      text: "The video and its masks are moved to the trash folder of the project.",
      action: "Remove",
    });
    if (!sure) return;
    try {
      await ask("DELETE", `/api/videos/${id}`);
      status.say(`${name} removed.`, { text: "Undo", run: () => restore(id) });
    } catch (error) {
      status.complain(error);
    }
    await refresh();
  };

  const restore = async (id) => {
    try {
      await ask("POST", `/api/videos/${id}/restore`);
    } catch (error) {
      status.complain(error);
    }
    await refresh();
  };

  const card = (video) => {
    const { id, name, frames, width, height, fps, thumbnail } = video;
    const seconds = (frames / (fps || 25)).toFixed(1);
    const facts = `${frames} frames · ${width} × ${height} · ${seconds} s`;
    return h(
      "li",
      { class: "card" },
      h(
        "button",
        { class: "open", type: "button", onclick: () => open(id) },
        h("img", { src: thumbnail, alt: "", loading: "lazy" }),
        h("span", { class: "label" }, name),
        h("span", { class: "faint" }, facts),
      ),
      h(
        "button",
        {
          class: "icon-button remove",
          type: "button",
          "aria-label": `Remove ${name}`,
          title: "Remove",
          onclick: () => remove(video),
        },
        icon("remove"),
      ),
    );
  };

  store.on(["project"], ({ project }) => {
    if (!project) return;
    $("project-name").textContent = project.name;
    $("to-library").title = project.folder;
    $("open-path").hidden = project.local === false;
    $("videos").replaceChildren(...project.videos.map(card));
  });

  const send = async (file) => {
    $("upload").hidden = false;
    const show = (part) => {
      $("upload-progress").value = part;
      const what = part < 1 ? `${Math.round(100 * part)} %` : "reading the video …";
      $("upload-text").textContent = `${file.name}: ${what}`;
    };
    show(0);
    try {
      const path = `/api/videos?name=${encodeURIComponent(file.name)}`;
      const state = await upload(path, file, { progress: show });
      await refresh();
      await open(state.id);
    } catch (error) {
      status.complain(error);
    } finally {
      $("upload").hidden = true;
    }
  };

  $("choose-file").addEventListener("click", () => $("file").click());
  $("file").addEventListener("change", async () => {
    const [file] = $("file").files;
    $("file").value = "";
    if (file) await send(file);
  });
  $("open-path").addEventListener("submit", async (event) => {
    event.preventDefault();
    const path = $("path").value.trim();
    if (!path) return;
    try {
      const state = await ask("POST", "/api/videos/open", { json: { path } });
      $("path").value = "";
      await refresh();
      await open(state.id);
    } catch (error) {
      status.complain(error);
    }
  });
  return { refresh, send };
}

/** Files dropped on the page: masks go to the open video, everything else is a new video. */
export function acceptDrops({ store, status, library, importMasks }) {
  const veil = $("drop-veil");
  let depth = 0;
  const carriesFiles = (event) => event.dataTransfer?.types.includes("Files");
  const show = (shown) => {
    veil.hidden = !shown;
    const { video } = store.values;
    $("drop-veil-text").textContent = video
      ? `Drop masks for frame ${store.values.frame} (PNG, JSON), or another video`
      : "Drop a video, or a zip file of frames";
  };
  addEventListener("dragenter", (event) => {
    if (!carriesFiles(event)) return;
    depth += 1;
    show(true);
  });
  addEventListener("dragleave", (event) => {
    if (carriesFiles(event) && --depth <= 0) show(false);
  });
  addEventListener("dragover", (event) => {
    if (carriesFiles(event)) event.preventDefault();
  });
  addEventListener("drop", async (event) => {
    if (!carriesFiles(event)) return;
    event.preventDefault();
    depth = 0;
    show(false);
    const entries = [...event.dataTransfer.items].map((item) => item.webkitGetAsEntry?.());
    if (entries.some((entry) => entry?.isDirectory)) {
      status.complain("A folder cannot be dropped: put its frames into a zip file.");
      return;
    }
    const files = [...event.dataTransfer.files];
    const masks = files.filter((file) => MASKS.test(file.name));
    const videos = files.filter((file) => !MASKS.test(file.name));
    if (masks.length && !store.values.video) {
      status.complain("Open the video first that the masks belong to.");
      return;
    }
    if (masks.length) await importMasks(masks);
    for (const file of videos) await library.send(file);
  });
}
