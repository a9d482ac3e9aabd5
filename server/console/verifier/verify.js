// The verification, step by step, as licensekit verify does it.

// steps are in the order in which they run. Each relies on those before it, and
// gives a detail for people.
const steps = [
  ["zip", checkZip], ["manifest", checkManifest], ["signature", checkSignature], ["artifact", checkArtifact], ["data", checkData],
  ["log", checkLog], ["checkpoint", checkCheckpoint], ["content", checkContent], ["pages", checkPages], ["witnesses", checkWitnesses],
];

// verify checks a bundle against what a reviewer trusts, up to the first step
// that fails. tell is told of each step as it ends, progress of bytes as they are
// read. It throws where the file could not be read; whatever is wrong with the
// bytes is a result.
async function verify(blob, trust, tell = () => {}, progress = () => {}) {
  const c = { source: new Source(blob), trust, progress, anchored: false };
  await checkKept(trust);
  const result = { verdict: "", steps: [] };
  let failed = null;
  for (const [i, [name, run]] of steps.entries()) {
    const step = await take(c, { step: i + 1, name, status: "not run", detail: "" }, run, failed);
    if (step.status === "failed") failed = step;
    result.steps.push(step);
    tell(step);
  }
  if (c.fork) Object.assign(result, { verdict: "FORK", fork: c.fork });
  else if (failed) result.verdict = "INVALID";
  else Object.assign(result, { verdict: c.anchored ? "VERIFIED" : "UNANCHORED", manifest: c.manifest.statement, keep: c.anchored ? c.keep : undefined });
  return result;
}

// take runs a step, unless one before it failed.
async function take(c, step, run, failed) {
  if (failed) {
    step.detail = `step ${failed.step} (${failed.name}) failed before it`;
    return step;
  }
  try {
    step.detail = await run(c);
    step.status = "passed";
  } catch (e) {
    if (!(e instanceof Wrong) && !(e instanceof NotRun)) throw e;
    step.detail = e.message;
    if (e instanceof Wrong) Object.assign(step, { status: "failed", expected: e.expected, found: e.found });
  }
  return step;
}

// checkKept makes sure of the reviewer's own checkpoints: what is wrong with
// them is no finding.
async function checkKept(trust) {
  for (const head of trust.last) {
    if (!await signerOf(trust, head)) throw new Error(`the checkpoint that was kept is not signed by a pinned key of log ${head.origin}`);
  }
}

async function signerOf(trust, head) {
  for (const key of trust.logKeys) if (await signedBy(head, key)) return key;
  return null;
}

async function checkZip(c) {
  c.members = await openBundle(c.source);
  c.small = Object.fromEntries(c.members.filter((m) => m.bytes).map((m) => [m.name, m.bytes]));
  c.text = c.small["manifest.json"];
  c.signature = c.small["manifest.json.sig"];
  c.proofText = c.small["manifest.json.tlog-proof"];
  return `the ${places.length} files of a bundle, in order, and no byte between them`;
}

async function checkManifest(c) {
  c.manifest = readManifest(c.text);
  return "canonical, " + predicateType;
}

async function checkSignature(c) {
  const id = c.manifest.key_id;
  if (c.trust.logKeys.some((k) => k.id === id)) throw new Wrong(`key ${id} is the log's, which signs no manifests`);
  const key = c.trust.keys.find((k) => k.id === id);
  if (!key && c.trust.keys.length === 0) throw new NotRun("no key was pinned, so nothing vouches for the manifest");
  if (!key) throw new Wrong("the key that signed", "the pinned " + c.trust.keys.map((k) => k.id).join(" or "), id);
  if (!await ed25519(key.key, preAuthentication(c.text), c.signature)) {
    throw new Wrong("manifest.json.sig", "a signature of this manifest by key " + id, `${hex(c.signature.subarray(0, 8))}… (${c.signature.length} bytes), which is none`);
  }
  c.anchored = true;
  return "by the pinned key " + id;
}

const fileOf = (c, name) => c.members.find((m) => m.place.name === name);

function compare(tally, want, m) {
  same("sha256", want.sha256, hex(tally.hash.digest()));
  if (m) same("checksum (CRC-32) in the zip", tally.crc, m.crc);
}

async function checkArtifact(c) {
  const m = fileOf(c, "artifact.");
  same("name of the artifact", "artifact." + c.manifest.format, m.name);
  same("size in bytes", c.manifest.artifact.size, m.size);
  const tally = new Tally();
  for await (const bytes of m.content.slices(c.progress)) tally.add(bytes);
  compare(tally, c.manifest.artifact, m);
  return `${m.size} bytes, sha256:${c.manifest.artifact.sha256}`;
}

