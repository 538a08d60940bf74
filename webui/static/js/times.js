// Times of the box as people read them: in the zone that is set, else in the browser's.

import { preferred } from "./preferred.js";

const DAY_MS = 86400000;
const two = (value) => String(value).padStart(2, "0");

const parts = zoned(preferred.time_zone);

function zoned(zone) {
  if (!zone) return null;
  const fields = { year: "numeric", month: "2-digit", day: "2-digit", hour: "2-digit", minute: "2-digit", second: "2-digit" };
  try {
    return new Intl.DateTimeFormat("en-GB", { ...fields, hourCycle: "h23", timeZone: zone });
  } catch {
    return null; // a browser that does not know the zone: its own
  }
}

// The calendar's fields of an instant as numbers.
function fieldsOf(date) {
  if (!parts) {
    return {
      year: date.getFullYear(),
      month: date.getMonth() + 1,
      day: date.getDate(),
      hour: date.getHours(),
      minute: date.getMinutes(),
      second: date.getSeconds(),
    };
  }
  return Object.fromEntries(parts.formatToParts(date).map(({ type, value }) => [type, Number(value)]));
}

// Minutes by which clocks on the wall are ahead of UTC at an instant.
export function offsetMinutes(date) {
  const { year, month, day, hour, minute, second } = fieldsOf(date);
  return Math.round((Date.UTC(year, month - 1, day, hour, minute, second) - date.getTime()) / 60000);
}

export function dayText(date) {
  const { year, month, day } = fieldsOf(date);
  return `${year}-${two(month)}-${two(day)}`;
}

export function timeText(date) {
  const { hour, minute, second } = fieldsOf(date);
  return `${two(hour)}:${two(minute)}:${two(second)}`;
}

// Time of day of an instant, with its date where it is not within a day of now. Both ms of UTC.
export function whenText(utc, now) {
  const date = new Date(utc);
  return now - utc < DAY_MS ? timeText(date) : `${dayText(date)} ${timeText(date)}`;
}

// Date, time and zone, as on top of every page.
export function fullText(date) {
  const offset = offsetMinutes(date);
  const minutes = Math.abs(offset) % 60;
  const zone = `${offset < 0 ? "-" : "+"}${two(Math.floor(Math.abs(offset) / 60))}${minutes ? `:${two(minutes)}` : ""}`;
  return `${dayText(date)} ${timeText(date)} ${zone}`;
}
