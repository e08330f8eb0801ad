// The one line at the foot of the page that says what happened; read out by screen readers.

import { $, h } from "./dom.js";

const STAYS = 6000; // milliseconds; an error stays until the next line or until it is dismissed

let timer = 0;

function show(text, kind) {
  clearTimeout(timer);
  $("status").className = kind;
  $("status-text").textContent = kind === "error" ? "" : text;
  $("status-error").textContent = kind === "error" ? text : "";
  $("status-offer").replaceChildren();
  $("status-dismiss").hidden = kind !== "error";
  if (kind !== "error" && text) timer = setTimeout(() => show("", "info"), STAYS);
}

/** `offer` {text, run}: something to do about it, as a button. */
export function say(text, offer = null) {
  show(text, "info");
  if (!offer) return;
  const button = h("button", { class: "quiet small", type: "button" }, offer.text);
  button.addEventListener("click", () => {
    show("", "info");
    offer.run();
  });
  $("status-offer").replaceChildren(button);
}

/** One line, whatever went wrong. */
export function complain(error) {
  const line = error instanceof Error ? error.message : String(error);
  const [first] = line.split("\n");
  show(first ? first[0].toUpperCase() + first.slice(1) : "Something went wrong.", "error");
}

export function watchForErrors() {
  $("status-dismiss").addEventListener("click", () => show("", "info"));
  addEventListener("error", (event) => complain(event.error ?? event.message));
  addEventListener("unhandledrejection", (event) => complain(event.reason));
}
