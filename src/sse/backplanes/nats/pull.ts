import { createInbox, type Msg, type NatsConnection } from '@nats-io/transport-node';

/** Milliseconds between two messages after which no more will come. */
const PATIENCE = 1_000;

export interface PulledMessage {
  readonly seq: number;
  readonly text: string;
}

/**
 * The next messages of a consumer: fewer than were asked for, if there are no more at this moment. It is what
 * `Consumer.fetch` does, but for that: it waits until its time is over for messages that the server has counted and
 * that were deleted meanwhile, as a server before 2.10 goes on to count them.
 *
 * @returns undefined if there was no answer
 */
export function pull(
  connection: NatsConnection,
  stream: string,
  consumer: string,
  count: number,
): Promise<readonly PulledMessage[] | undefined> {
  return new Promise((resolve) => {
    const reply = createInbox();
    const pulled: PulledMessage[] = [];
    const end = (messages: readonly PulledMessage[] | undefined): void => {
      clearTimeout(late);
      subscription.unsubscribe();
      resolve(messages);
    };
    const subscription = connection.subscribe(reply, {
      callback: (error, message) => {
        if (error || isStatus(message)) return end(error ? undefined : pulled);
        pulled.push({ seq: sequenceOfReply(message), text: message.string() });
        if (pulled.length === count) end(pulled);
        else late.refresh();
      },
    });
    const late = setTimeout(() => end(undefined), PATIENCE).unref();
    const request = JSON.stringify({ batch: count, no_wait: true });
    connection.publish(`$JS.API.CONSUMER.MSG.NEXT.${stream}.${consumer}`, request, { reply });
  });
}

/** There are no more, or no consumer. */
const isStatus = ({ headers, data }: Msg): boolean => data.length === 0 && (headers?.code ?? 0) > 0;

/** The sequence in the stream: the sixth token of nine, or, of servers that name the domain, the eighth. */
function sequenceOfReply({ reply = '' }: Msg): number {
  const tokens = reply.split('.');
  return Number(tokens.length > 9 ? tokens[7] : tokens[5]);
}
