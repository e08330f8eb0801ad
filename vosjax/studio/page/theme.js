// Dark or light as it was set, before the first paint, so that nothing flashes. Not a module.
try {
  const kept = JSON.parse(localStorage.getItem("vosjax.settings") ?? "{}");
  document.documentElement.dataset.theme = kept.theme ?? "auto";
} catch {
  document.documentElement.dataset.theme = "auto";
}
