// How the ruler and the score curves look; they know the timeline's scale and nothing else.

import { changes, lowRuns, pinnedFrames, scoredFrames } from "./marks.js";

export const TRACK = 36; // CSS pixels for the curve of one object
const LEAST = 0.4; // the score at the foot of a curve; lower ones are rare, and no better
export const FONT = "11px system-ui, -apple-system, 'Segoe UI', Roboto, sans-serif";
const STEPS = [1, 2, 5, 10, 20, 25, 50, 100, 200, 250, 500, 1000, 2000, 5000, 10000];

function clipToFrames(context, timeline, width, height) {
  context.beginPath();
  context.rect(timeline.gutter, 0, width - timeline.gutter, height);
  context.clip();
}

/** Frame numbers, a line where frames have labels, and a diamond for each pin. */
export function drawRuler(context, { video, timeline, colours, width }) {
  const pixels = timeline.pixelsPerFrame;
  const step = STEPS.find((one) => one * pixels >= 56) ?? STEPS.at(-1);
  const first = Math.max(Math.floor(timeline.frameAt(timeline.gutter)), 0);
  const last = Math.min(Math.ceil(timeline.frameAt(width)), video.frames - 1);
  context.fillStyle = colours.panel;
  context.fillRect(0, 0, width, 44);
  context.font = FONT;
  context.textBaseline = "middle";
  context.fillStyle = colours.muted;
  if (timeline.gutter) context.fillText("Frames", 14, 14);
  clipToFrames(context, timeline, width, 44);
  context.textAlign = "center";
  for (let frame = Math.ceil(first / step) * step; frame <= last; frame += step) {
    const x = timeline.x(frame);
    context.fillStyle = colours.line;
    context.fillRect(Math.round(x), 22, 1, 4);
    context.fillStyle = colours.muted;
    const half = context.measureText(frame).width / 2 + 3;
    context.fillText(frame, Math.min(Math.max(x, timeline.gutter + half), width - half), 14);
  }
  context.fillStyle = colours.sunken;
  context.fillRect(timeline.gutter, 30, width, 8);
  context.fillStyle = colours.muted;
  for (let frame = first; frame <= last; frame++) {
    if (!video.labelled[frame]) continue;
    let end = frame;
    while (end < last && video.labelled[end + 1]) end += 1;
    context.fillRect(timeline.x(frame) - pixels / 2, 32, (end - frame + 1) * pixels, 4);
    frame = end;
  }
  for (const frame of pinnedFrames(video)) {
    if (frame >= first && frame <= last) diamond(context, timeline.x(frame), 34, colours);
  }
}

function diamond(context, x, y, colours) {
  context.beginPath();
  context.moveTo(x, y - 7);
  context.lineTo(x + 6, y);
  context.lineTo(x, y + 7);
  context.lineTo(x - 6, y);
  context.closePath();
  context.fillStyle = colours.pin;
  context.fill();
  context.lineWidth = 1.5;
  context.strokeStyle = colours.panel;
  context.stroke();
}

/** One strip for each object: its score over the frames. */
export function drawTracks(context, values) {
  const { video, timeline, colours, width, object } = values;
  context.fillStyle = colours.panel;
  context.fillRect(0, 0, width, 1e4);
  context.font = FONT;
  context.textBaseline = "middle";
  if (!video.objects.length) {
    context.fillStyle = colours.muted;
    const left = Math.max(timeline.gutter, 14);
    context.fillText("The scores of each object will appear here.", left + 8, TRACK / 2);
  }
  video.objects.forEach((one, row) => {
    context.save();
    context.translate(0, row * TRACK);
    drawTrack(context, one, values);
    context.restore();
    context.fillStyle = colours.line;
    context.fillRect(0, (row + 1) * TRACK - 1, width, 1);
    if (one.id === object) {
      context.fillStyle = colours.accent;
      context.fillRect(0, row * TRACK, 3, TRACK - 1);
    }
  });
  if (timeline.gutter && video.objects.length) {
    context.fillStyle = colours.line;
    context.fillRect(timeline.gutter - 1, 0, 1, 1e4);
  }
}

