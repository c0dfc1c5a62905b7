// Maps, since what crossed may be called `constructor`.
const PARTNERS = new Map([['rest', 'operator'], ['websocket', 'websocket'], ['upstream', 'cloud']]);
const TYPES = new Map([['CON', 'CON, confirmable'], ['NON', 'NON, non-confirmable'], ['ACK', 'ACK, acknowledgement'], ['RST', 'RST, reset']]);
// RFC 7252, 12.1.2; RFC 7959, 2.9; RFC 8132, 4; RFC 8516.
const CODES = new Map(Object.entries({
  '0.00': 'empty', '2.01': 'Created', '2.02': 'Deleted', '2.03': 'Valid', '2.04': 'Changed', '2.05': 'Content', '2.31': 'Continue', '4.00': 'Bad Request', '4.01': 'Unauthorized',
  '4.02': 'Bad Option', '4.03': 'Forbidden', '4.04': 'Not Found', '4.05': 'Method Not Allowed', '4.06': 'Not Acceptable', '4.08': 'Request Entity Incomplete', '4.09': 'Conflict',
  '4.12': 'Precondition Failed', '4.13': 'Request Entity Too Large', '4.15': 'Unsupported Content-Format', '4.22': 'Unprocessable Entity', '4.29': 'Too Many Requests',
  '5.00': 'Internal Server Error', '5.01': 'Not Implemented', '5.02': 'Bad Gateway', '5.03': 'Service Unavailable', '5.04': 'Gateway Timeout', '5.05': 'Proxying Not Supported',
}));
// The registry of CoAP Content-Formats.
const FORMATS = new Map([
  [0, 'text/plain'], [40, 'application/link-format'], [42, 'application/octet-stream'], [50, 'application/json'], [60, 'application/cbor'], [110, 'application/senml+json'],
  [112, 'application/senml+cbor'], [11542, 'application/vnd.oma.lwm2m+tlv'], [11543, 'application/vnd.oma.lwm2m+json'], [11544, 'application/vnd.oma.lwm2m+cbor'],
]);
const named = (names, value) => names.has(value) ? `${value}, ${names.get(value)}` : value;

// What is in a message, below the timeline.
class MessagePane {
  constructor(messages, on) {
    this.messages = messages;
    this.on = on;
    this.element = make('div.message-pane');
    this.element.setAttribute('aria-live', 'polite');
    this.nothing();
  }

  // No message is chosen: what crossed during the step, if one is.
  nothing(step) {
    this.turn = (this.turn ?? 0) + 1;
    const seen = step && this.messages.ofStep(step.number);
    if (seen?.count) { this.ofStep(step, seen); return; }
    if (step && this.messages.count) {
      this.element.replaceChildren(make('p.hint', 'No message crossed while this step was at work: it looks at what came before.'));
      return;
    }
    this.element.replaceChildren(make('p.hint', this.messages.count ? 'Choose a message to see what is in it.' : 'No message crossed while this feature ran.'));
  }

  ofStep(step, seen) {
    const messages = this.messages;
    this.element.replaceChildren(
      make('h3', make('span.text', visible(step.title))),
      make('div.facts', make('span', plural(seen.count, 'message')), make('span', `${clock(messages.at[seen.first])} – ${clock(messages.at[seen.last])} s`),
        seen.bytes ? make('span', bytes(seen.bytes)) : null, seen.lost ? make('span.flag.lost', `${grouped(seen.lost)} lost`) : null,
        seen.again ? make('span.flag.again', `↻ ${grouped(seen.again)} sent again`) : null),
      make('div.tools', button('↑ its first message', '', () => this.on.go(seen.first)), button('↓ its last message', '', () => this.on.go(seen.last))));
  }

