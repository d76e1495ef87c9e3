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
  const dark = matchMedia("(prefers-color-scheme: dark)").matches;
  const chosen = document.cookie.match(/mailadmin_theme=(light|dark)/)?.[1];
  document.documentElement.dataset.bsTheme = chosen || (dark ? "dark" : "light");
  document.querySelectorAll("[data-theme]").forEach((button) => button.setAttribute("aria-pressed", String(button.dataset.theme === (chosen || ""))));
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
on(".menu-toggle", "click", (link, event) => {
  event.preventDefault();
  const open = document.getElementById("menu").classList.toggle("open");
  link.setAttribute("aria-expanded", String(open));
});
on("[data-toggle-class]", "click", (button) => document.querySelector(button.dataset.target).classList.toggle(button.dataset.toggleClass));
on("[data-dismiss]", "click", (button) => button.closest(".alert").remove());

// A change that a button asks for: sent like a form
function send(url, values) {
  const form = document.createElement("form");
  form.method = "post";
  form.action = url;
  const token = JSON.parse(document.body.getAttribute("hx-headers"))["X-CSRFToken"];
  for (const [name, value] of Object.entries({ csrfmiddlewaretoken: token, next: location.pathname + location.search, ...values })) {
    form.append(Object.assign(document.createElement("input"), { type: "hidden", name, value }));
  }
  document.body.append(form);
  form.submit();
}
on("[data-post]", "click", (button) => send(button.dataset.post, { field: button.dataset.field, value: button.dataset.value }));

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
  rowMenu.querySelector("a, button").focus();
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
    const items = [...menu.querySelectorAll("a, button")];
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
  const search = sessionStorage.getItem(listSearch(link.pathname));
  if (search && !link.search) link.search = search;
});

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
  const count = document.querySelectorAll("input[name=keys]:checked").length;
  const everything = document.querySelector("[data-select-everything]")?.checked;
  document.querySelectorAll("[data-selected-count]").forEach((place) => { place.textContent = String(count); });
  document.querySelectorAll("[data-selection]").forEach((bar) => bar.classList.toggle("shown", Boolean(count || everything)));
}
showSelection();

// A new password: how strong, and one made here
const LETTERS = "abcdefghijkmnpqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ";
const DIGITS = "23456789";

function pickFrom(alphabet) {
  const number = new Uint32Array(1);
  do crypto.getRandomValues(number); while (number[0] >= Math.floor(2 ** 32 / alphabet.length) * alphabet.length);
  return alphabet[number[0] % alphabet.length];
}

function generatePassword() {
  const letters = Array.from({ length: 16 }, () => pickFrom(LETTERS + DIGITS));
  const good = /[a-z].*[a-z].*[a-z]/i.test(letters.join("")) && letters.filter((c) => DIGITS.includes(c)).length >= 2;
  return good ? letters.join("") : generatePassword();
}

function strength(text) {
  const kinds = [/[a-z]/, /[A-Z]/, /[0-9]/, /[^a-zA-Z0-9]/].filter((kind) => kind.test(text)).length;
  const bits = new Set(text).size * (2 + kinds);
  return Math.min(100, Math.round((100 * bits) / 80));
}

document.querySelectorAll("input[data-password=new]").forEach((input) => {
  const texts = document.getElementById("password-texts").dataset;
  const again = document.querySelector("input[data-password=again]");
  const tools = document.createElement("div");
  tools.className = "password-tools";
  tools.innerHTML = '<meter min="0" max="100" low="40" high="70" optimum="100"></meter>';
  const [meter] = tools.children;
  meter.setAttribute("aria-label", texts.strength);
  const tool = (text, act) => {
    const button = Object.assign(document.createElement("button"), { type: "button", textContent: text, className: "btn btn-sm btn-outline-secondary" });
    button.addEventListener("click", () => act(button));
    tools.append(button);
    return button;
  };
  const show = () => { meter.value = input.value ? strength(input.value) : 0; if (again) again.value = input.value; };
  tool(texts.generate, () => { input.value = generatePassword(); reveal.setVisible(true); show(); input.dispatchEvent(new Event("change")); });
  const reveal = tool(texts.show, () => reveal.setVisible(input.type === "password"));
  reveal.setVisible = (visible) => { input.type = visible ? "text" : "password"; reveal.textContent = visible ? texts.hide : texts.show; };
  tool(texts.copy, async (button) => {
    await navigator.clipboard.writeText(input.value);
    button.textContent = texts.copied;
    setTimeout(() => { button.textContent = texts.copy; }, 2000);
  });
  input.after(tools);
  input.addEventListener("input", show);
  // What was typed is kept in the browser while the form shows an error, and for the page that hands it over.
  const form = input.form;
  const address = () => {
    const [local, domain] = ["local_part", "domain"].map((name) => form.elements[name]?.value.trim().toLowerCase() || "");
    return local && domain ? `${local.split("@")[0]}@${domain}` : "";
  };
  form.addEventListener("submit", () => {
    show();
    sessionStorage.setItem("password", JSON.stringify({ path: location.pathname, value: input.value, address: address() }));
  });
  const kept = JSON.parse(sessionStorage.getItem("password") || "null");
  if (kept?.path === location.pathname && document.getElementById("form-errors") && !input.classList.contains("is-invalid")) { input.value = kept.value; show(); }
});

