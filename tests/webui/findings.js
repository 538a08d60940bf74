// What axe-core's serious rules look for, of everything that is in view: a list of what is wrong. (tests/webui/test_access.py)
() => {
  const found = [];
  const add = (rule, element, more = "") => found.push(`${rule}: ${element.outerHTML.slice(0, 90)} ${more}`);
  const seen = (element) => element.checkVisibility({ opacityProperty: true, visibilityProperty: true }) && !element.closest("[inert]");
  const all = [...document.querySelectorAll("body *:not(script, noscript)")].filter(seen);

  const parse = (text) => text.match(/[\d.]+/g).map(Number);
  const light = ([r, g, b]) => [r, g, b].map((c) => c / 255)
    .map((c) => (c <= 0.03928 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4))
    .reduce((sum, c, i) => sum + c * [0.2126, 0.7152, 0.0722][i], 0);
  const ground = (element) => {
    for (let e = element; e; e = e.parentElement) {
      const [r, g, b, a = 1] = parse(getComputedStyle(e).backgroundColor);
      if (a === 1) return [r, g, b];
    }
    return [0, 0, 0];
  };
  for (const element of all) {
    const own = [...element.childNodes].some((node) => node.nodeType === 3 && node.data.trim());
    if (!own || element.closest(".watermark, .heart, .deadman, .unseen")) continue;
    const [a, b] = [light(parse(getComputedStyle(element).color)), light(ground(element))].sort((x, y) => y - x);
    if ((a + 0.05) / (b + 0.05) < 4.5) add("contrast", element);
  }

  const textOf = (element) => element.innerText.replace(/\s+/g, " ").trim();
  const pointed = (element) => (element.getAttribute("aria-labelledby") ?? "").split(" ").filter(Boolean)
    .map((id) => document.getElementById(id)?.textContent).join(" ");
  const nameOf = (element) =>
    element.getAttribute("aria-label") || pointed(element) || element.labels?.[0]?.innerText || textOf(element);
  const roles = "button, a[href], input, summary, [role=slider], [tabindex='0']";
  const spoken = (text) => text.toLowerCase().replace(/[^\p{L}\p{N} ]/gu, "").trim();
  for (const element of all.filter((e) => e.matches(roles))) {
    const name = nameOf(element).trim();
    if (!name) add("no name", element);
    if (element.matches("button, a") && !spoken(name).includes(spoken(textOf(element)))) add("name lacks its text", element, name);
    const box = (element.matches("input[type=radio]") ? element.parentElement : element).getBoundingClientRect();
    if (Math.min(box.width, box.height) < (element.matches(".key, label, summary") ? 48 : 24)) add("small target", element);
  }
  for (const slider of all.filter((e) => e.matches("[role=slider]"))) {
    for (const part of ["valuenow", "valuemin", "valuemax", "valuetext", "label"]) {
      if (!slider.getAttribute(`aria-${part}`)) add(`slider without ${part}`, slider);
    }
    const [now, low, high] = ["now", "min", "max"].map((part) => Number(slider.getAttribute(`aria-value${part}`)));
    if (now < low - 0.01 || now > high + 0.01) add("slider out of its range", slider);
  }
  for (const element of all.filter((e) => e.closest("[aria-hidden=true]") && e.matches(roles))) add("hidden, yet reachable", element);

  const marks = all.filter((e) => e.matches("main, header, nav, aside[aria-label], section[aria-label], section[aria-labelledby]"));
  const names = marks.map((e) => `${e.localName} ${nameOf(e.matches("[aria-label], [aria-labelledby]") ? e : document.createElement("i"))}`);
  names.forEach((name, i) => { if (names.indexOf(name) !== i) add("landmark twice", marks[i], name); });
  for (const element of all) {
    const own = [...element.childNodes].some((node) => node.nodeType === 3 && node.data.trim());
    if (own && !element.closest("main, header, nav, aside, section, [role=alert], [role=status], .deadman")) add("outside of landmarks", element);
  }

  const ids = [...document.querySelectorAll("[id]")].map((e) => e.id);
  for (const id of new Set(ids)) if (ids.filter((other) => other === id).length > 1) found.push(`id twice: ${id}`);
  for (const element of document.querySelectorAll("[aria-controls], [aria-labelledby]")) {
    for (const name of ["aria-controls", "aria-labelledby"]) {
      const id = element.getAttribute(name);
      if (id && !document.getElementById(id)) add(`${name} points nowhere`, element);
    }
  }
  if (document.querySelectorAll("h1").length !== 1) found.push("not one h1");
  if (document.querySelectorAll("main").length !== 1) found.push("not one main");
  if (!document.documentElement.lang || !document.title) found.push("no language or title");
  if (/user-scalable=no|maximum-scale/.test(document.querySelector("meta[name=viewport]").content)) found.push("no zoom");
  return found;
}
