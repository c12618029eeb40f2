// Everything works without this script but signing in by link, "Poll now" and the lists' keeping up by themselves.
// Its words come from the page (data-…), so that they are translated with it.
"use strict";

// Times in the reader's own zone and language.
function localise(root) {
  const format = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "short" });
  // A day without hours is read as midnight in UTC, and must not become the day before elsewhere.
  const day = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeZone: "UTC" });
  for (const time of root.querySelectorAll("time")) {
    const known = time.dateTime.includes("T") ? format : day;
    time.title = time.dateTime;
    time.textContent = known.format(new Date(time.dateTime));
  }
}

// A sign-in link carries the key behind #, which browsers do not send; it must not stay in the history either.
function signInByLink(form) {
  const key = new URLSearchParams(location.hash.slice(1)).get("key");
  if (!key) return;
  history.replaceState(null, "", location.pathname + location.search);
  form.elements.key.value = key;
  form.requestSubmit();
}

// Only when something changed is the list replaced; whoever is reading, selecting or tabbing is not disturbed.
let tag = "";
async function refresh() {
  const live = document.getElementById("live");
  if (!live?.dataset.every || document.hidden || !getSelection().isCollapsed) return;
  // A button must not move away from under somebody who is about to press it.
  if (live.querySelector(".actions:hover")) return;
  const answer = await fetch(location.href, { headers: tag ? { "If-None-Match": tag } : {} });
  if (answer.redirected) return location.reload();
  if (answer.status !== 200) return;
  tag = answer.headers.get("ETag") ?? "";
  const fresh = new DOMParser().parseFromString(await answer.text(), "text/html").getElementById("live");
  if (!fresh) return;
  localise(fresh);
  for (const opened of live.querySelectorAll("details[id][open]")) {
    fresh.querySelector(`#${CSS.escape(opened.id)}`)?.setAttribute("open", "");
  }
  if (fresh.innerHTML === live.innerHTML) return;
  const focused = live.contains(document.activeElement) ? document.activeElement : null;
  live.replaceWith(fresh);
  if (!focused) return;
  const same = focused.id ? `#${focused.id}` : `a[href="${CSS.escape(focused.getAttribute("href") ?? "")}"]`;
  fresh.querySelector(same)?.focus({ preventScroll: true });
}

async function pollNow(button) {
  const said = document.getElementById("said");
  button.disabled = true;
  try {
    const answer = await fetch(`/api/mailboxes/${button.dataset.poll}/poll`, { method: "POST" });
    const problem = answer.ok ? null : await answer.json();
    said.textContent = problem ? `${problem.detail} ${problem.fix}` : said.dataset.asked;
  } catch {
    said.textContent = said.dataset.failed;
  }
  button.disabled = false;
  for (const seconds of [1, 3, 6]) setTimeout(keepUp, seconds * 1000);
}

// A network that is away for a moment is no news: the next round tries again.
function keepUp() {
  refresh().catch(() => {});
}

// How often is read each time: a list that waits for a mail to be decided asks more often until it is.
function watch() {
  const every = document.getElementById("live")?.dataset.every;
  if (!every) return;
  setTimeout(() => {
    keepUp();
    watch();
  }, every * 1000);
}

localise(document);
const signIn = document.querySelector("[data-sign-in]");
if (signIn) {
  signInByLink(signIn);
  // A link pasted while the form is open changes nothing but what stands behind the #.
  addEventListener("hashchange", () => signInByLink(signIn));
}
watch();
document.addEventListener("visibilitychange", keepUp);
document.addEventListener("click", (event) => {
  const button = event.target.closest("[data-poll]");
  if (button) pollNow(button);
});
