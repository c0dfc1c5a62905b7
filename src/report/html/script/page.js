// The whole: where the reader is (`#feature/scenario/step/mMESSAGE`), and the keys.
const index = JSON.parse(find('#index').textContent);
const page = { feature: null };

// Step numbers of a feature, to their scenario and verdict.
const stepsOf = (facts, article) => {
  const steps = [null];
  facts.scenarios.forEach((scenario, nth) => [...scenario.steps].forEach((verdict, at) => {
    const number = scenario.first + at;
    const element = find(`#step-${number}`, article);
    const sentence = element && (find('.with-values', element) ?? find('.sentence', element));
    steps[number] = { number, scenario: nth, nth: at + 1, verdict, element, title: sentence?.textContent.trim().replace(/\s+/g, ' ') ?? '' };
  }));
  return steps;
};

class FeatureView {
  constructor(number) {
    this.number = number;
    this.facts = index.features[number];
    this.root = find('#feature-view');
    const content = document.getElementById(`feature-${number}`).content.cloneNode(true);
    this.article = find('.written', content);
    this.diagrams = all('.sequence', content);
    this.steps = stepsOf(this.facts, this.article);
    for (const code of all('pre.code code', this.article)) colour(code);
    const words = element => element?.textContent.trim().replace(/\s+/g, ' ');
    if (all('.as-written', this.article).some(it => words(it) !== words(it.nextElementSibling))) {
      this.values = button('With values', 'v: the scenario as it was written, or with its values', () => keys.v(), 'values' in document.documentElement.dataset);
      this.values.classList.add('values-switch');
    }
    this.written = make('section.written-pane', this.article);
    this.crossed = make('section.crossed-pane');
    this.root.replaceChildren(this.written, divider(this.root, '--split', 'x'), this.crossed);
    this.article.addEventListener('click', event => {
      if (event.target.closest('a, summary, .evidence') || getSelection().toString()) return;
      const step = event.target.closest('.step');
      if (step) this.chooseStep(Number(step.dataset.step));
    });
    this.step = 0;
    this.scenario = 0;
    this.message = -1;
  }

  async open() {
    this.messages = await Messages.of(this.number, this.facts);
    const go = i => { this.timeline.select(i, true); this.chooseMessage(i); };
    this.pane = new MessagePane(this.messages, { go, step: step => this.chooseStep(step), device: device => this.focus(device) });
    this.timeline = new Timeline(this.messages, this.steps, {
      step: step => this.chooseStep(step, { scroll: false }),
      message: i => this.chooseMessage(i),
      folded: () => this.tools(false),
      transfer: row => { this.mark(row.step); this.pane.transfer(this.messages.transfers[row.transfer - 1]); },
      slice: row => { this.mark(row.step); this.pane.slice(row); },
    });
    this.toolbar = make('div.toolbar');
    this.show('timeline');
  }

  // The timeline, or the diagram of a failed scenario.
  show(what) {
    const diagram = what === 'sequence' ? this.diagrams.find(it => Number(it.dataset.scenario) === this.scenario) ?? this.diagrams[0] : null;
    this.crossed.classList.toggle('diagram', !!diagram);
    this.tools(!!diagram);
    if (!diagram) {
      this.crossed.replaceChildren(this.toolbar, this.timeline.scrubber, this.timeline.heads, this.timeline.rowsElement, divider(this.crossed, '--message', 'y'), this.pane.element);
      this.timeline.draw();
      this.timeline.scrub();
      return;
    }
    if (!find('.tools', diagram)) {
      const text = find('.mermaid', diagram), svg = find('svg', diagram);
      const mermaid = button('copy as Mermaid', 'for an issue', () => copy(text.value, said => { mermaid.textContent = said; }));
      const save = button('save as SVG', '', () => {
        const link = make('a');
        // Alone it has its own paper and ink.
        const alone = svg.cloneNode(true);
        alone.setAttribute('color', '#1f2328');
        alone.prepend(draw('rect', { width: '100%', height: '100%', fill: '#ffffff' }));
        link.href = URL.createObjectURL(new Blob([new XMLSerializer().serializeToString(alone)], { type: 'image/svg+xml' }));
        link.download = `${this.facts.scenarios[diagram.dataset.scenario].name}.svg`;
        link.click();
        URL.revokeObjectURL(link.href);
      });
      diagram.prepend(make('div.tools', make('b', visible(this.facts.scenarios[diagram.dataset.scenario].title)), mermaid, save));
    }
    this.crossed.replaceChildren(this.toolbar, diagram);
  }

