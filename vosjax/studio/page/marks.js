// Where on the timeline a person should look: low scores, objects that come or go, pins.

/** Frames of an object with a score, in order. */
export const scoredFrames = (scores) => Object.keys(scores ?? {}).map(Number).sort((a, b) => a - b);

/**
 * Runs of frames where an object is below the threshold: [{from, to, worst, score}]. Where it is
 * pinned it is right; a pin of another object says nothing of it.
 */
export function lowRuns(video, id, threshold) {
  const scores = video.scores[id] ?? {};
  const runs = [];
  let run = null;
  for (const frame of scoredFrames(scores)) {
    const [score, , absent] = scores[frame];
    if (absent || score >= threshold || video.pins[frame]?.includes(id)) {
      run = null;
    } else if (run && frame === run.to + 1) {
      run.to = frame;
      if (score < run.score) Object.assign(run, { score, worst: frame });
    } else {
      run = { from: frame, to: frame, worst: frame, score };
      runs.push(run);
    }
  }
  return runs;
}

/** Frames where the object is gone, or back, after the frame before: [{frame, absent}]. */
export function changes(scores) {
  const found = [];
  for (const frame of scoredFrames(scores)) {
    const before = scores[frame - 1];
    const absent = Boolean(scores[frame][2]);
    if (before && Boolean(before[2]) !== absent) found.push({ frame, absent });
  }
  return found;
}

export const pinnedFrames = (video) => Object.keys(video.pins).map(Number).sort((a, b) => a - b);

/** The stop after `frame` (direction 1) or before it (-1); undefined if there is none. */
export function nextOf(stops, frame, direction) {
  const sorted = [...stops].sort((a, b) => a.frame - b.frame);
  return direction > 0
    ? sorted.find((stop) => stop.frame > frame)
    : sorted.findLast((stop) => stop.frame < frame);
}

const shown = (video) => video.objects.filter((object) => !object.hidden);

export function lowStops(video, threshold) {
  return shown(video).flatMap(({ id, name }) =>
    lowRuns(video, id, threshold).map(({ worst, score }) => ({
      frame: worst,
      line: `${name} has a score of ${score.toFixed(2)}`,
    })),
  );
}

export function changeStops(video) {
  return shown(video).flatMap(({ id, name }) =>
    changes(video.scores[id]).map(({ frame, absent }) => ({
      frame,
      line: absent ? `${name} is gone` : `${name} is back`,
    })),
  );
}

export const pinStops = (video) =>
  pinnedFrames(video).map((frame) => ({ frame, line: "a marked frame" }));
