// Test Settings: a line for each step as it happens, the report as the last. What it shares with the form is in mailbox.js.
"use strict";

const report = document.getElementById("report");
let testing = null;

function stepItem(step) {
  const item = document.getElementById("step").content.firstElementChild.cloneNode(true);
  const { looks, labels } = JSON.parse(report.dataset.words);
  const look = step.state === "ok" && step.code ? "warning" : step.state;
  const part = (name) => item.querySelector(`[data-part=${name}]`);
  item.className = `step ${look}`;
  item.dataset.name = step.name;
  part("look").className = `pill ${look}`;
  part("look").textContent = looks[look];
  for (const name of ["title", "detail", "cause", "fix"]) part(name).textContent = step[name];
  part("ms").textContent = step.ms && step.state !== "skipped" ? `${step.ms} ms` : "";
  part("because").hidden = !step.cause;
  part("where").hidden = !step.field;
  part("where").firstElementChild.setAttribute("href", `#${step.field}`);
  part("field").textContent = labels[step.field] ?? step.field;
  return item;
}

function showStep(step) {
  const steps = document.getElementById("steps");
  const before = [...steps.children].find((item) => item.dataset.name === step.name);
  if (before) before.replaceWith(stepItem(step));
  else steps.append(stepItem(step));
}

function showReport(told) {
  document.getElementById("steps").replaceChildren(...told.steps.map(stepItem));
  const said = document.getElementById("said-with");
  said.querySelector("pre").textContent = told.transcript.join("\n");
  said.hidden = !told.transcript.length;
  verdict(told.ok ? "good" : "bad");
}

function verdict(word) {
  document.getElementById("verdict").textContent = document.getElementById("verdict").dataset[word];
}

// Lines as they come; where a proxy holds them back, all at once.
async function* linesOf(answer) {
  const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  for (let next = await reader.read(); !next.done; next = await reader.read()) {
    const lines = (rest + next.value).split("\n");
    rest = lines.pop();
    yield* lines;
  }
}

function count(began) {
  document.getElementById("elapsed").textContent = `${Math.floor((performance.now() - began) / 1000)} s`;
}

async function listen(answer) {
  let ended = false;
  for await (const line of linesOf(answer)) {
    const told = JSON.parse(line);
    if (told.steps) showReport(told);
    else showStep(told);
    ended = Boolean(told.steps);
  }
  if (!ended) verdict("broken");
}

function begin() {
  clearProblems();
  report.hidden = false;
  document.getElementById("steps").replaceChildren();
  document.getElementById("said-with").hidden = true;
  document.getElementById("cancel").hidden = false;
  verdict("running");
  report.scrollIntoView({ block: "nearest" });
}

// The focus goes on only from where the test was begun: somebody may be typing elsewhere by now.
function endTest(button) {
  const cancel = document.getElementById("cancel");
  const mayMove = [button, cancel, document.body].includes(document.activeElement);
  cancel.hidden = true;
  setBusy(button, false);
  const where = document.querySelector(".step.failed [data-part=where]:not([hidden]) a");
  if (mayMove) (where ?? button).focus();
}

async function test(button) {
  if (testing) return;
  testing = new AbortController();
  begin();
  const began = performance.now();
  count(began);
  const counting = setInterval(() => count(began), 1000);
  setBusy(button, true);
  try {
    const answer = await ask("test", { headers: { Accept: "application/x-ndjson" }, signal: testing.signal });
    if (answer.headers.get("Content-Type")?.startsWith("application/x-ndjson")) await listen(answer);
    else {
      report.hidden = true;
      complain(await parsed(answer));
    }
  } catch {
    verdict(testing.signal.aborted ? "cancelled" : "broken");
    for (const pill of report.querySelectorAll(".step.running")) pill.remove();
  }
  clearInterval(counting);
  endTest(button);
  testing = null;
}