  tools(diagram) {
    const bar = this.toolbar, timeline = this.timeline, view = timeline.view;
    bar.replaceChildren();
    if (this.diagrams.length) bar.append(
      button('Timeline', 's', () => this.show('timeline'), !diagram), button('Sequence', 's', () => this.show('sequence'), diagram));
    if (diagram) return;
    const again = () => { timeline.refresh(); this.tools(false); };
    bar.append(button('Only this step', 'o', () => this.toggleOnly(), view.only > 0));
    const counts = new Map();
    for (let i = 0; i < this.messages.count; i++) { const key = view.laneKey(i); counts.set(key, (counts.get(key) ?? 0) + 1); }
    for (const lane of view.lanes().filter(it => it.key !== 'server')) {
      const chip = button('', `show or hide ${lane.name}`, () => {
        if (!view.hidden.delete(lane.key)) view.hidden.add(lane.key);
        again();
      }, !view.hidden.has(lane.key));
      chip.classList.add('lane-chip');
      chip.style.setProperty('--lane', `var(--${lane.kind})`);
      chip.append(visible(lane.name), ' ', make('b', grouped(counts.get(lane.key) ?? 0)));
      bar.append(chip);
      const device = Number(lane.key.split('-')[1]);
      if (view.fleet && device) bar.append(button('×', 'back into the fleet', () => { view.focus.delete(device); again(); }));
    }
    if (view.fleet) bar.append(this.picker());
    bar.append(make('span.gap'));
    const filter = make('input');
    filter.type = 'search';
    filter.placeholder = 'Filter messages';
    filter.value = view.text;
    filter.setAttribute('aria-label', 'filter messages');
    filter.addEventListener('input', () => { view.text = filter.value.trim().toLowerCase(); timeline.refresh(); });
    bar.append(filter);
    const folds = this.messages.transfers.length && (!view.fleet || view.focus.size);
    if (folds) bar.append(button(view.unfolded.size ? 'Fold all' : 'Unfold all', 'transfers in blocks', () => {
      if (view.unfolded.size) view.unfolded.clear();
      else this.messages.transfers.forEach((_, at) => view.unfolded.add(`transfer-${at + 1}`));
      again();
    }));
    if (this.facts.dropped) bar.append(make('span.flag.lost', `${grouped(this.facts.dropped)} were not kept`));
  }

  // Finds one of thousands.
  picker() {
    const input = make('input'), list = make('datalist');
    input.placeholder = 'One device…';
    input.setAttribute('list', list.id = `devices-${this.number}`);
    input.setAttribute('aria-label', 'give one device a lane of its own');
    input.addEventListener('focus', () => { if (!list.childElementCount) list.append(...this.messages.devices.slice(0, 5000).map(name => { const it = make('option'); it.value = name; return it; })); }, { once: true });
    input.addEventListener('change', () => { const at = this.messages.devices.indexOf(input.value); if (at >= 0) this.focus(at + 1); });
    return make('span', input, list);
  }

  focus(device) {
    const view = this.timeline.view;
    if (view.focus.size >= MANY_DEVICES) view.focus.delete([...view.focus][0]);
    view.focus.add(device);
    view.hidden.add('fleet');
    this.timeline.refresh();
    this.tools(false);
  }

  toggleOnly() {
    const view = this.timeline.view;
    view.only = view.only ? 0 : this.step;
    this.timeline.refresh();
    this.tools(false);
  }

  mark(step) {
    this.step = step;
    for (const it of all('.step.chosen', this.article)) { it.classList.remove('chosen'); it.removeAttribute('aria-current'); }
    const it = this.steps[step];
    if (!it) return;
    this.scenario = it.scenario;
    it.element?.classList.add('chosen');
    it.element?.setAttribute('aria-current', 'step');
    const shown = find('.sequence', this.crossed)?.dataset.scenario;
    if (shown !== undefined && Number(shown) !== it.scenario && this.diagrams.some(other => Number(other.dataset.scenario) === it.scenario)) this.show('sequence');
  }

