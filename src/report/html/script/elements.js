// Small things that every part uses. Text is only ever set as text.
const find = (selector, within = document) => within.querySelector(selector);
const all = (selector, within = document) => [...within.querySelectorAll(selector)];

// An element: `make('b.name', 'text', child)`.
const make = (what, ...children) => {
  const [tag, ...classes] = what.split('.');
  const element = document.createElement(tag);
  if (classes.length) element.className = classes.join(' ');
  element.append(...children.filter(it => it !== null && it !== undefined && it !== ''));
  return element;
};
const button = (text, title, action, pressed) => {
  const element = make('button', text);
  element.type = 'button';
  if (title) element.title = title;
  if (pressed !== undefined) element.setAttribute('aria-pressed', pressed);
  element.addEventListener('click', action);
  return element;
};
const SVG = 'http://www.w3.org/2000/svg';
const draw = (tag, attributes, ...children) => {
  const element = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children);
  return element;
};

// What does not print, or turns the direction of writing, is shown instead of done.
const hidden = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u061c\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff]/g;
const visible = text => text.replace(hidden, it => {
  const code = it.codePointAt(0);
  return code < 0x20 ? String.fromCodePoint(0x2400 + code) : code === 0x7f ? '\u2421' : `\u27e8U+${code.toString(16).toUpperCase().padStart(4, '0')}\u27e9`;
});

const grouped = number => number.toLocaleString('en-US');
const bytes = count => count < 1000 ? `${count} B` : count < 1e6 ? `${(count / 1000).toFixed(1)} kB` : `${(count / 1e6).toFixed(1)} MB`;
const plural = (count, word) => `${grouped(count)} ${word}${count === 1 ? '' : 's'}`;
const clock = millis => {
  const two = number => String(number).padStart(2, '0');
  const rest = String(millis % 1000).padStart(3, '0');
  const seconds = Math.floor(millis / 1000);
  if (seconds < 60) return `${seconds}.${rest}`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)}:${two(seconds % 60)}.${rest}`;
  return `${Math.floor(seconds / 3600)}:${two(Math.floor(seconds / 60) % 60)}:${two(seconds % 60)}.${rest}`;
};

// Opens what the page holds packed: Base64 of raw deflate.
const unpack = async id => {
  const element = document.getElementById(id);
  if (!element) return null;
  const text = atob(element.textContent);
  const packed = new Uint8Array(text.length);
  for (let at = 0; at < text.length; at++) packed[at] = text.charCodeAt(at);
  const stream = new Blob([packed]).stream().pipeThrough(new DecompressionStream('deflate-raw'));
  return JSON.parse(await new Response(stream).text());
};

// JSON as a tree that unfolds; long texts and lists are cut until somebody wants more.
const LONG_TEXT = 4000;
const LONG_LIST = 100;
const tree = value => {
  const root = make('div.tree');
  root.append(node(null, value, 0));
  return root;
};
const node = (key, value, depth) => {
  const name = key === null ? [] : [make('span.json-key', visible(key)), ': '];
  if (value === null || typeof value !== 'object') return make('div.leaf', ...name, leaf(value));
  const entries = Object.entries(value);
  const [open, close] = Array.isArray(value) ? '[]' : '{}';
  if (!entries.length) return make('div.leaf', ...name, open + close);
  const details = make('details');
  const count = Array.isArray(value) ? plural(entries.length, 'element') : plural(entries.length, 'member');
  details.append(make('summary', ...name, open, ' ', make('span.quiet', count), ' ', close));
  const inside = make('div');
  details.append(inside);
  let shown = 0;
  const more = () => {
    for (const [key, it] of entries.slice(shown, shown + LONG_LIST)) inside.append(node(Array.isArray(value) ? null : JSON.stringify(key), it, depth + 1));
    shown = Math.min(shown + LONG_LIST, entries.length);
    if (shown < entries.length) {
      const next = button(`${grouped(entries.length - shown)} more`, '', () => { next.remove(); more(); });
      inside.append(next);
    }
  };
  const fill = () => { if (details.open && !shown) more(); };
  details.addEventListener('toggle', fill);
  details.open = depth < 6 && entries.length <= 40;
  fill();
  return details;
};
const leaf = value => {
  if (typeof value !== 'string') return make('span.json-word', String(value));
  const text = JSON.stringify(value);
  if (text.length <= LONG_TEXT) return make('span.json-text', visible(text));
  const element = make('span.json-text', visible(text.slice(0, LONG_TEXT)));
  const next = button(`… ${grouped(text.length - LONG_TEXT)} more characters`, '', () => { element.textContent = visible(text); });
  element.append(' ', next);
  return element;
};

// Colours in JSON that stands as text.
const TOKEN = /("(?:[^"\\]|\\.)*")(\s*:)?|\b(true|false|null)\b|-?\b\d+(?:\.\d+)?(?:[eE][+-]?\d+)?\b/g;
const colour = element => {
  const text = element.textContent;
  if (element.childElementCount || text.length > 20000 || !/^\s*[[{]/.test(text)) return;
  const parts = [];
  let last = 0;
  for (const match of text.matchAll(TOKEN)) {
    parts.push(text.slice(last, match.index));
    const kind = match[2] !== undefined ? 'json-key' : match[1] !== undefined ? 'json-text' : 'json-word';
    const token = match[1] ?? match[0];
    parts.push(make(`span.${kind}`, token), match[2] ?? '');
    last = match.index + match[0].length;
  }
  element.replaceChildren(...parts.filter(it => it !== ''), text.slice(last));
};

// Some browsers let no page from a file near the clipboard: then the old way.
const copy = async (text, done) => {
  try {
    await navigator.clipboard.writeText(text);
    done('copied');
  } catch {
    const area = make('textarea.visually-hidden');
    area.value = text;
    document.body.append(area);
    area.select();
    done(document.execCommand('copy') ? 'copied' : 'this browser does not let it copy');
    area.remove();
  }
};
