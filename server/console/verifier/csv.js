// CSV as reports are written: read strictly, and written again in the canonical
// form.

const recordLimit = 1 << 20; // bytes
const $cr = 0x0d, $lf = 0x0a, $apostrophe = 0x27;
const guarded = new Set(bytesOf("=+-@\t\r'"));

// CSV reads the records of a report. Its canonical form goes to out.
class CSV {
  constructor(window, kind, filters, out) {
    this.window = window;
    this.sections = sectionsOf(kind, filters);
    this.totals = new Totals(this.sections);
    this.head = headOf(kind, filters, this.sections);
    this.out = new Writer(out);
    this.line = 1;
    this.layOut();
  }

  // layOut says which field of a record holds what.
  layOut() {
    this.header = this.sections.length > 1 ? ["section"] : [];
    const places = new Map();
    for (const s of this.sections) {
      for (const c of s.columns) {
        if (places.has(c.name)) continue;
        places.set(c.name, this.header.length);
        this.header.push(c.name);
      }
    }
    this.layouts = this.sections.map((s) => {
      const cells = cellsOf(s.columns).map((c) => ({ ...c, field: places.get(c.name) }));
      const own = new Set(cells.map((c) => c.field));
      if (this.several) own.add(0);
      return { cells, others: this.header.map((_, i) => i).filter((i) => !own.has(i)) };
    });
  }

  get several() { return this.sections.length > 1; }

  fail(what) { throw new Wrong(`decode csv: line ${this.line}: ${what}`); }

  async read() {
    const w = this.window;
    await w.fill();
    if (w.left === 0) this.fail("the header is missing");
    const header = this.record().map((f) => new TextDecoder("utf-8", { ignoreBOM: true }).decode(f.bytes));
    if (header.length !== this.header.length || header.some((name, i) => name !== this.header[i])) {
      throw new Wrong("decode csv: the header", this.header.join(","), quote(header.join(",")));
    }
    this.out.text(this.head);
    let section = -1;
    for (;;) {
      if (w.left < windowSize) await w.fill();
      if (w.left === 0) break;
      const record = this.record();
      if (record.length !== this.header.length) this.fail(`record has ${record.length} fields, the header has ${this.header.length}`);
      const named = this.several ? this.sectionOf(record[0].bytes) : 0;
      if (named < section) this.fail(`a row of ${this.sections[named].name} after the end of that section`);
      while (section < named) this.open(++section);
      this.row(record, section);
    }
    while (section < this.sections.length - 1) this.open(++section);
    this.out.text("]");
    this.out.text(this.totals.tail());
    this.out.flush();
    if (w.bad) throw new Wrong("decode csv: it is not valid UTF-8");
    return this.totals;
  }

  // open begins a section, behind the end of the one before.
  open(section) {
    this.out.text((section > 0 ? "]," : "") + JSON.stringify(this.sections[section].name) + ":[");
  }

  sectionOf(name) {
    const text = asciiOf(name, 0, name.length);
    const found = this.sections.findIndex((s) => s.name === text);
    if (found < 0) this.fail(`${quote(text)} is not a section of this report`);
    return found;
  }

  // record takes a record apart; it must be as it would be written.
  record() {
    const w = this.window;
    const p = w.bytes;
    const begin = w.at;
    const fields = [];
    let at = begin;
    for (;;) {
      const field = p[at] === $quote ? this.quoted(p, at) : this.plain(p, at);
      fields.push(field);
      at = field.end;
      if (p[at] === $comma) {
        at++;
        continue;
      }
      if (p[at] !== $cr || p[at + 1] !== $lf) this.fail("a record that does not end in CR LF");
      break;
    }
    if (at + 2 - begin > recordLimit) this.fail(`record is longer than ${recordLimit} bytes`);
    const lone = fields.length === 1;
    if (lone && fields[0].bytes.length === 0 && !fields[0].quoted) this.fail("empty line");
    for (const f of fields) if (f.quoted && !f.needed && !(lone && f.bytes.length === 0)) this.fail("quotes around a field that needs none");
    for (let i = begin; i < at + 2; i++) if (p[i] === $lf) this.line++;
    w.at = at + 2;
    return fields;
  }

