// Reports: what kinds there are, their columns, and the canonical form, of which
// the digest is the report's.

const textLimit = 1024; // bytes
const stringLimit = 64 << 10; // of a string in the canonical form, as it stands there
const largest = 2 ** 53 - 1;
const least64 = -(1n << 63n);

// checkText refuses what no report holds.
function checkText(name, text) {
  if (typeof text !== "string" || text === "") throw new Wrong(`${name} is empty or no text`);
  if (bytesOf(text).length > textLimit) throw new Wrong(`${name} is longer than ${textLimit} bytes`);
  if (/[\x00-\x1f\x7f-\x9f\ufffe\uffff]/.test(text) || !wellFormed(text)) throw new Wrong(`${name} has a control character`);
}

function wellFormed(text) { return !/\p{Surrogate}/u.test(text); }

// isTime tells whether a text is an instant as reports write it.
function isTime(text) {
  if (!/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/.test(text)) return false;
  const at = new Date(text);
  return !Number.isNaN(at.getTime()) && at.toISOString() === text;
}

// checkFilters refuses filters in another form than the normal one.
function checkFilters(kindName, filters) {
  const kind = schema.kinds[kindName];
  for (const [name, value] of Object.entries(filters)) {
    if (!kind.filters.includes(name)) throw new Wrong(`${quote(name)} is not a filter of ${kindName}`);
    if (name !== "group_by") checkText(name, value);
  }
  for (const name of ["from", "to"]) {
    if (filters[name] !== undefined && !isTime(filters[name])) throw new Wrong(`${name} ${quote(filters[name])} is no time in the normal form`);
  }
  if (filters.from > filters.to) throw new Wrong("from is after to");
  if (filters.bucket !== undefined && filters.bucket !== "1h" && filters.bucket !== "1d") throw new Wrong(`bucket ${quote(filters.bucket)} is neither 1h nor 1d`);
  if (filters.time_zone !== undefined) checkZone(filters);
  if (filters.action !== undefined && kind.usage && !filters.action.startsWith("usage.")) throw new Wrong(`action ${quote(filters.action)} is not usage`);
  checkGroups(kind, filters.group_by);
}

function checkZone({ bucket, time_zone: zone }) {
  if (bucket !== "1d" || zone === "UTC") throw new Wrong("a time_zone that changes nothing");
  try {
    new Intl.DateTimeFormat("en", { timeZone: zone });
  } catch {
    throw new Wrong(`time_zone ${quote(zone)} is not an IANA time zone`);
  }
}

function checkGroups(kind, groups) {
  if (kind.grouped !== (groups !== undefined)) throw new Wrong("group_by is missing, or not of this kind");
  if (groups === undefined) return;
  if (!Array.isArray(groups) || groups.length === 0) throw new Wrong("group_by is no list of names");
  groups.forEach((group, i) => {
    if (!schema.groupings.includes(group)) throw new Wrong(`group_by has ${quote(String(group))}`);
    if (groups.indexOf(group) !== i) throw new Wrong(`group_by has ${group} twice`);
  });
}

// sectionsOf gives the sections of a report with their columns.
function sectionsOf(kindName, filters) {
  return schema.kinds[kindName].sections.map(({ name, columns }) => {
    const own = [];
    for (const c of columns) {
      if (c.groups) {
        for (const group of filters.group_by) if (!own.some((o) => o.name === group)) own.push({ name: group, type: "string" });
      } else if (!c.bucket || filters.bucket !== undefined) {
        own.push({ name: c.name, type: c.type, sum: Boolean(c.sum) });
      }
    }
    return { name, columns: own };
  });
}

// headOf is the canonical form up to the rows.
function headOf(kind, filters, sections) {
  const columns = {};
  for (const s of sections) columns[s.name] = s.columns.map(({ name, type }) => ({ name, type }));
  return canonicalJSON({ columns, filters, report_kind: kind }).slice(0, -1) + ',"rows":{';
}

// Totals counts rows and adds up columns, as 64-bit integers do.
class Totals {
  constructor(sections) {
    this.sections = sections.map((s) => ({ name: s.name, rows: 0, sums: s.columns.map((c) => (c.sum ? 0 : null)), columns: s.columns }));
  }

  get rows() { return this.sections.reduce((n, s) => n + s.rows, 0); }

  // add adds a number, or a BigInt beyond those that numbers hold.
  add(section, column, value) {
    const sums = this.sections[section].sums;
    if (sums[column] === null) return;
    let sum;
    if (typeof value === "number" && typeof sums[column] === "number") {
      sum = sums[column] + value;
      if (Number.isSafeInteger(sum)) {
        sums[column] = sum;
        return;
      }
    }
    sum = BigInt(sums[column]) + BigInt(value);
    if (sum <= least64 || sum >= -least64) throw new Wrong("a total exceeds the range of a 64-bit integer");
    sums[column] = sum;
  }

  // tail is the canonical form behind the rows.
  tail() {
    const totals = this.sections.map((s) => {
      const own = { rows: String(s.rows) };
      s.columns.forEach((c, i) => { if (c.sum) own[c.name] = integerText(BigInt(s.sums[i])); });
      return JSON.stringify(s.name) + ":{" + Object.keys(own).sort().map((name) => `"${name}":${own[name]}`).join(",") + "}";
    });
    return `},"schema":"${schema.name}","totals":{${totals.join(",")}}}`;
  }
}

