// Before the first paint: the chosen theme, else the system's. Without JavaScript the server sets the chosen one.
"use strict";

function applyTheme() {
  const chosen = document.cookie.match(/mailadmin_theme=(light|dark)/)?.[1] || "";
  const isDark = matchMedia("(prefers-color-scheme: dark)").matches;
  document.documentElement.dataset.bsTheme = chosen || (isDark ? "dark" : "light");
  return chosen;
}

document.documentElement.classList.add("js");
applyTheme();
