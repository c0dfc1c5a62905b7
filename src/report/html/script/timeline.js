// The timeline: a picture of all of it above, and rows of which only the visible ones exist.
const ROW = 26;
// A lane's width; narrower where many lanes would leave no room for words.
const LANE = 80;
const NARROWEST_LANE = 44;
const LANES_SHARE = 0.42;
const OVERSCAN = 12;
const SIGNS = { p: ['✓', 'passed'], f: ['✗', 'failed'], s: ['–', 'skipped'], i: ['!', 'interrupted'] };

class Timeline {
  constructor(messages, steps, on) {
    this.messages = messages;
    this.steps = steps;
    this.on = on;
    this.view = new View(messages);
    this.chosen = -1;
    this.step = 0;
    this.scrubber = make('canvas.scrubber');
    this.heads = make('div.heads');
    this.sheet = make('div.sheet');
    this.rowsElement = make('div.rows', this.sheet);
    this.rowsElement.tabIndex = 0;
    this.rowsElement.setAttribute('role', 'listbox');
    this.rowsElement.setAttribute('aria-label', 'messages');
    this.rowsElement.addEventListener('keydown', event => {
      const by = { ArrowDown: 1, ArrowUp: -1 }[event.key];
      if (!by || event.ctrlKey || event.metaKey || event.altKey) return;
      event.preventDefault();
      this.walk(by);
    });
    this.lane = LANE;
    this.drawn = new Map();
    this.rowsElement.addEventListener('scroll', () => this.draw(), { passive: true });
    this.sheet.addEventListener('click', event => this.click(event));
    const jump = event => {
      const box = this.scrubber.getBoundingClientRect();
      this.jump((event.clientX - box.left) / box.width);
    };
    this.scrubber.addEventListener('pointerdown', event => { this.scrubber.setPointerCapture(event.pointerId); jump(event); });
    this.scrubber.addEventListener('pointermove', event => { if (event.buttons) jump(event); });
    new ResizeObserver(() => { if (this.laneWidth() !== this.lane) { this.refresh(); return; } this.draw(); this.scrub(); }).observe(this.rowsElement);
    this.refresh();
  }

  // Computes all rows anew, after another choice of what to see.
  refresh() {
    this.lanes = this.view.lanes().filter(it => !this.view.hidden.has(it.key));
    this.lane = this.laneWidth();
    this.x = new Map(this.lanes.map((it, index) => [it.key, this.lane / 2 + index * this.lane]));
    this.rows = rowsOf(this.view);
    this.sheet.style.height = `${Math.max(1, this.rows.length) * ROW + 8}px`;
    const lanes = make('div.lanes');
    lanes.style.width = `${this.lanes.length * this.lane}px`;
    for (const [index, lane] of this.lanes.entries()) {
      const name = make('span', visible(lane.name));
      name.style.left = `${index * this.lane}px`;
      name.style.width = `${this.lane}px`;
      name.style.setProperty('--lane', `var(--${lane.kind})`);
      name.title = lane.name;
      lanes.append(name);
    }
    const count = this.rows.length ? '' : 'nothing crossed that fits';
    this.heads.replaceChildren(make('div.time', 'time (s)'), lanes, make('div.rest', count));
    this.clear();
    this.draw();
    this.scrub();
  }

  laneWidth() {
    const room = this.rowsElement.clientWidth;
    return room ? Math.max(NARROWEST_LANE, Math.min(LANE, Math.floor(room * LANES_SHARE / this.lanes.length))) : LANE;
  }

  clear() {
    for (const element of this.drawn.values()) element.remove();
    this.drawn.clear();
  }

  draw() {
    const top = this.rowsElement.scrollTop;
    const from = Math.max(0, Math.floor(top / ROW) - OVERSCAN);
    const to = Math.min(this.rows.length, Math.ceil((top + this.rowsElement.clientHeight) / ROW) + OVERSCAN);
    for (const [index, element] of this.drawn) {
      if (index < from || index >= to) { element.remove(); this.drawn.delete(index); }
    }
    for (let index = from; index < to; index++) {
      if (this.drawn.has(index)) continue;
      const element = this.element(this.rows[index], index);
      element.style.top = `${index * ROW}px`;
      element.dataset.row = index;
      this.drawn.set(index, element);
      this.sheet.append(element);
    }
    this.window();
  }

