// Single keys for people who answer all day. Off while somebody types, and for whoever switches them off (WCAG 2.1.4).
"use strict";

const KEYS_OFF = "keys-off";
const help = document.getElementById("keys");

function isTyping(target) {
  return target.closest?.("input:not([type=checkbox]), textarea, select, [contenteditable]");
}

// Items to walk through: the notes of a conversation, or the incidents, mails and mailboxes of a list.
function walk(step) {
  const items = [...document.querySelectorAll("#notes .note, #live .item")];
  if (!items.length) return;
  const at = items.findIndex((item) => item.contains(document.activeElement));
  const next = items[at < 0 ? (step > 0 ? 0 : items.length - 1) : at + step];
  next?.focus();
  next?.scrollIntoView({ block: "nearest" });
}

function write(id) {
  const writing = document.getElementById(id);
  if (!writing) return;
  writing.open = true;
  (writing.querySelector("textarea") ?? writing).focus();
  writing.scrollIntoView({ block: "nearest" });
}

// On pages without a search of their own: the one of the incidents.
function search() {
  const field = document.getElementById("q");
  if (field) field.focus();
  else location.assign("/#q");
}

const ACTIONS = {
  j: () => walk(1),
  k: () => walk(-1),
  r: () => write("answer"),
  n: () => write("internal"),
  "/": search,
  "?": () => help.showModal(),
};

function press(event) {
  if (event.key === "Escape" && isTyping(event.target)) return event.target.blur();
  if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) return event.target.form?.requestSubmit();
  if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented || help.open) return;
  if (isTyping(event.target) || localStorage.getItem(KEYS_OFF)) return;
  const action = ACTIONS[event.key];
  if (!action) return;
  event.preventDefault();
  action();
}

if (location.hash === "#q") document.getElementById("q")?.focus();
if (help) {
  const on = document.getElementById("keys-on");
  on.checked = !localStorage.getItem(KEYS_OFF);
  on.addEventListener("change", () => {
    if (on.checked) localStorage.removeItem(KEYS_OFF);
    else localStorage.setItem(KEYS_OFF, "1");
  });
  document.addEventListener("keydown", press);
  for (const opener of document.querySelectorAll("[data-keys]")) {
    opener.hidden = false;
    opener.addEventListener("click", () => help.showModal());
  }
}
