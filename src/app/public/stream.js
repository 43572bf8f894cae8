/**
 * An EventSource that does not give up.
 *
 * A browser brings a lost connection back by itself, but after any status other than 200 (a proxy's 502 while
 * the server restarts) an EventSource is closed for good. Then this makes a new one, later and later, and tells
 * the server by `?lastEventId=` how far the old one had come: a page cannot set the header itself.
 */

const FIRST_DELAY = 1_000;
const LONGEST_DELAY = 30_000;

/**
 * @param {string} path what to stream
 * @param {object} options
 * @param {Record<string, (event: MessageEvent) => void>} options.on a listener for each type of event
 * @param {(state: 'connecting' | 'live' | 'reconnecting') => void} [options.onState]
 * @param {() => void} [options.onRefused] told when the answer was no stream; it is tried again unless closed
 * @param {string} [options.lastEventId] where an earlier stream had come to
 * @returns {{ close(): void, readonly lastEventId: string }}
 */
export function openStream(path, { on, onState = () => {}, onRefused = () => {}, lastEventId = '' }) {
  let source;
  let timer;
  let failures = 0;
  let wasLive = false;

  function connect() {
    source = new EventSource(withPosition(path, lastEventId));
    source.addEventListener('open', () => {
      failures = 0;
      wasLive = true;
      onState('live');
    });
    source.addEventListener('error', (event) => {
      // An event that the server calls "error" comes here too, with data; the connection's own has none.
      if (event instanceof MessageEvent) return;
      onState(wasLive ? 'reconnecting' : 'connecting');
      if (source.readyState !== EventSource.CLOSED) return;
      timer = setTimeout(connect, backOff(failures++));
      onRefused();
    });
    for (const [type, listener] of Object.entries(on)) {
      source.addEventListener(type, (event) => {
        lastEventId = event.lastEventId;
        listener(event);
      });
    }
  }

  onState('connecting');
  connect();
  return {
    close() {
      clearTimeout(timer);
      source.close();
    },
    get lastEventId() {
      return lastEventId;
    },
  };
}

/** Doubles with every failure, up to half a minute; at random from half of it on, so that clients spread out. */
export function backOff(failures) {
  const delay = Math.min(FIRST_DELAY * 2 ** failures, LONGEST_DELAY);
  return delay * (0.5 + Math.random() / 2);
}

/** Shows the state of a connection as a word (its dot is CSS). */
export function showState(element) {
  return (state) => {
    element.dataset.state = state;
    element.textContent = state;
  };
}

function withPosition(path, lastEventId) {
  if (lastEventId === '') return path;
  const url = new URL(path, location.href);
  url.searchParams.set('lastEventId', lastEventId);
  return url.href;
}
