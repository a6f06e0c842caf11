// Each server-sent event holds all figures, so that a page that missed some events recovers with the next one.
"use strict";

const STATES = { running: "Sending", stopping: "Stopping", ended: "Ended" };
const COUNTS = ["accepted", "failed", "rejected", "unknown", "skipped", "pending"];

const element = (id) => document.getElementById(id);
const whole = new Intl.NumberFormat("en"); // up to three decimals, as costs may have
const tenths = new Intl.NumberFormat("en", { minimumFractionDigits: 1, maximumFractionDigits: 1 });
const many = (count, noun) => `${whole.format(count)} ${noun}${count === 1 ? "" : "s"}`;

function show(figures) {
  const received = Object.values(figures.events).reduce((sum, count) => sum + count, 0);
  element("events").textContent = whole.format(received);
  const campaign = figures.campaign;
  showState(campaign ? campaign.state : "idle", campaign ? STATES[campaign.state] : "Nothing sent yet");
  if (campaign) showCampaign(campaign);
}

function showState(state, text) {
  const status = element("state");
  if (status.dataset.state === state && status.textContent === text) return; // a live region speaks at every change
  status.dataset.state = state;
  status.textContent = text;
  element("stop").hidden = state !== "running" && state !== "stopping";
  element("stop").disabled = state === "stopping";
  element("report").hidden = state !== "ended";
  const form = element("new");
  const hadFocus = form.contains(document.activeElement);
  form.hidden = state !== "idle" && state !== "ended"; // one campaign at a time
  if (hadFocus && state === "running") element("stop").focus();
}

function showCampaign(campaign) {
  element("progress").hidden = false;
  for (const name of COUNTS) {
    document.querySelector(`dl [data-count=${name}] dd`).textContent = whole.format(campaign[name]);
    document.querySelector(`#bar [data-count=${name}]`).style.flexGrow = campaign[name];
  }
  element("bar").setAttribute("aria-label", COUNTS.map((name) => `${campaign[name]} ${name}`).join(", "));
  element("settled").textContent = whole.format(campaign.total - campaign.pending);
  element("total").textContent = whole.format(campaign.total);
  element("rate").textContent = `${tenths.format(campaign.rate)} / s`;
  element("requests").textContent = whole.format(campaign.requests);
  element("cost").textContent = `${whole.format(campaign.cost)} of about ${whole.format(campaign.estimated_cost)}`;
  element("elapsed").textContent = `${tenths.format(campaign.elapsed)} s`;

  element("unknown").hidden = campaign.unknown === 0;
  element("unknown").textContent =
    `${many(campaign.unknown_requests, "request")} got no response. ${many(campaign.unknown, "recipient")} may have received the ` +
    "message, at a cost. They do not get it again, and the report lists them.";
  element("stopped").hidden = !campaign.stopped;
  element("stopped").textContent = `Ended early: ${campaign.stopped}. ${many(campaign.pending, "recipient")} received nothing.`;
}

async function post(path, body) {
  const response = await fetch(path, {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify(body),
  });
  if (response.ok) return;
  const { detail } = await response.json();
  throw new Error(typeof detail === "string" ? detail : "The form is not complete.");
}

async function act(action) {
  const problem = element("problem");
  problem.hidden = true;
  try {
    await action();
  } catch (error) {
    problem.textContent = error.message;
    problem.hidden = false;
  }
}

element("new").addEventListener("submit", (event) => {
  event.preventDefault();
  act(() =>
    post("/operator/campaign", {
      message: element("message").value,
      recipients: element("recipients").value,
      max_cost: element("max-cost").valueAsNumber || null,
    }),
  );
});
element("stop").addEventListener("click", () => act(() => post("/operator/campaign/stop", {})));
element("file").addEventListener("change", async () => {
  const [file] = element("file").files;
  if (file) element("recipients").value = await file.text();
});

const source = new EventSource("/operator/events"); // reconnects automatically
source.addEventListener("message", (event) => show(JSON.parse(event.data)));
source.addEventListener("error", () => showState("lost", "Connection lost"));