  plain(p, start) {
    let end = start;
    for (; end < p.length; end++) {
      const c = p[end];
      if (c === $comma || c === $cr) break;
      if (c === $quote) this.fail("bare quote in an unquoted field");
      if (c === $lf) this.fail("line ends in LF alone, not CR LF");
    }
    if (end === p.length) this.fail("last record has no line end");
    return { bytes: p.subarray(start, end), end, quoted: false, needed: false };
  }

  quoted(p, start) {
    let needed = false;
    let doubled = false;
    for (let at = start + 1; at < p.length; at++) {
      const c = p[at];
      if (c === $quote) {
        if (p[at + 1] !== $quote) {
          const inside = p.subarray(start + 1, at);
          return { bytes: doubled ? undouble(inside) : inside, end: at + 1, quoted: true, needed };
        }
        at++;
        doubled = needed = true;
      } else if (c === $comma || c === $cr || c === $lf) {
        needed = true;
      }
    }
    return this.fail("quote never closed");
  }

  // row writes a record as a row.
  row(record, section) {
    const { cells, others } = this.layouts[section];
    for (const place of others) if (record[place].bytes.length > 0) this.fail(`a value in column ${this.header[place]}, which ${this.sections[section].name} has not`);
    if (this.totals.sections[section].rows++ > 0) this.out.byte($comma);
    for (const cell of cells) {
      this.out.bytes(cell.before);
      this.field(record[cell.field].bytes, cell, section);
    }
    this.out.byte(0x7d);
  }

  field(bytes, cell, section) {
    if (bytes.length === 0) {
      this.out.bytes($null);
    } else if (cell.type === "string") {
      this.out.string(this.unguard(bytes));
    } else if (cell.type === "time") {
      if (!isTime(asciiOf(bytes, 0, bytes.length))) this.fail(`column ${cell.name}: no time in the canonical form`);
      this.out.string(bytes);
    } else {
      const value = readInteger(asciiOf(bytes, 0, bytes.length));
      if (value === null) this.fail(`column ${cell.name}: no integer in the canonical form`);
      this.totals.add(section, cell.place, value);
      this.out.text(integerText(BigInt(value)));
    }
  }

  // unguard takes off what keeps spreadsheets from taking text for a formula.
  unguard(bytes) {
    if (!guarded.has(bytes[0])) return bytes;
    if (bytes[0] !== $apostrophe) this.fail("text that has no ' in front");
    if (bytes.length === 1 || !guarded.has(bytes[1])) this.fail("text that has a ' in front that it does not need");
    return bytes.subarray(1);
  }
}

function undouble(bytes) {
  const out = new Uint8Array(bytes.length);
  let n = 0;
  for (let i = 0; i < bytes.length; i++) {
    if (bytes[i] === $quote) i++;
    out[n++] = bytes[i];
  }
  return out.subarray(0, n);
}

// Writer gathers the canonical form and hands it on in large pieces.
class Writer {
  constructor(out) {
    this.out = out;
    this.buffer = new Uint8Array(1 << 18);
    this.size = 0;
  }

  flush() {
    this.out(this.buffer.subarray(0, this.size));
    this.size = 0;
  }

  room(n) {
    if (this.size + n > this.buffer.length) this.flush();
    if (n > this.buffer.length) this.buffer = new Uint8Array(2 * n);
  }

  byte(c) {
    this.room(1);
    this.buffer[this.size++] = c;
  }

  bytes(p) {
    this.room(p.length);
    this.buffer.set(p, this.size);
    this.size += p.length;
  }

  text(text) { this.bytes(bytesOf(text)); }

  // string writes a text as a JSON string.
  string(p) {
    this.room(6 * p.length + 2);
    const b = this.buffer;
    let n = this.size;
    b[n++] = $quote;
    for (let i = 0; i < p.length; i++) {
      const c = p[i];
      if (c >= 0x20 && c !== $quote && c !== $backslash) {
        b[n++] = c;
        continue;
      }
      for (const e of bytesOf(JSON.stringify(String.fromCharCode(c)).slice(1, -1))) b[n++] = e;
    }
    b[n++] = $quote;
    this.size = n;
  }
}
