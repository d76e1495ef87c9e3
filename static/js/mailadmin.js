// What is nicer with JavaScript; nothing here is needed.
"use strict";

function on(selector, event, act) {
  document.addEventListener(event, (e) => {
    const element = e.target.closest && e.target.closest(selector);
    if (element) act(element, e);
  });
}

// Light and dark: as chosen, or as the system says
function showTheme() {
  const chosen = applyTheme();
  document.querySelectorAll("[data-theme]").forEach((button) => button.setAttribute("aria-pressed", String(button.dataset.theme === chosen)));
}
on("[data-theme]", "click", (button) => {
  const age = button.dataset.theme ? 31536000 : 0;
  document.cookie = `mailadmin_theme=${button.dataset.theme};path=/;max-age=${age};samesite=lax`;
  showTheme();
});
showTheme();

// Menus: one open at a time, closed by Escape and by a click beside them
function closeMenus(except) {
  document.querySelectorAll("details[data-popmenu][open]").forEach((menu) => { if (menu !== except) menu.open = false; });
  if (rowMenu && rowMenu !== except) closeRowMenu();
}
document.addEventListener("click", (event) => closeMenus(event.target.closest("details[data-popmenu], .rowmenu-list")));
document.addEventListener("keydown", (event) => {
  if (event.key !== "Escape") return;
  const open = document.querySelector("details[data-popmenu][open]");
  if (open) { open.open = false; open.querySelector("summary").focus(); }
  if (rowMenu) closeRowMenu(true);
});
// A menu that would leave the window opens towards the other side.
document.addEventListener("toggle", (event) => {
  const pop = event.target.matches?.("details[data-popmenu][open]") && event.target.querySelector(".pop");
  if (!pop) return;
  const box = pop.getBoundingClientRect();
  if (box.left < 8 || box.right > innerWidth - 8) {
    const isLeft = box.left < 8;
    pop.style.left = isLeft ? "0" : "auto";
    pop.style.right = isLeft ? "auto" : "0";
    const moved = pop.getBoundingClientRect();
    if (moved.right > innerWidth - 8) pop.style.left = `${innerWidth - 8 - moved.right}px`;
  }
}, true);
on(".menu-toggle", "click", (link, event) => {
  event.preventDefault();
  const open = document.getElementById("menu").classList.toggle("open");
  link.setAttribute("aria-expanded", String(open));
});
on("[data-toggle-class]", "click", (button) => document.querySelector(button.dataset.target).classList.toggle(button.dataset.toggleClass));
document.querySelector(".tabs [aria-current]")?.scrollIntoView({ block: "nearest", inline: "nearest" });
on("[data-dismiss]", "click", (button) => button.closest(".alert").remove());

// A change that a button asks for: sent like a form
function send(url, values) {
  const form = document.createElement("form");
  form.method = "post";
  form.action = url;
  const token = JSON.parse(document.body.getAttribute("hx-headers"))["X-CSRFToken"];
  for (const [name, each] of Object.entries({ csrfmiddlewaretoken: token, next: location.pathname + location.search, ...values })) {
    for (const value of [each].flat()) form.append(Object.assign(document.createElement("input"), { type: "hidden", name, value }));
  }
  document.body.append(form);
  form.submit();
}
on("[data-post]", "click", (button) => send(button.dataset.post, JSON.parse(button.dataset.values)));

// The menu of a row: made from the page's template, for the row whose button was pressed
let rowMenu = null;
let rowMenuButton = null;

function closeRowMenu(focus = false) {
  rowMenu.remove();
  rowMenu = null;
  rowMenuButton.setAttribute("aria-expanded", "false");
  if (focus) rowMenuButton.focus();
}

function openRowMenu(button, template) {
  const row = button.getAttribute("href").replace(/edit\/$/, "");
  const off = (button.dataset.off || "").split(" ");
  const key = button.closest("tr").querySelector("input[name=keys]")?.value || "";
  rowMenu = document.createElement("div");
  rowMenu.className = "rowmenu-list";
  rowMenu.setAttribute("role", "menu");
  rowMenu.append(template.content.cloneNode(true));
  rowMenu.querySelectorAll("a[data-path]").forEach((link) => { link.href = row + link.dataset.path; });
  rowMenu.querySelectorAll("a[data-explain]").forEach((link) => { link.href = link.dataset.explain + encodeURIComponent(key); });
  rowMenu.querySelectorAll("button[data-field]").forEach((item) => {
    if ((item.dataset.value === "1") !== off.includes(item.dataset.field)) item.remove();
    else item.addEventListener("click", () => send(`${row}toggle/`, { field: item.dataset.field, value: item.dataset.value }));
  });
  rowMenu.querySelectorAll("a, button").forEach((item) => item.setAttribute("role", "menuitem"));
  button.parentElement.append(rowMenu);
  rowMenuButton = button;
  button.setAttribute("aria-expanded", "true");
  const below = rowMenu.getBoundingClientRect();
  if (below.bottom > innerHeight && below.height < below.top) { rowMenu.style.top = "auto"; rowMenu.style.bottom = "100%"; }
  rowMenu.querySelector("a, button:enabled").focus();
}

