// What is nicer in forms with JavaScript; nothing here is needed. `on` is that of mailadmin.js.
"use strict";

// Passwords: shown by a button; of a new one how strong it is, and one made here
const passwordTexts = document.getElementById("password-texts")?.dataset;

function addPasswordTools(input) {
  const tools = document.createElement("div");
  tools.className = "password-tools";
  input.after(tools);
  return tools;
}

function addPasswordTool(tools, text, act) {
  const button = Object.assign(document.createElement("button"), { type: "button", textContent: text, className: "btn btn-sm btn-outline-secondary" });
  button.addEventListener("click", () => act(button));
  tools.append(button);
  return button;
}

function addReveal(tools, input) {
  const setVisible = (visible) => { input.type = visible ? "text" : "password"; button.setAttribute("aria-pressed", String(visible)); };
  const button = addPasswordTool(tools, passwordTexts.show, () => setVisible(input.type === "password"));
  button.setAttribute("aria-controls", input.id);
  setVisible(false);
  input.form.addEventListener("submit", () => setVisible(false)); // browsers keep what is in text fields
  return setVisible;
}

document.querySelectorAll("input[data-password=current]").forEach((input) => addReveal(addPasswordTools(input), input));

const LETTERS = "abcdefghijkmnpqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ";
const DIGITS = "23456789";

function pickFrom(alphabet) {
  const number = new Uint32Array(1);
  do crypto.getRandomValues(number); while (number[0] >= Math.floor(2 ** 32 / alphabet.length) * alphabet.length);
  return alphabet[number[0] % alphabet.length];
}

function generatePassword(length) {
  const letters = Array.from({ length }, () => pickFrom(LETTERS + DIGITS));
  const good = /[a-z].*[a-z].*[a-z]/i.test(letters.join("")) && letters.filter((c) => DIGITS.includes(c)).length >= 2;
  return good ? letters.join("") : generatePassword(length);
}

function strength(text) {
  const kinds = [/[a-z]/, /[A-Z]/, /[0-9]/, /[^a-zA-Z0-9]/].filter((kind) => kind.test(text)).length;
  const bits = new Set(text).size * (2 + kinds);
  return Math.min(100, Math.round((100 * bits) / 80));
}

const toAscii = (domain) => (URL.canParse(`http://${domain}`) ? new URL(`http://${domain}`).hostname : domain);

// The rules below a new password give way to those that it breaks.
function checkWhileTyping(input, address) {
  const place = document.getElementById(`${input.id}_helptext`);
  if (!place) return;
  const rules = place.innerHTML;
  let timer;
  const check = async () => {
    const password = input.value;
    const headers = JSON.parse(document.body.getAttribute("hx-headers"));
    const body = new URLSearchParams({ password, address: address() });
    const response = password && await fetch(passwordTexts.check, { method: "POST", headers, body }).catch(() => null);
    const text = response?.ok && !response.redirected ? await response.text() : rules;
    if (input.value === password) place.innerHTML = text; // otherwise typing went on meanwhile
  };
  place.setAttribute("aria-live", "polite");
  ["input", "change"].forEach((name) => input.addEventListener(name, () => { clearTimeout(timer); timer = setTimeout(check, 400); }));
}

// Kept from one page to the next, and no longer.
const keptPassword = JSON.parse(sessionStorage.getItem("password") || "null");
sessionStorage.removeItem("password");

