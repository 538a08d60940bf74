// Wave frames as the daemon sends them (daemon/control/waves.py: encode_waves). Views, no copies.

export const NO_SIGNAL = -32768;
const HEADER = 32;

// { index (of the group of waves), connection, first, t0 (ms of the box's clock), rate, n, scale: Float32Array (thousandths
// of the unit per count), values: Int16Array, lead by lead }; null for what is no wave frame of version 1.
export function readWaves(buffer) {
  if (buffer.byteLength < HEADER) return null;
  const view = new DataView(buffer);
  const leads = view.getUint16(28, true);
  const n = view.getUint16(30, true);
  const at = HEADER + 4 * (leads + (leads % 2));
  const known = view.getUint8(0) === 1 && view.getUint8(1) === 1;
  if (!known || buffer.byteLength !== at + 2 * leads * n) return null;
  return {
    index: view.getUint16(2, true),
    connection: view.getUint32(4, true),
    first: Number(view.getBigInt64(8, true)),
    t0: Number(view.getBigInt64(16, true)) / 1e6,
    rate: view.getFloat32(24, true),
    n,
    scale: new Float32Array(buffer, HEADER, leads),
    values: new Int16Array(buffer, at, leads * n),
  };
}
