// Before the first paint: the chosen theme, else the system's. Without JavaScript the server sets the chosen one.
(function () {
  const root = document.documentElement;
  root.classList.add("js");
  const dark = matchMedia("(prefers-color-scheme: dark)");
  if (!root.dataset.bsTheme) root.dataset.bsTheme = dark.matches ? "dark" : "light";
})();
