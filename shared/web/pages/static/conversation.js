// The conversation keeps up by itself without touching what somebody reads or writes; drafts stay in this tab until
// they are sent. Everything works without this script as well. Words come from the page (data-…).
"use strict";

const notes = document.getElementById("notes");

// ── keeping up: new notes are added, parts that live on (data-live) are replaced one by one ──

function replacePart(fresh) {
  const old = document.getElementById(fresh.id);
  if (!old || old.innerHTML === fresh.innerHTML) return;
  // Nothing moves away from under a hand: the next round tries again.
  if (old.contains(document.activeElement) || old.matches(":hover")) return;
  old.replaceWith(fresh);
}

function addNotes(page) {
  const last = notes.lastElementChild?.id;
  const fresh = [...page.querySelectorAll("#notes > li[id]")].filter((note) => !document.getElementById(note.id));
  if (!fresh.length || !last) return;
  notes.append(...fresh);
  tellWriters(page);
}

// Whoever is writing is told, and may send: he has been told.
function tellWriters(page) {
  const seen = page.querySelector("input[name=seen]")?.value;
  if (!seen) return;
  for (const input of document.querySelectorAll("input[name=seen]")) input.value = seen;
  const news = document.getElementById("news");
  if (!news || !document.querySelector(".writing[open]")) return;
  news.textContent = news.dataset.said;
  news.hidden = false;
}

let conversationTag = "";
async function catchUp() {
  if (document.hidden || !getSelection().isCollapsed) return;
  const answer = await fetch(location.href, { headers: conversationTag ? { "If-None-Match": conversationTag } : {} });
  if (answer.redirected) return location.reload();
  if (answer.status !== 200) return;
  conversationTag = answer.headers.get("ETag") ?? "";
  const page = new DOMParser().parseFromString(await answer.text(), "text/html");
  localise(page);
  for (const part of page.querySelectorAll("[data-live]")) replacePart(part);
  addNotes(page);
  notes.dataset.every = page.getElementById("notes")?.dataset.every ?? notes.dataset.every;
}

function follow() {
  setTimeout(() => {
    // A network that is away for a moment is no news.
    catchUp().catch(() => {});
    follow();
  }, notes.dataset.every * 1000);
}

// ── drafts ──

function draftOf(form) {
  const fields = [...new FormData(form)].filter(([name]) => ["text", "to", "cc", "status"].includes(name));
  return Object.fromEntries(fields);
}

function keepDraft(form) {
  const draft = draftOf(form);
  if (draft.text) sessionStorage.setItem(form.dataset.draft, JSON.stringify(draft));
  else sessionStorage.removeItem(form.dataset.draft);
}

function restoreDraft(form) {
  const kept = sessionStorage.getItem(form.dataset.draft);
  // What the server sends back is newer.
  if (!kept || form.elements.text.value) return;
  for (const [name, value] of Object.entries(JSON.parse(kept))) form.elements[name].value = value;
  form.closest("details").open = true;
}

// ── sending: in the background, so that files and words survive whatever is wrong ──

async function send(form) {
  const button = form.querySelector(".ending button");
  if (button.disabled) return;
  button.disabled = true;
  try {
    const answer = await fetch(form.action, { method: "POST", body: new FormData(form) });
    if (answer.redirected) {
      sessionStorage.removeItem(form.dataset.draft);
      return arrive(answer.url);
    }
    complain(form, new DOMParser().parseFromString(await answer.text(), "text/html"));
  } catch {
    // The browser's own way says what is wrong with the network; the draft is kept.
    form.submit();
  }
  button.disabled = false;
}

// The same page with another #note is not loaded again by itself.
function arrive(address) {
  const before = location.pathname + location.search;
  location.assign(address);
  if (location.pathname + location.search === before) location.reload();
}

function complain(form, page) {
  localise(page);
  for (const part of page.querySelectorAll("[data-live]")) replacePart(part);
  addNotes(page);
  const found = page.querySelector("[data-problems]") ?? page.querySelector("[data-trouble]");
  form.querySelector("[data-problems]")?.remove();
  if (!found) return form.submit();
  found.dataset.problems = "";
  found.querySelector("[data-files-lost]")?.remove();
  form.querySelector("h2").after(found);
  for (const field of form.querySelectorAll("[name]")) {
    const wrong = page.getElementById(field.id)?.hasAttribute("aria-invalid");
    field.toggleAttribute("aria-invalid", Boolean(wrong));
    if (wrong) field.setAttribute("aria-invalid", "true");
  }
  found.tabIndex = -1;
  found.focus();
}

// Arrived after sending: the draft has served, and reloading must not say so again.
const written = new URLSearchParams(location.search).get("written");
if (written) {
  const kind = document.querySelector(`#note-${CSS.escape(written)} > .internal`) ? "internal" : "answer";
  sessionStorage.removeItem(`${kind}-${notes.dataset.number}`);
  for (const form of document.querySelectorAll(`[data-draft^="${kind}-"]`)) form.reset();
  history.replaceState(null, "", location.pathname + location.hash);
  document.getElementById(`note-${written}`)?.scrollIntoView({ block: "center" });
}

for (const form of document.querySelectorAll("[data-draft]")) {
  restoreDraft(form);
  form.addEventListener("input", () => keepDraft(form));
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    send(form);
  });
}

// A field that is named in a list of problems is gone to and may be written in at once.
document.addEventListener("click", (event) => {
  const link = event.target.closest("[data-problems] a[href^='#']");
  const field = link && document.getElementById(link.hash.slice(1));
  if (!field) return;
  event.preventDefault();
  field.focus();
});

document.querySelector("[data-problems]")?.focus();
if (notes?.dataset.every) follow();
