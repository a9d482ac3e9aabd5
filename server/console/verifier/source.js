// Files are read a slice at a time, so that their size does not matter.

const sliceSize = 4 << 20;

class Source {
  constructor(blob, start = 0, size = blob.size) {
    this.blob = blob;
    this.start = start;
    this.size = size;
  }

  section(start, size) { return new Source(this.blob, this.start + start, size); }

  // bytes reads a short range that must be within the file.
  async bytes(start, size) {
    if (start + size > this.size) throw new Wrong("the file ends here");
    return new Uint8Array(await this.blob.slice(this.start + start, this.start + start + size).arrayBuffer());
  }

  // slices gives all of it, in order, and tells progress as it goes.
  async *slices(progress) {
    for (let at = 0; at < this.size; at += sliceSize) {
      const size = Math.min(sliceSize, this.size - at);
      yield await this.bytes(at, size);
      progress(size);
    }
  }
}

// Tally knows size, SHA-256 and CRC-32 of what passes.
class Tally {
  constructor() {
    this.hash = new SHA256();
    this.crc = 0;
    this.size = 0;
  }

  add(bytes) {
    this.hash.update(bytes);
    this.crc = crc32(bytes, this.crc);
    this.size += bytes.length;
  }
}

// windowSize is more than any row of a report has, in bytes.
const windowSize = 1 << 20;

// Window is a file of which the next bytes are at hand: fill reads on, and what
// takes the bytes apart does not wait.
class Window {
  constructor(source, progress, see) {
    this.slices = source.slices(progress);
    this.see = see; // is shown all bytes, once
    this.bytes = new Uint8Array(0);
    this.at = 0;
    this.offset = 0; // of bytes[0] in the file
    this.ended = false;
    this.decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
    this.bad = false; // it is not all UTF-8
  }

  // fill makes a window's size of bytes available, as far as there are any.
  async fill() {
    while (!this.ended && this.bytes.length - this.at < windowSize) {
      const { value, done } = await this.slices.next();
      if (done) this.ended = true;
      this.check(value);
      if (done) break;
      this.see(value);
      this.offset += this.at;
      this.bytes = concat(this.bytes.subarray(this.at), value);
      this.at = 0;
    }
  }

  check(bytes) {
    if (this.bad) return;
    try {
      this.decoder.decode(bytes, { stream: bytes !== undefined });
    } catch {
      this.bad = true;
    }
  }

  get left() { return this.bytes.length - this.at; }

  // drain reads on to the end, for those who see.
  async drain() {
    while (!this.ended) {
      this.at = this.bytes.length;
      await this.fill();
    }
  }
}
