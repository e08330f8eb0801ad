// The timeline: a ruler with labels and pins, and under it the score curve of each object.

import { $, fitCanvas, onNextPaint, styleColour } from "./dom.js";
import { drawRuler, drawTracks, FONT, TRACK } from "./timeline_drawing.js";
import { lastFrame } from "./store.js";

const COLOURS = [
  ...["panel", "sunken", "line", "text", "muted", "accent", "on-accent"],
  ...["playhead", "warn", "warn-soft", "pin"],
];

export class Timeline {
  constructor({ store, actions }) {
    Object.assign(this, { store, actions });
    this.scroll = $("timeline");
    this.inner = $("timeline-inner");
    this.layers = [
      { canvas: $("ruler"), draw: drawRuler, still: document.createElement("canvas") },
      { canvas: $("tracks"), draw: drawTracks, still: document.createElement("canvas") },
    ];
    this.zoomed = 1; // 1: the whole video fills the width
    this.stale = true; // what does not move with the playhead has to be drawn again
    this.invalidate = onNextPaint(() => this.draw());
    const renew = () => {
      this.stale = true;
      this.invalidate();
    };
    this.renew = renew;
    store.on(["video"], ({ video }) => {
      if (video?.id !== this.shown) this.zoomed = 1;
      this.shown = video?.id;
      $("tracks").style.height = `${Math.max(video?.objects.length ?? 0, 1) * TRACK}px`;
      $("ruler").setAttribute("aria-valuemax", String(lastFrame(store.values)));
      this.layout();
    });
    store.on(["maps", "object", "settings"], renew);
    store.on(["frame", "video"], () => this.describe());
    store.on(["frame"], () => {
      this.follow();
      this.invalidate();
    });
    this.scroll.addEventListener("scroll", renew, { passive: true });
    new ResizeObserver(() => this.layout()).observe(this.scroll);
    this.#listen();
  }

  readColours() {
    this.colours = Object.fromEntries(COLOURS.map((name) => [name, styleColour(name)]));
    this.renew();
  }

  /** CSS pixels left of the first frame, where the names of the objects stand. */
  get gutter() {
    return this.scroll.clientWidth < 620 ? 0 : 128;
  }

  get pixelsPerFrame() {
    const width = this.scroll.clientWidth - this.gutter;
    return (width * this.zoomed) / (lastFrame(this.store.values) + 1);
  }

  layout() {
    const width = this.scroll.clientWidth;
    const frames = lastFrame(this.store.values) + 1;
    this.inner.style.width = `${this.gutter + frames * this.pixelsPerFrame}px`;
    for (const { canvas } of this.layers) canvas.style.width = `${width}px`;
    this.renew();
  }

  /** Zooms about the frame at `x` CSS pixels from the left, or about the playhead. */
  zoom(factor, x) {
    const frames = lastFrame(this.store.values) + 1;
    const { frame } = this.store.values;
    const at = x === undefined ? frame : this.frameAt(x);
    const offset = this.x(at);
    const most = Math.max((frames * 24) / (this.scroll.clientWidth - this.gutter), 1);
    this.zoomed = Math.min(Math.max(this.zoomed * factor, 1), most);
    this.layout();
    this.scroll.scrollLeft += this.x(at) - offset;
  }

  x(frame) {
    return this.gutter + (frame + 0.5) * this.pixelsPerFrame - this.scroll.scrollLeft;
  }

  frameAt(x) {
    return (x - this.gutter + this.scroll.scrollLeft) / this.pixelsPerFrame - 0.5;
  }

  /** Keeps the playhead in sight. */
  follow() {
    if (this.zoomed === 1) return;
    const x = this.x(this.store.values.frame);
    const right = this.scroll.clientWidth;
    if (x < this.gutter + 8) this.scroll.scrollLeft += x - this.gutter - right / 4;
    else if (x > right - 8) this.scroll.scrollLeft += x - right + right / 4;
  }

  describe() {
    const { video, frame } = this.store.values;
    if (!video) return;
    const parts = [`frame ${frame} of ${video.frames - 1}`];
    if (video.pins[frame]) parts.push("marked");
    for (const { id, name } of video.objects) {
      const score = video.scores[id]?.[frame];
      if (score) parts.push(score[2] ? `${name} absent` : `${name} ${score[0].toFixed(2)}`);
    }
    $("ruler").setAttribute("aria-valuenow", String(frame));
    $("ruler").setAttribute("aria-valuetext", parts.join(", "));
  }

  draw() {
    const { values } = this.store;
    if (!values.video || !this.colours) return;
    const { frame } = values;
    const width = this.scroll.clientWidth;
    for (const { canvas, draw, still } of this.layers) {
      const ratio = fitCanvas(canvas);
      if (this.stale || still.width !== canvas.width || still.height !== canvas.height) {
        still.width = canvas.width;
        still.height = canvas.height;
        const context = still.getContext("2d");
        context.setTransform(ratio, 0, 0, ratio, 0, 0);
        draw(context, { ...values, timeline: this, colours: this.colours, width });
      }
      const context = canvas.getContext("2d");
      context.setTransform(1, 0, 0, 1, 0, 0);
      context.clearRect(0, 0, canvas.width, canvas.height);
      context.drawImage(still, 0, 0);
      context.setTransform(ratio, 0, 0, ratio, 0, 0);
      this.#drawPlayhead(context, this.x(frame), canvas);
    }
    this.stale = false;
  }

  #drawPlayhead(context, x, canvas) {
    if (x < this.gutter - 1) return;
    context.fillStyle = this.colours.playhead;
    context.fillRect(Math.round(x) - 1, 0, 2, canvas.clientHeight);
    if (canvas.id !== "ruler") return;
    const { frame } = this.store.values;
    context.font = `600 ${FONT}`;
    const width = Math.ceil(context.measureText(frame).width) + 12;
    const most = this.scroll.clientWidth - width - 2;
    const left = Math.min(Math.max(Math.round(x - width / 2), this.gutter), most);
    context.beginPath();
    context.roundRect(left, 5, width, 18, 9);
    context.fill();
    context.fillStyle = this.colours["on-accent"];
    context.textAlign = "center";
    context.textBaseline = "middle";
    context.fillText(frame, left + width / 2, 14.5);
  }

  #listen() {
    for (const { canvas } of this.layers) {
      const seek = (event) => {
        const box = canvas.getBoundingClientRect();
        this.actions.seek(this.frameAt(event.clientX - box.left));
      };
      canvas.addEventListener("pointerdown", (event) => {
        if (event.button !== 0 || !this.store.values.video) return;
        canvas.setPointerCapture(event.pointerId);
        this.store.set({ playing: false });
        seek(event);
      });
      canvas.addEventListener("pointermove", (event) => {
        if (canvas.hasPointerCapture(event.pointerId)) seek(event);
      });
      canvas.addEventListener(
        "wheel",
        (event) => {
          if (!event.ctrlKey && canvas.id !== "ruler") return; // the list of curves scrolls
          if (Math.abs(event.deltaX) > Math.abs(event.deltaY) || event.shiftKey) return;
          event.preventDefault();
          this.zoom(Math.exp(-event.deltaY * 0.002), event.offsetX);
        },
        { passive: false },
      );
    }
  }
}
