// The log of exports: checkpoints as C2SP signed notes, proofs as C2SP
// tlog-proofs, hashes as in RFC 6962.

const sizeLimit = 2 ** 40; // leaves
const checkpointLimit = 8 << 10;
const proofLimit = 16 << 10;
const pathLimit = 63;

function readNumber(text) {
  if (!/^(0|[1-9][0-9]{0,13})$/.test(text) || Number(text) > sizeLimit) throw new Wrong(`${quote(text)} is not a number from 0 to ${sizeLimit}`);
  return Number(text);
}

function readHash(text) {
  const hash = unbase64(text);
  if (hash === null || hash.length !== 32) throw new Wrong(`${quote(text)} is not the encoding of a hash`);
  return hash;
}

// readNote takes a signed note apart and does not ask who signed it.
function readNote(signed) {
  let all;
  try {
    all = textOf(signed);
  } catch {
    throw new Wrong("the note is not valid UTF-8");
  }
  const split = all.lastIndexOf("\n\n");
  const block = all.slice(split + 2);
  if (split < 0 || !block.endsWith("\n") || /[\x00-\x09\x0b-\x1f]/.test(all)) throw new Wrong("malformed note");
  const lines = block.slice(0, -1).split("\n");
  if (lines.length > 100) throw new Wrong("malformed note");
  if (new Set(lines).size < lines.length) throw new Wrong("a signature of the note stands twice");
  const signatures = lines.map((line) => {
    const [, name, encoded] = /^\u2014 ([^+ \t-\r\u0085\u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]+) ([A-Za-z0-9+/=]+)$/.exec(line) || [];
    const raw = encoded === undefined ? null : unbase64(encoded);
    if (raw === null || raw.length < 5) throw new Wrong("malformed note: its line " + quote(line) + " is no signature");
    return { name, hash: hex(raw.subarray(0, 4)), signature: raw.subarray(4) };
  });
  return { text: all.slice(0, split + 1), signatures };
}

// readHead reads a checkpoint.
function readHead(signed) {
  if (signed.length > checkpointLimit) throw new Wrong("size of a checkpoint", `at most ${checkpointLimit} bytes`, String(signed.length));
  const note = readNote(signed);
  const lines = note.text.split("\n");
  if (lines.length !== 4 || lines[3] !== "" || lines[0] === "") throw new Wrong("a checkpoint has the three lines origin, size and root");
  const head = { origin: lines[0], size: readNumber(lines[1]), root: readHash(lines[2]), note, signed };
  if (head.size === 0 && !equal(head.root, sha256())) throw new Wrong("the root is not that of an empty tree");
  return head;
}

// signedBy tells whether a log's key signed a checkpoint.
async function signedBy(head, key) {
  if (key.origin !== head.origin) return false;
  const own = head.note.signatures.find((s) => s.name === key.origin && s.hash === key.hash);
  return own !== undefined && await ed25519(key.key, bytesOf(head.note.text), own.signature);
}

// readPath reads the form that proofs share: a number, hashes, an empty line, a
// checkpoint.
function readPath(label, text) {
  if (text.length > proofLimit) throw new Wrong("size of the proof", `at most ${proofLimit} bytes`, String(text.length));
  let plain;
  try {
    plain = textOf(text);
  } catch {
    throw new Wrong("the proof is not valid UTF-8");
  }
  const split = plain.indexOf("\n\n");
  if (split < 0) throw new Wrong("no empty line before a checkpoint");
  const lines = plain.slice(0, split).split("\n");
  if (!lines[0].startsWith(label + " ")) throw new Wrong(`line ${quote(lines[0])}; want "${label}" and a number`);
  if (lines.length - 1 > pathLimit) throw new Wrong(`${lines.length - 1} hashes; the limit is ${pathLimit}`);
  return {
    number: readNumber(lines[0].slice(label.length + 1)),
    path: lines.slice(1).map(readHash),
    head: readHead(bytesOf(plain.slice(split + 2))),
  };
}

const proofHeader = bytesOf("c2sp.org/tlog-proof@v1\n");

function readProof(text) {
  if (!equal(text.subarray(0, proofHeader.length), proofHeader)) throw new Wrong('it does not begin with the line "c2sp.org/tlog-proof@v1"');
  const proof = readPath("index", text.subarray(proofHeader.length));
  if (proof.number >= proof.head.size) throw new Wrong(`index ${proof.number} is beyond the tree of ${proof.head.size} leaves`);
  return proof;
}

function readConsistency(text) {
  const proof = readPath("old", bytesOf(text));
  if (proof.number > proof.head.size) throw new Wrong(`old size ${proof.number} is beyond the tree of ${proof.head.size} leaves`);
  return proof;
}

function leafHash(leaf) { return sha256(Uint8Array.of(0), leaf); }

function nodeHash(left, right) { return sha256(Uint8Array.of(1), left, right); }

// half and odd are for numbers of more than 32 bits.
const half = (n) => Math.floor(n / 2);
const odd = (n) => n % 2 === 1;

// includes tells whether a proof shows that a leaf is at its index (RFC 9162,
// 2.1.3.2).
function includes(proof, leaf) {
  let at = proof.number;
  let last = proof.head.size - 1;
  let hash = leafHash(leaf);
  for (const p of proof.path) {
    if (last === 0) return false;
    if (odd(at) || at === last) {
      hash = nodeHash(p, hash);
      while (!odd(at) && at !== 0) {
        at = half(at);
        last = half(last);
      }
    } else {
      hash = nodeHash(hash, p);
    }
    at = half(at);
    last = half(last);
  }
  return last === 0 && equal(hash, proof.head.root);
}

// continues tells whether a proof shows that its tree begins with an older one
// (RFC 9162, 2.1.4.2).
function continues(proof, old) {
  if (proof.number === 0) return proof.path.length === 0;
  if (proof.number === proof.head.size) return proof.path.length === 0 && equal(old.root, proof.head.root);
  let at = proof.number - 1;
  let last = proof.head.size - 1;
  while (odd(at)) {
    at = half(at);
    last = half(last);
  }
  const path = at === 0 ? [old.root, ...proof.path] : proof.path;
  if (path.length === 0) return false;
  let before = path[0];
  let after = path[0];
  for (const p of path.slice(1)) {
    if (last === 0) return false;
    if (odd(at) || at === last) {
      before = nodeHash(p, before);
      after = nodeHash(p, after);
      while (!odd(at) && at !== 0) {
        at = half(at);
        last = half(last);
      }
    } else {
      after = nodeHash(after, p);
    }
    at = half(at);
    last = half(last);
  }
  return last === 0 && equal(before, old.root) && equal(after, proof.head.root);
}
