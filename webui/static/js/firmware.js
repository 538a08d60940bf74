// New firmware for devices: how far each is, and a technician's word on what is offered.

import { asked, byId } from "./desk.js";
import { make } from "./elements.js";
import { newId } from "./acts.js";
import { say } from "./words.js";
import { set } from "./tiles.js";

const AGAIN_MS = 2_000;
const may = byId("firmware").dataset.may === "true";
let drawn = "";

async function act(verb, job) {
  const { reason } = await asked("/api/firmware", { id: newId(), verb, device: job.device, origin: job.origin });
  set(byId("firmware-note"), reason ?? "");
  await ask();
}

function key(element, word, device, does) {
  const button = make("button", say(word), "key");
  button.type = "button";
  button.append(make("span", `, ${device}`, "unseen"));
  button.addEventListener("click", does);
  element.append(button);
}

function stateOf(job) {
  if (job.state !== "sending") return say(`firmware.state.${job.state}`);
  return job.percent < 100 ? `${say("firmware.state.sending")}: ${say("firmware.percent", job)}` : say("firmware.trial");
}

function row(job) {
  const element = byId("firmware-job").content.firstElementChild.cloneNode(true);
  const values = { ...job, running: job.running || "?", size: Math.ceil(job.size / 1024), from: job.origin || say("firmware.from_technician") };
  set(element.querySelector("h3"), say("firmware.line", values));
  set(element.querySelector(".facts"), [stateOf(job), job.reason, job.decided_by].filter((text) => text).join(" · "));
  const bar = element.querySelector("progress");
  bar.hidden = job.state !== "sending";
  bar.value = job.percent;
  bar.setAttribute("aria-label", stateOf(job));
  const question = element.querySelector(".ask");
  if (may && job.state === "offered") {
    const keys = element.querySelector(".choose");
    key(keys, "firmware.accept", job.device, () => {
      question.hidden = false;
      question.querySelector(".yes").focus();
    });
    key(keys, "firmware.refuse", job.device, () => act("refuse", job));
  }
  set(question.querySelector("p"), say("firmware.sure", job));
  question.querySelector(".yes").addEventListener("click", () => act("accept", job));
  question.querySelector(".no").addEventListener("click", () => { question.hidden = true; });
  return element;
}

async function ask() {
  const { answer } = await asked("/api/firmware");
  const jobs = answer?.jobs ?? [];
  const picture = JSON.stringify([jobs, answer === undefined]);
  if (picture === drawn) return; // a question that is open stays
  drawn = picture;
  byId("firmwares").replaceChildren(...(jobs.length ? jobs.map(row) : [make("li", say("firmware.none"), "note")]));
}

async function go() {
  for (;;) {
    await ask();
    await new Promise((done) => setTimeout(done, AGAIN_MS));
  }
}
go();