document.querySelectorAll("input[data-password=new]").forEach((input) => {
  const again = document.querySelector("input[data-password=again]");
  const tools = addPasswordTools(input);
  tools.innerHTML = '<meter min="0" max="100" low="40" high="70" optimum="100"></meter>';
  const [meter] = tools.children;
  meter.setAttribute("aria-label", passwordTexts.strength);
  const show = () => { meter.value = input.value ? strength(input.value) : 0; if (again) again.value = input.value; };
  addPasswordTool(tools, passwordTexts.generate, () => { input.value = generatePassword(Math.max(16, input.dataset.length)); setVisible(true); show(); input.dispatchEvent(new Event("change")); });
  const setVisible = addReveal(tools, input);
  addPasswordTool(tools, passwordTexts.copy, async (button) => {
    await navigator.clipboard.writeText(input.value);
    button.textContent = passwordTexts.copied;
    setTimeout(() => { button.textContent = passwordTexts.copy; }, 2000);
  });
  input.addEventListener("input", show);
  // What was typed is kept in the browser while the form shows an error, and for the page that hands it over.
  const form = input.form;
  const address = () => {
    const typed = ["local_part", "domain"].map((name) => form.elements[name]?.value.trim().toLowerCase() || "");
    const [local, domain] = form.elements.username ? form.elements.username.value.trim().toLowerCase().split("@") : typed;
    if (local && domain) return `${local.split("@")[0]}@${toAscii(domain)}`;
    return input.dataset.address || "";
  };
  checkWhileTyping(input, address);
  form.addEventListener("submit", () => {
    show();
    sessionStorage.setItem("password", JSON.stringify({ path: location.pathname, value: input.value, address: address() }));
  });
  if (keptPassword?.path === location.pathname && document.getElementById("form-errors") && !input.classList.contains("is-invalid")) { input.value = keptPassword.value; show(); }
});

// A new password, shown once on the page that hands it over
document.querySelectorAll("[data-handover-password]").forEach((place) => {
  if (keptPassword?.address !== place.dataset.handoverPassword) return;
  place.textContent = keptPassword.value;
  document.querySelector("[data-handover-note]").hidden = false;
});

on("[data-copy-from]", "click", async (button) => {
  const source = document.querySelector(button.dataset.copyFrom);
  const rows = [...source.querySelectorAll("dt")].map((term) => `${term.innerText.trim()}: ${term.nextElementSibling.innerText.trim()}`);
  await navigator.clipboard.writeText(rows.length ? rows.join("\n") : source.innerText.trim());
  button.append(` ✓ ${button.dataset.copied}`);
});
on("[data-print]", "click", () => print());

// The response shows a secret once: a second click would replace it by another page
on("form[data-once]", "submit", (form, e) => {
  if (form.dataset.sent) e.preventDefault();
  form.dataset.sent = "yes";
});
addEventListener("pageshow", () => document.querySelectorAll("form[data-once]").forEach((form) => { delete form.dataset.sent; }));

// A whole address pasted as the local part is taken apart, if its domain can be selected
document.querySelectorAll("input[name=local_part]").forEach((input) => {
  input.addEventListener("change", () => {
    const [local, domain, ...more] = input.value.trim().split("@");
    const field = input.form.elements.domain;
    if (!domain || more.length || !field) return;
    const name = toAscii(domain.toLowerCase());
    if (field.tagName === "SELECT" && ![...field.options].some((option) => option.value === name)) return;
    input.value = local;
    field.value = field.tagName === "SELECT" ? name : domain.toLowerCase();
    field.dispatchEvent(new Event("change", { bubbles: true }));
  });
});

// What was typed survives the end of a session: kept when a form is sent, offered after signing in again
const person = () => document.querySelector(".whoami")?.title || "";
document.querySelectorAll("form[data-draft]").forEach((form) => {
  form.addEventListener("submit", () => {
    const values = [...form.elements].filter((field) => field.name && field.type !== "password" && field.type !== "hidden")
      .map((field) => [field.name, field.type === "checkbox" ? field.checked : field.value]);
    sessionStorage.setItem("draft", JSON.stringify({ path: location.pathname + location.search, person: person(), values, at: Date.now() }));
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
  if (draft.interrupted && form && location.pathname + location.search === draft.path && draft.person === person()) {
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

// The quota that fits into the chosen domain, unless another was typed
document.addEventListener("suggestedquota", (event) => {
  const field = document.getElementById("id_quota");
  if (field && field.value === field.defaultValue) field.value = field.defaultValue = String(event.detail.value);
});

// A catch-all has no local part
document.querySelectorAll("input[name=catch_all]").forEach((box) => {
  const local = box.form.elements.local_part;
  const show = () => { local.disabled = box.checked; if (box.checked) local.value = ""; };
  box.addEventListener("change", show);
  show();
});
