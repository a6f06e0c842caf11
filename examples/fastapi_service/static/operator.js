// Each server-sent event holds all figures, so that a page that missed some events recovers with the next one.
"use strict";

const STATES = {
  idle: "Nothing sent yet",
  running: "Sending",
  pausing: "Pausing",
  paused: "Paused",
  stopping: "Stopping",
  unfinished: "Not finished",
  ended: "Ended",
  lost: "Connection lost",
};
const BUTTONS = {
  running: ["pause", "stop"],
  pausing: ["continue", "stop"],
  paused: ["continue", "stop"],
  unfinished: ["resume", "resend"],
  ended: ["resend"],
};
const UNDER_WAY = ["running", "pausing", "paused", "stopping"];
const COUNTS = ["accepted", "failed", "rejected", "unknown", "skipped", "pending"];

const element = (id) => document.getElementById(id);
const whole = new Intl.NumberFormat("en"); // up to three decimals, as costs may have
const tenths = new Intl.NumberFormat("en", { minimumFractionDigits: 1, maximumFractionDigits: 1 });
const many = (count, one, more = `${one}s`) => `${whole.format(count)} ${count === 1 ? one : more}`;

let state = "";
let campaign = null; // the campaign that the page shows
let asked = null; // the question that waits for its answer

function make(tag, text, ...children) {
  const made = document.createElement(tag);
  made.textContent = text; // as text, never as markup
  made.append(...children);
  return made;
}

// ------------------------------------------------------------------------------------------------------------ figures

function show(figures) {
  campaign = figures.campaign;
  const received = Object.values(figures.events).reduce((sum, count) => sum + count, 0);
  element("events").textContent = whole.format(received);
  if (campaign) showCampaign();
  showUnfinished(figures.unfinished);
  showState(campaign ? campaign.state : "idle");
}

function showState(current) {
  if (current === state) return; // a live region speaks at every change
  state = current;
  element("state").dataset.state = state;
  element("state").textContent = STATES[state];
  const focused = document.activeElement;
  for (const id of ["pause", "continue", "stop", "resume", "resend"]) element(id).hidden = !(BUTTONS[state] ?? []).includes(id);
  showSections();
  if (focused.hidden) keepFocus(focused);
}

function showSections() {
  const busy = state === "lost" || UNDER_WAY.includes(state); // one campaign at a time
  if (UNDER_WAY.includes(state)) {
    asked = null;
    element("progress").hidden = false;
  }
  element("question").hidden = busy || asked === null;
  element("new").hidden = busy || asked !== null;
  for (const id of ["resume", "resend"]) element(id).disabled = asked !== null;
  element("unfinished").hidden = element("new").hidden || !element("unfinished").querySelector("li");
}

function showCampaign() {
  element("progress").hidden = false;
  for (const name of COUNTS) {
    document.querySelector(`dl [data-count=${name}] dd`).textContent = whole.format(campaign[name]);
    document.querySelector(`#bar [data-count=${name}]`).style.flexGrow = campaign[name];
  }
  element("bar").setAttribute("aria-label", COUNTS.map((name) => `${campaign[name]} ${name}`).join(", "));
  element("settled").textContent = whole.format(campaign.total - campaign.pending);
  element("total").textContent = whole.format(campaign.total);
  element("rate").textContent = `${tenths.format(campaign.rate)} / s`;
  element("left").textContent = campaign.state === "running" && campaign.rate ? clock(campaign.pending / campaign.rate) : "–";
  element("requests").textContent = whole.format(campaign.requests);
  element("cost").textContent = whole.format(campaign.cost);
  element("name").textContent = campaign.name;
  element("unknown").hidden = campaign.unknown === 0;
  element("unknown").querySelector("span").textContent =
    `${many(campaign.unknown, "recipient")} may have received the message, at a cost: no response says what became of ` +
    "their requests. They do not get it again unless you send it again. The report lists them.";
  element("stopped").hidden = !(campaign.stopped && campaign.state === "unfinished");
  element("stopped").textContent = `Ended early: ${campaign.stopped}.`;
}

function clock(seconds) {
  const minutes = Math.floor(seconds / 60);
  return `${minutes}:${String(Math.floor(seconds % 60)).padStart(2, "0")}`;
}

