// Ed25519 (RFC 8032): the browser's own where it has it, and otherwise here,
// without haste and without secrets.

const prime = (1n << 255n) - 19n;
const order = (1n << 252n) + 27742317777372353535851937790883648493n;

function mod(n, m = prime) {
  const r = n % m;
  return r < 0n ? r + m : r;
}

function power(base, exponent) {
  let result = 1n;
  for (let b = mod(base); exponent > 0n; exponent >>= 1n, b = b * b % prime) if (exponent & 1n) result = result * b % prime;
  return result;
}

const curve = mod(-121665n * power(121666n, prime - 2n));
const rootOfMinusOne = power(2n, (prime - 1n) / 4n);

// Points are extended coordinates [X, Y, Z, T] with x = X/Z, y = Y/Z, xy = T/Z.
const neutral = [0n, 1n, 1n, 0n];

function add([x1, y1, z1, t1], [x2, y2, z2, t2]) {
  const a = mod((y1 - x1) * (y2 - x2));
  const b = mod((y1 + x1) * (y2 + x2));
  const c = mod(2n * curve * t1 * t2);
  const d = mod(2n * z1 * z2);
  const e = b - a, f = d - c, g = d + c, h = b + a;
  return [mod(e * f), mod(g * h), mod(f * g), mod(e * h)];
}

function multiply(point, factor) {
  let result = neutral;
  for (let p = point; factor > 0n; factor >>= 1n, p = add(p, p)) if (factor & 1n) result = add(result, p);
  return result;
}

function littleEndian(bytes) {
  let n = 0n;
  for (let i = bytes.length - 1; i >= 0; i--) n = n << 8n | BigInt(bytes[i]);
  return n;
}

// decompress gives a point, or null for what is none.
function decompress(bytes) {
  const n = littleEndian(bytes);
  const y = mod(n & (1n << 255n) - 1n);
  const u = mod(y * y - 1n);
  const v = mod(curve * y * y + 1n);
  let x = mod(u * power(v, 3n) * power(u * power(v, 7n), (prime - 5n) / 8n));
  if (mod(v * x * x) !== u) x = mod(x * rootOfMinusOne);
  if (mod(v * x * x) !== u) return null;
  if ((x & 1n) !== n >> 255n) x = mod(-x);
  return [x, y, 1n, mod(x * y)];
}

function compress([x, y, z]) {
  const inverse = power(z, prime - 2n);
  let n = mod(y * inverse) | (mod(x * inverse) & 1n) << 255n;
  const bytes = new Uint8Array(32);
  for (let i = 0; i < 32; i++, n >>= 8n) bytes[i] = Number(n & 255n);
  return bytes;
}

const basePoint = decompress(concat(Uint8Array.of(0x58), new Uint8Array(31).fill(0x66)));

// verifyHere checks that the encoding of S·B - k·A is R.
function verifyHere(key, message, signature) {
  const point = decompress(key);
  const s = littleEndian(signature.subarray(32));
  if (point === null || s >= order) return false;
  const k = mod(littleEndian(sha512(signature.subarray(0, 32), key, message)), order);
  const [x, y, z, t] = point;
  return equal(compress(add(multiply(basePoint, s), multiply([mod(-x), y, z, mod(-t)], k))), signature.subarray(0, 32));
}

// ed25519 tells whether a key signed a message.
async function ed25519(key, message, signature) {
  if (key.length !== 32 || signature.length !== 64) return false;
  let imported;
  try {
    imported = await crypto.subtle.importKey("raw", key, { name: "Ed25519" }, false, ["verify"]);
  } catch { // no such algorithm, no secure context, or no such key
    return verifyHere(key, message, signature);
  }
  return crypto.subtle.verify({ name: "Ed25519" }, imported, signature, message);
}
