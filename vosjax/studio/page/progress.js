// The buttons that track, and the line that tells how far it is.

import { $ } from "./dom.js";

export function createProgress({ store, actions, status }) {
  const directions = ["backward", "forward", "both"];
  for (const direction of directions) {
    $(`track-${direction}`).addEventListener("click", () => actions.propagate(direction));
  }
  $("track-to-mark").addEventListener("click", () => actions.propagateToMark());
  $("pin").addEventListener("click", () => actions.pin());
  $("stop").addEventListener("click", () => actions.stop());

  let before = null;
  store.on(["job", "video", "frame", "maps"], ({ job, video, frame }) => {
    const running = job?.state === "running";
    const marked = Boolean(video && Object.keys(video.labelled).length);
    for (const name of [...directions, "to-mark"]) {
      $(`track-${name}`).disabled = running || !marked;
    }
    $("pin").disabled = !video?.labelled[frame];
    $("job").hidden = !running;
    $("track-buttons").hidden = running;
    $("job-progress").value = running && job.total ? job.done / job.total : 0;
    $("job-text").textContent = running ? line(job) : "";
    if (before === "running" && job && !running) tellEnd(job, status);
    before = job?.state ?? null;
  });
}

function line({ done, total, fps }) {
  const parts = [`${done} of ${total}`];
  if (fps) {
    parts.push(`${fps < 10 ? fps.toFixed(1) : Math.round(fps)} frames/s`);
    parts.push(`${duration((total - done) / fps)} left`);
  } else parts.push("starting");
  return parts.join(" · ");
}

function duration(seconds) {
  if (seconds < 60) return `${Math.ceil(seconds)} s`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min ${Math.round(seconds % 60)} s`;
  return `${Math.floor(seconds / 3600)} h ${Math.round((seconds % 3600) / 60)} min`;
}

function tellEnd({ state, done, error }, status) {
  if (state === "failed") status.complain(error ?? "Tracking failed.");
  else if (state === "stopped") status.say(`Stopped after ${done} frames; they are kept.`);
  else status.say(`${done} frames tracked.`);
}
