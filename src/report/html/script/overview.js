// The list of everything: search, verdicts, tags.
const overview = (() => {
  const root = find('#overview');
  const wanted = { text: '', verdicts: new Set(), tags: new Set() };
  const features = all('details.feature', root).map(element => ({
    element, own: find('summary', element).textContent.toLowerCase(), was: element.open,
    scenarios: all('li', element).map(it => ({ element: it, text: it.textContent.toLowerCase(), verdict: it.dataset.verdict, tags: it.dataset.tags.split(' ') })),
  }));
  const failures = all('.failure', root).map(element => ({ element, text: element.textContent.toLowerCase(), verdict: element.dataset.verdict, tags: element.dataset.tags.split(' ') }));
  const chosen = it => (!wanted.verdicts.size || wanted.verdicts.has(it.verdict)) && (!wanted.tags.size || it.tags.some(tag => wanted.tags.has(tag)));

  const apply = () => {
    const any = wanted.text || wanted.verdicts.size || wanted.tags.size;
    let count = 0;
    for (const feature of features) {
      const named = feature.own.includes(wanted.text);
      let shown = 0;
      for (const scenario of feature.scenarios) {
        const fits = (named || scenario.text.includes(wanted.text)) && chosen(scenario);
        scenario.element.hidden = !fits;
        shown += fits;
      }
      const empty = !feature.scenarios.length && named && !wanted.verdicts.size && !wanted.tags.size;
      feature.element.hidden = !shown && !empty;
      count += !feature.element.hidden;
      feature.element.open = any ? shown > 0 && (!named || wanted.verdicts.size + wanted.tags.size > 0) || feature.was : feature.was;
    }
    let told = 0;
    for (const failure of failures) told += !(failure.element.hidden = !failure.text.includes(wanted.text) || !chosen(failure));
    const list = find('.failures', root);
    if (list) list.hidden = !told;
    for (const heading of all('.features h2', root)) {
      let next = heading.nextElementSibling, some = false;
      while (next && next.tagName !== 'H2') { some ||= next.matches('details:not([hidden])'); next = next.nextElementSibling; }
      heading.hidden = !some;
    }
    find('.none', root).hidden = count > 0;
  };
  const toggle = (selector, set, value) => {
    for (const element of all(selector, root)) {
      element.addEventListener('click', () => {
        const on = element.getAttribute('aria-pressed') !== 'true';
        element.setAttribute('aria-pressed', on);
        if (on) set.add(value(element)); else set.delete(value(element));
        apply();
      });
    }
  };
  toggle('[data-filter]', wanted.verdicts, it => it.dataset.filter);
  toggle('[data-tag]', wanted.tags, it => it.dataset.tag);
  // A link in a summary opens the feature, not the list below it.
  root.addEventListener('click', event => { if (event.target.closest('summary a')) event.stopPropagation(); });

  return {
    root,
    search(text) { wanted.text = text.trim().toLowerCase(); apply(); },
    // From one link to the next.
    walk(by) {
      const links = all('a[href]', root).filter(it => it.checkVisibility());
      const at = links.indexOf(document.activeElement);
      const next = links[at < 0 ? (by > 0 ? 0 : links.length - 1) : at + by];
      next?.focus();
      next?.scrollIntoView({ block: 'nearest' });
    },
  };
})();
