import type { BackplaneFactory } from '../../hub/backplane-factory.js';
import type { SseLimits } from '../../sse.options.js';
import { startTogether } from '../remote/start-together.js';
import { NatsBackplane } from './nats.backplane.js';
import { NatsCluster } from './nats.cluster.js';
import { NatsLink } from './nats-link.js';
import { natsSettings, type NatsBackplaneOptions, type NatsSettings } from './nats.options.js';

export type { NatsBackplaneOptions } from './nats.options.js';

/**
 * Keeps the logs of all channels in one stream of NATS JetStream, for any number of instances.
 *
 * `publish()` resolves when the stream has stored the event, on a majority of its replicas: it survives
 * every instance, and with three replicas the loss of a server. It needs nats-server 2.9 or newer with
 * JetStream, and rights on the subjects `<prefix>.>`, `<prefix>-cluster.>`, `$JS.API.>` and `_INBOX.>`. The stream is made at
 * the start if it is not there.
 *
 * A channel keeps its epoch for as long as the stream is the same, also when it was idle for longer than
 * its `ttl`: what is idle is given back by the stream's limits `maxAge` and `maxBytes`. Only a completed
 * channel begins anew when its `ttl` is over.
 *
 * @throws SseError `INVALID_OPTIONS`
 */
export function natsBackplane(options: NatsBackplaneOptions = {}): BackplaneFactory {
  const settings = natsSettings(options);
  return async (limits) => {
    const link = await NatsLink.open(settings);
    const backplane = await openBackplane(link, settings, limits);
    // On the same connection, which the backplane closes after it.
    const cluster = new NatsCluster(link.connection, settings.prefix, settings);
    return startTogether({ backplane, cluster });
  };
}

async function openBackplane(
  link: NatsLink,
  settings: NatsSettings,
  limits: Required<SseLimits>,
): Promise<NatsBackplane> {
  try {
    return await NatsBackplane.open(link, settings, limits);
  } catch (error) {
    await link.close();
    throw error;
  }
}
