import { openStream, showState } from '/stream.js';
import { QuoteChart } from '/ticker-chart.js';
import { SymbolToggles } from '/ticker-symbols.js';

const setState = showState(document.querySelector('#state'));

/** State of each open stream; the page is live when all of them are. */
const states = new Map();

const toggles = new SymbolToggles(document.querySelector('#symbols'), {
  onToggle() {
    chart.draw();
    quotes.close();
    quotes.open();
  },
});
const chart = new QuoteChart(document.querySelector('#chart'), toggles);

const clock = stream(() => '/ticker/time', {
  'server-time': ({ data }) => showTime(document.querySelector('#time'), data),
});

const counter = stream(() => '/ticker/events', {
  message({ data }) {
    const { num, message } = JSON.parse(data);
    document.querySelector('#num').textContent = num;
    showTime(document.querySelector('#counted-at'), message);
  },
});

const quotes = stream(() => toggles.isAnyShown && `/ticker/quotes${toggles.query}`, {
  quote({ data }) {
    const quote = JSON.parse(data);
    toggles.update(quote);
    chart.add(quote);
  },
});

/**
 * A stream that can be closed and opened again, also with other symbols. It resumes, because each id carries the
 * position of every channel; a channel without a position starts with its history.
 */
function stream(getPath, on) {
  let source;
  let lastEventId = '';
  const self = {
    open() {
      const path = getPath();
      if (!path) return;
      source = openStream(path, {
        on,
        lastEventId,
        onState(state) {
          states.set(self, state);
          showStates();
        },
      });
    },
    close() {
      lastEventId = source?.lastEventId ?? lastEventId;
      source?.close();
      source = undefined;
      states.delete(self);
      showStates();
    },
  };
  return self;
}

function showStates() {
  setState([...states.values()].find((state) => state !== 'live') ?? 'live');
}

function showTime(element, iso) {
  element.textContent = new Date(iso).toLocaleTimeString([], {
    hourCycle: 'h23',
    hour: '2-digit',
    minute: '2-digit',
    second: '2-digit',
  });
  element.dateTime = iso;
}

const streams = [clock, counter, quotes];
for (const each of streams) each.open();

// Over HTTP/1.1 a browser opens six connections to a server, for all its tabs together. This page takes three,
// so it gives them back while nobody sees it.
document.addEventListener('visibilitychange', () => {
  for (const each of streams) {
    each.close();
    if (!document.hidden) each.open();
  }
});