const rowTemplate = document.getElementById("row-menu");
if (rowTemplate) {
  document.querySelectorAll(".rowmenu > a").forEach((button) => { button.setAttribute("aria-haspopup", "menu"); });
  on(".rowmenu > a", "click", (button, event) => {
    if (event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    event.stopPropagation();
    const again = rowMenuButton === button && rowMenu;
    closeMenus();
    if (!again) openRowMenu(button, rowTemplate);
  });
  on(".rowmenu-list", "keydown", (menu, event) => {
    const items = [...menu.querySelectorAll("a, button:enabled")];
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (event.key === "Tab") closeRowMenu(true);
    if (!step) return;
    event.preventDefault();
    items[(items.indexOf(document.activeElement) + step + items.length) % items.length].focus();
  });
}

// The whole text of what is cut off in a list
on(".list td", "mouseover", (cell) => { if (cell.scrollWidth > cell.clientWidth && !cell.title && !cell.querySelector("[title]")) cell.title = cell.innerText; });

// Links back to a list lead to its last filter and page
const listSearch = (path) => `list ${path}`;
if (document.querySelector("table.list, .filters")) sessionStorage.setItem(listSearch(location.pathname), location.search);
document.querySelectorAll("a[data-list-link]").forEach((link) => {
  const search = sessionStorage.getItem(listSearch(link.pathname)) || "";
  const domain = (text) => new URLSearchParams(text).get("domain");
  if (search && (!link.search || domain(link.search) === domain(search))) link.search = search;
});

// A shorter hint in a field that is too narrow for the usual one
const phone = matchMedia("(max-width: 575.98px)");
function showPlaceholders() {
  document.querySelectorAll("[data-short-placeholder]").forEach((field) => {
    field.dataset.placeholder ||= field.placeholder;
    field.placeholder = phone.matches ? field.dataset.shortPlaceholder : field.dataset.placeholder;
  });
}
phone.addEventListener("change", showPlaceholders);
showPlaceholders();

// The command palette
const palette = document.getElementById("palette");
if (palette) {
  const field = document.getElementById("palette-q");
  const links = () => [...palette.querySelectorAll("a")];
  // Enter opens the first result of what is typed, once that has been looked up.
  let isCurrent = false;
  let isEntered = false;
  field.addEventListener("input", () => { isCurrent = isEntered = false; document.getElementById("palette-results").replaceChildren(); });
  palette.addEventListener("htmx:afterSwap", (event) => {
    isCurrent = event.detail.requestConfig.parameters.q === field.value;
    if (isCurrent && isEntered && links().length) location.href = links()[0].href;
  });
  document.addEventListener("keydown", (event) => {
    const typing = event.target.closest?.("input, textarea, select, [contenteditable]");
    if ((event.key === "k" && (event.ctrlKey || event.metaKey)) || (event.key === "/" && !typing && !event.ctrlKey)) {
      event.preventDefault();
      if (!palette.open) palette.showModal();
      field.select();
    }
  });
  palette.addEventListener("keydown", (event) => {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (!step || !links().length) return;
    event.preventDefault();
    const all = [field, ...links()];
    all[(all.indexOf(document.activeElement) + step + all.length) % all.length].focus();
  });
  palette.querySelector("form").addEventListener("submit", (event) => {
    if (isCurrent && !links().length) return;
    event.preventDefault();
    if (isCurrent) location.href = links()[0].href;
    else isEntered = true;
  });
  palette.addEventListener("click", (event) => { if (event.target === palette) palette.close(); });
}

// A choice that acts at once, for the pointer; with keys one passes over the others, and Enter chooses
let byPointer = false;
document.addEventListener("pointerdown", () => { byPointer = true; }, true);
document.addEventListener("keydown", () => { byPointer = false; }, true);
on("[data-submit]", "change", (select) => { if (byPointer) select.form.requestSubmit(); });
on("[data-submit]", "keydown", (select, event) => { if (event.key === "Enter") { event.preventDefault(); select.form.requestSubmit(); } });

// Selected rows: how many, and what can be done with them
on("[data-select-all]", "change", (box) => {
  document.querySelectorAll("input[name=keys]").forEach((input) => { input.checked = box.checked; });
  showSelection();
});
on("input[name=keys], [data-select-everything]", "change", showSelection);

function showSelection() {
  const bar = document.querySelector("[data-selection]");
  if (!bar) return;
  const count = document.querySelectorAll("input[name=keys]:checked").length;
  const everything = document.querySelector("[data-select-everything]")?.checked;
  const form = new Intl.PluralRules(document.documentElement.lang).select(count);
  const text = everything ? bar.dataset.all : bar.dataset[form].replace(/\d+/, count);
  bar.classList.toggle("shown", Boolean(count || everything));
  document.querySelectorAll("[data-selection-text]").forEach((place) => { place.textContent = count || everything ? text : ""; });
}
showSelection();

document.addEventListener("htmx:responseError", (event) => {
  // The page itself then says what is wrong; a part that it loads by itself would do so for ever.
  if (event.detail.xhr.status !== 422 && event.detail.elt.getAttribute("hx-trigger") !== "load") location.reload();
});
document.addEventListener("htmx:beforeSwap", (event) => {
  if (event.detail.xhr.status === 401 || event.detail.xhr.responseURL.includes("/login/")) location.reload();
});

// The first wrong field
document.querySelector(".is-invalid:not([hidden]):not([type=hidden])")?.focus();
