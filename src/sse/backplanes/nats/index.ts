import type { BackplaneFactory } from '../backplane-factory.js';
import { openRemote } from '../common/open-remote.js';
import { NatsClusterLink } from './nats-cluster.link.js';
import { NatsLink } from './nats-link.js';
import { NatsLogs } from './nats.logs.js';
import { natsSettings, type NatsBackplaneOptions } from './nats.options.js';

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
 * What is idle is given back by the limits `maxAge` and `maxBytes` of the events and `headAge` of the positions, not
 * by the channel's `ttl`: that counts for how long a channel stays completed.
 *
 * **Experimental** in these respects, where a server cannot keep a rule or was seen not to:
 * - A channel stays completed for its `ttl`, but no longer than `headAge`: servers before 2.11 have no age for a
 *   single message.
 * - A `publish()` that is a `PUBLISH_UNCERTAIN` may still be stored later, when the connection was frozen: a server
 *   cannot be told until when it may store a message.
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
    const link = await NatsLink.open(settings);
    // It closes the link when it cannot be opened.
    const logs = await NatsLogs.open(link, settings);
    return openRemote(
      logs,
      new NatsClusterLink(link.connection, settings.prefix, settings),
      settings,
      limits,
    );
  };
}
