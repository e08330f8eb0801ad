// Mouse, pen, fingers and keyboard on the canvas: what is a tool's, what zooms, what pans.

const WHEEL = 0.0016; // the logarithm of the zoom for each unit of the wheel

export function followPointer({ canvas, store, stage, tools, announce }) {
  const pressed = new Map(); // pointer id -> [x, y] in CSS pixels of the canvas
  let pinch = null; // distance and middle of two fingers
  let panning = false;

  const at = (event) => {
    const box = canvas.getBoundingClientRect();
    return [event.clientX - box.left, event.clientY - box.top];
  };
  const inVideo = ([x, y]) => {
    const { video } = store.values;
    const clamp = (value, most) => Math.min(Math.max(value, 0), most - 0.01);
    const [vx, vy] = stage.view.toVideo(x, y);
    const round = (value) => Math.round(value * 100) / 100;
    return [round(clamp(vx, video.width)), round(clamp(vy, video.height))];
  };
  const tool = () => tools[store.values.tool];
  const showCursor = () => {
    canvas.style.cursor = panning ? "grabbing" : (tool().cursor ?? "default");
  };
  const fingers = () => {
    const [[x, y], [u, v]] = [...pressed.values()];
    return { size: Math.hypot(u - x, v - y), x: (x + u) / 2, y: (y + v) / 2 };
  };

  store.on(["tool"], ({ tool: name }) => {
    for (const other of Object.values(tools)) other.cancel?.();
    stage.tool = tools[name];
    showCursor();
  });
  let place = ""; // an unfinished mark belongs to one frame
  store.on(["frame", "video"], ({ frame, video }) => {
    const next = `${video?.id}/${frame}`;
    if (next === place) return;
    place = next;
    for (const other of Object.values(tools)) if (other.busy) other.cancel();
  });

  canvas.addEventListener("contextmenu", (event) => event.preventDefault());
  canvas.addEventListener("pointerdown", (event) => {
    if (!store.values.video) return;
    event.preventDefault(); // leaves the focus, and with it the arrow keys, where they are
    document.activeElement?.blur?.();
    canvas.setPointerCapture(event.pointerId);
    pressed.set(event.pointerId, at(event));
    if (pressed.size === 2) {
      tool().cancel?.();
      pinch = fingers();
      return;
    }
    panning = event.button === 1 || Boolean(tool().pans);
    showCursor();
    if (panning || pressed.size > 1) return;
    const outside = event.button === 2 || event.altKey;
    tool().begin?.(inVideo(at(event)), outside ? false : store.values.inside);
  });
  canvas.addEventListener("pointermove", (event) => {
    if (!store.values.video) return;
    const before = pressed.get(event.pointerId);
    const now = at(event);
    if (before) pressed.set(event.pointerId, now);
    if (pressed.size === 2 && pinch) {
      const next = fingers();
      stage.zoom(next.size / Math.max(pinch.size, 1), next.x, next.y);
      stage.pan(next.x - pinch.x, next.y - pinch.y);
      pinch = next;
    } else if (before && panning) {
      stage.pan(now[0] - before[0], now[1] - before[1]);
    } else if (!pinch) {
      const moves = event.getCoalescedEvents?.() ?? [];
      if (before) for (const one of moves.length ? moves : [event]) tool().move?.(inVideo(at(one)));
      if (tool().hovers) {
        tool().hover = event.pointerType === "touch" ? null : inVideo(now);
        stage.invalidate();
      }
    }
  });
  const release = (event) => {
    if (!pressed.delete(event.pointerId)) return;
    if (pressed.size) return;
    if (!pinch && !panning && event.type === "pointerup") tool().end?.();
    else tool().cancel?.();
    pinch = null;
    panning = false;
    showCursor();
  };
  canvas.addEventListener("pointerup", release);
  canvas.addEventListener("pointercancel", release);
  canvas.addEventListener("pointerleave", () => {
    if (!tool().hovers) return;
    tool().hover = null;
    stage.invalidate();
  });
  canvas.addEventListener("dblclick", () => tool().close?.());
  canvas.addEventListener(
    "wheel",
    (event) => {
      if (!store.values.video) return;
      event.preventDefault();
      const lines = event.deltaMode === 1 ? 16 : 1;
      stage.zoom(Math.exp(-event.deltaY * lines * WHEEL * (event.ctrlKey ? 4 : 1)), ...at(event));
    },
    { passive: false },
  );
  canvas.addEventListener("focus", () => {
    if (!store.values.video || !canvas.matches(":focus-visible")) return;
    const { width, height } = store.values.video;
    stage.crosshair ??= [width / 2, height / 2];
    stage.invalidate();
  });
  canvas.addEventListener("blur", () => {
    stage.crosshair = null;
    stage.invalidate();
  });

  /** Keys while the canvas has the focus: arrows move a crosshair, Enter presses and releases. */
  canvas.addEventListener("keydown", (event) => {
    const { video } = store.values;
    if (!stage.crosshair || !video) return;
    const move = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
    const active = tool();
    if (event.key in move) {
      const step = event.shiftKey ? 1 : Math.max(Math.round(video.width / 64), 1);
      const [dx, dy] = move[event.key];
      const clamp = (value, most) => Math.min(Math.max(value, 0.5), most - 0.5);
      const [x, y] = stage.crosshair;
      stage.crosshair = [clamp(x + dx * step, video.width), clamp(y + dy * step, video.height)];
      if (active.busy) active.move?.(stage.crosshair);
      announce(`${Math.floor(stage.crosshair[0])}, ${Math.floor(stage.crosshair[1])}`);
      stage.invalidate();
    } else if (event.key === "Enter" && active.begin) {
      if (active.close && event.shiftKey) active.close();
      else if (active.busy && !active.close) active.end();
      else {
        active.begin(stage.crosshair, event.altKey ? false : store.values.inside);
        if (active.instant) active.end();
      }
    } else return;
    event.preventDefault();
    event.stopPropagation();
  });
}
