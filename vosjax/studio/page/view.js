// Where the video lies in the canvas: zoom and pan, in CSS pixels.

const MOST = 40; // CSS pixels for one pixel of the video

export class View {
  scale = 1;
  x = 0;
  y = 0;
  fitted = true; // follows the size of the canvas until somebody zooms or pans

  fit(video, width, height) {
    const margin = width < 600 ? 0 : 16;
    this.scale = Math.max(
      Math.min((width - 2 * margin) / video.width, (height - 2 * margin) / video.height),
      0.01,
    );
    this.x = (width - video.width * this.scale) / 2;
    this.y = (height - video.height * this.scale) / 2;
    this.fitted = true;
  }

  /** From CSS pixels of the canvas to pixels of the video, with fractions. */
  toVideo(x, y) {
    return [(x - this.x) / this.scale, (y - this.y) / this.scale];
  }

  toCanvas(x, y) {
    return [x * this.scale + this.x, y * this.scale + this.y];
  }

  /** Zooms by `factor`; what is at (x, y) of the canvas stays there. */
  zoom(factor, x, y, video, width, height) {
    const least = Math.min(width / video.width, height / video.height) / 4;
    const scale = Math.min(Math.max(this.scale * factor, least), MOST);
    const [vx, vy] = this.toVideo(x, y);
    this.scale = scale;
    this.x = x - vx * scale;
    this.y = y - vy * scale;
    this.fitted = false;
  }

  /** Moves the video, but never out of sight. */
  pan(dx, dy, video, width, height) {
    const keep = 48;
    const clamp = (value, low, high) => Math.min(Math.max(value, low), high);
    this.x = clamp(this.x + dx, keep - video.width * this.scale, width - keep);
    this.y = clamp(this.y + dy, keep - video.height * this.scale, height - keep);
    this.fitted = false;
  }
}
