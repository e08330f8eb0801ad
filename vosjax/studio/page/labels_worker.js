// Fetches and decodes label maps beside the page, so that scrubbing does not wait for it.

import { decodeLabels } from "./png.js";

self.onmessage = async ({ data: { key, url } }) => {
  try {
    const response = await fetch(url, { credentials: "same-origin" });
    if (!response.ok) throw new Error(`label map: the server answers ${response.status}`);
    const { width, height, labels } = await decodeLabels(await response.arrayBuffer());
    self.postMessage({ key, width, height, labels }, [labels.buffer]);
  } catch (error) {
    self.postMessage({ key, error: error.message });
  }
};
