// Amounts as people read them: lengths of time in their two largest parts, bytes, counts.

const PARTS = [["d", 86400], ["h", 3600], ["min", 60], ["s", 1]];
const BYTES = [["GB", 1e9], ["MB", 1e6], ["kB", 1e3]];

// "3 d 4 h", "12 min 5 s", "8 s".
export function spanText(seconds) {
  let left = Math.max(0, Math.round(seconds));
  const first = Math.max(0, PARTS.findIndex(([, size]) => left >= size));
  const begin = left === 0 ? PARTS.length - 1 : first;
  const said = [];
  for (const [unit, size] of PARTS.slice(begin, begin + 2)) {
    const count = Math.floor(left / size);
    left -= count * size;
    if (count > 0 || said.length === 0) said.push(`${count} ${unit}`);
  }
  return said.join(" ");
}

// "1.2 MB", "820 kB", "512 B".
export function bytesText(bytes) {
  const [unit, size] = BYTES.find(([, least]) => bytes >= least) ?? ["B", 1];
  const value = bytes / size;
  return `${value < 10 && size > 1 ? value.toFixed(1) : Math.round(value)} ${unit}`;
}

// Thousands set apart: "12 345".
export const countText = (count) => String(count).replace(/\B(?=(\d{3})+$)/g, " ");
