import type { BackplaneFactory } from '../backplane-factory.js';
import { openRemote } from '../common/remote.backplane.js';
import { JetStreamConnection } from './connection.js';
import { NatsClusterLink } from './nats.cluster.js';
import { NatsLogs } from './nats.logs.js';
import { natsSettings, type NatsBackplaneOptions } from './nats.options.js';

/*
 * How the logs lie in JetStream. Offsets are sequences of one stream, so they increase over all channels.
 *
 *   stream <prefix>-log     subject .event.<channel>   events and purges of a channel
 *                           subject .end.<channel>     ends of its logs: completions
 *                           subject .anchor, .barrier  see anchors.ts and NatsStream.catchUp()
 *                           republished on <prefix>-live.…, to which followers subscribe
 *   stream <prefix>-heads   subject .channel.<channel> one record, which outlives the limits of the log stream:
 *                           active (somebody publishes), quiet (with the newest position), or completed
 *
 * A message names the end of the log before its own (which identifies the log) and the newest event that its publisher
 * knew. Its position is its sequence and a random mark, which shows whether a stream came back older or was made anew.
 *
 * NatsLogs is the port. For an event's way read on in nats-channel.ts (publish) and receiving.ts (follow);
 * channel-log.ts reads a log, anchors.ts gives positions of absent logs. Below them: nats-store.ts (the two streams, and
 * whether they are there), layout.ts (names and forms), nats-stream.ts (any stream), connection.ts. Leases, letters,
 * orders and wills are in nats.cluster.ts.
 */

export type { NatsBackplaneOptions } from './nats.options.js';

/**
 * Keeps the logs of all channels in one stream of NATS JetStream, for any number of instances, and in a second one
 * the newest positions of channels that have fallen quiet.
 *
 * `publish()` resolves when the stream has stored the event, on a majority of its replicas: it survives
 * every instance, and with three replicas the loss of a server. It needs nats-server 2.9 or newer with
 * JetStream, and rights on the subjects `<prefix>-log.>`, `<prefix>-live.>`, `<prefix>-heads.>`,
 * `<prefix>-cluster.>`, `$JS.API.>`, `$JS.EVENT.ADVISORY.STREAM.>` and `_INBOX.>`. The streams are made at the start
 * if they are not there.
 *
 * An idle channel is forgotten by the limits `maxAge` and `maxBytes` of the events and `headAge` of the positions. Its
 * `ttl` only says for how long it stays completed.
 *
 * **Experimental** in these respects, where a server cannot keep a rule or was seen not to:
 * - A channel stays completed for its `ttl`, but no longer than `headAge`: servers before 2.11 have no age for a
 *   single message.
 * - A `publish()` that rejects with `PUBLISH_UNCERTAIN` may still be stored later, when the connection was frozen: a
 *   server cannot be told until when it may store a message.
 * - Several servers (`replicas` from 2 on) with 2.9.10: one that was killed, and not stopped, came back without the
 *   oldest events, said that it was up to date, and was elected leader again. That was seen where part of a stream
 *   had been deleted, as `purge()` and histories do that are full. Clients who have not had those events are told of
 *   a gap. Newer servers were not tried.
 *
 * @throws SseError `INVALID_OPTIONS`
 */
export function natsBackplane(options: NatsBackplaneOptions = {}): BackplaneFactory {
  const settings = natsSettings(options);
  return async (limits) => {
    const connection = await JetStreamConnection.open(settings);
    const logs = await NatsLogs.open(connection, settings);
    const cluster = await NatsClusterLink.on(connection.nats, settings.prefix, settings);
    return openRemote(logs, cluster, settings, limits);
  };
}
