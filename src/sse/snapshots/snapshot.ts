import { eventBody, idLine, SharedText } from '../protocol/event-stream.js';
import type { NamedPosition } from '../protocol/position.js';
import { SseError } from '../sse.errors.js';
import type { ReadyPreface } from '../streams/preface.js';

/** The state of a channel, as it goes to every client that needs it. */
export class Snapshot implements ReadyPreface {
  /** The bytes for all clients with the same id, as it is where a response has one channel. */
  #text: SharedText | undefined;
  #id: string | undefined;

  /**
   * @param body the `snapshot` event without its id
   * @param upTo the position up to which the state is complete
   * @param wasInLog if not, there is a gap between the state and the log, and nobody knows what is missing
   */
  constructor(
    private readonly body: string,
    readonly upTo: NamedPosition,
    readonly wasInLog = true,
  ) {}

  text(id: string | undefined): SharedText {
    if (!this.#text || this.#id !== id) {
      this.#text = new SharedText(id === undefined ? this.body : idLine(id) + this.body);
      this.#id = id;
    }
    return this.#text;
  }
}

/**
 * The `snapshot` event of a state, without its id.
 *
 * @param handler the name of the method that gave the state
 * @throws SseError `NOT_SERIALIZABLE`, `EVENT_TOO_LARGE`
 */
export function snapshotBody(channel: string, state: unknown, handler: string, maxBytes: number): string {
  const data = `{"channel":${JSON.stringify(channel)},"state":${jsonOf(state, handler)}}`;
  const body = eventBody({ type: 'snapshot', data });
  const bytes = Buffer.byteLength(body);
  if (bytes <= maxBytes) return body;
  throw new SseError(
    'EVENT_TOO_LARGE',
    `The state that ${handler} gave takes ${bytes} bytes, at most ${maxBytes} are allowed. Send less of it, or raise maxEventBytes.`,
  );
}

function jsonOf(state: unknown, handler: string): string {
  let cause: unknown;
  try {
    const text = JSON.stringify(state) as string | undefined;
    if (text !== undefined) return text;
  } catch (error) {
    cause = error;
  }
  throw new SseError(
    'NOT_SERIALIZABLE',
    `${handler} gave no state that has a JSON form. It returns { state, after }, or a Promise of that.`,
    { cause },
  );
}