  element(row, index) {
    const line = row.kind === 'step' ? this.stepLine(row) : row.kind === 'message' ? this.messageLine(row) : row.kind === 'transfer' ? this.transferLine(row) : row.kind === 'repeat' ? this.repeatLine(row) : this.sliceLine(row);
    if (row.kind !== 'step' && this.step && row.step === this.step) line.classList.add('of-step');
    const chosen = row.kind === 'step' ? this.chosen < 0 && row.step > 0 && row.step === this.step : this.isChosen(row);
    line.id = `row-${index}`;
    line.setAttribute('role', 'option');
    line.setAttribute('aria-selected', chosen);
    if (chosen) {
      line.classList.add('chosen');
      this.rowsElement.setAttribute('aria-activedescendant', line.id);
    }
    return line;
  }

  isChosen(row) {
    if (this.chosen < 0) return false;
    if (row.kind === 'message') return row.i === this.chosen && this.chosenRow === undefined;
    return this.chosenRow !== undefined && row.key === this.chosenRow;
  }

  stepLine(row) {
    if (!row.step) return make('div.row-line.step-line', make('span.text.quiet', 'between steps'));
    const step = this.steps[row.step];
    const [sign, word] = SIGNS[step.verdict];
    const line = make('div.row-line.step-line', make(`span.mark.${word}`, sign), make('span.text', visible(step.title)));
    line.title = step.title;
    return line;
  }

  time(i, before) {
    const element = make('span.time', clock(this.messages.at[i]));
    element.title = new Date(this.messages.began + this.messages.at[i]).toISOString() + (before >= 0 ? `, ${this.messages.at[i] - this.messages.at[before]} ms after what it answers` : '');
    return element;
  }

  messageLine(row) {
    const messages = this.messages, i = row.i;
    const fate = FATES[messages.fate[i]];
    const code = messages.codeOf(i);
    const line = make('div.row-line', this.time(i, messages.answers[i] ? i - messages.answers[i] : -1), this.arrow(i));
    if (row.inside) line.classList.add('inside');
    if (fate === 'lost') line.classList.add('lost');
    const chip = make('span.code', code);
    const class_ = quality(code);
    if (class_) chip.classList.add(class_);
    if (code) line.append(chip);
    if (fate) line.append(make(`span.flag.${fate}`, fate));
    if (messages.again[i]) line.append(make('span.flag.again', '↻ again'));
    if (this.view.fleet && messages.device[i]) line.append(make('span.who', visible(messages.nameOf(i))));
    line.append(make('span.text', visible(this.shortened(i, code))));
    if (messages.size[i]) line.append(make('span.size', bytes(messages.size[i])));
    return line;
  }

  // The code has its own place: the text need not begin with it again.
  shortened(i, code) {
    const text = this.messages.words(i);
    if (code && text.startsWith(`${code} `)) return text.slice(code.length + 1);
    if (this.messages.device[i] && code) return text.replace(` ${code}`, '').replace(/^ACK 0\.00$/, 'ACK');
    return text;
  }

  transferLine(row) {
    const transfer = this.messages.transfers[row.transfer - 1];
    const unfolded = this.view.unfolded.has(row.key);
    const sender = transfer.block === 1 ? transfer.inward : 1 - transfer.inward;
    const line = make('div.row-line', this.time(row.i, -1), this.lifelines(`device-${transfer.device}`, sender, { thick: true }));
    line.append(make('span.fold', unfolded ? '▾' : '▸'), this.bar(transfer));
    const state = transfer.whole ? '' : ', not whole';
    line.append(make('span.text', visible(`${transfer.path} in ${plural(transfer.blocks, 'block')}, ${bytes(transfer.bytes)}${state}, ${plural(transfer.messages, 'message')} until ${clock(this.messages.at[transfer.last])}`)));
    if (transfer.lost) line.append(make('span.flag.lost', `${transfer.lost} lost`));
    if (transfer.again) line.append(make('span.flag.again', `↻ ${transfer.again}`));
    if (transfer.duplicated) line.append(make('span.flag.duplicated', `${transfer.duplicated} twice`));
    line.title = `Block${transfer.block} transfer of ${transfer.path}; click to ${unfolded ? 'fold' : 'unfold'}`;
    return line;
  }