function drawTrack(context, object, { video, timeline, colours, width, settings }) {
  const { gutter, pixelsPerFrame: pixels } = timeline;
  const scores = video.scores[object.id] ?? {};
  const bottom = TRACK - 6;
  const part = (score) => Math.max(score - LEAST, 0) / (1 - LEAST);
  const y = (score) => bottom - part(score) * (bottom - 6);
  const first = Math.floor(timeline.frameAt(gutter)) - 1;
  const last = Math.ceil(timeline.frameAt(width)) + 1;
  const inSight = (from, to = from) => to >= first && from <= last;
  if (gutter) {
    context.fillStyle = object.colour;
    context.beginPath();
    context.roundRect(14, TRACK / 2 - 6, 11, 11, 3);
    context.fill();
    context.fillStyle = object.hidden ? colours.muted : colours.text;
    context.fillText(shorten(context, object.name, gutter - 44), 32, TRACK / 2);
  }
  context.save();
  clipToFrames(context, timeline, width, TRACK);
  context.globalAlpha = object.hidden ? 0.35 : 1;
  const low = lowRuns(video, object.id, settings.lowScore);
  context.fillStyle = colours["warn-soft"];
  for (const { from, to } of low) {
    const room = Math.max((to - from + 1) * pixels, 2);
    if (inSight(from, to)) context.fillRect(timeline.x(from) - pixels / 2, 0, room, TRACK - 1);
  }
  context.strokeStyle = colours.line;
  context.lineWidth = 1;
  context.setLineDash([2, 3]);
  context.beginPath();
  context.moveTo(gutter, Math.round(y(settings.lowScore)) + 0.5);
  context.lineTo(width, Math.round(y(settings.lowScore)) + 0.5);
  context.stroke();
  context.setLineDash([]);
  for (const run of runsOf(scores, first, last)) {
    if (run.absent) absence(context, run, timeline, colours);
    else curve(context, run, scores, object.colour, timeline, y, bottom);
  }
  for (const { worst } of low) if (inSight(worst)) flag(context, timeline.x(worst), colours);
  context.fillStyle = colours.text;
  for (const { frame } of changes(scores)) {
    if (!inSight(frame)) continue;
    context.fillRect(Math.round(timeline.x(frame) - pixels / 2), 3, 1.5, TRACK - 7);
  }
  context.restore();
  if (!gutter) {
    context.fillStyle = object.colour;
    context.fillRect(0, 4, 4, TRACK - 9);
  }
}

/** Frames in a row that all have a score, or in all of which the object is absent. */
function runsOf(scores, first, last) {
  const runs = [];
  for (const frame of scoredFrames(scores)) {
    if (frame < first || frame > last) continue;
    const absent = Boolean(scores[frame][2]);
    const run = runs.at(-1);
    if (run && run.to === frame - 1 && run.absent === absent) run.to = frame;
    else runs.push({ from: frame, to: frame, absent });
  }
  return runs;
}

function curve(context, { from, to }, scores, colour, timeline, y, bottom) {
  const half = timeline.pixelsPerFrame / 2;
  context.beginPath();
  context.moveTo(timeline.x(from) - half, y(scores[from][0]));
  for (let frame = from; frame <= to; frame++) {
    context.lineTo(timeline.x(frame), y(scores[frame][0]));
  }
  context.lineTo(timeline.x(to) + half, y(scores[to][0]));
  context.strokeStyle = colour;
  context.lineWidth = 1.75;
  context.stroke();
  context.lineTo(timeline.x(to) + half, bottom);
  context.lineTo(timeline.x(from) - half, bottom);
  const alpha = context.globalAlpha;
  context.globalAlpha = alpha * 0.22;
  context.fillStyle = colour;
  context.fill();
  context.globalAlpha = alpha;
}

function absence(context, { from, to }, timeline, colours) {
  const left = timeline.x(from) - timeline.pixelsPerFrame / 2;
  const right = timeline.x(to) + timeline.pixelsPerFrame / 2;
  context.save();
  context.beginPath();
  context.rect(left, TRACK / 2 - 4, right - left, 8);
  context.clip();
  context.strokeStyle = colours.muted;
  context.lineWidth = 1;
  context.beginPath();
  for (let x = left - 8; x < right; x += 5) {
    context.moveTo(x, TRACK / 2 + 4);
    context.lineTo(x + 8, TRACK / 2 - 4);
  }
  context.stroke();
  context.restore();
}

function flag(context, x, colours) {
  context.fillStyle = colours.warn;
  context.beginPath();
  context.moveTo(x - 5, 1);
  context.lineTo(x + 5, 1);
  context.lineTo(x, 8);
  context.fill();
}

function shorten(context, text, room) {
  if (context.measureText(text).width <= room) return text;
  let end = text.length;
  while (end > 1 && context.measureText(`${text.slice(0, end)}…`).width > room) end -= 1;
  return `${text.slice(0, end)}…`;
}