  async show(i) {
    const turn = this.turn = (this.turn ?? 0) + 1;
    const messages = this.messages;
    const detail = await messages.detail(i);
    if (turn !== this.turn) return;
    const fate = FATES[messages.fate[i]];
    const title = make('h3', this.ends(i), make('span.text', visible(messages.words(i))));
    const facts = make('div.facts',
      make('span', `at ${clock(messages.at[i])} s`), make('span', new Date(messages.began + messages.at[i]).toISOString()),
      messages.size[i] ? make('span', bytes(messages.size[i])) : null, make('span', `message ${i} of ${messages.count}`));
    if (fate) facts.append(make(`span.flag.${fate}`, fate));
    if (messages.again[i]) facts.append(make('span.flag.again', '↻ sent before'));
    const tools = make('div.tools');
    const request = messages.answers[i] ? i - messages.answers[i] : -1;
    const answer = messages.answered.get(i);
    if (request >= 0) tools.append(button('↑ what it answers', `${messages.at[i] - messages.at[request]} ms before`, () => this.on.go(request)));
    if (answer !== undefined) tools.append(button('↓ its answer', `${messages.at[answer] - messages.at[i]} ms later`, () => this.on.go(answer)));
    if (messages.step[i]) tools.append(button('its step', '', () => this.on.step(messages.step[i])));
    if (detail !== undefined) {
      const json = button('copy as JSON', '', () => copy(JSON.stringify(detail, null, 2), said => { json.textContent = said; }));
      tools.append(json);
    }
    this.element.replaceChildren(title, facts, tools);
    if (detail === undefined) {
      this.element.append(make('p.quiet', `The page has no room for what is in this message. trace.ndjson has it: feature ${messages.number}, seq ${i}.`));
    } else if (messages.device[i] && detail?.coap) this.datagram(detail);
    else if (detail && typeof detail === 'object' && (detail.method || detail.status !== undefined)) this.http(detail);
    else if (detail !== null) this.part('content', tree(detail));
    this.element.scrollTop = 0;
  }

  ends(i) {
    const messages = this.messages, lane = messages.laneOf(i);
    const other = messages.device[i] ? messages.nameOf(i) : PARTNERS.get(lane) ?? lane;
    if (messages.kind[i] === CONNECTION && !messages.device[i]) return make('span.quiet', visible(other));
    const [from, to] = messages.inward[i] ? [other, 'server'] : ['server', other];
    return make('span.quiet', visible(`${from} → ${to}`));
  }

  part(title, ...content) {
    this.element.append(make('h4', title), ...content);
  }

  pairs(entries) {
    const table = make('table');
    for (const [name, value] of entries) {
      if (value === undefined || value === null || value === '') continue;
      table.append(make('tr', make('td', visible(String(name))), make('td', visible(typeof value === 'string' ? value : JSON.stringify(value)))));
    }
    return table;
  }

  http(detail) {
    if (detail.url || detail.target) this.part(detail.method ?? 'request', make('pre.plain', visible(detail.url ?? detail.target)));
    if (detail.body !== null && detail.body !== undefined) this.body('body', detail.body);
    else this.part('body', make('span.quiet', 'none'));
    const headers = Object.entries(detail.headers ?? {});
    if (headers.length) this.part(plural(headers.length, 'header'), this.pairs(headers));
  }

  body(title, body) {
    if (typeof body === 'string') this.part(title, this.longText(body));
    else this.part(title, tree(body));
  }

  longText(text) {
    const pre = make('pre.plain', visible(text.slice(0, LONG_TEXT)));
    if (text.length <= LONG_TEXT) return pre;
    const more = button(`… ${grouped(text.length - LONG_TEXT)} more characters`, '', () => { pre.textContent = visible(text); });
    pre.append(' ', more);
    return pre;
  }

  datagram(detail) {
    const coap = detail.coap;
    const block = it => it && `${it.num}/${it.more ? 1 : 0}/${it.size}: block ${it.num} of ${it.size} bytes, ${it.more ? 'more follow' : 'the last'}`;
    this.part('CoAP', this.pairs([
      ['type', TYPES.get(coap.type) ?? coap.type],
      ['code', named(CODES, coap.code)], ['message ID', coap.mid], ['token', coap.token], ['path', coap.path],
      ['query', (coap.query ?? []).join(' & ')], ['Block1', block(coap.block1)], ['Block2', block(coap.block2)], ['format', named(FORMATS, coap.format)],
      ['from', detail.from], ['to', detail.to], ['transport', detail.transport],
    ]));
    const values = Object.entries(coap.payload?.values ?? {});
    if (values.length) this.part('values', this.pairs(values));
    const options = (coap.options ?? []).map(it => [it.name, it.value]);
    if (options.length) this.part('options', this.pairs(options));
    if (coap.payload) {
      const text = coap.payload.text;
      if (text !== undefined) {
        let json;
        try { json = JSON.parse(text); } catch { json = undefined; }
        this.body(`payload, ${bytes(coap.payload.length)}`, json !== undefined && typeof json === 'object' ? json : text);
      }
      if (coap.payload.hex) this.part(`payload as bytes, ${bytes(coap.payload.length)}`, this.hex(coap.payload.hex, coap.payload.length));
    }
    if (detail.raw) {
      const raw = make('details', make('summary.quiet', 'the whole datagram'), this.hex(detail.raw, detail.bytes));
      this.element.append(raw);
    }
  }