  // How much of the transfer went well, in proportion.
  bar(transfer) {
    const bar = make('span.blocks');
    const part = (name, count) => {
      if (!count) return;
      const element = make(name);
      element.style.flexGrow = count;
      bar.append(element);
    };
    part('i', transfer.messages - transfer.lost - transfer.again);
    part('i.again', transfer.again);
    part('i.lost', transfer.lost);
    return bar;
  }

  sliceLine(row) {
    const unfolded = this.view.unfolded.has(row.key);
    const line = make('div.row-line', this.time(row.i, -1), this.lifelines('fleet', row.up * 2 >= row.count ? 1 : 0, { both: row.up && row.up < row.count, thick: true }));
    const devices = new Set(row.members.map(i => this.messages.device[i])).size;
    line.append(make('span.fold', unfolded ? '▾' : '▸'));
    line.append(make('span.text', `${plural(row.count, 'message')} of ${plural(devices, 'device')}, ${grouped(row.up)} up, ${grouped(row.count - row.up)} down`));
    if (row.lost) line.append(make('span.flag.lost', `${grouped(row.lost)} lost`));
    if (row.again) line.append(make('span.flag.again', `↻ ${grouped(row.again)}`));
    if (row.other) line.append(make('span.flag.duplicated', `${grouped(row.other)} otherwise hurt`));
    line.title = 'click for the devices in it, again to unfold it';
    return line;
  }

  // The first turn stands for all of them.
  repeatLine(row) {
    const unfolded = this.view.unfolded.has(row.key);
    const messages = this.messages, turn = row.members.slice(0, row.length);
    const line = make('div.row-line', this.time(row.i, -1), this.arrow(row.i));
    line.append(make('span.fold', unfolded ? '▾' : '▸'), make('span.code', `× ${grouped(row.turns)}`));
    const said = turn.map(i => { const code = messages.codeOf(i); return messages.kind[i] === ANSWER && code ? code : [code, this.shortened(i, code)].filter(Boolean).join(' '); });
    line.append(make('span.text', visible(`${said.join(', ')} until ${clock(messages.at[row.last])}`)));
    line.title = `the same ${plural(row.length, 'message')} ${grouped(row.turns)} times; click to ${unfolded ? 'fold' : 'unfold'}`;
    return line;
  }

  arrow(i) {
    const messages = this.messages;
    return this.lifelines(this.view.laneKey(i), messages.inward[i], {
      connection: messages.kind[i] === CONNECTION && !messages.device[i], answer: messages.kind[i] === ANSWER, fate: FATES[messages.fate[i]], again: messages.again[i],
    });
  }

  // All lanes as lines, and one arrow between the server and another lane.
  lifelines(key, inward, how) {
    const width = this.lanes.length * this.lane;
    const svg = draw('svg', { width, height: ROW, 'aria-hidden': 'true' });
    for (const lane of this.lanes) {
      const x = this.x.get(lane.key);
      svg.append(draw('line', { x1: x, x2: x, y1: 0, y2: ROW, stroke: 'var(--line)', 'stroke-width': lane.key === 'server' ? 2 : 1 }));
    }
    const server = this.x.get('server'), other = this.x.get(key);
    const lane = this.lanes.find(it => it.key === key);
    if (server === undefined || other === undefined) return svg;
    const stroke = `var(--${lane.kind})`, y = ROW / 2;
    if (how.connection) {
      svg.append(draw('circle', { cx: other, cy: y, r: 4, fill: stroke }));
      return svg;
    }
    const [from, to] = inward ? [other, server] : [server, other];
    const direction = Math.sign(to - from);
    const end = how.fate === 'lost' ? from + (to - from) * 0.6 : to - direction * 2;
    const dashes = how.again ? '2 3' : how.answer ? '5 3' : 'none';
    svg.append(draw('line', { x1: from, x2: end, y1: y, y2: y, stroke, 'stroke-width': how.thick ? 4 : 1.5, 'stroke-opacity': how.thick ? 0.55 : 1, 'stroke-dasharray': dashes }));
    const head = (x, to) => draw('path', { d: `M${x} ${y}l${-to * 7} -4v8z`, fill: stroke });
    if (how.fate === 'lost') {
      svg.append(draw('path', { d: `M${end - 4} ${y - 4}l8 8m0 -8l-8 8`, stroke: 'var(--failed)', 'stroke-width': 2 }));
      return svg;
    }
    svg.append(head(end, direction));
    if (how.fate === 'duplicated') svg.append(head(end - direction * 8, direction));
    if (how.fate === 'corrupted') svg.append(draw('path', { d: `M${(from + end) / 2 - 6} ${y}l4 -5l4 10l4 -5`, stroke: 'var(--failed)', 'stroke-width': 1.5, fill: 'none' }));
    if (how.fate === 'late') svg.append(draw('circle', { cx: (from + end) / 2, cy: y, r: 4, fill: 'var(--page)', stroke: 'var(--interrupted)', 'stroke-width': 1.5 }));
    if (how.both) svg.append(head(from, -direction));
    return svg;
  }