// integerText writes an integer in the canonical form.
function integerText(n) {
  return n > BigInt(largest) || n < -BigInt(largest) ? `"${n}"` : String(n);
}

// cellsOf sorts a section's columns as the canonical form has the members of a
// row, each with what stands before its value.
function cellsOf(columns) {
  return columns.map((c, place) => ({ ...c, place })).sort((a, b) => (a.name < b.name ? -1 : 1))
    .map((c, i) => ({ ...c, before: bytesOf((i === 0 ? "{" : ",") + JSON.stringify(c.name) + ":") }));
}

const $quote = 0x22, $backslash = 0x5c, $comma = 0x2c, $minus = 0x2d, $null = bytesOf("null");

// Canonical takes a canonical form apart and refuses every other spelling.
class Canonical {
  constructor(window, kind, filters) {
    this.window = window;
    this.kind = kind;
    this.filters = filters;
    this.sections = sectionsOf(kind, filters);
    this.totals = new Totals(this.sections);
  }

  async read() {
    const w = this.window;
    await w.fill();
    this.literal(bytesOf(headOf(this.kind, this.filters, this.sections)));
    for (let i = 0; i < this.sections.length; i++) await this.section(i);
    await w.fill();
    this.literal(bytesOf(this.totals.tail()));
    if (w.left > 0) this.fail("data after the end");
    await w.drain();
    if (w.bad) throw new Wrong("the canonical form is not valid UTF-8");
    return this.totals;
  }

  async section(i) {
    const w = this.window;
    const cells = cellsOf(this.sections[i].columns);
    this.literal(bytesOf((i > 0 ? "," : "") + JSON.stringify(this.sections[i].name) + ":["));
    for (let rows = 0; ; rows++) {
      if (w.left < windowSize) await w.fill();
      if (w.bytes[w.at] === 0x5d) break;
      if (rows > 0) this.byte($comma);
      for (const cell of cells) {
        this.literal(cell.before);
        this.value(cell, i);
      }
      this.byte(0x7d);
      this.totals.sections[i].rows++;
    }
    this.byte(0x5d);
  }

  fail(what) {
    throw new Wrong(`canonical JSON, byte ${this.window.offset + this.window.at}: ${what}`);
  }

  byte(want) {
    const w = this.window;
    if (w.bytes[w.at] !== want) this.fail(`want ${quote(String.fromCharCode(want))}`);
    w.at++;
  }

  literal(want) {
    const w = this.window;
    for (let i = 0; i < want.length; i++) {
      if (w.bytes[w.at + i] !== want[i]) this.fail(`want ${quote(textOf(want))}`);
    }
    w.at += want.length;
  }

  value(cell, section) {
    const w = this.window;
    if (w.bytes[w.at] === 0x6e) {
      this.literal($null);
      return;
    }
    if (cell.type === "integer") {
      this.totals.add(section, cell.place, this.integer());
      return;
    }
    const { start, end } = this.string();
    if (start === end) this.fail('"" where an absent value is null');
    if (cell.type === "time" && !isTime(asciiOf(w.bytes, start, end))) this.fail("no time in the canonical form");
  }

  // string takes a string and tells where its inside is.
  string() {
    const w = this.window;
    this.byte($quote);
    const start = w.at;
    let escaped = false;
    for (let at = start; at < w.bytes.length && at - start <= stringLimit; at++) {
      const c = w.bytes[at];
      if (c === $quote) {
        if (escaped) this.checkEscapes(start, at);
        w.at = at + 1;
        return { start, end: at };
      }
      if (c < 0x20) this.fail("a bare control character in a string");
      if (c === $backslash) {
        escaped = true;
        at++;
      }
    }
    return this.fail("a string without an end");
  }

  checkEscapes(start, end) {
    let text, again;
    try {
      text = textOf(this.window.bytes.subarray(start - 1, end + 1));
      again = JSON.parse(text);
    } catch {
      this.fail("a string that is no JSON");
    }
    if (JSON.stringify(again) !== text || !wellFormed(again)) this.fail("a string that is not in canonical form");
  }

  integer() {
    const w = this.window;
    let text;
    const quoted = w.bytes[w.at] === $quote;
    if (quoted) {
      const { start, end } = this.string();
      text = asciiOf(w.bytes, start, end);
    } else {
      let end = w.at;
      while (w.bytes[end] === $minus || w.bytes[end] >= 0x30 && w.bytes[end] <= 0x39) end++;
      text = asciiOf(w.bytes, w.at, end);
      w.at = end;
    }
    const value = readInteger(text);
    if (value === null || (typeof value === "bigint") !== quoted) this.fail(`integer ${quote(text)} is not in canonical form`);
    return value;
  }
}

// asciiOf is a short text of which only ASCII is of interest.
function asciiOf(bytes, start, end) {
  return end - start > 64 ? "…" : String.fromCharCode(...bytes.subarray(start, end));
}

// readInteger reads a 64-bit integer in its shortest form: a number, or a BigInt
// beyond those that numbers hold; null for others.
function readInteger(text) {
  if (!/^(0|-?[1-9][0-9]{0,18})$/.test(text)) return null;
  const value = Number(text);
  if (Number.isSafeInteger(value)) return value;
  const exact = BigInt(text);
  return exact > least64 && exact < -least64 ? exact : null;
}
