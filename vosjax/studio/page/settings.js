// What a person set for this browser; it is kept in the browser and asks nothing of the server.

const KEY = "vosjax.settings";

export const DEFAULTS = {
  theme: "auto", // auto, light, dark
  alpha: 0.5, // of the masks over the picture
  contours: true,
  cacheMegabytes: 512, // of decoded frames and label maps
  frameHeight: 720, // of the pictures that are fetched, at most
  lowScore: 0.75, // a mean probability below this counts as low
  singleKeys: true, // shortcuts of a single character
};

export function readSettings() {
  try {
    return { ...DEFAULTS, ...JSON.parse(localStorage.getItem(KEY) ?? "{}") };
  } catch {
    return { ...DEFAULTS }; // no storage, or not ours
  }
}

export function changeSettings(store, changes) {
  const settings = { ...store.values.settings, ...changes };
  store.set({ settings });
  try {
    localStorage.setItem(KEY, JSON.stringify(settings));
  } catch {
    // A browser without storage forgets them with the page.
  }
}

/** Dark or light, as it is on the screen now. */
export function shownTheme(settings) {
  if (settings.theme !== "auto") return settings.theme;
  return matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light";
}

/** Calls back with every change of dark and light, the system's included. */
export function followTheme(store, call) {
  const show = () => {
    document.documentElement.dataset.theme = store.values.settings.theme;
    call();
  };
  store.on(["settings"], show);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", show);
}
