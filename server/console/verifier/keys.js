// The keys that a reviewer pins: export keys as SubjectPublicKeyInfo in PEM,
// log keys as verifier keys of C2SP signed notes.

const spkiHead = unhex("302a300506032b6570032100"); // what stands before an Ed25519 key (RFC 8410)
const originShape = /^[A-Za-z0-9][A-Za-z0-9._/-]{0,127}$/;
const keyFileLimit = 16 << 10;

function keyID(key) { return hex(sha256(spkiHead, key)); }

// readTrust takes what a reviewer brings: a file for each key, in any order,
// checkpoints that were kept, and proofs of consistency.
function readTrust(texts) {
  const trust = { keys: [], logKeys: [], last: [], consistency: [] };
  for (const text of texts) {
    if (text.includes("-----BEGIN ")) trust.keys.push(readPublicKey(text));
    else if (/^old \d+\n/.test(text)) trust.consistency.push(text);
    else if (/^\S+\+[0-9a-f]{8}\+\S+$/.test(text.trim())) trust.logKeys.push(readLogKey(text.trim()));
    else if (text.includes("\n\n\u2014 ")) trust.last.push(readHead(bytesOf(text)));
    else throw new Error("it is neither a public key in PEM, nor a verifier key of a log, a checkpoint or a proof of consistency");
  }
  for (const head of trust.last) {
    if (trust.last.some((other) => other !== head && other.origin === head.origin)) throw new Error("there are two kept checkpoints of log " + head.origin);
  }
  return trust;
}

function readPublicKey(text) {
  if (text.length > keyFileLimit) throw new Error(`more than ${keyFileLimit} bytes`);
  if (text.includes("PRIVATE KEY-----")) throw new Error("this is a private key, which must stay where it is; ask for the public one");
  const blocks = [...text.matchAll(/-----BEGIN ([^-]*)-----\s([A-Za-z0-9+/=\s]*)-----END \1-----/g)];
  if (blocks.length !== 1 || text.split("-----BEGIN ").length !== 2) throw new Error("want one PEM block, -----BEGIN PUBLIC KEY-----");
  const [whole, type, body] = blocks[0];
  if (type !== "PUBLIC KEY") throw new Error(`PEM block ${quote(type)}; want "PUBLIC KEY"`);
  if (text.slice(blocks[0].index + whole.length).trim() !== "") throw new Error("text after the PEM block");
  const der = unbase64(body.replace(/\s/g, ""));
  if (der === null || der.length !== spkiHead.length + 32 || !equal(der.subarray(0, spkiHead.length), spkiHead)) throw new Error("it is no Ed25519 key");
  const key = der.subarray(spkiHead.length);
  return { key, id: keyID(key) };
}

function readLogKey(text) {
  const [, origin, hash, encoded] = /^([^+]*)\+([0-9a-f]{8})\+(.*)$/.exec(text) || [];
  const raw = encoded === undefined ? null : unbase64(encoded);
  if (raw === null || raw.length !== 33 || raw[0] !== 1) throw new Error("want a verifier key of a log, with an Ed25519 key");
  if (!originShape.test(origin)) throw new Error("the log's name has another form than " + originShape.source);
  if (hex(sha256(bytesOf(origin + "\n"), raw)).slice(0, 8) !== hash) throw new Error("the verifier key is mistyped: its hash is another");
  const key = raw.subarray(1);
  return { key, id: keyID(key), origin, hash, text };
}
