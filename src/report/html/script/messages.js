// The messages of one feature: columns at once, what is in them on demand.
const FATES = ['', 'lost', 'duplicated', 'corrupted', 'late'];
const REQUEST = 0, ANSWER = 1, CONNECTION = 2;

class Messages {
  static async of(number, facts) {
    const columns = await unpack(`columns-${number}`);
    return new Messages(number, facts, columns);
  }

  constructor(number, facts, columns) {
    this.number = number;
    this.facts = facts;
    this.count = columns ? columns.lane.length : 0;
    const none = new Uint32Array(this.count);
    const list = name => columns?.[name]?.length ? Uint32Array.from(columns[name]) : none;
    for (const name of ['lane', 'kind', 'step', 'device', 'code', 'text', 'size', 'inward', 'fate', 'again', 'answers', 'transfer']) this[name] = list(name);
    this.began = columns?.began ?? 0;
    this.at = new Float64Array(this.count);
    let at = 0;
    for (let i = 0; i < this.count; i++) this.at[i] = at += columns.after[i];
    this.lanes = columns?.lanes ?? [];
    this.contents = columns?.detail?.length ? Uint32Array.from(columns.detail) : null;
    this.devices = columns?.devices ?? [];
    this.transfers = columns?.transfers ?? [];
    this.strings = columns?.strings ?? [];
    this.answered = new Map();
    for (let i = 0; i < this.count; i++) {
      const request = this.answers[i] ? i - this.answers[i] : -1;
      if (request >= 0 && !this.answered.has(request)) this.answered.set(request, i);
    }
    this.pieces = new Map();
  }

  // What is in a message, or undefined where the page has no room for it.
  async detail(i) {
    const bounds = this.facts.pieces;
    const at = this.contents ? this.contents[i] : i;
    let piece = 0;
    while (piece + 2 < bounds.length && bounds[piece + 1] <= at) piece++;
    if (!this.pieces.has(piece)) {
      if (this.pieces.size > 16) this.pieces.clear();
      this.pieces.set(piece, unpack(`piece-${this.number}-${piece}`));
    }
    const content = await this.pieces.get(piece);
    return content ? content[at - bounds[piece]] : undefined;
  }

  words(i) { return this.strings[this.text[i]] ?? ''; }
  codeOf(i) { return this.strings[this.code[i]] ?? ''; }
  laneOf(i) { return this.lanes[this.lane[i]] ?? ''; }
  nameOf(i) { return this.device[i] ? this.devices[this.device[i] - 1] : ''; }
  end() { return this.count ? this.at[this.count - 1] : 0; }

  // What crossed while a step was at work, as numbers.
  ofStep(step) {
    const seen = { count: 0, first: -1, last: -1, bytes: 0, lost: 0, again: 0 };
    for (let i = 0; i < this.count; i++) {
      if (this.step[i] !== step) continue;
      if (!seen.count++) seen.first = i;
      seen.last = i;
      seen.bytes += this.size[i];
      seen.lost += this.fate[i] === 1;
      seen.again += this.again[i];
    }
    return seen;
  }

  // The first message at or after a time.
  atTime(time) {
    let low = 0, high = this.count;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.at[middle] < time) low = middle + 1; else high = middle;
    }
    return Math.min(low, this.count - 1);
  }
}

// 2.05 and 200 are good, 4.04 and 404 are not; methods are neither.
const quality = code => /^[2-3](\d\d|\.\d\d)$|^101$/.test(code) ? 'good' : /^[4-5](\d\d|\.\d\d)$/.test(code) ? 'bad' : '';
