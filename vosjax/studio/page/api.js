// Requests to the server: errors become one line for a person, changes go one after another.

export class ServerError extends Error {
  constructor(line, status, body) {
    super(line);
    this.status = status; // 0: the server does not answer
    this.body = body;
  }
}

const lost = () => new ServerError("The server does not answer.", 0, null);

async function refusal(response) {
  let body = null;
  try {
    body = await response.json();
  } catch {
    // Not ours: a proxy's page, or nothing at all.
  }
  const line = typeof body?.error === "string" ? body.error : body?.detail;
  const text = typeof line === "string" ? line : `${response.status} ${response.statusText}`;
  return new ServerError(text, response.status, body);
}

async function send(path, options) {
  let response;
  try {
    response = await fetch(path, { credentials: "same-origin", ...options });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw lost();
  }
  if (!response.ok) throw await refusal(response);
  return response;
}

/** The JSON of an answer. `revision`: refuse if the video has another one by now. */
export async function ask(method, path, { json, body, revision, signal } = {}) {
  const headers = {};
  if (json !== undefined) headers["Content-Type"] = "application/json";
  if (revision !== undefined) headers["If-Match"] = String(revision);
  const content = json === undefined ? body : JSON.stringify(json);
  const response = await send(path, { method, headers, body: content, signal });
  try {
    return response.status === 204 ? null : await response.json();
  } catch {
    throw lost(); // it ended in mid-answer
  }
}

/** A file to save: {blob, name}. */
export async function download(path, fallback) {
  const response = await send(path, {});
  const header = response.headers.get("Content-Disposition") ?? "";
  const name = /filename="?([^";]+)"?/.exec(header)?.[1] ?? fallback;
  try {
    return { blob: await response.blob(), name };
  } catch {
    throw lost();
  }
}

/** Sends a file; `progress` hears the part that has gone, 0..1. `revision` as for `ask`. */
export function upload(path, file, { progress = () => {}, revision } = {}) {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    request.open("POST", path);
    request.responseType = "json";
    if (revision !== undefined) request.setRequestHeader("If-Match", String(revision));
    request.upload.onprogress = (event) => {
      if (event.lengthComputable) progress(event.loaded / event.total);
    };
    request.onload = () => {
      if (request.status >= 200 && request.status < 300) resolve(request.response);
      else {
        const line = request.response?.error ?? `${request.status} ${request.statusText}`;
        reject(new ServerError(line, request.status, request.response));
      }
    };
    request.onerror = () => reject(lost());
    request.send(file);
  });
}

let tail = Promise.resolve();

/** Runs `task` after all tasks before it, so that each knows the revision it changes. */
export function inOrder(task) {
  const run = tail.then(task, task);
  tail = run.catch(() => {});
  return run;
}
