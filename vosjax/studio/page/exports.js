// The export dialogue: what comes out, of which objects, as one file to save.

import { download } from "./api.js";
import { openDialog } from "./dialogs.js";
import { h } from "./dom.js";

const FORMATS = [
  ["palette", "Label maps", "PNG with a palette, one for each frame"],
  ["objects", "Masks", "PNG, one for each frame and object"],
  ["coco", "COCO", "JSON with run lengths, frame by frame"],
  ["youtube-vis", "YouTube-VIS", "JSON with run lengths, object by object"],
  ["youtube-vis-results", "YouTube-VIS results", "JSON as the public evaluation takes it"],
  ["davis", "DAVIS folder", "Frames and label maps, for training"],
  ["cutout-png", "Cut-out, pictures", "PNG with transparency"],
  ["cutout-webm", "Cut-out, video", "WebM with transparency"],
  ["overlay", "Overlay", "mp4 with the masks in colour"],
];

export async function openExport({ store, status }) {
  const { video } = store.values;
  const choice = ([key, title, note], at) =>
    h(
      "label",
      { class: "choice" },
      h("input", {
        type: "radio",
        name: "format",
        value: key,
        checked: at === 0,
        autofocus: at === 0,
      }),
      h("span", {}, h("strong", {}, title), h("small", {}, note)),
    );
  const objects = video.objects.map(({ id, name, colour, hidden }) => {
    const dot = h("span", { class: "dot" });
    dot.style.background = colour;
    return h(
      "label",
      { class: "check" },
      h("input", { type: "checkbox", value: id, checked: !hidden }),
      dot,
      name,
    );
  });
  const form = h(
    "div",
    {},
    h("fieldset", { class: "choices" }, h("legend", {}, "Format"), ...FORMATS.map(choice)),
    objects.length
      ? h("fieldset", { class: "checks" }, h("legend", {}, "Objects"), ...objects)
      : null,
  );
  const answer = await openDialog({
    title: `Export ${video.name}`,
    wide: true,
    parts: [form],
    actions: [{ text: "Export", value: "export" }],
  });
  if (answer !== "export") return;
  const format = form.querySelector("input[name=format]:checked").value;
  const chosen = [...form.querySelectorAll("input[type=checkbox]:checked")].map((box) => box.value);
  if (!chosen.length) {
    status.complain("There is no object to export.");
    return;
  }
  const query = new URLSearchParams({ format });
  if (chosen.length < video.objects.length) query.set("objects", chosen.join(","));
  status.say("Exporting …");
  try {
    const path = `/api/videos/${video.id}/export?${query}`;
    const { blob, name } = await download(path, `${video.name}-${format}`);
    save(blob, name);
    status.say(`${name} is ready.`);
  } catch (error) {
    status.complain(error);
  }
}

function save(blob, name) {
  const link = h("a", { href: URL.createObjectURL(blob), download: name });
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60000);
}