// The password of a new mailbox, shown once on the page that hands it over
document.querySelectorAll("[data-handover-password]").forEach((place) => {
  const kept = JSON.parse(sessionStorage.getItem("password") || "null");
  sessionStorage.removeItem("password");
  if (kept?.address === place.dataset.handoverPassword) place.textContent = kept.value;
});
if (!document.querySelector("input[data-password]")) sessionStorage.removeItem("password");

on("[data-copy-from]", "click", async (button) => {
  const source = document.querySelector(button.dataset.copyFrom);
  const rows = [...source.querySelectorAll("dt")].map((term) => `${term.innerText.trim()}: ${term.nextElementSibling.innerText.trim()}`);
  await navigator.clipboard.writeText(rows.length ? rows.join("\n") : source.innerText.trim());
  button.append(` ✓ ${button.dataset.copied}`);
});
on("[data-print]", "click", () => print());

// A whole address pasted as the local part is taken apart
document.querySelectorAll("input[name=local_part]").forEach((input) => {
  input.addEventListener("change", () => {
    const [local, domain, ...more] = input.value.trim().split("@");
    const field = input.form.elements.domain;
    if (!domain || more.length || !field) return;
    if (field.tagName === "SELECT" && ![...field.options].some((option) => option.value === domain.toLowerCase())) return;
    input.value = local;
    field.value = domain.toLowerCase();
    field.dispatchEvent(new Event("change", { bubbles: true }));
  });
});

// What was typed survives the end of a session: kept when a form is sent, offered after signing in again
document.querySelectorAll("form[data-draft]").forEach((form) => {
  form.addEventListener("submit", () => {
    const values = [...form.elements].filter((field) => field.name && field.type !== "password" && field.type !== "hidden")
      .map((field) => [field.name, field.type === "checkbox" ? field.checked : field.value]);
    sessionStorage.setItem("draft", JSON.stringify({ path: location.pathname, values, at: Date.now() }));
  });
});
(function () {
  const draft = JSON.parse(sessionStorage.getItem("draft") || "null");
  if (!draft) return;
  const login = document.querySelector(".login-page input[name=next]");
  const store = (change) => sessionStorage.setItem("draft", JSON.stringify({ ...draft, ...change }));
  if (login) {
    if (Date.now() - draft.at < 120000 || draft.interrupted) { login.value ||= draft.path; store({ interrupted: true }); }
    return;
  }
  const form = document.querySelector("form[data-draft]");
  if (draft.interrupted && form && location.pathname === draft.path) {
    for (const [name, value] of draft.values) {
      const field = form.elements[name];
      if (field?.type === "checkbox") field.checked = value;
      else if (field) field.value = value;
    }
  }
  sessionStorage.removeItem("draft");
})();

// Domains of an admin: checked one by one instead of typed
document.querySelectorAll("textarea[data-picker]").forEach((area) => {
  const texts = document.getElementById("picker-texts").dataset;
  const box = document.createElement("div");
  const list = document.createElement("ul");
  const search = document.createElement("input");
  const choices = document.createElement("datalist");
  box.className = "picker";
  list.className = "picker-list";
  choices.id = `${area.id}-choices`;
  search.className = "form-control";
  search.setAttribute("list", choices.id);
  search.placeholder = texts.search;
  search.autocomplete = "off";
  box.append(list, search, choices);
  area.after(box);
  area.hidden = true;
  search.id = `${area.id}-search`;
  document.querySelector(`label[for="${area.id}"]`)?.setAttribute("for", search.id);
  if (area.classList.contains("is-invalid")) search.classList.add("is-invalid");
  if (area.getAttribute("aria-describedby")) search.setAttribute("aria-describedby", area.getAttribute("aria-describedby"));

  const names = () => area.value.split(/[\s,]+/).filter(Boolean);
  const keep = (all) => { area.value = all.join("\n"); draw(); };
  function draw() {
    list.replaceChildren(...names().slice(0, 200).map((name) => {
      const item = document.createElement("li");
      const remove = document.createElement("button");
      item.textContent = name;
      remove.type = "button";
      remove.textContent = "×";
      remove.setAttribute("aria-label", texts.remove.replace("{name}", name));
      remove.addEventListener("click", () => { keep(names().filter((other) => other !== name)); search.focus(); });
      item.append(remove);
      return item;
    }));
    const hidden = names().length - 200;
    if (hidden > 0) list.append(Object.assign(document.createElement("li"), { textContent: `+ ${hidden}` }));
  }
  function add() {
    const name = search.value.trim().toLowerCase();
    if (name && !names().includes(name)) keep([...names(), name]);
    search.value = "";
  }
  let waiting;
  search.addEventListener("input", (event) => {
    if ([...choices.children].some((option) => option.value === search.value) && event.inputType !== "insertText") return add();
    clearTimeout(waiting);
    waiting = setTimeout(async () => {
      const answer = await fetch(`${texts.url}?q=${encodeURIComponent(search.value)}`);
      if (answer.ok) choices.innerHTML = await answer.text();
    }, 150);
  });
  search.addEventListener("keydown", (event) => {
    if (event.key === "Enter" || event.key === ",") { event.preventDefault(); add(); }
  });
  area.form.addEventListener("submit", add);
  draw();
});

document.addEventListener("htmx:responseError", (event) => {
  if (event.detail.xhr.status !== 422) location.reload(); // the page itself then says what is wrong
});
document.addEventListener("htmx:beforeSwap", (event) => {
  if (event.detail.xhr.status === 401 || event.detail.xhr.responseURL.includes("/login/")) location.reload();
});

// The first wrong field
document.querySelector(".is-invalid:not([hidden]):not([type=hidden])")?.focus();
