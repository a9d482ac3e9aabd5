// SHA-256 and SHA-512 (FIPS 180-4), and CRC-32. The browser's own digest takes
// a file at once, so files are hashed here, a slice at a time.

// roots gives the first bits of the fractional parts of square or cube roots of
// the first primes, from which the constants of both functions are made.
function roots(count, cube, bits) {
  const values = [];
  for (let n = 2n; values.length < count; n++) {
    let prime = true;
    for (let d = 2n; d * d <= n; d++) if (n % d === 0n) prime = false;
    if (!prime) continue;
    const power = cube ? 3n : 2n;
    const target = n << (power * bits);
    let low = 0n;
    let high = 1n << (bits + 5n);
    while (high - low > 1n) {
      const middle = (low + high) >> 1n;
      if (middle ** power <= target) low = middle; else high = middle;
    }
    values.push(low & ((1n << bits) - 1n));
  }
  return values;
}

const k256 = Int32Array.from(roots(64, true, 32n), (v) => Number(BigInt.asIntN(32, v)));
const h256 = Int32Array.from(roots(8, false, 32n), (v) => Number(BigInt.asIntN(32, v)));

class SHA256 {
  constructor() {
    this.state = h256.slice();
    this.words = new Int32Array(64);
    this.block = new Uint8Array(64);
    this.held = 0;
    this.size = 0;
  }

  update(bytes) {
    this.size += bytes.length;
    let at = 0;
    if (this.held > 0) {
      at = Math.min(64 - this.held, bytes.length);
      this.block.set(bytes.subarray(0, at), this.held);
      this.held += at;
      if (this.held < 64) return this;
      this.compress(this.block, 0);
      this.held = 0;
    }
    for (; at + 64 <= bytes.length; at += 64) this.compress(bytes, at);
    this.block.set(bytes.subarray(at), 0);
    this.held = bytes.length - at;
    return this;
  }

  digest() {
    const padding = new Uint8Array((this.held < 56 ? 56 : 120) - this.held);
    padding[0] = 0x80;
    const length = new DataView(new ArrayBuffer(8));
    length.setBigUint64(0, BigInt(this.size) * 8n);
    this.update(padding);
    this.update(new Uint8Array(length.buffer));
    const out = new DataView(new ArrayBuffer(32));
    this.state.forEach((word, i) => out.setInt32(4 * i, word));
    return new Uint8Array(out.buffer);
  }

  compress(p, at) {
    const w = this.words;
    for (let i = 0; i < 16; i++, at += 4) w[i] = p[at] << 24 | p[at + 1] << 16 | p[at + 2] << 8 | p[at + 3];
    for (let i = 16; i < 64; i++) {
      const x = w[i - 15];
      const y = w[i - 2];
      const s0 = (x >>> 7 | x << 25) ^ (x >>> 18 | x << 14) ^ x >>> 3;
      const s1 = (y >>> 17 | y << 15) ^ (y >>> 19 | y << 13) ^ y >>> 10;
      w[i] = w[i - 16] + s0 + w[i - 7] + s1 | 0;
    }
    const s = this.state;
    let a = s[0], b = s[1], c = s[2], d = s[3], e = s[4], f = s[5], g = s[6], h = s[7];
    for (let i = 0; i < 64; i++) {
      const s1 = (e >>> 6 | e << 26) ^ (e >>> 11 | e << 21) ^ (e >>> 25 | e << 7);
      const t1 = h + s1 + (e & f ^ ~e & g) + k256[i] + w[i] | 0;
      const s0 = (a >>> 2 | a << 30) ^ (a >>> 13 | a << 19) ^ (a >>> 22 | a << 10);
      const t2 = s0 + (a & b ^ a & c ^ b & c) | 0;
      h = g; g = f; f = e; e = d + t1 | 0; d = c; c = b; b = a; a = t1 + t2 | 0;
    }
    s[0] += a; s[1] += b; s[2] += c; s[3] += d; s[4] += e; s[5] += f; s[6] += g; s[7] += h;
  }
}

function sha256(...parts) {
  const hash = new SHA256();
  for (const part of parts) hash.update(part);
  return hash.digest();
}

const mask64 = (1n << 64n) - 1n;
const k512 = roots(80, true, 64n);
const h512 = roots(8, false, 64n);

// sha512 is for manifests and checkpoints, which are small: it is not fast.
function sha512(...parts) {
  const message = concat(...parts);
  const padded = new Uint8Array(Math.ceil((message.length + 17) / 128) * 128);
  padded.set(message);
  padded[message.length] = 0x80;
  const view = new DataView(padded.buffer);
  view.setBigUint64(padded.length - 8, BigInt(message.length) * 8n);
  const turn = (x, n) => (x >> n | x << (64n - n)) & mask64;
  const state = h512.slice();
  const w = new Array(80);
  for (let at = 0; at < padded.length; at += 128) {
    for (let i = 0; i < 16; i++) w[i] = view.getBigUint64(at + 8 * i);
    for (let i = 16; i < 80; i++) {
      const s0 = turn(w[i - 15], 1n) ^ turn(w[i - 15], 8n) ^ w[i - 15] >> 7n;
      const s1 = turn(w[i - 2], 19n) ^ turn(w[i - 2], 61n) ^ w[i - 2] >> 6n;
      w[i] = w[i - 16] + s0 + w[i - 7] + s1 & mask64;
    }
    let [a, b, c, d, e, f, g, h] = state;
    for (let i = 0; i < 80; i++) {
      const s1 = turn(e, 14n) ^ turn(e, 18n) ^ turn(e, 41n);
      const t1 = h + s1 + (e & f ^ (e ^ mask64) & g) + k512[i] + w[i];
      const s0 = turn(a, 28n) ^ turn(a, 34n) ^ turn(a, 39n);
      const t2 = s0 + (a & b ^ a & c ^ b & c);
      h = g; g = f; f = e; e = d + t1 & mask64; d = c; c = b; b = a; a = t1 + t2 & mask64;
    }
    [a, b, c, d, e, f, g, h].forEach((v, i) => { state[i] = state[i] + v & mask64; });
  }
  const out = new DataView(new ArrayBuffer(64));
  state.forEach((word, i) => out.setBigUint64(8 * i, word));
  return new Uint8Array(out.buffer);
}

// crcTables are those of slicing by four.
const crcTables = (() => {
  const tables = [new Uint32Array(256), new Uint32Array(256), new Uint32Array(256), new Uint32Array(256)];
  for (let n = 0; n < 256; n++) {
    let c = n;
    for (let k = 0; k < 8; k++) c = c & 1 ? 0xedb88320 ^ c >>> 1 : c >>> 1;
    tables[0][n] = c;
  }
  for (let t = 1; t < 4; t++) for (let n = 0; n < 256; n++) tables[t][n] = tables[t - 1][n] >>> 8 ^ tables[0][tables[t - 1][n] & 255];
  return tables;
})();

function crc32(bytes, before = 0) {
  const [t0, t1, t2, t3] = crcTables;
  let c = ~before;
  let i = 0;
  for (; i + 4 <= bytes.length; i += 4) {
    c ^= bytes[i] | bytes[i + 1] << 8 | bytes[i + 2] << 16 | bytes[i + 3] << 24;
    c = t3[c & 255] ^ t2[c >>> 8 & 255] ^ t1[c >>> 16 & 255] ^ t0[c >>> 24];
  }
  for (; i < bytes.length; i++) c = t0[(c ^ bytes[i]) & 255] ^ c >>> 8;
  return ~c >>> 0;
}