  click(event) {
    const line = event.target.closest('.row-line');
    if (!line) return;
    this.choose(Number(line.dataset.row), true);
  }

  // Chooses a row; bars and slices fold or unfold.
  choose(index, toggles) {
    const row = this.rows[index];
    if (!row) return;
    if (row.kind === 'step') {
      if (row.step) this.on.step(row.step);
      return;
    }
    if (row.kind === 'message') {
      this.select(row.i);
      this.on.message(row.i);
      return;
    }
    const again = this.chosenRow === row.key && this.chosen >= 0;
    this.chosen = row.i;
    this.chosenRow = row.key;
    if (toggles && (row.kind !== 'slice' || again)) {
      if (!this.view.unfolded.delete(row.key)) this.view.unfolded.add(row.key);
      this.refresh();
      this.scrollTo(this.rows.findIndex(it => it.key === row.key));
      this.on.folded();
    } else {
      this.clear();
      this.draw();
    }
    if (row.kind === 'transfer') this.on.transfer(row);
    else if (row.kind === 'slice') this.on.slice(row);
    else this.on.message(row.last);
  }

  // Marks a message; unfolds what hides it and scrolls to it when asked.
  select(i, scroll) {
    this.chosen = i;
    this.chosenRow = undefined;
    if (scroll) {
      const transfer = this.messages.transfer[i];
      let index = this.indexOf(i);
      if (index < 0 && transfer) this.view.unfolded.add(`transfer-${transfer}`);
      const hides = index < 0 && this.rows.find(row => row.members?.includes(i));
      if (hides) this.view.unfolded.add(hides.key);
      if (index < 0) { this.refresh(); this.on.folded(); index = this.indexOf(i); }
      this.scrollTo(index);
    }
    this.clear();
    this.draw();
  }

  indexOf(i) { return this.rows.findIndex(row => row.kind === 'message' && row.i === i); }

  // Marks the messages of a step and scrolls to them.
  selectStep(step, scroll) {
    this.step = step;
    this.chosen = -1;
    this.chosenRow = undefined;
    if (scroll) this.scrollTo(this.rows.findIndex(row => row.kind === 'step' && row.step === step), 0.12);
    this.clear();
    this.draw();
    this.scrub();
  }

  scrollTo(index, where = 0.4) {
    if (index < 0) return;
    const top = index * ROW, height = this.rowsElement.clientHeight;
    if (where > 0.3 && top >= this.rowsElement.scrollTop && top + ROW <= this.rowsElement.scrollTop + height) return;
    this.rowsElement.scrollTop = top - height * where;
  }

  // The next or last message from the chosen one.
  walk(by) {
    let index = this.rows.findIndex(row => this.isChosen(row));
    if (index < 0) index = this.rows.findIndex(row => row.kind !== 'step' && (!this.step || row.step === this.step)) - by;
    do index += by; while (this.rows[index]?.kind === 'step');
    if (!this.rows[index]) return;
    this.choose(index, false);
    this.scrollTo(index);
  }

  jump(part) {
    const i = this.messages.atTime(part * this.messages.end());
    const index = this.rows.findIndex(row => (row.last ?? row.i) >= i);
    if (index >= 0) { this.rowsElement.scrollTop = index * ROW - this.rowsElement.clientHeight * 0.3; this.draw(); }
  }

