// The recent reports: what is listed, what is being made, confirming one, and what came of sending them.

import { AlarmLines } from "./alarmline.js";
import { Confirm } from "./reportconfirm.js";
import { LivePage } from "./page.js";
import { ask, post } from "./asking.js";
import { bytesText } from "./amounts.js";
import { dayText, timeText } from "./times.js";
import { facts, say } from "./words.js";
import { make } from "./elements.js";
import { set } from "./tiles.js";

const AGAIN_MS = 10_000;
const JOBS_MS = 1500;
const NOTE_MS = 8000;
const TYPED_MS = 300;

const byId = (id) => document.getElementById(id);
const when = (text) => `${dayText(new Date(text))} ${timeText(new Date(text))}`;

class ReportsView extends AlarmLines {
  constructor() {
    super();
    this.filter = byId("filter");
    this.filter.elements.bed.value = facts.bed;
    if (facts.session) this.filter.elements.find.value = facts.session;
    this.pages = [""];
    this.due = 0;
    this.jobsDue = 0;
    this.drawn = "";
    this.reads = 0;
    this.finished = new Set();
    this.confirm = new Confirm(byId("confirm"), (report, lines) => this.#confirmed(report, lines));
    this.filter.addEventListener("input", () => this.#filtered());
    this.filter.addEventListener("submit", (event) => event.preventDefault());
    byId("older").addEventListener("click", () => this.#turn(1));
    byId("newer").addEventListener("click", () => this.#turn(-1));
    const form = byId("make");
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.#make(form);
    });
    form.elements.kind.addEventListener("change", () => { byId("ecg-only").hidden = form.elements.kind.value !== "ecg"; });
  }

  refresh(now, link, page) {
    super.refresh(now, link, page);
    if (now >= this.due) this.#read();
    if (now >= this.jobsDue) this.#readJobs();
  }

  #filtered() {
    clearTimeout(this.typing);
    this.typing = setTimeout(() => {
      this.pages = [""];
      this.#read();
    }, TYPED_MS);
  }

  #turn(way) {
    if (way > 0) this.pages.push(this.next);
    else this.pages.pop();
    this.#read();
  }

