// The evidence bundle: a zip of which every byte is accounted for, the manifest,
// and what follows from the two.

const payloadType = "application/vnd.in-toto+json";
const statementType = "https://in-toto.io/Statement/v1";
const predicateType = "urn:licensekit:report-export:1";
const manifestLimit = 65534;
const formatShape = /^[a-z0-9]{1,16}$/;

// places is the order of a bundle, with the most bytes that each file may have.
const places = [
  { name: "manifest.json", limit: manifestLimit, small: true },
  { name: "manifest.json.sig", limit: 64, small: true },
  { name: "manifest.sigstore.json", limit: 128 << 10, small: true },
  { name: "manifest.json.tlog-proof", limit: proofLimit, small: true },
  { name: "SHA256SUMS", limit: 4 << 10, small: true },
  { name: "data.json", limit: Infinity, small: false },
  { name: "artifact.", limit: Infinity, small: false },
  { name: "README.txt", limit: 128 << 10, small: true },
];

const overflow32 = 0xffffffff;
const localFixed = 30; // bytes of a local header before the name

// Fields writes numbers as zip headers have them.
class Fields {
  constructor() { this.list = []; }

  number(value, size) {
    let n = BigInt(value);
    for (let i = 0; i < size; i++, n >>= 8n) this.list.push(Number(n & 255n));
    return this;
  }

  u16(n) { return this.number(n, 2); }
  u32(n) { return this.number(n, 4); }
  u64(n) { return this.number(n, 8); }
  zeros(n) { return this.number(0, n); }

  put(bytes) {
    for (const b of bytes) this.list.push(b);
    return this;
  }

  get bytes() { return Uint8Array.from(this.list); }
}

const capped = (n) => Math.min(n, overflow32);
const version = (extra) => (extra.length > 0 ? 45 : 20);

function sizes(m) { return m.size < overflow32 ? [] : new Fields().u64(m.size).u64(m.size).list; }

function localHeader(m) { return headerFields(new Fields().u32(0x04034b50), m, [], sizes(m)); }

function centralHeader(m, offset) {
  const extra = [...sizes(m), ...(offset >= overflow32 ? new Fields().u64(offset).list : [])];
  const begin = new Fields().u32(0x02014b50).u16(version(extra));
  return headerFields(begin, m, new Fields().zeros(10).u32(capped(offset)).list, extra);
}

function headerFields(fields, m, between, values) {
  const extra = values.length > 0 ? new Fields().u16(1).u16(values.length).put(values).list : [];
  fields.u16(version(extra)).zeros(6).u16(1 << 5 | 1).u32(m.crc).u32(capped(m.size)).u32(capped(m.size));
  return fields.u16(m.nameBytes.length).u16(extra.length).put(between).put(m.nameBytes).put(extra).bytes;
}

// directory is all that stands behind the last file's bytes.
function directory(members) {
  const fields = new Fields();
  let start = 0;
  for (const m of members) {
    fields.put(centralHeader(m, start));
    start += localHeader(m).length + m.size;
  }
  const size = fields.list.length;
  if (start >= overflow32) {
    fields.u32(0x06064b50).u64(44).u16(45).u16(45).zeros(8).u64(members.length).u64(members.length).u64(size).u64(start);
    fields.u32(0x07064b50).zeros(4).u64(start + size).u32(1);
  }
  return fields.u32(0x06054b50).zeros(4).u16(members.length).u16(members.length).u32(size).u32(capped(start)).zeros(2).bytes;
}

// openBundle reads the structure of a bundle. Every byte that is not content
// must be the one that is written for these names, sizes and checksums.
async function openBundle(source) {
  const members = [];
  let offset = 0;
  for (const place of places) {
    const m = await readMember(source, offset, place);
    members.push(m);
    offset = m.start + m.size;
  }
  const want = directory(members);
  same("size of the bundle", offset + want.length, source.size);
  sameBytes("zip directory", want, await source.bytes(offset, want.length));
  for (const m of members) {
    m.content = source.section(m.start, m.size);
    if (m.place.small) m.bytes = await m.content.bytes(0, m.size);
  }
  return members;
}

async function readMember(source, offset, place) {
  const fixed = await source.bytes(offset, localFixed);
  sameBytes("signature of a zip header", new Fields().u32(0x04034b50).bytes, fixed.subarray(0, 4));
  const view = new DataView(fixed.buffer);
  const nameEnd = localFixed + view.getUint16(26, true);
  const header = await source.bytes(offset, nameEnd + view.getUint16(28, true));
  const m = { place, nameBytes: header.subarray(localFixed, nameEnd), crc: view.getUint32(14, true), size: view.getUint32(22, true) };
  if (m.size === overflow32 && header.length - nameEnd === 20) {
    m.size = Number(new DataView(header.buffer).getBigUint64(nameEnd + 4, true) & (1n << 63n) - 1n);
  }
  checkPlace(m, place);
  sameBytes("zip header of " + m.name, localHeader(m), header);
  m.start = offset + header.length;
  if (m.size > source.size - m.start) throw new Wrong("size of " + m.name, `at most ${source.size - m.start} bytes, which are left`, String(m.size));
  return m;
}

function checkPlace(m, place) {
  m.name = new TextDecoder("utf-8", { ignoreBOM: true }).decode(m.nameBytes);
  const fits = place.name.endsWith(".") ? m.name.startsWith(place.name) && formatShape.test(m.name.slice(place.name.length)) : m.name === place.name;
  if (!fits) throw new Wrong("name of a file in the zip", place.name, quote(m.name));
  if (m.size > place.limit) throw new Wrong("size of " + place.name, `at most ${place.limit} bytes`, String(m.size));
}