async function checkData(c) {
  const m = fileOf(c, "data.json");
  same("size in bytes", c.manifest.data.size, m.size);
  const tally = new Tally();
  const window = new Window(m.content, c.progress, (bytes) => tally.add(bytes));
  const totals = await new Canonical(window, c.manifest.report_kind, c.manifest.filters).read();
  compare(tally, c.manifest.data, m);
  same("rows", c.manifest.row_count, totals.rows);
  const want = derived(c.manifest, c.text, c.signature, c.proofText);
  for (const small of c.members.filter((one) => one.bytes)) {
    sameBytes(small.name, want[small.name], small.bytes);
    same("checksum (CRC-32) of " + small.name + " in the zip", crc32(small.bytes), small.crc);
  }
  return `${m.size} bytes, sha256:${c.manifest.data.sha256}`;
}

async function checkLog(c) {
  const { log_origin: origin, log_index: index } = c.manifest;
  const pinned = c.trust.logKeys;
  if (origin === undefined) {
    if (pinned.length > 0) throw new Wrong("the log", "the pinned " + pinned[0].origin, "a manifest that names none");
    if (c.proofText.length > 0) throw new Wrong("manifest.json.tlog-proof", "nothing, as the manifest names no log", `${c.proofText.length} bytes`);
    throw new NotRun("the manifest names no log");
  }
  const proof = readProof(c.proofText);
  same("log_origin", quote(origin), quote(proof.head.origin));
  same("log_index", index, proof.number);
  if (!includes(proof, c.text)) throw new Wrong(`leaf ${index} of ${origin}: the proof does not lead to the checkpoint`);
  if (pinned.length === 0) throw new NotRun("no log key is pinned, so nothing vouches for the checkpoint that the proof leads to");
  if (!pinned.some((k) => k.origin === origin)) throw new Wrong("the log", "the pinned " + pinned.map((k) => k.origin).join(" or "), quote(origin));
  c.logKey = await signerOf(c.trust, proof.head);
  if (!c.logKey) throw new Wrong(`checkpoint of ${origin}: not signed by the log's key`);
  c.proof = proof;
  return `entry ${index} of ${origin}, in the tree of ${proof.head.size}`;
}

async function checkCheckpoint(c) {
  if (!c.proof) throw new NotRun("no checkpoint was found good");
  const found = c.proof.head;
  const last = c.trust.last.find((head) => head.origin === found.origin);
  if (!last) {
    c.keep = found.signed;
    throw new NotRun("no checkpoint of this log was kept before this one");
  }
  await checkConsistent(c, last, found);
  if (found.size > last.size) c.keep = found.signed;
  return `one history: the kept checkpoint has size ${last.size}, this one ${found.size}`;
}

// checkConsistent tells whether the smaller of two trees is the beginning of
// the larger. A proof that does not hold is no fork, for anybody can make one.
async function checkConsistent(c, last, found) {
  checkFork(c, last, found);
  if (last.size === found.size) return;
  const [small, large] = last.size < found.size ? [last, found] : [found, last];
  for (const text of c.trust.consistency) {
    const proof = readConsistency(text);
    if (proof.head.origin !== last.origin) continue; // it is for another bundle
    if (!await signerOf(c.trust, proof.head)) throw new Wrong(`checkpoint of ${proof.head.origin}: not signed by the log's key`);
    checkFork(c, last, proof.head);
    checkFork(c, found, proof.head);
    if (proof.number !== small.size || proof.head.size !== large.size) continue;
    if (!continues(proof, small)) throw new Wrong(`size ${proof.number} to ${proof.head.size} of ${last.origin}: the proof does not hold`);
    return;
  }
  throw new NotRun(`the kept checkpoint has size ${last.size}, this one ${found.size}; ask the instance's operator for: licensekit log consistency --from ${small.size} --to ${large.size}`);
}

function checkFork(c, kept, seen) {
  if (kept.size !== seen.size || equal(kept.root, seen.root)) return;
  c.fork = { verifier_key: c.logKey.text, kept: textOf(kept.signed), found: textOf(seen.signed) };
  throw new Wrong(`root of ${kept.origin} at size ${kept.size}`, base64(kept.root), base64(seen.root));
}

async function checkContent(c) {
  const { format, report_kind: kind, filters, data, row_count: rows } = c.manifest;
  if (format !== "json" && format !== "csv") throw new NotRun(`this page reads json and csv; licensekit verify reads ${format} too`);
  const m = fileOf(c, "artifact.");
  let totals;
  if (format === "json") { // the artifact has the digest of data.json, and so is it
    totals = await new Canonical(new Window(m.content, c.progress, () => {}), kind, filters).read();
  } else {
    const tally = new Tally();
    const out = (bytes) => {
      tally.add(bytes);
      if (tally.size > data.size) throw new Wrong("the artifact decodes to more bytes than the manifest says");
    };
    totals = await new CSV(new Window(m.content, c.progress, () => {}), kind, filters, out).read();
    same("size of the artifact decoded, in bytes", data.size, tally.size);
    compare(tally, data);
  }
  same("rows", rows, totals.rows);
  return `the artifact says the same as data.json: rows: ${rows}`;
}

async function checkPages(c) {
  throw new NotRun(c.manifest.format === "pdf" ? "this page reads no pages of PDF; licensekit verify does" : "the artifact has no pages");
}

async function checkWitnesses() {
  throw new NotRun("no policy was given; licensekit verify takes one");
}
