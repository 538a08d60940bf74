// A device's card for the history of a bed: the zip file goes up, the worker reads it, and this page says how far it is.

import { AlarmLines } from "./alarmline.js";
import { LivePage } from "./page.js";
import { ask } from "./asking.js";
import { facts, say } from "./words.js";
import { make } from "./elements.js";
import { set } from "./tiles.js";

const AGAIN_MS = 1000;

const byId = (id) => document.getElementById(id);
const percent = (share) => String(Math.floor(100 * share));

class ImportView extends AlarmLines {
  constructor() {
    super();
    this.due = 0;
    this.upload = null; // the request that is on its way
    this.refused = "";
    this.mine = false; // whether an import was begun from this page
    byId("import").addEventListener("submit", (event) => {
      event.preventDefault();
      this.#send(new FormData(event.target));
    });
    byId("cancel").addEventListener("click", () => this.#cancel());
    this.#whose();
  }

  refresh(now, link, page) {
    super.refresh(now, link, page);
    if (now >= this.due && this.upload === null) this.#read();
  }

  // Whoever is at the bed now may be chosen.
  async #whose() {
    const { answer } = await ask(`/api/sessions?${new URLSearchParams({ bed: facts.bed })}`);
    for (const { patient_id: id, full_name: name } of answer?.patients.patients ?? []) {
      const option = make("option", name);
      option.value = id;
      byId("import").elements.patient.append(option);
    }
  }

  #send(form) {
    const file = form.get("card");
    this.refused = "";
    this.mine = true;
    if (file.size > facts.largest) return this.#refuse(say("import.too_large", { most: Math.floor(facts.largest / 1e6) }));
    const request = new XMLHttpRequest();
    this.upload = request;
    request.upload.onprogress = ({ loaded, total }) => this.#uploading(total > 0 ? loaded / total : 0);
    request.onloadend = () => this.#sent(request);
    request.open("POST", `/api/import?${new URLSearchParams({ bed: facts.bed, patient: form.get("patient") })}`);
    request.setRequestHeader("Content-Type", "application/zip");
    request.send(file);
    this.#uploading(0);
  }

  #uploading(share) {
    this.#busy(true, share);
    set(byId("state"), say("import.uploading", { percent: percent(share) }));
  }

  #sent(request) {
    this.upload = null;
    this.due = 0;
    let answer = null;
    try {
      answer = JSON.parse(request.responseText);
    } catch {
      answer = null;
    }
    if (request.status !== 200 || answer === null) this.#refuse(say("act.unreachable"));
    else if (answer.state === "failed") this.#refuse(answer.refused);
    else this.#show(answer);
  }

  #refuse(reason) {
    this.refused = reason;
    this.#busy(false, 0);
    set(byId("state"), say("import.failed", { reason }));
  }

  async #read() {
    this.due = performance.now() + 10 * AGAIN_MS; // not twice at once
    const { answer } = await ask("/api/import");
    this.due = performance.now() + AGAIN_MS;
    if (this.upload === null) this.#show(answer ?? null);
  }

  #show(state) {
    if (state === null) return set(byId("state"), say("import.unreachable"));
    if (this.refused !== "" && state.state !== "running") return undefined;
    this.#busy(state.state === "running", state.progress);
    const filled = { ...state, percent: percent(state.progress), reason: state.refused, nights: String(state.nights) };
    const known = state.state !== "none" && (this.mine || state.state === "running" || state.asked?.bed === facts.bed);
    set(byId("state"), known ? say(`import.${state.state}`, filled) : "");
    const notes = known ? state.notes : [];
    if (byId("notes").childElementCount !== notes.length) byId("notes").replaceChildren(...notes.map((note) => make("li", note)));
    document.documentElement.dataset.import = state.state;
    return undefined;
  }

  #busy(busy, share) {
    byId("begin").disabled = busy;
    byId("cancel").hidden = !busy;
    byId("progress").hidden = !busy;
    byId("progress").value = share;
  }

  async #cancel() {
    if (this.upload !== null) this.upload.abort();
    else await ask("/api/import", { method: "DELETE" });
    this.due = 0;
  }
}

new LivePage("/live", new ImportView());
