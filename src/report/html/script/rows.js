// From messages to the rows of the timeline: steps as headings, transfers as bars, fleets as slices.
const MANY_DEVICES = 4;
const SLICES = 160;

// What the reader chose to see.
class View {
  constructor(messages) {
    this.messages = messages;
    this.hidden = new Set();
    this.unfolded = new Set();
    this.focus = new Set();
    this.only = 0;
    this.scenario = null;
    this.text = '';
    this.fleet = messages.devices.length > MANY_DEVICES;
  }

  // The lane that a message is drawn in: a kind of lane, a device, or the fleet.
  laneKey(i) {
    const messages = this.messages;
    if (!messages.device[i]) return messages.laneOf(i);
    return this.fleet && !this.focus.has(messages.device[i]) ? 'fleet' : `device-${messages.device[i]}`;
  }

  // Lanes from left to right, the server between its users and its devices.
  lanes() {
    const messages = this.messages;
    const lanes = [];
    const add = (key, name, kind) => lanes.push({ key, name, kind });
    if (messages.lanes.includes('rest')) add('rest', 'operator', 'rest');
    if (messages.lanes.includes('websocket')) add('websocket', 'websocket', 'websocket');
    add('server', 'server', 'server');
    if (messages.lanes.includes('upstream')) add('upstream', 'cloud', 'upstream');
    for (const other of messages.lanes) if (!['rest', 'websocket', 'upstream', 'air'].includes(other)) add(other, other, 'server');
    const own = this.fleet ? [...this.focus] : messages.devices.map((_, index) => index + 1);
    for (const device of own) add(`device-${device}`, messages.devices[device - 1], 'air');
    if (this.fleet) add('fleet', plural(messages.devices.length - this.focus.size, 'device'), 'air');
    return lanes;
  }

  shows(i) {
    const messages = this.messages;
    if (this.only && messages.step[i] !== this.only) return false;
    if (this.scenario && (messages.step[i] < this.scenario.from || messages.step[i] >= this.scenario.to)) return false;
    if (this.hidden.size && this.hidden.has(this.laneKey(i))) return false;
    if (!this.text) return true;
    return messages.words(i).toLowerCase().includes(this.text) || messages.nameOf(i).toLowerCase().includes(this.text)
      || messages.codeOf(i) === this.text || FATES[messages.fate[i]] === this.text || (messages.again[i] > 0 && this.text === 'again');
  }
}

// Rows are {kind: 'step' | 'message' | 'transfer' | 'slice' | 'repeat', ...}.
const rowsOf = view => {
  const messages = view.messages;
  const rows = [];
  const slice = Math.max(1, messages.end() / SLICES);
  const begun = new Set();
  let step = -1, open = null;
  const close = () => { open = null; };
  for (let i = 0; i < messages.count; i++) {
    if (!view.shows(i)) continue;
    if (messages.step[i] !== step) {
      step = messages.step[i];
      close();
      rows.push({ kind: 'step', step, i });
    }
    if (view.fleet && messages.device[i] && !view.focus.has(messages.device[i])) {
      const nth = Math.floor(messages.at[i] / slice);
      if (!open || open.nth !== nth) {
        open = { kind: 'slice', nth, i, last: i, step, count: 0, up: 0, lost: 0, again: 0, other: 0, members: [], key: `slice-${i}` };
        rows.push(open);
      }
      open.last = i;
      open.count++;
      open.up += messages.inward[i];
      open.again += messages.again[i];
      if (messages.fate[i] === 1) open.lost++; else if (messages.fate[i]) open.other++;
      open.members.push(i);
      continue;
    }
    close();
    const transfer = messages.transfer[i];
    if (transfer) {
      const key = `transfer-${transfer}`;
      if (!begun.has(transfer)) {
        begun.add(transfer);
        rows.push({ kind: 'transfer', transfer, i, step, key });
      }
      if (view.unfolded.has(key)) rows.push({ kind: 'message', i, step, inside: true });
      continue;
    }
    rows.push({ kind: 'message', i, step });
  }
  const unfolds = row => row.members && view.unfolded.has(row.key);
  const members = row => row.members.map(i => ({ kind: 'message', i, step: row.step, inside: true }));
  return repeats(messages, rows).flatMap(row => unfolds(row) ? [row, ...members(row)] : [row]);
};

// A poll of an hour is one row: messages that come again and again, in turns of up to eight.
const LONGEST_TURN = 8;
const TURNS = 4;
const repeats = (messages, rows) => {
  const plain = row => row.kind === 'message' && !row.inside && !messages.fate[row.i] && !messages.again[row.i];
  const same = (a, b) => plain(a) && plain(b) && a.step === b.step && messages.words(a.i) === messages.words(b.i)
    && messages.kind[a.i] === messages.kind[b.i] && messages.lane[a.i] === messages.lane[b.i] && messages.device[a.i] === messages.device[b.i];
  const folded = [];
  for (let at = 0; at < rows.length;) {
    let best = null;
    for (let length = 1; length <= LONGEST_TURN && plain(rows[at]); length++) {
      let count = length;
      while (at + count < rows.length && same(rows[at + count - length], rows[at + count])) count++;
      const turns = Math.floor(count / length);
      if (turns >= TURNS && turns * length > (best?.turns ?? 0) * (best?.length ?? 0)) best = { turns, length };
    }
    if (!best) { folded.push(rows[at++]); continue; }
    const members = rows.slice(at, at + best.turns * best.length).map(row => row.i);
    folded.push({ kind: 'repeat', i: members[0], last: members.at(-1), step: rows[at].step, members, turns: best.turns, length: best.length, key: `repeat-${members[0]}` });
    at += members.length;
  }
  return folded;
};
