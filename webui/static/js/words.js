// What the server handed to this page: its facts, and every sentence by key (daemon/words).

export const facts = JSON.parse(document.getElementById("page-facts").textContent);

// The sentence of a key with `{name}` filled in; an unknown key is shown as it is, or `fallback` when one is given.
export function say(key, values = {}, fallback = key) {
  const sentence = facts.words[key] ?? fallback;
  return sentence.replace(/\{(\w+)\}/g, (_, name) => values[name] ?? "");
}

export const has = (key) => key in facts.words;

// m:ss of a length in ms; h:mm:ss from an hour on.
export function elapsed(ms) {
  const total = Math.max(0, Math.floor(ms / 1000));
  const two = (value) => String(value).padStart(2, "0");
  const hours = Math.floor(total / 3600);
  const minutes = Math.floor(total / 60) % 60;
  return hours > 0 ? `${hours}:${two(minutes)}:${two(total % 60)}` : `${minutes}:${two(total % 60)}`;
}