  hex(text, length) {
    const digits = text.replace(/[^0-9a-f]/gi, '');
    const lines = [];
    for (let at = 0; at < digits.length; at += 32) {
      const part = digits.slice(at, at + 32).match(/../g) ?? [];
      const plain = part.map(it => { const code = parseInt(it, 16); return code >= 0x20 && code < 0x7f ? String.fromCharCode(code) : '·'; }).join('');
      lines.push(`${(at / 2).toString(16).padStart(4, '0')}  ${part.join(' ').padEnd(47)}  ${plain}`);
    }
    const left = length - digits.length / 2;
    if (left > 0) lines.push(`… ${grouped(left)} more bytes`);
    return make('pre.hex', lines.join('\n'));
  }

  // A folded transfer.
  transfer(transfer) {
    this.turn++;
    const messages = this.messages;
    this.element.replaceChildren(make('h3', make('span.quiet', visible(messages.devices[transfer.device - 1])), make('span.text', visible(`Block${transfer.block} of ${transfer.path}`))), this.pairs([
      ['blocks', grouped(transfer.blocks)], ['bytes of the body', grouped(transfer.bytes)], ['whole', transfer.whole ? 'yes' : 'no: its last block was not seen'],
      ['messages', grouped(transfer.messages)], ['sent again', grouped(transfer.again)], ['lost', grouped(transfer.lost)], ['arrived twice', grouped(transfer.duplicated)],
      ['from', `${clock(messages.at[transfer.first])} s`], ['to', `${clock(messages.at[transfer.last])} s`],
      ['rate', this.rate(transfer)],
    ]));
  }

  rate(transfer) {
    const time = this.messages.at[transfer.last] - this.messages.at[transfer.first];
    return time > 0 ? `${bytes(Math.round(transfer.bytes / time * 1000))}/s` : '';
  }

  // The devices of a slice of the fleet, those with losses first.
  slice(row) {
    this.turn++;
    const messages = this.messages;
    const devices = new Map();
    for (const i of row.members) {
      const device = messages.device[i];
      const it = devices.get(device) ?? { device, count: 0, lost: 0, again: 0, last: i };
      it.count++;
      it.lost += messages.fate[i] === 1;
      it.again += messages.again[i];
      it.last = i;
      devices.set(device, it);
    }
    const sorted = [...devices.values()].sort((a, b) => b.lost - a.lost || b.again - a.again || b.count - a.count);
    const table = make('table.list', make('tr', ...['device', 'messages', 'lost', 'again', 'last said'].map(it => make('th', it))));
    for (const it of sorted.slice(0, 300)) {
      const line = make('tr', make('td', visible(messages.devices[it.device - 1])), make('td', grouped(it.count)), make(it.lost ? 'td.bad' : 'td', grouped(it.lost)), make('td', grouped(it.again)), make('td', visible(messages.words(it.last))));
      line.dataset.device = it.device;
      line.title = 'give this device a lane of its own';
      line.addEventListener('click', () => this.on.device(it.device));
      table.append(line);
    }
    this.element.replaceChildren(
      make('h3', make('span.quiet', `${clock(messages.at[row.i])} – ${clock(messages.at[row.last])} s`), `${plural(row.count, 'message')} of ${plural(devices.size, 'device')}`), table);
    if (sorted.length > 300) this.element.append(make('p.quiet', `and ${grouped(sorted.length - 300)} more devices`));
  }
}
