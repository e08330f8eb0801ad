// The canvas: picture, masks, prompts and the tool at work, drawn once for each change and paint.

import { fitCanvas, onNextPaint, styleColour } from "./dom.js";
import { colourTables, Overlay } from "./overlay.js";
import { selectedObject } from "./store.js";
import { View } from "./view.js";

const TAU = 2 * Math.PI;

export class Stage {
  constructor({ canvas, store, pictures, prompts }) {
    Object.assign(this, { canvas, store, pictures, prompts });
    this.context = canvas.getContext("2d", { alpha: false });
    this.view = new View();
    this.overlay = new Overlay();
    this.ghosts = new Set(); // {frame, draw}: marks whose mask has not come yet
    this.tool = null;
    this.crosshair = null; // where the keyboard points, in pixels of the video
    this.drawn = 0; // paints, for measurements
    this.milliseconds = 0; // spent in the last paint
    this.last = null; // {frame, image}: what is on the screen
    this.invalidate = onNextPaint(() => this.draw());
    store.on(["video", "settings"], ({ video, settings }) => {
      const { alpha, contours } = settings;
      this.tables = video && colourTables(video.objects, alpha, contours);
      this.invalidate();
    });
    store.on(["frame", "object", "maps", "tool", "radius"], () => this.invalidate());
    new ResizeObserver(() => {
      if (this.view.fitted) this.fit();
      this.invalidate();
    }).observe(canvas);
  }

  readColours() {
    this.ground = styleColour("stage");
    this.invalidate();
  }

  fit() {
    const { video } = this.store.values;
    if (video) this.view.fit(video, this.canvas.clientWidth, this.canvas.clientHeight);
    this.invalidate();
  }

  zoom(factor, x = this.canvas.clientWidth / 2, y = this.canvas.clientHeight / 2) {
    const { video } = this.store.values;
    const { clientWidth, clientHeight } = this.canvas;
    this.view.zoom(factor, x, y, video, clientWidth, clientHeight);
    this.invalidate();
  }

  pan(dx, dy) {
    const { video } = this.store.values;
    this.view.pan(dx, dy, video, this.canvas.clientWidth, this.canvas.clientHeight);
    this.invalidate();
  }

  /** Shows a mark until its mask is there. */
  async ghost(frame, draw, work) {
    const ghost = { frame, draw };
    this.ghosts.add(ghost);
    this.invalidate();
    const made = await work;
    const waits = () => this.store.values.video && !this.pictures.has(frame);
    for (let n = 0; made && n < 40 && waits(); n++) {
      await new Promise((resolve) => setTimeout(resolve, 25));
    }
    this.ghosts.delete(ghost);
    this.invalidate();
  }

  /** The colour of the selected object, or that of the first one to come. */
  get colour() {
    return selectedObject(this.store.values)?.colour ?? "#e0503f";
  }

  draw() {
    const start = performance.now();
    const { canvas, context } = this;
    const { video, frame } = this.store.values;
    const ratio = fitCanvas(canvas);
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
    context.fillStyle = this.ground;
    context.fillRect(0, 0, canvas.clientWidth, canvas.clientHeight);
    if (!video) return;
    if (this.view.fitted) this.view.fit(video, canvas.clientWidth, canvas.clientHeight);
    this.#drawPicture(video, frame);
    if (this.last?.frame === frame) {
      this.#drawPrompts(video, frame);
      for (const ghost of this.ghosts) if (ghost.frame === frame) ghost.draw(context, this.view);
      this.tool?.draw?.(context, this.view);
    }
    if (this.crosshair) this.#drawCrosshair(...this.view.toCanvas(...this.crosshair));
    this.drawn += 1;
    this.milliseconds = performance.now() - start;
  }

  /** A frame whose picture is still on its way leaves the one before on the screen. */
  #drawPicture(video, frame) {
    const { context, view } = this;
    const image = this.pictures.image(frame);
    const labels = this.pictures.labels(frame);
    if (image) {
      const same = this.last?.video === video.id && this.last.frame === frame;
      const map = labels === undefined && same ? this.last.map : labels;
      this.last = { video: video.id, frame, map };
    }
    const shown = image ?? (this.last?.video === video.id && this.pictures.image(this.last.frame));
    if (!shown) return;
    const box = [view.x, view.y, video.width * view.scale, video.height * view.scale];
    context.imageSmoothingEnabled = view.scale < 4;
    context.drawImage(shown, ...box);
    if (!this.last.map) return;
    this.overlay.paint(this.last.map, this.tables);
    context.imageSmoothingEnabled = view.scale < 4;
    context.drawImage(this.overlay.canvas, ...box);
  }

  #drawPrompts(video, frame) {
    const { context, view } = this;
    for (const [id, { box, points }] of Object.entries(this.prompts.all(video, frame))) {
      const object = video.objects.find((one) => String(one.id) === id);
      if (!object || object.hidden) continue;
      if (box) drawBox(context, view, box, object.colour, true);
      for (const [x, y, inside] of points) drawPoint(context, view, [x, y], inside);
    }
  }

  #drawCrosshair(x, y) {
    const { context } = this;
    for (const [width, colour] of [[3, "#000"], [1.2, "#fff"]]) {
      context.lineWidth = width;
      context.strokeStyle = colour;
      context.beginPath();
      context.moveTo(x - 14, y);
      context.lineTo(x + 14, y);
      context.moveTo(x, y - 14);
      context.lineTo(x, y + 14);
      context.stroke();
    }
  }
}

export function drawBox(context, view, [x, y, width, height], colour, quiet = false) {
  const [left, top] = view.toCanvas(x, y);
  const size = [width * view.scale, height * view.scale];
  context.lineWidth = quiet ? 2 : 3;
  context.setLineDash(quiet ? [2, 5] : []);
  context.strokeStyle = "rgba(0, 0, 0, 0.55)";
  context.strokeRect(left, top, ...size);
  context.lineWidth = quiet ? 1 : 1.5;
  context.strokeStyle = quiet ? "#fff" : colour;
  context.strokeRect(left, top, ...size);
  context.setLineDash([]);
}

/** A plus for a click inside of the object, a minus for one outside. */
export function drawPoint(context, view, point, inside) {
  const [x, y] = view.toCanvas(...point);
  context.beginPath();
  context.arc(x, y, 7, 0, TAU);
  context.fillStyle = inside ? "#127a4a" : "#b3261e";
  context.fill();
  context.lineWidth = 1.5;
  context.strokeStyle = "#fff";
  context.stroke();
  context.beginPath();
  context.moveTo(x - 3.5, y);
  context.lineTo(x + 3.5, y);
  if (inside) {
    context.moveTo(x, y - 3.5);
    context.lineTo(x, y + 3.5);
  }
  context.stroke();
}

/** A line through points of the video, as wide as `width` CSS pixels. */
export function drawStroke(context, view, points, width, colour, alpha = 1) {
  context.save();
  context.globalAlpha = alpha;
  context.lineCap = context.lineJoin = "round";
  context.lineWidth = width;
  context.strokeStyle = colour;
  context.beginPath();
  points.forEach((point, at) => {
    const [x, y] = view.toCanvas(...point);
    if (at === 0) context.moveTo(x, y);
    context.lineTo(x, y);
  });
  context.stroke();
  context.restore();
}