function showUnfinished(others) {
  const list = element("unfinished").querySelector("ul");
  if (list.dataset.shown === JSON.stringify(others)) return; // a new button would lose the focus
  list.dataset.shown = JSON.stringify(others);
  list.replaceChildren(
    ...others.map(({ name, pending }) => {
      const button = make("button", "Resume…");
      button.type = "button";
      button.setAttribute("aria-label", `Resume ${name}`);
      button.addEventListener("click", () => ask("/operator/question/rest", { campaign: name }));
      return make("li", "", make("span", `${name}: ${many(pending, "recipient")} pending`), button);
    }),
  );
}

// ----------------------------------------------------------------------------------------------------------- question

function showQuestion(question) {
  asked = question;
  element("facts").replaceChildren(
    ...question.facts.map(([label, text]) => make("div", "", make("dt", text ? label : ""), make("dd", text || label))),
  );
  element("texts").replaceChildren(
    ...question.texts.flatMap(({ title, text }) => [make("h3", title), make("blockquote", text)]),
  );
  const rows = question.left_out.map((row) => make("li", row));
  if (question.more_left_out) rows.push(make("li", `and ${many(question.more_left_out, "more row")}`));
  element("left-out").hidden = rows.length === 0;
  element("left-out").querySelector("ul").replaceChildren(...rows);
  element("warnings").hidden = question.warnings.length === 0;
  element("warnings").replaceChildren(...question.warnings.map((warning) => make("li", warning)));
  element("confirm").textContent = `Send to ${many(question.people, "person", "people")}`;
  element("confirm").disabled = !question.can_be_sent;
  showSections();
  element("ask").focus();
}

function goBack() {
  asked = null;
  showSections();
}

// ------------------------------------------------------------------------------------------------------------ actions

async function post(path, body = {}) {
  const response = await fetch(path, {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify(body),
  });
  const answer = await response.json();
  if (response.ok) return answer;
  throw new Error(typeof answer.detail === "string" ? answer.detail : "The form is not complete.");
}

async function act(button, action) {
  const hadFocus = document.activeElement === button;
  const problem = element("problem");
  problem.hidden = true;
  button.disabled = true; // one click, one request
  try {
    await action();
  } catch (error) {
    problem.textContent = error.message;
    problem.hidden = false;
    problem.scrollIntoView({ block: "nearest" });
  }
  button.disabled = false;
  if (hadFocus && [document.body, button].includes(document.activeElement)) keepFocus(button);
}

// The keyboard keeps its place: a button that went away hands the focus on.
function keepFocus(button) {
  const steering = [...document.querySelectorAll("#progress button")];
  [button, ...steering].find((one) => one.offsetParent !== null)?.focus();
}

const ask = (path, body) => act(element("check"), async () => showQuestion(await post(path, await body)));

function showFile() {
  const [file] = element("file").files;
  element("recipients").disabled = file !== undefined;
  element("recipients").value = file === undefined ? "" : `The file ${file.name}`;
}

function readFile(file) {
  return new Promise((resolve, reject) => {
    const reader = new FileReader();
    reader.addEventListener("load", () => resolve({ name: file.name, content: reader.result.split(",")[1] ?? "" }));
    reader.addEventListener("error", () => reject(new Error(`${file.name} cannot be read.`)));
    reader.readAsDataURL(file); // as base64, in which JSON holds any file
  });
}

async function newCampaign() {
  const [file] = element("file").files;
  return {
    message: element("message").value,
    recipients: file === undefined ? element("recipients").value : await readFile(file),
    max_cost: element("max-cost").valueAsNumber || null,
  };
}

element("new").addEventListener("submit", (event) => {
  event.preventDefault();
  ask("/operator/question", newCampaign());
});
element("file").addEventListener("change", showFile);
element("back").addEventListener("click", () => {
  goBack();
  element("message").focus();
});
element("resume").addEventListener("click", () => ask("/operator/question/rest", { campaign: campaign.name }));
element("resend").addEventListener("click", () =>
  ask("/operator/question/rest", { campaign: campaign.name, resend: "unknown" }),
);
element("confirm").addEventListener("click", (event) =>
  act(event.target, async () => {
    await post("/operator/campaign", { campaign: asked.campaign });
    element("new").reset(); // so that it is not sent a second time by mistake
    showFile();
    goBack();
    showState("running"); // before the next event, so that the form does not appear in between
  }),
);
for (const button of document.querySelectorAll("[data-action]")) {
  button.addEventListener("click", () => act(button, () => post(`/operator/campaign/${button.dataset.action}`)));
}

const source = new EventSource("/operator/events"); // reconnects automatically
source.addEventListener("message", (event) => show(JSON.parse(event.data)));
source.addEventListener("error", () => showState("lost"));
