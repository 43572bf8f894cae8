/** Numbers of this process for the channels of one definition. */
export interface DefinitionStats {
  /** The pattern of the definition; undefined for the channels that none matches. */
  readonly definition: string | undefined;
  /** Channels that are streamed. */
  readonly channels: number;
  /** Streams that read them, in responses and elsewhere. */
  readonly subscribers: number;
  /** Members with a connection to this process; one of several channels counts for each. */
  readonly members: number;
  /** Running pipes. */
  readonly pipes: number;
}

/** A channel, with something that it has. */
interface Counted extends Partial<Omit<DefinitionStats, 'definition' | 'channels'>> {
  readonly channel: string;
}

/** Adds up by definition what is there of channels. @param streamed those that are streamed, with their subscribers */
export function definitionStats(
  definitionOf: (channel: string) => string | undefined,
  streamed: readonly Counted[],
  others: readonly Counted[],
): DefinitionStats[] {
  const sums = new Map<string | undefined, DefinitionStats>();
  const add = ({ channel, subscribers = 0, members = 0, pipes = 0 }: Counted, channels: 0 | 1): void => {
    const definition = definitionOf(channel);
    const sum = sums.get(definition) ?? { channels: 0, subscribers: 0, members: 0, pipes: 0 };
    sums.set(definition, {
      definition,
      channels: sum.channels + channels,
      subscribers: sum.subscribers + subscribers,
      members: sum.members + members,
      pipes: sum.pipes + pipes,
    });
  };
  for (const one of streamed) add(one, 1);
  for (const one of others) add(one, 0);
  return [...sums.values()];
}
