import { connect } from 'nestjs-sse-hub/client';
import { showState } from '/connection-state.js';
import { QuoteChart } from '/ticker-chart.js';
import { SymbolToggles } from '/ticker-symbols.js';

const toggles = new SymbolToggles(document.querySelector('#symbols'), {
  onToggle() {
    chart.draw();
    quotes.close();
    quotes.open();
  },
});
const chart = new QuoteChart(document.querySelector('#chart'), toggles);

const clock = stream(() => '/ticker/time', {
  'server-time': (time) => showTime(document.querySelector('#time'), time),
});

const counter = stream(() => '/ticker/events', {
  message({ num, message }) {
    document.querySelector('#num').textContent = num;
    showTime(document.querySelector('#counted-at'), message);
  },
});

const quotes = stream(() => toggles.isAnyShown && `/ticker/quotes${toggles.query}`, {
  quote(quote) {
    toggles.update(quote);
    chart.add(quote);
  },
});

/**
 * A stream that can be closed and opened again, also with other symbols. It resumes, because each id carries the
 * position of every channel; a channel without a position starts with its history.
 */
function stream(getPath, on) {
  let client;
  return {
    get state() {
      return client?.state;
    },
    open() {
      const path = getPath();
      if (!path) return;
      client = connect(path, { lastEventId: client?.lastEventId ?? '' });
      client.subscribe(showStates);
      for (const [type, listener] of Object.entries(on)) client.on(type, listener);
      showStates();
    },
    close() {
      client?.close();
    },
  };
}

/** The page is live when all of its streams are, but for those that it has closed itself. */
function showStates() {
  const states = streams.map(({ state }) => state).filter((state) => state && state.reason !== 'stopped');
  showState(states.find(({ kind }) => kind !== 'open') ?? { kind: 'open' });
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
