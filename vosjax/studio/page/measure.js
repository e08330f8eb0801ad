// Measures scrubbing: how often a second the page shows another frame out of its cache.

const percentile = (values, part) => {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(Math.floor(part * sorted.length), sorted.length - 1)];
};

/**
 * Loads `frames` frames from the first on, then shows another one with every paint, there and back,
 * `paints` times. Returns {frames, paints, fps, draw: {median, p95}, missed, cacheBytes, canvas};
 * `draw` is in milliseconds of the page's own work, `missed` counts paints whose frame was not in
 * the cache.
 */
export async function measureScrubbing(
  { store, stage, pictures },
  { frames = 100, paints = 300 } = {},
) {
  const { video } = store.values;
  const count = Math.min(frames, video.frames, pictures.room);
  store.set({ frame: 0, playing: false });
  for (let frame = 0; frame < count; frame++) {
    store.set({ frame });
    for (let n = 0; !pictures.has(frame) && n < 600; n++) await pause(16);
  }
  const draws = [];
  let missed = 0;
  const nextPaint = () => new Promise(requestAnimationFrame);
  let at = 0;
  let direction = 1;
  await nextPaint();
  const start = performance.now();
  for (let n = 0; n < paints; n++) {
    if (at + direction < 0 || at + direction >= count) direction = -direction;
    at += count > 1 ? direction : 0;
    if (!pictures.has(at)) missed += 1;
    store.set({ frame: at });
    await nextPaint();
    draws.push(stage.milliseconds);
  }
  const seconds = (performance.now() - start) / 1000;
  return {
    frames: count,
    paints,
    fps: paints / seconds,
    draw: { median: percentile(draws, 0.5), p95: percentile(draws, 0.95) },
    missed,
    cacheBytes: pictures.cache.bytes,
    canvas: [stage.canvas.width, stage.canvas.height],
  };
}

const pause = (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds));
