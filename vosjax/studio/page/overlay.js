// The label map in colours: a table of 256 colours, applied to an offscreen canvas.

import { rgb } from "./dom.js";

const LITTLE = new Uint8Array(new Uint32Array([1]).buffer)[0] === 1;

function packed([red, green, blue], alpha) {
  const a = Math.round(alpha * 255);
  return LITTLE
    ? ((a << 24) | (blue << 16) | (green << 8) | red) >>> 0
    : ((red << 24) | (green << 16) | (blue << 8) | a) >>> 0;
}

/** Colours of the inside and the contour of each object id; hidden and unknown ones are clear. */
export function colourTables(objects, alpha, contours) {
  const fill = new Uint32Array(256);
  const edge = new Uint32Array(256);
  for (const { id, colour, hidden } of objects) {
    if (hidden) continue;
    fill[id] = packed(rgb(colour), alpha);
    edge[id] = contours ? packed(rgb(colour), 1) : fill[id];
  }
  return { fill, edge };
}

export class Overlay {
  constructor() {
    this.canvas = document.createElement("canvas");
    this.context = this.canvas.getContext("2d");
    this.shown = null; // the map and tables that it shows
    this.tables = null;
    this.pixels = null;
  }

  /** Draws a map {width, height, labels}, unless the canvas shows it already. */
  paint(map, tables) {
    if (this.shown === map && this.tables === tables) return;
    const { width, height, labels } = map;
    if (this.canvas.width !== width || this.canvas.height !== height || !this.pixels) {
      this.canvas.width = width;
      this.canvas.height = height;
      this.pixels = this.context.createImageData(width, height);
      this.words = new Uint32Array(this.pixels.data.buffer);
    }
    const thickness = Math.max(1, Math.round(Math.min(width, height) / 540));
    colour(labels, width, height, tables, thickness, this.words);
    this.context.putImageData(this.pixels, 0, 0);
    this.shown = map;
    this.tables = tables;
  }
}

/** A pixel is of the contour if another label lies `reach` pixels to a side of it. */
export function colour(labels, width, height, { fill, edge }, reach, out) {
  const step = reach * width;
  for (let y = 0, i = 0; y < height; y++) {
    const up = y >= reach ? step : 0;
    const down = y + reach < height ? step : 0;
    for (let x = 0; x < width; x++, i++) {
      const label = labels[i];
      if (label === 0) {
        out[i] = 0;
        continue;
      }
      const left = x >= reach ? reach : 0;
      const right = x + reach < width ? reach : 0;
      const same =
        labels[i - left] === label &&
        labels[i + right] === label &&
        labels[i - up] === label &&
        labels[i + down] === label;
      out[i] = same ? fill[label] : edge[label];
    }
  }
}
