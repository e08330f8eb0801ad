// Before the first paint: dark or light as it was set, so that the page does not flash. Not a module.
try {
  const kept = JSON.parse(localStorage.getItem("vosjax.settings") ?? "{}");
  document.documentElement.dataset.theme = kept.theme ?? "auto";
} catch {
  document.documentElement.dataset.theme = "auto";
}
