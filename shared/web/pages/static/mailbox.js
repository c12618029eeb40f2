// The form of a mailbox: nothing that was typed is lost while servers are looked for, settings tested and saved. All of
// it works without this script as well, with a page more between. Words come from the page (data-…).
"use strict";

const form = document.getElementById("form");

// ── the form's buttons: sent in the background, so that passwords survive whatever is wrong ──

function fieldsOf(action) {
  const fields = new FormData(form);
  fields.set("do", action);
  return fields;
}

async function ask(action, options = {}) {
  return fetch(form.action, { method: "POST", body: fieldsOf(action), ...options });
}

async function parsed(answer) {
  return new DOMParser().parseFromString(await answer.text(), "text/html");
}

function takePart(fresh, id) {
  const part = fresh.getElementById(id);
  if (part) document.getElementById(id).replaceWith(part);
}

// What the server says about fields; what stands in them stays.
function complain(fresh) {
  if (!fresh.getElementById("problems")) return fail(fresh);
  takePart(fresh, "problems");
  document.querySelector("[data-lost]")?.remove();
  for (const said of form.querySelectorAll(".error")) {
    said.textContent = fresh.getElementById(said.id)?.textContent ?? "";
    const field = document.getElementById(said.id.replace(/-error$/, ""));
    if (said.textContent) field.setAttribute("aria-invalid", "true");
    else field.removeAttribute("aria-invalid");
    if (said.textContent) field.closest("details")?.setAttribute("open", "");
  }
  form.elements.seen.value = fresh.querySelector("#form input[name=seen]").value;
  form.querySelector("[data-problems]")?.focus();
}

function clearProblems() {
  document.getElementById("problems").replaceChildren();
  for (const said of form.querySelectorAll(".error")) said.textContent = "";
  for (const field of form.querySelectorAll("[aria-invalid]")) field.removeAttribute("aria-invalid");
  document.getElementById("failed").hidden = true;
}

// Too often, not allowed, storage away: in the words of the answer, which names the seconds to wait (Retry-After).
function fail(fresh) {
  const failed = document.getElementById("failed");
  const said = [...(fresh?.querySelectorAll("[data-trouble] [data-part]") ?? [])].map((part) => part.textContent);
  failed.textContent = said.join(" ") || form.dataset.failed;
  failed.hidden = false;
  failed.scrollIntoView({ block: "nearest" });
}

// A button that works keeps the focus, which one that is disabled would lose.
function isBusy(button) {
  return button.hasAttribute("aria-disabled");
}

function setBusy(button, busy) {
  if (busy) button.setAttribute("aria-disabled", "true");
  else button.removeAttribute("aria-disabled");
}

async function save(button) {
  if (isBusy(button)) return;
  setBusy(button, true);
  try {
    const answer = await ask(button.value);
    if (answer.redirected) return location.assign(answer.url);
    complain(await parsed(answer));
  } catch {
    fail();
  } finally {
    setBusy(button, false);
  }
}

// ── finding the server ──

let foundFor = "";
async function discover(button) {
  const found = document.getElementById("found");
  if (isBusy(button)) return;
  clearProblems();
  setBusy(button, true);
  found.textContent = found.dataset.searching;
  const typed = new Map(new FormData(form));
  try {
    const answer = await ask("discover");
    const fresh = await parsed(answer);
    found.textContent = "";
    if (!answer.ok) return complain(fresh);
    takePart(fresh, "found");
    foundFor = form.elements.email.value;
    fillIn(fresh, typed);
  } catch {
    found.textContent = "";
    fail();
  } finally {
    setBusy(button, false);
  }
}

// Whatever was typed while it was looked for is newer.
function fillIn(fresh, typed) {
  for (const field of fresh.querySelectorAll("#form :is(input, select)[id]")) {
    const mine = document.getElementById(field.id);
    if (!mine || ["password", "checkbox"].includes(mine.type) || mine.value !== (typed.get(mine.name) ?? "")) continue;
    mine.value = field.value;
  }
  foundHost = form.elements.host.value;
  for (const port of ["port", "outgoing.port"]) delete form.elements[port].dataset.typed;
  showPorts();
}

// By itself only where no server was typed.
let foundHost = "";
function discoverIfEmpty() {
  const { email, host, server_type: kind } = form.elements;
  if (!/^[^@\s]+@[^@\s]+\.[^@\s]+$/.test(email.value) || email.value === foundFor) return;
  if (kind.value === "office365" || (host.value && host.value !== foundHost)) return;
  discover(form.querySelector("[data-discover]"));
}

