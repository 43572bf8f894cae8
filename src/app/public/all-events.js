/**
 * Reads every event of a stream, whatever its type.
 *
 * An EventSource delivers only the types that have a listener. With fetch and a parser a page gets all of them, but
 * has to reconnect by itself.
 */

import { EventSourceParserStream } from '/vendor/eventsource-parser/stream.js';
import { backOff } from '/stream.js';

/**
 * @param {string} path the address of the stream
 * @param {object} options
 * @param {(event: { event?: string, id?: string, data: string }) => void} options.onEvent
 * @param {(state: 'connecting' | 'live' | 'reconnecting') => void} options.onState
 */
export async function readAllEvents(path, { onEvent, onState }) {
  let retry = 2_000;
  let failures = 0;

  onState('connecting');
  for (;;) {
    try {
      const response = await fetch(path, { headers: { Accept: 'text/event-stream' }, cache: 'no-store' });
      if (!response.ok) throw new Error(`${path} answered ${response.status}`);
      onState('live');
      failures = 0;
      const parser = new EventSourceParserStream({ onRetry: (milliseconds) => (retry = milliseconds) });
      const reader = response.body.pipeThrough(new TextDecoderStream()).pipeThrough(parser).getReader();
      for (let next = await reader.read(); !next.done; next = await reader.read()) onEvent(next.value);
    } catch (error) {
      console.warn(error); // a failed or broken connection; a clean end is not reported
    }
    onState('reconnecting');
    const delay = failures++ === 0 ? retry : backOff(failures);
    await new Promise((resolve) => setTimeout(resolve, delay));
  }
}
