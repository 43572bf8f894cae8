import { Random } from '../e2e/streams/random.js';

/** Channels by what is kept of them; the definitions stand in `instance.ts`. */
export type ChannelKind = 'wide' | 'tiny' | 'lean' | 'brief';

/** Milliseconds after which a `brief` channel is given back. */
export const BRIEF = 60;

/** What stands between the hub's stream and the response. Each keeps the order of the events. */
export const OPERATORS = ['none', 'copy', 'envelope', 'lookUp', 'delay', 'pairs', 'promises'] as const;
export type Operator = (typeof OPERATORS)[number];

/** Who hides the events that are marked so: nobody, an operator, or `hub.stream(…, { filter })`. */
export const FILTERS = ['none', 'operator', 'option'] as const;
export type Filter = (typeof FILTERS)[number];

export interface ClientPlan {
  readonly channels: readonly number[];
  readonly route: 'ours' | 'stock';
  readonly operator: Operator;
  readonly filter: Filter;
  /** Whether the response merges one stream for each channel. */
  readonly isMerged: boolean;
  readonly replay: 'none' | 'all';
  /** `strict` stores the id of a block without data, as the standard says; `lax` does not, as Firefox. */
  readonly engine: 'strict' | 'lax';
  /** Milliseconds that it takes over each piece that it reads. */
  readonly slowness: number;
  /** With `own` it asks for ids of the event's own channel, and keeps one for each. A stock route gives full ones. */
  readonly ids: 'full' | 'own';
}

/** How a connection is lost; after `stall` the server goes on believing in it. */
export type Cut = 'FIN' | 'RST' | 'stall';

export type Step =
  /** One event of each size, in one turn. */
  | { readonly do: 'publish'; channel: number; sizes: readonly number[]; instance: number }
  | { readonly do: 'purge' | 'complete' | 'disconnect'; channel: number; instance: number }
  /** The connection is lost, after which the client is away for some milliseconds and goes to another instance. */
  | { readonly do: 'cut'; client: number; how: Cut; away: number; instance: number }
  /** The client stops reading for some milliseconds. */
  | { readonly do: 'stall'; client: number; time: number }
  /** A client is given time to catch up. */
  | { readonly do: 'await'; client: number }
  /** Some milliseconds in which nothing is done; 0 is one turn of the event loop. */
  | { readonly do: 'wait'; time: number }
  /** One instance ends, politely or at once, and another is started in its place. */
  | { readonly do: 'restart'; instance: number; how: 'closed' | 'killed' }
  /** The store is copied. */
  | { readonly do: 'save' }
  /** The store becomes what was copied last, or empty. Where the store is a server, instances may live on. */
  | { readonly do: 'rewind'; instances: 'live' | 'restart' };

/** How much of the system a schedule may restart: nothing, instances, or the store as well. */
export type Flavour = 'steady' | 'restart' | 'rewind';

const flavourOf = (seed: number): Flavour =>
  seed % 20 === 0 ? 'rewind' : seed % 20 === 10 ? 'restart' : 'steady';

export interface Schedule {
  readonly seed: number;
  readonly flavour: Flavour;
  readonly channels: readonly ChannelKind[];
  readonly clients: readonly ClientPlan[];
  readonly steps: readonly Step[];
}

export interface Abilities {
  readonly instances: number;
  readonly hasFilterOption: boolean;
}

/** The schedule of a seed: the same for the same seed and abilities. */
export function scheduleOf(seed: number, abilities: Abilities): Schedule {
  const flavour = flavourOf(seed);
  const random = new Random(seed * 7919);
  const chance = (share: number): boolean => random.next() < share;
  const several = <T>(least: number, most: number, make: () => T): T[] =>
    Array.from({ length: random.between(least, most) }, make);

  const channels = several<ChannelKind>(1, 3, () =>
    random.oneOf(['wide', 'wide', 'tiny', 'tiny', 'lean', 'brief']),
  );
  const isHeavy = chance(0.04);
  const forms = new Random(seed * 7877);
  const clients = several<ClientPlan>(1, 4, () => ({
    channels: chance(0.5) ? [random.between(0, channels.length - 1)] : channels.map((_, i) => i),
    route: chance(0.8) ? 'ours' : 'stock',
    operator: chance(0.4) ? 'none' : random.oneOf(OPERATORS),
    filter: chance(0.6) ? 'none' : abilities.hasFilterOption ? random.oneOf(FILTERS) : 'operator',
    isMerged: chance(0.2),
    replay: chance(0.2) ? 'all' : 'none',
    engine: chance(0.5) ? 'strict' : 'lax',
    slowness: chance(0.1) ? random.between(1, 5) : 0,
    ids: forms.next() < 0.4 ? 'own' : 'full',
  }));

  const instance = (): number => random.between(0, abilities.instances - 1);
  const channel = (): number => random.between(0, channels.length - 1);
  const client = (): number => random.between(0, clients.length - 1);
  const wait = (): Step => {
    if (channels.includes('brief') && chance(0.1)) return { do: 'wait', time: 2 * BRIEF };
    return { do: 'wait', time: chance(0.7) ? random.between(0, 3) : random.between(4, 30) };
  };
  const publish = (): Step => {
    const size = random.oneOf<() => number>([() => 0, () => random.oneOf([0, 100, 700, 1_500])]);
    const sizes = chance(0.7) ? several(1, 3, size) : several(4, 12, size);
    // Several megabytes fill what lies between the two ends of a connection.
    const flood = isHeavy && chance(0.3) ? Array.from({ length: 12 }, () => 450_000) : undefined;
    return { do: 'publish', channel: channel(), sizes: flood ?? sizes, instance: instance() };
  };
  const cut = (): Step => ({
    do: 'cut',
    client: client(),
    how: random.oneOf(['FIN', 'RST', 'stall']),
    away: chance(0.6) ? random.between(0, 4) : random.between(5, 50),
    instance: instance(),
  });
  const order = (what: 'purge' | 'complete' | 'disconnect'): Step => ({
    do: what,
    channel: channel(),
    instance: instance(),
  });
  const stall = (): Step => ({ do: 'stall', client: client(), time: random.between(1, isHeavy ? 150 : 20) });
  const restart = (): Step => ({
    do: 'restart',
    instance: instance(),
    how: chance(0.5) ? 'closed' : 'killed',
  });
  const rewind = (): Step =>
    chance(0.4) ? { do: 'save' } : { do: 'rewind', instances: chance(0.5) ? 'live' : 'restart' };

  const kinds: readonly (readonly [weight: number, make: () => Step])[] = [
    [10, publish],
    [5, wait],
    [4, () => ({ do: 'await', client: client() })],
    [5, cut],
    [isHeavy ? 3 : 1, stall],
    [0.7, () => order('purge')],
    [0.3, () => order('complete')],
    [1.5, () => order('disconnect')],
    [flavour === 'steady' ? 0 : 1, restart],
    [flavour === 'rewind' ? 2 : 0, rewind],
  ];
  const total = kinds.reduce((sum, [weight]) => sum + weight, 0);
  const step = (): Step => {
    let left = random.next() * total;
    return kinds.find(([weight]) => (left -= weight) < 0)![1]();
  };
  return { seed, flavour, channels, clients, steps: several(5, 40, step) };
}
