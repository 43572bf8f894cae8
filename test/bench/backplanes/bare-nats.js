import { jetstream, jetstreamManager } from '@nats-io/jetstream';
import { connect } from '@nats-io/transport-node';

const STREAM = {
  name: 'bare',
  subjects: ['bare.log.>'],
  max_bytes: 1024 ** 3,
  republish: { src: 'bare.log.>', dest: 'bare.live.>' },
};
/** The server says so of each consumer, without which nobody reads a range. */
const CONSUMERS_MADE = '$JS.EVENT.ADVISORY.CONSUMER.CREATED.>';

/** @returns {Promise<import('./bare.js').Bare>} */
export async function open(servers) {
  const connection = await connect({ servers });
  const { streams } = await jetstreamManager(connection);
  await streams.add(STREAM);
  const js = jetstream(connection);
  let consumers = 0;
  connection.subscribe(CONSUMERS_MADE, { callback: () => consumers++ });
  const publish = (text) => js.publish('bare.log.event', text);
  return {
    publish,
    publishAlike: publish,
    subscribe: async (listener) => {
      connection.subscribe('bare.live.event', { callback: (_error, message) => listener(message.string()) });
      await connection.flush();
    },
    rangeReads: async () => {
      await connection.flush();
      return consumers;
    },
    close: () => connection.close(),
  };
}