  async #read() {
    this.due = performance.now() + 2 * AGAIN_MS;
    const read = ++this.reads;
    const { find, kind, state, bed, since, until, replaced } = this.filter.elements;
    const asked = { find: find.value.trim(), kind: kind.value, state: state.value, bed: bed.value, since: since.value, until: until.value };
    const query = new URLSearchParams({ ...asked, current: String(!replaced.checked), before: this.pages.at(-1), most: String(facts.most) });
    const [{ answer, reason }, log] = await Promise.all([ask(`/api/reports?${query}`), ask("/api/uploads")]);
    if (read !== this.reads) return;
    this.due = performance.now() + AGAIN_MS;
    this.#list(answer, reason);
    this.#log(log.answer);
    document.documentElement.dataset.reports = answer ? String(answer.reports.length) : "silent";
  }

  #list(answer, reason) {
    const reports = answer?.reports ?? [];
    this.next = answer?.next ?? "";
    byId("older").disabled = !this.next;
    byId("newer").disabled = this.pages.length < 2;
    set(byId("list-summary"), !answer ? reason : answer.total === 0 ? say("reports.none") : say("reports.total", { total: answer.total }));
    const drawn = JSON.stringify(reports);
    if (drawn === this.drawn) return;
    this.drawn = drawn;
    byId("list").replaceChildren(...reports.map((one) => this.#card(one)));
  }

  #card(report) {
    const item = make("li", "");
    Object.assign(item.dataset, { report: report.id, state: report.state, kind: report.kind });
    const about = make("div", "");
    about.append(make("b", say(`reports.kind.${report.kind}`)), make("small", when(report.about_at)));
    about.append(make("small", say("reports.made", { time: when(report.made_at), actor: report.automatic ? say("reports.automatic") : report.actor })));
    about.append(make("small", `${facts.names[report.bed] ?? report.bed} · ${report.session}`));
    const what = make("div", "", "said");
    what.append(make("b", report.full_name || say("report.nobody")), make("small", [report.patient_id, report.birth_date].filter(Boolean).join(" · ")));
    what.append(make("p", (report.edited ?? report.made.map(({ text }) => text)).join(" · ")));
    what.append(make("p", standing(report), "standing"), make("small", uploadsText(report)));
    const keys = make("div", "", "keys");
    if (!report.gone) keys.append(this.#open(report));
    if (facts.may_confirm && !report.gone && !report.replaced_by) keys.append(this.#confirmKey(report));
    item.append(about, what, keys);
    return item;
  }

  #open(report) {
    const link = make("a", say("reports.open"), "key");
    Object.assign(link, { href: `/reports/${report.id}.pdf`, target: "_blank", rel: "noopener" });
    link.append(make("span", ` ${say(`reports.kind.${report.kind}`)} ${when(report.about_at)}`, "unseen"));
    return link;
  }

  #confirmKey(report) {
    const key = make("button", say(report.state === "preliminary" ? "reports.confirm.open" : "reports.amend.open"), "key");
    key.type = "button";
    key.addEventListener("click", async () => {
      const refused = await this.confirm.open(report);
      if (refused) this.#say(refused);
    });
    return key;
  }

  #log(answer) {
    const uploads = answer?.uploads ?? [];
    set(byId("log-summary"), !answer ? say("act.unreachable") : uploads.length === 0 ? say(facts.destinations.length > 0 ? "reports.no_uploads" : "reports.no_destinations") : "");
    byId("log").hidden = uploads.length === 0;
    byId("log").tBodies[0].replaceChildren(...uploads.map((one) => {
      const row = make("tr", "");
      const head = make("th", when(one.at));
      head.scope = "row";
      const said = say(`reports.upload.${one.state}`) + (one.error && one.state !== "done" ? `: ${one.error}` : "");
      row.append(head, ...[`${say(`reports.kind.${one.kind}`)} ${one.report.slice(-12)}`, one.destination, said, bytesText(one.size), String(one.tries), one.remote].map((text) => make("td", text)));
      return row;
    }));
  }

  async #make(form) {
    const { session, kind, layout, speed_mm_s: speed, gain_mm_mv: gain, cabrera } = form.elements;
    const ecg = kind.value === "ecg" ? { layout: layout.value, speed_mm_s: speed.value, gain_mm_mv: gain.value, cabrera: cabrera.value === "true" } : {};
    const { answer, reason } = await post("/api/reports", { session: session.value.trim(), kind: kind.value, ...ecg });
    this.#say(reason ?? (answer.state === "failed" ? say("reports.failed", { reason: answer.refused }) : say("reports.begun")));
    this.#readJobs();
  }

  async #confirmed(report, lines) {
    const { answer, reason } = await post(`/api/reports/${report.id}/confirm`, { lines });
    this.#say(reason ?? (answer.state === "failed" ? say("reports.failed", { reason: answer.refused }) : say("reports.confirming")));
    this.#readJobs();
  }

  async #readJobs() {
    this.jobsDue = performance.now() + 10 * JOBS_MS;
    const { answer } = await ask("/api/reports/jobs");
    const jobs = (answer?.jobs ?? []).filter(({ state }) => state !== "done" && state !== "cancelled").slice(0, 10);
    const busy = jobs.some(({ state }) => state === "waiting" || state === "running");
    this.jobsDue = performance.now() + (busy ? JOBS_MS : AGAIN_MS);
    for (const { job, state } of answer?.jobs ?? []) {
      if (state === "done" && !this.finished.has(job)) this.due = 0;
      if (state === "done") this.finished.add(job);
    }
    byId("jobs").replaceChildren(...jobs.map((job) => this.#job(job)));
  }

  #job({ job, state, asked, progress, refused }) {
    const item = make("li", `${say(`reports.kind.${asked.kind}`)} ${asked.session}: ${state === "failed" ? say("reports.failed", { reason: refused }) : say(`reports.job.${state}`)}`);
    item.dataset.state = state;
    if (state === "failed") return item;
    const bar = document.createElement("progress");
    Object.assign(bar, { max: 1, value: progress });
    bar.setAttribute("aria-label", say("reports.kind." + asked.kind));
    const stop = make("button", say("reports.stop"), "key");
    stop.type = "button";
    stop.addEventListener("click", async () => {
      await ask(`/api/reports/jobs?${new URLSearchParams({ job })}`, { method: "DELETE" });
      this.#readJobs();
    });
    item.append(bar, stop);
    return item;
  }

  #say(text) {
    set(byId("note"), text);
    clearTimeout(this.silence);
    this.silence = setTimeout(() => set(byId("note"), ""), NOTE_MS);
  }
}

function standing(report) {
  if (report.state === "preliminary") return say(report.replaced_by ? "reports.state.replaced" : "reports.state.preliminary");
  const said = say(`reports.by.${report.state}`, { name: report.confirmed_by, time: when(report.confirmed_at) });
  return report.replaced_by ? `${said} · ${say("reports.state.replaced")}` : said;
}

function uploadsText(report) {
  const gone = report.gone ? [say("reports.gone")] : [];
  if (facts.destinations.length === 0) return gone.join(" · ");
  const done = report.uploads.filter(({ state, destination }) => state === "done" && facts.destinations.includes(destination)).length;
  return [...gone, say("reports.uploaded", { done, all: facts.destinations.length })].join(" · ");
}

new LivePage("/live", new ReportsView());