  chooseStep(step, { scroll = true, quiet = false } = {}) {
    if (!this.steps[step]) return;
    this.mark(step);
    if (this.timeline.view.only) { this.timeline.view.only = step; this.timeline.refresh(); }
    this.message = -1;
    this.timeline.selectStep(step, scroll);
    this.pane.nothing(this.steps[step]);
    this.reveal(this.steps[step].element);
    if (!quiet) this.say();
  }

  chooseMessage(i) {
    this.message = i;
    const step = this.messages.step[i];
    this.mark(step);
    this.timeline.step = step;
    this.timeline.clear();
    this.timeline.draw();
    if (step) this.reveal(this.steps[step].element);
    this.pane.show(i);
    this.say();
  }

  reveal(element) { element?.scrollIntoView({ block: 'nearest' }); }

  // Writes where the reader is into the address, without a step in the history.
  say() {
    const step = this.steps[this.step];
    const parts = [this.facts.name];
    if (step) parts.push(this.facts.scenarios[step.scenario].name, step.nth);
    if (this.message >= 0) { while (parts.length < 3) parts.push('-'); parts.push(`m${this.message}`); }
    history.replaceState(null, '', `#${parts.join('/')}`);
    page.at = location.hash;
  }

  // The step that somebody who opens this wants to see: the first that failed, or none.
  firstFailed(after = 0) { return this.steps.findIndex(it => it && it.number > after && (it.verdict === 'f' || it.verdict === 'i')); }

  async goTo(scenario, nth, message) {
    const at = this.facts.scenarios.findIndex(it => it.name === scenario);
    const facts = this.facts.scenarios[at];
    this.scenario = Math.max(0, at);
    if (message >= 0 && message < this.messages.count) {
      this.timeline.select(message, true);
      this.chooseMessage(message);
    } else if (facts && nth >= 1 && nth <= facts.steps.length) {
      this.chooseStep(facts.first + nth - 1, { quiet: true });
      this.steps[facts.first + nth - 1].element?.scrollIntoView({ block: 'start' });
    } else if (facts) {
      find(`#scenario-${at}`, this.article)?.scrollIntoView({ block: 'start' });
      const failed = [...facts.steps].findIndex(it => it === 'f' || it === 'i');
      if (facts.steps.length) this.chooseStep(facts.first + Math.max(0, failed), { quiet: true });
    } else {
      const failed = this.firstFailed();
      if (failed > 0) this.chooseStep(failed, { quiet: true });
      else this.written.scrollTop = 0;
    }
  }
}

// A bar between two panes that can be dragged, or moved with the arrow keys.
const divider = (grid, name, axis) => {
  const bar = make(axis === 'x' ? 'div.divider' : 'div.message-divider');
  const says = (what, value) => bar.setAttribute(what, value);
  says('role', 'separator');
  says('aria-orientation', axis === 'x' ? 'vertical' : 'horizontal');
  says('aria-label', axis === 'x' ? 'between the scenario and what crossed' : 'between the messages and what is in one');
  says('aria-valuemin', 15);
  says('aria-valuemax', 80);
  says('aria-valuenow', axis === 'x' ? 42 : 40);
  bar.tabIndex = 0;
  const set = share => {
    const within = Math.round(Math.min(80, Math.max(15, share)));
    grid.style.setProperty(name, `${within}%`);
    says('aria-valuenow', within);
  };
  bar.addEventListener('pointerdown', event => { bar.setPointerCapture(event.pointerId); event.preventDefault(); });
  bar.addEventListener('pointermove', event => {
    if (!event.buttons) return;
    const box = grid.getBoundingClientRect();
    set(axis === 'x' ? (event.clientX - box.left) / box.width * 100 : (box.bottom - event.clientY) / box.height * 100);
  });
  bar.addEventListener('keydown', event => {
    const by = { ArrowLeft: -2, ArrowRight: 2, ArrowUp: 2, ArrowDown: -2 }[event.key];
    if (!by) return;
    set(parseFloat(getComputedStyle(grid).getPropertyValue(name) || (axis === 'x' ? '42' : '40')) + by);
    event.preventDefault();
    event.stopPropagation();
  });
  return bar;
};