// ── ports follow the security, until somebody types one ──

const ports = JSON.parse(form?.dataset.ports ?? "{}");

function showPort(port, usual) {
  port.placeholder = usual ?? "";
  if (port.dataset.typed) return;
  port.value = usual ?? "";
}

function usualPorts() {
  const { server_type: kind, security } = form.elements;
  return { port: ports[kind.value]?.[security.value], "outgoing.port": ports.outgoing[form.elements["outgoing.security"].value] };
}

function showPorts() {
  for (const [name, usual] of Object.entries(usualPorts())) showPort(form.elements[name], usual);
}

function watchPorts() {
  for (const [name, usual] of Object.entries(usualPorts())) {
    const port = form.elements[name];
    const mark = (value) => (value && value !== String(usualPorts()[name]) ? (port.dataset.typed = "1") : delete port.dataset.typed);
    mark(port.value, usual);
    port.addEventListener("input", () => mark(port.value));
  }
  for (const name of ["server_type", "security", "outgoing.security"]) form.elements[name].addEventListener("change", showPorts);
  showPorts();
}

// ── the acknowledgement as its reader will see it ──

function filled(template, fields) {
  return template.replace(/ ?\{(number|name|group|subject)\}/g, (match, name) => {
    const value = fields[name];
    return value && match.startsWith(" ") ? ` ${value}` : value;
  });
}

function preview() {
  const { subject, text, sample } = document.querySelector(".preview").dataset;
  const fields = { ...JSON.parse(sample), group: form.elements.group.value };
  document.getElementById("preview-subject").textContent = filled(form.elements.acknowledge_subject.value || subject, fields);
  document.getElementById("preview-text").textContent = filled(form.elements.acknowledge_text.value || text, fields);
}

// ── the mailbox's standing: what is pressed there must not cost what is typed in the form ──

async function act(pressed, submitter) {
  const fields = new FormData(pressed);
  if (submitter.name) fields.set(submitter.name, submitter.value);
  submitter.disabled = true;
  try {
    const fresh = await parsed(await fetch(pressed.action, { method: "POST", body: fields }));
    localise(fresh);
    if (!fresh.getElementById("live")) throw new Error("not this page");
    takePart(fresh, "live");
    takePart(fresh, "did");
    const seen = fresh.querySelector("#form input[name=seen]").value;
    for (const input of document.querySelectorAll("#form, .delete form")) input.elements.seen.value = seen;
    document.getElementById(submitter.id)?.focus();
  } catch {
    // The browser's own way says what is wrong.
    submitter.disabled = false;
    pressed.requestSubmit(submitter);
  }
}

function goTo(event, link) {
  const field = document.getElementById(decodeURIComponent(link.hash.slice(1)));
  if (!field) return;
  event.preventDefault();
  field.closest("details")?.setAttribute("open", "");
  field.focus();
  field.scrollIntoView({ block: "center" });
}

if (form) {
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    const button = event.submitter ?? form.querySelector("[name=do]");
    if (button.value === "test") test(button);
    else if (button.value === "discover") discover(button);
    else save(button);
  });
  form.addEventListener("input", preview);
  form.elements.email.addEventListener("change", discoverIfEmpty);
  foundFor = form.elements.email.value;
  document.getElementById("cancel").addEventListener("click", () => testing?.abort());
  watchPorts();
  preview();
  form.querySelector("[data-problems]")?.focus();
}

document.addEventListener("click", (event) => {
  const link = event.target.closest("#form a[href^='#']");
  if (link) goTo(event, link);
});
document.addEventListener("submit", (event) => {
  if (!event.target.closest("#live") || event.defaultPrevented || event.target.dataset.again) return;
  event.preventDefault();
  event.target.dataset.again = "1";
  act(event.target, event.submitter);
});

// Saved, and now to Microsoft: a link, because the page's policy lets no form lead elsewhere.
const go = document.querySelector("[data-go]");
if (go) {
  history.replaceState(null, "", location.pathname);
  location.assign(go.href);
} else if (location.search.includes("did=")) {
  // Keeping up asks for this address again, and must not say it again and again.
  history.replaceState(null, "", location.pathname);
}
