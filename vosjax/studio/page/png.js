// Label maps from PNG files, exactly: a canvas may change pixels that are read back from it
// (colour management, protection against fingerprints), so the file is decoded here.

const SIGNATURE = [137, 80, 78, 71, 13, 10, 26, 10];

/** {width, height, labels: Uint8Array} of a PNG of 8 bits, grey or with a palette. */
export async function decodeLabels(buffer) {
  const bytes = new Uint8Array(buffer);
  if (SIGNATURE.some((byte, at) => bytes[at] !== byte)) throw new Error("not a PNG file");
  const view = new DataView(buffer);
  const parts = [];
  let width = 0;
  let height = 0;
  for (let at = 8; at + 8 <= bytes.length; ) {
    const length = view.getUint32(at);
    const type = String.fromCharCode(...bytes.subarray(at + 4, at + 8));
    if (type === "IHDR") {
      width = view.getUint32(at + 8);
      height = view.getUint32(at + 12);
      const [depth, colour, , , interlaced] = bytes.subarray(at + 16, at + 21);
      if (depth !== 8 || ![0, 3].includes(colour) || interlaced) {
        throw new Error("a label map is a PNG of 8 bits, grey or with a palette");
      }
    } else if (type === "IDAT") parts.push(bytes.subarray(at + 8, at + 8 + length));
    else if (type === "IEND") break;
    at += length + 12;
  }
  return { width, height, labels: unfilter(await inflated(parts), width, height) };
}

async function inflated(parts) {
  const stream = new Blob(parts).stream().pipeThrough(new DecompressionStream("deflate"));
  try {
    return new Uint8Array(await new Response(stream).arrayBuffer());
  } catch {
    throw new Error("the PNG file is damaged");
  }
}

/** Undoes the filters of the PNG specification (section 9), for one byte a pixel. */
function unfilter(lines, width, height) {
  if (lines.length < (width + 1) * height) throw new Error("the PNG file ends too early");
  const out = new Uint8Array(width * height);
  for (let y = 0; y < height; y++) {
    const from = y * (width + 1) + 1;
    const to = y * width;
    const above = to - width;
    switch (lines[from - 1]) {
      case 0:
        out.set(lines.subarray(from, from + width), to);
        break;
      case 1:
        for (let x = 0, left = 0; x < width; x++) {
          out[to + x] = left = (lines[from + x] + left) & 255;
        }
        break;
      case 2:
        for (let x = 0; x < width; x++) {
          out[to + x] = lines[from + x] + (y ? out[above + x] : 0);
        }
        break;
      case 3:
        for (let x = 0, left = 0; x < width; x++) {
          const up = y ? out[above + x] : 0;
          out[to + x] = left = (lines[from + x] + ((left + up) >> 1)) & 255;
        }
        break;
      case 4:
        for (let x = 0, left = 0, corner = 0; x < width; x++) {
          const up = y ? out[above + x] : 0;
          out[to + x] = left = (lines[from + x] + paeth(left, up, corner)) & 255;
          corner = up;
        }
        break;
      default:
        throw new Error("a PNG file with an unknown filter");
    }
  }
  return out;
}

function paeth(left, up, corner) {
  const guess = left + up - corner;
  const a = Math.abs(guess - left);
  const b = Math.abs(guess - up);
  const c = Math.abs(guess - corner);
  if (a <= b && a <= c) return left;
  return b <= c ? up : corner;
}