const crumbs = view => {
  const nav = find('#crumbs');
  if (!view) { nav.replaceChildren(...page.home); return; }
  const link = make('a', visible(view.facts.title));
  link.href = `#${view.facts.name}`;
  nav.replaceChildren(make('span', visible(view.facts.path)), make('span', '›'), link, view.values ?? '');
};

// Somebody may have cut a link in the middle of a letter.
const decoded = text => { try { return decodeURIComponent(text); } catch { return text; } };

const route = async () => {
  const turn = page.turn = (page.turn ?? 0) + 1;
  const [name, scenario, nth, message] = decoded(location.hash.slice(1)).split('/');
  const number = index.features.findIndex(it => it.name === name);
  page.at = location.hash;
  document.documentElement.dataset.view = number < 0 ? 'overview' : 'feature';
  if (number < 0) {
    page.feature = null;
    find('#feature-view').replaceChildren();
    find('#feature-view').hidden = true;
    overview.root.hidden = false;
    crumbs(null);
    scrollTo(0, page.scroll ?? 0);
  } else {
    if (!page.feature || page.feature.number !== number) {
      if (!overview.root.hidden) page.scroll = scrollY;
      overview.root.hidden = true;
      find('#feature-view').hidden = false;
      const view = new FeatureView(number);
      crumbs(view);
      await view.open();
      if (turn !== page.turn) return;
      page.feature = view;
    }
    await page.feature.goTo(scenario, Number(nth), message?.startsWith('m') ? Number(message.slice(1)) : -1);
  }
  document.documentElement.dataset.ready = location.hash || '#';
};

const keys = {
  '/': () => { const search = page.feature ? find('.toolbar input[type=search]') : find('#search'); search?.focus(); search?.select(); },
  j: () => page.feature ? walkSteps(1) : overview.walk(1),
  k: () => page.feature ? walkSteps(-1) : overview.walk(-1),
  n: () => page.feature?.timeline.walk(1),
  p: () => page.feature?.timeline.walk(-1),
  f: () => {
    const view = page.feature;
    if (!view) { find('.failure')?.click(); return; }
    const next = view.firstFailed(view.step);
    const step = next > 0 ? next : view.firstFailed();
    if (step > 0) view.chooseStep(step);
  },
  o: () => { if (page.feature?.step) page.feature.toggleOnly(); },
  v: () => {
    const on = document.documentElement.toggleAttribute('data-values');
    find('.values-switch')?.setAttribute('aria-pressed', on);
  },
  s: () => { const view = page.feature; if (view?.diagrams.length) view.show(view.crossed.classList.contains('diagram') ? 'timeline' : 'sequence'); },
  Enter: () => { const timeline = page.feature?.timeline; if (timeline && timeline.chosenRow) timeline.choose(timeline.rows.findIndex(row => timeline.isChosen(row)), true); },
  '?': () => find('#keys').showModal(),
};
const walkSteps = by => {
  const view = page.feature;
  let step = view.step + by;
  if (!view.step && by < 0) step = view.steps.length - 1;
  if (view.steps[step]) view.chooseStep(step);
};
addEventListener('keydown', event => {
  if (event.ctrlKey || event.metaKey || event.altKey || find('#keys').open) return;
  if (event.key === 'Escape') {
    if (event.target.matches('input')) event.target.blur();
    else if (page.feature) location.hash = '#';
    return;
  }
  if (event.target.matches('input, textarea') || (event.key === 'Enter' && event.target.matches('a, button, summary'))) return;
  const act = keys[event.key];
  if (!act) return;
  event.preventDefault();
  act();
});

find('#search').addEventListener('input', event => {
  if (page.feature) location.hash = '#';
  overview.search(event.target.value);
});
find('#help').addEventListener('click', keys['?']);
find('#theme').addEventListener('click', () => {
  const root = document.documentElement;
  const dark = root.dataset.theme ? root.dataset.theme === 'dark' : matchMedia('(prefers-color-scheme: dark)').matches;
  root.dataset.theme = dark ? 'light' : 'dark';
  page.feature?.timeline.scrub();
});
matchMedia('(prefers-color-scheme: dark)').addEventListener('change', () => page.feature?.timeline.scrub());
page.home = [...find('#crumbs').childNodes];
if (index.features.some(it => it.verdict === 'failed' || it.verdict === 'interrupted')) find('#top .home').classList.add('bad');
addEventListener('hashchange', () => { if (location.hash !== page.at) route(); });
route();
