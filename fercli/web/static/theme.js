"use strict";
// Light or dark as the system has it, or as the user chose last; set before anything is drawn.
(() => {
  const key = "fer-theme";
  const root = document.documentElement;
  const read = () => {
    try { return localStorage.getItem(key); } catch { return null; }
  };
  const chosen = read();
  if (chosen === "dark" || chosen === "light") root.dataset.theme = chosen;
  window.ferTheme = () => {
    const isDark = root.dataset.theme
      ? root.dataset.theme === "dark"
      : matchMedia("(prefers-color-scheme: dark)").matches;
    root.dataset.theme = isDark ? "light" : "dark";
    try { localStorage.setItem(key, root.dataset.theme); } catch { /* it lasts until the page is closed */ }
  };
})();
