// Bytes, texts, and what is said of them when they are not what they should be.

const utf8 = new TextEncoder();

function bytesOf(text) { return utf8.encode(text); }

// textOf reads UTF-8, and throws where it is none.
function textOf(bytes) { return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes); }

function equal(a, b) {
  if (a.length !== b.length) return false;
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false;
  return true;
}

function concat(...parts) {
  const all = new Uint8Array(parts.reduce((n, p) => n + p.length, 0));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}

const hexDigits = "0123456789abcdef";

function hex(bytes) {
  let text = "";
  for (const b of bytes) text += hexDigits[b >> 4] + hexDigits[b & 15];
  return text;
}

function unhex(text) { return Uint8Array.from(text.match(/../g) || [], (pair) => parseInt(pair, 16)); }

function base64(bytes) {
  let text = "";
  for (let i = 0; i < bytes.length; i += 0x8000) text += String.fromCharCode(...bytes.subarray(i, i + 0x8000));
  return btoa(text);
}

// unbase64 reads the one encoding of some bytes, and gives null for others.
function unbase64(text) {
  try {
    const bytes = Uint8Array.from(atob(text), (c) => c.charCodeAt(0));
    return base64(bytes) === text ? bytes : null;
  } catch {
    return null;
  }
}

// Wrong says that something was checked and is not what it should be.
class Wrong extends Error {
  constructor(detail, expected, found) {
    super(detail);
    this.expected = expected;
    this.found = found;
  }
}

// NotRun says why a check does not apply.
class NotRun extends Error {}

function same(subject, want, found) {
  if (want !== found) throw new Wrong(subject, String(want), String(found));
}

// sameBytes compares two texts and shows them from where they begin to differ.
function sameBytes(subject, want, found) {
  if (equal(want, found)) return;
  let at = 0;
  while (at < want.length && at < found.length && want[at] === found[at]) at++;
  throw new Wrong(`${subject}, byte ${at}`, excerpt(want.subarray(at)), excerpt(found.subarray(at)));
}

function excerpt(bytes) {
  return bytes.length === 0 ? "the end" : quote(new TextDecoder().decode(bytes.subarray(0, 32)));
}

// quote shows a text that may be hostile.
function quote(text) {
  return JSON.stringify(text.length > 80 ? text.slice(0, 80) + "…" : text);
}

// canonicalJSON writes a value in the form of RFC 8785.
function canonicalJSON(value) {
  if (Array.isArray(value)) return "[" + value.map(canonicalJSON).join(",") + "]";
  if (value !== null && typeof value === "object") {
    return "{" + Object.keys(value).sort().map((key) => JSON.stringify(key) + ":" + canonicalJSON(value[key])).join(",") + "}";
  }
  return JSON.stringify(value);
}
