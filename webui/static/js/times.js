// Times of the box as people read them.

const DAY_MS = 86400000;
const two = (value) => String(value).padStart(2, "0");

export const dayText = (date) => `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())}`;

export const timeText = (date) => `${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}`;

// Time of day of an instant, with its date where it is not within a day of now. Both ms of UTC.
export function whenText(utc, now) {
  const date = new Date(utc);
  return now - utc < DAY_MS ? timeText(date) : `${dayText(date)} ${timeText(date)}`;
}

// Date, time and zone, as on top of every page.
export function fullText(date) {
  const offset = -date.getTimezoneOffset();
  const minutes = Math.abs(offset) % 60;
  const zone = `${offset < 0 ? "-" : "+"}${two(Math.floor(Math.abs(offset) / 60))}${minutes ? `:${two(minutes)}` : ""}`;
  return `${dayText(date)} ${timeText(date)} ${zone}`;
}
