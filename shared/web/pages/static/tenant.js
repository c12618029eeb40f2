// Copies a new key. Without this script, and where browsers refuse (plain http), it is copied by hand.
"use strict";

async function copy(button) {
  const field = document.getElementById(button.dataset.copy);
  const said = document.getElementById("copy-said");
  field.focus();
  field.select();
  try {
    await navigator.clipboard.writeText(field.value);
    said.textContent = button.dataset.copied;
  } catch {
    said.textContent = button.dataset.failed;
  }
}

for (const button of document.querySelectorAll("[data-copy]")) {
  button.hidden = false;
  button.addEventListener("click", () => copy(button));
}
