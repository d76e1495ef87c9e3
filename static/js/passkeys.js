// Passkeys: the browser's answer goes into a hidden field, and the form is sent as any other.
"use strict";

const canUsePasskeys = Boolean(window.PublicKeyCredential?.parseRequestOptionsFromJSON);
const OPTIONS_LIFETIME = 480_000; // milliseconds; the server accepts them for ten minutes
let waitingRequest = null; // what the field of the address offers, until another request is made

document.querySelectorAll("[data-passkeys-unsupported]").forEach((note) => { note.hidden = canUsePasskeys; });
document.querySelectorAll("form[data-passkey-create], form[data-passkey-request], form[data-passkey-login]").forEach((form) => {
  form.hidden = !canUsePasskeys;
  form.addEventListener("submit", (event) => {
    if (form.elements.credential.value) return;
    event.preventDefault();
    if (form.reportValidity()) answer(form); // the device makes no passkey without a name
  });
});

async function answer(form) {
  const note = form.querySelector("[data-passkey-failed]");
  note.hidden = true;
  waitingRequest?.abort();
  try {
    sendAnswer(form, await askBrowser(form));
  } catch (error) {
    note.hidden = error.name === "AbortError";
  }
}

async function askBrowser(form) {
  if (form.dataset.passkeyCreate) {
    const publicKey = PublicKeyCredential.parseCreationOptionsFromJSON(JSON.parse(form.dataset.passkeyCreate));
    return navigator.credentials.create({ publicKey });
  }
  const options = form.dataset.passkeyRequest ? JSON.parse(form.dataset.passkeyRequest) : await fetchOptions(form);
  return navigator.credentials.get({ publicKey: PublicKeyCredential.parseRequestOptionsFromJSON(options) });
}

async function fetchOptions(form) {
  const response = await fetch(form.dataset.passkeyLogin, { headers: { Accept: "application/json" } });
  if (!response.ok) throw new Error(`status ${response.status}`);
  return response.json();
}

function sendAnswer(form, credential) {
  form.elements.credential.value = JSON.stringify(credential.toJSON());
  form.requestSubmit();
}

// On the page of the sign-in, the browser offers passkeys in the field of the address
async function offerInField(form) {
  if (!canUsePasskeys || !(await PublicKeyCredential.isConditionalMediationAvailable?.())) return;
  const request = new AbortController();
  waitingRequest = request;
  setTimeout(() => { if (waitingRequest === request) { request.abort(); offerInField(form); } }, OPTIONS_LIFETIME);
  try {
    const publicKey = PublicKeyCredential.parseRequestOptionsFromJSON(await fetchOptions(form));
    sendAnswer(form, await navigator.credentials.get({ publicKey, mediation: "conditional", signal: request.signal }));
  } catch { /* another request has begun, or the browser offers none */ }
}

const loginForm = document.querySelector("form[data-passkey-login]");
if (loginForm) offerInField(loginForm);
