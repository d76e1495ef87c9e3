// What is nicer with JavaScript; nothing here is needed.
"use strict";

function on(selector, event, act) {
  document.addEventListener(event, (e) => {
    const element = e.target.closest && e.target.closest(selector);
    if (element) act(element, e);
  });
}

// Light and dark
on("#theme-toggle", "click", () => {
  const root = document.documentElement;
  root.dataset.bsTheme = root.dataset.bsTheme === "dark" ? "light" : "dark";
  document.cookie = `mailadmin_theme=${root.dataset.bsTheme};path=/;max-age=31536000;samesite=lax`;
});

// A choice that acts at once, for the pointer; with keys one passes over the others, and Enter chooses
let byPointer = false;
document.addEventListener("pointerdown", () => { byPointer = true; }, true);
document.addEventListener("keydown", () => { byPointer = false; }, true);
on("[data-submit]", "change", (select) => { if (byPointer) select.form.requestSubmit(); });
on("[data-submit]", "keydown", (select, event) => { if (event.key === "Enter") { event.preventDefault(); select.form.requestSubmit(); } });

// Tick all rows of the page
on("[data-select-all]", "change", (box) => {
  document.querySelectorAll("input[name=keys]").forEach((input) => { input.checked = box.checked; });
  countTicks();
});
on("input[name=keys]", "change", countTicks);

function countTicks() {
  const count = document.querySelectorAll("input[name=keys]:checked").length;
  document.querySelectorAll("[data-selected-count]").forEach((place) => { place.textContent = count ? `(${count})` : ""; });
}

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
  const tools = document.createElement("div");
  tools.className = "password-tools";
  tools.innerHTML = '<meter min="0" max="100" low="40" high="70" optimum="100"></meter><output></output>';
  const [meter, output] = tools.children;
  meter.setAttribute("aria-label", texts.strength);
  const button = document.createElement("button");
  button.type = "button";
  button.className = "btn btn-sm btn-outline-secondary";
  button.textContent = texts.generate;
  tools.append(button);
  input.after(tools);
  const show = () => { meter.value = input.value ? strength(input.value) : 0; };
  input.addEventListener("input", () => { show(); output.textContent = ""; input.type = "password"; });
  button.addEventListener("click", () => {
    const again = document.querySelector("input[data-password=again]");
    input.value = generatePassword();
    if (again) again.value = input.value;
    input.type = "text";
    output.textContent = texts.note;
    show();
    input.focus();
    input.select();
  });
});

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

// A refused switch says why
document.addEventListener("refused", (event) => {
  const place = document.getElementById("messages");
  place.replaceChildren(...event.detail.value.map((text) => {
    const alert = document.createElement("div");
    alert.className = "alert alert-danger";
    alert.setAttribute("role", "alert");
    alert.textContent = text;
    return alert;
  }));
  place.scrollIntoView({ block: "nearest" });
});
document.addEventListener("htmx:responseError", (event) => {
  if (event.detail.xhr.status !== 422) location.reload(); // the page itself then says what is wrong
});
document.addEventListener("htmx:beforeSwap", (event) => {
  if (event.detail.xhr.status === 401 || event.detail.xhr.responseURL.includes("/login/")) location.reload();
});

// The first wrong field
document.querySelector(".is-invalid:not([hidden])")?.focus();