  // The picture of the whole: a lane each, higher where more crossed, losses in red, steps below.
  scrub() {
    const canvas = this.scrubber, width = canvas.clientWidth, height = canvas.clientHeight, ratio = devicePixelRatio || 1;
    if (!width) return;
    canvas.width = width * ratio;
    canvas.height = height * ratio;
    const pen = canvas.getContext('2d');
    pen.scale(ratio, ratio);
    const style = getComputedStyle(document.documentElement);
    const probe = make('i');
    document.body.append(probe);
    const colourOf = name => { probe.style.color = `var(--${name})`; return getComputedStyle(probe).color; };
    const messages = this.messages, end = Math.max(1, messages.end());
    const lanes = this.lanes.filter(it => it.key !== 'server');
    const band = (height - 12) / Math.max(1, lanes.length);
    const bins = lanes.map(() => new Uint32Array(width + 1));
    const lost = lanes.map(() => new Uint8Array(width + 1));
    const at = new Map(lanes.map((it, index) => [it.key, index]));
    const stepAt = new Map();
    for (let i = 0; i < messages.count; i++) {
      if (!this.view.shows(i)) continue;
      const x = Math.floor(messages.at[i] / end * (width - 3)) + 1;
      const lane = at.get(this.view.laneKey(i));
      if (lane === undefined) continue;
      bins[lane][x]++;
      if (messages.fate[i] === 1) lost[lane][x] = 1;
      const step = messages.step[i];
      if (step) {
        const span = stepAt.get(step);
        if (span) span[1] = x; else stepAt.set(step, [x, x]);
      }
    }
    const failed = colourOf('failed');
    lanes.forEach((lane, index) => {
      const most = bins[index].reduce((a, b) => Math.max(a, b), 1);
      pen.fillStyle = colourOf(lane.kind);
      for (let x = 0; x <= width; x++) {
        if (!bins[index][x]) continue;
        const tall = (band - 6) * (0.3 + 0.7 * Math.sqrt(bins[index][x] / most));
        pen.fillRect(x, (index + 1) * band - 1 - tall, 1.6, tall);
      }
      pen.fillStyle = failed;
      for (let x = 0; x <= width; x++) if (lost[index][x]) pen.fillRect(x, index * band + 1, 1.6, 3);
    });
    for (const [step, [from, to]] of stepAt) {
      const [, word] = SIGNS[this.steps[step].verdict];
      pen.globalAlpha = step === this.step ? 1 : 0.4;
      pen.fillStyle = colourOf(step === this.step ? 'accent' : word);
      pen.fillRect(from, height - 8, Math.max(2, to - from), 5);
    }
    pen.globalAlpha = 1;
    probe.remove();
    this.picture = make('canvas');
    this.picture.width = canvas.width;
    this.picture.height = canvas.height;
    this.picture.getContext('2d').drawImage(canvas, 0, 0);
    this.frame = style.getPropertyValue('color');
    this.window();
  }

  // Where the rows that are on the screen are in the picture.
  window() {
    if (!this.picture) return;
    const canvas = this.scrubber, pen = canvas.getContext('2d'), ratio = devicePixelRatio || 1;
    if (this.picture.width !== canvas.width) return;
    pen.save();
    pen.setTransform(1, 0, 0, 1, 0, 0);
    pen.clearRect(0, 0, canvas.width, canvas.height);
    pen.drawImage(this.picture, 0, 0);
    pen.restore();
    const top = this.rowsElement.scrollTop;
    const first = this.rows[Math.floor(top / ROW)];
    const last = this.rows[Math.min(this.rows.length - 1, Math.floor((top + this.rowsElement.clientHeight) / ROW))];
    if (!first || !last) return;
    const end = Math.max(1, this.messages.end()), width = canvas.width / ratio;
    const from = this.messages.at[first.i] / end * (width - 3), to = this.messages.at[last.last ?? last.i] / end * (width - 3);
    pen.strokeStyle = this.frame;
    pen.globalAlpha = 0.7;
    pen.strokeRect(from + 0.5, 0.5, Math.max(4, to - from + 2), canvas.height / ratio - 1.5);
    pen.globalAlpha = 1;
  }
}
