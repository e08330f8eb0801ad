// The tools: each takes a press, moves and a release in pixels of the video, and asks for a change.

import { drawBox, drawPoint, drawStroke } from "./stage.js";

const far = ([x, y], [u, v]) => Math.hypot(x - u, y - v);

/** Points that lie further apart than `step`; the server needs no more. */
function thin(points, step) {
  const kept = [points[0]];
  for (const point of points) if (far(point, kept.at(-1)) >= step) kept.push(point);
  if (kept.at(-1) !== points.at(-1)) kept.push(points.at(-1));
  return kept;
}

/**
 * All tools by name, with `begin(point, inside)`, `move(point)`, `end()`, `cancel()` and
 * `draw(context, view)`; `inside` is false for the right button or Alt.
 */
export function createTools({ store, stage, actions, status }) {
  const frame = () => store.values.frame;
  const stroke = {
    points: null,
    move(point) {
      if (!this.points) return;
      this.points.push(point);
      stage.invalidate();
    },
    cancel() {
      this.points = null;
      stage.invalidate();
    },
    get busy() {
      return this.points !== null;
    },
  };
  const derive = (parts) =>
    Object.defineProperties(Object.create(stroke), Object.getOwnPropertyDescriptors(parts));

  const pan = { cursor: "grab", pans: true };

  const click = derive({
    cursor: "crosshair",
    instant: true,
    begin(point, inside) {
      this.points = [point];
      this.inside = inside;
    },
    move() {},
    end() {
      if (!this.points) return; // a second finger came: they pinch
      const [point] = this.points;
      const { inside } = this;
      this.cancel();
      const draw = (context, view) => drawPoint(context, view, point, inside);
      stage.ghost(frame(), draw, actions.click(frame(), point, inside));
    },
  });

  const box = derive({
    cursor: "crosshair",
    begin(point) {
      this.points = [point, point];
    },
    move(point) {
      if (!this.points) return;
      this.points[1] = point;
      stage.invalidate();
    },
    end() {
      if (!this.points) return;
      const rectangle = between(...this.points);
      this.cancel();
      if (rectangle[2] < 2 || rectangle[3] < 2) {
        status.say("Draw the box from one corner of the object to the other.");
        return;
      }
      const { colour } = stage;
      const draw = (context, view) => drawBox(context, view, rectangle, colour);
      stage.ghost(frame(), draw, actions.box(frame(), rectangle));
    },
    draw(context, view) {
      if (this.points) drawBox(context, view, between(...this.points), stage.colour);
    },
  });

  const scribble = derive({
    cursor: "crosshair",
    begin(point, inside) {
      this.points = [point];
      this.inside = inside;
    },
    end() {
      if (!this.points) return;
      const points = thin(this.points, 2);
      const { inside } = this;
      this.cancel();
      const draw = (context, view) => line(context, view, points, inside);
      stage.ghost(frame(), draw, actions.scribble(frame(), points, inside));
    },
    draw(context, view) {
      if (this.points) line(context, view, this.points, this.inside);
    },
  });

  const painter = (erasing) =>
    derive({
      cursor: "none",
      hovers: true,
      begin(point, inside) {
        this.points = [point];
        this.erase = erasing || !inside;
      },
      end() {
        if (!this.points) return;
        const { radius } = store.values;
        const points = thin(this.points, Math.max(radius / 4, 0.5));
        const { erase } = this;
        this.cancel();
        const { colour } = stage;
        const draw = (context, view) => paint(context, view, points, radius, erase, colour);
        stage.ghost(frame(), draw, actions.brush(frame(), points, radius, erase));
      },
      draw(context, view) {
        const { radius } = store.values;
        if (this.points) paint(context, view, this.points, radius, this.erase, stage.colour);
        if (this.hover) ring(context, view, this.hover, radius, stage.colour, erasing);
      },
    });

  const polygon = derive({
    cursor: "crosshair",
    hovers: true,
    begin(point, inside) {
      const close = this.points?.length > 2 && far(point, this.points[0]) * stage.view.scale < 10;
      if (close) this.close();
      else {
        if (!this.points) this.erase = !inside;
        this.points = [...(this.points ?? []), point];
        stage.invalidate();
      }
    },
    move() {},
    end() {},
    back() {
      this.points = this.points?.length > 1 ? this.points.slice(0, -1) : null;
      stage.invalidate();
    },
    close() {
      if (!this.points) return;
      const { points, erase } = this;
      if (points.length < 3) {
        status.say("A polygon has three corners at least.");
        return;
      }
      this.cancel();
      const draw = (context, view) => outline(context, view, points, stage.colour, true);
      stage.ghost(frame(), draw, actions.polygon(frame(), points, erase));
    },
    draw(context, view) {
      if (!this.points) return;
      const end = this.hover ? [this.hover] : [];
      outline(context, view, [...this.points, ...end], stage.colour, false);
      for (const point of this.points) corner(context, view, point);
    },
  });

  return {
    pan,
    click,
    box,
    scribble,
    polygon,
    brush: painter(false),
    eraser: painter(true),
  };
}

function between([x, y], [u, v]) {
  return [Math.min(x, u), Math.min(y, v), Math.abs(u - x), Math.abs(v - y)];
}

function line(context, view, points, inside) {
  drawStroke(context, view, points, 6, "#fff");
  drawStroke(context, view, points, 3.5, inside ? "#127a4a" : "#b3261e");
}

function paint(context, view, points, radius, erase, colour) {
  const width = Math.max(2 * radius * view.scale, 1);
  drawStroke(context, view, points, width, erase ? "#000" : colour, 0.55);
}

function ring(context, view, point, radius, colour, erasing) {
  const [x, y] = view.toCanvas(...point);
  const size = Math.max(radius * view.scale, 1.5);
  for (const [width, stroke] of [[3, "rgba(0, 0, 0, 0.6)"], [1.5, erasing ? "#fff" : colour]]) {
    context.lineWidth = width;
    context.strokeStyle = stroke;
    context.beginPath();
    context.arc(x, y, size, 0, 2 * Math.PI);
    context.stroke();
  }
}

function outline(context, view, points, colour, filled) {
  context.beginPath();
  for (const point of points) context.lineTo(...view.toCanvas(...point));
  if (filled) {
    context.closePath();
    context.globalAlpha = 0.4;
    context.fillStyle = colour;
    context.fill();
    context.globalAlpha = 1;
  }
  for (const [width, stroke] of [[3, "rgba(0, 0, 0, 0.55)"], [1.5, colour]]) {
    context.lineWidth = width;
    context.strokeStyle = stroke;
    context.stroke();
  }
}

function corner(context, view, point) {
  const [x, y] = view.toCanvas(...point);
  context.fillStyle = "#fff";
  context.strokeStyle = "rgba(0, 0, 0, 0.6)";
  context.lineWidth = 1;
  context.fillRect(x - 3, y - 3, 6, 6);
  context.strokeRect(x - 3, y - 3, 6, 6);
}