// The members of a predicate, with what they must be.
const predicateMembers = {
  instance: checkText, content_type: checkText, version: checkText,
  export_id: shaped(/^[A-Za-z0-9][A-Za-z0-9_-]{0,127}$/), format: shaped(formatShape), key_id: shaped(/^[0-9a-f]{64}$/),
  as_of: checkCount, artifact_size: checkCount, data_size: checkCount, row_count: checkCount,
  report_kind: (name, value) => { if (typeof value !== "string" || !Object.hasOwn(schema.kinds, value)) throw new Wrong(`${quote(String(value))} is not a report kind`); },
  frozen_at: (name, value) => { if (typeof value !== "string" || !isTime(value)) throw new Wrong(`${name} is no time in the canonical form`); },
  filters: (name, value) => { if (value === null || typeof value !== "object" || Array.isArray(value)) throw new Wrong("filters are no object"); },
};

const logMembers = { log_origin: shaped(originShape), log_index: checkCount };

function shaped(shape) {
  return (name, value) => { if (typeof value !== "string" || !shape.test(value)) throw new Wrong(`${name} ${quote(String(value))}: want the form ${shape.source}`); };
}

function checkCount(name, value) {
  if (!Number.isInteger(value) || value < 0 || value > largest) throw new Wrong(`${name} ${quote(String(value))} is not between 0 and ${largest}`);
}

// readManifest reads a manifest in its only encoding.
function readManifest(text) {
  if (text.length > manifestLimit) throw new Wrong("size of the manifest", `at most ${manifestLimit} bytes`, String(text.length));
  let s;
  try {
    s = JSON.parse(textOf(text));
  } catch (e) {
    throw new Wrong("read manifest: " + e.message);
  }
  if (s === null || typeof s !== "object") throw new Wrong("the manifest is no object");
  same("_type", quote(statementType), quote(String(s._type)));
  same("predicateType", quote(predicateType), quote(String(s.predicateType)));
  const p = checkMembers(s.predicate);
  checkFilters(p.report_kind, p.filters);
  const subject = [{ digest: { sha256: digestOf(s, 0) }, name: "artifact." + p.format }, { digest: { sha256: digestOf(s, 1) }, name: "data.json" }];
  const again = canonicalJSON({ _type: statementType, predicate: p, predicateType, subject });
  sameBytes("the one encoding of this manifest", bytesOf(again), text);
  const m = { ...p, statement: s, artifact: { sha256: subject[0].digest.sha256, size: p.artifact_size }, data: { sha256: subject[1].digest.sha256, size: p.data_size } };
  if (m.format === "json" && (m.artifact.sha256 !== m.data.sha256 || m.artifact.size !== m.data.size)) throw new Wrong("the artifact of format json is not the canonical form itself");
  return m;
}

function checkMembers(p) {
  if (p === null || typeof p !== "object") throw new Wrong("the predicate is no object");
  const wanted = "log_index" in p || "log_origin" in p ? { ...predicateMembers, ...logMembers } : predicateMembers;
  const kept = {};
  for (const [name, check] of Object.entries(wanted)) {
    check(name, p[name]);
    kept[name] = p[name];
  }
  return kept;
}

function digestOf(s, i) {
  const digest = Array.isArray(s.subject) && s.subject.length === 2 && s.subject[i] && s.subject[i].digest && s.subject[i].digest.sha256;
  if (typeof digest !== "string" || !/^[0-9a-f]{64}$/.test(digest)) throw new Wrong("the subjects are not the artifact and data.json with their digests");
  return digest;
}

// preAuthentication is what is signed in place of the manifest (DSSE v1).
function preAuthentication(manifest) {
  return concat(bytesOf(preAuthenticationHead(manifest)), manifest);
}

function preAuthenticationHead(manifest) { return `DSSEv1 ${payloadType.length} ${payloadType} ${manifest.length} `; }

// derived gives the files that follow from manifest, signature and proof.
function derived(m, manifest, signature, proof) {
  const bundle = canonicalJSON({
    mediaType: "application/vnd.dev.sigstore.bundle.v0.3+json",
    verificationMaterial: { publicKey: { hint: base64(unhex(m.key_id)) } },
    dsseEnvelope: { payload: base64(manifest), payloadType, signatures: [{ sig: base64(signature) }] },
  });
  const files = {
    "manifest.json": manifest, "manifest.json.sig": signature, "manifest.sigstore.json": bytesOf(bundle), "manifest.json.tlog-proof": proof,
    "README.txt": bytesOf(readme(m, manifest)),
  };
  let sums = "";
  for (const { name } of places) {
    if (name === "data.json") sums += `${m.data.sha256}  data.json\n`;
    else if (name === "artifact.") sums += `${m.artifact.sha256}  artifact.${m.format}\n`;
    else if (name !== "SHA256SUMS") sums += `${hex(sha256(files[name]))}  ${name}\n`;
  }
  files.SHA256SUMS = bytesOf(sums);
  return files;
}

function readme(m, manifest) {
  const values = {
    export_id: m.export_id, report_kind: m.report_kind, format: m.format, row_count: m.row_count, filters: canonicalJSON(m.filters),
    frozen_at: m.frozen_at, as_of: m.as_of, instance: m.instance, key_id: m.key_id, log_origin: m.log_origin, log_index: m.log_index,
    pae: preAuthenticationHead(manifest),
  };
  return (m.log_origin === undefined ? schema.readme.alone : schema.readme.logged).replace(/\u0001([a-z_]+)\u0002/g, (_, name) => String(values[name]));
}
