/**
 * The kind of an {@link SseError}, for code to branch on. The message says what to do.
 *
 * | code | thrown by |
 * |---|---|
 * | `MODULE_MISSING` | an `@Sse()` route or a `@Publish()` method without `SseModule.forRoot()`, or of an instance that Nest has not made |
 * | `INVALID_OPTIONS` | `SseModule.forRoot()`, `defineChannel()`, `@Sse()`, `@Publish()`, and calls of the hub that take options |
 * | `DUPLICATE_DEFINITION` | the start-up: two definitions, or two methods with `@SseSnapshot()`, for the same channels |
 * | `INVALID_HANDLER` | the start-up, and the decorators themselves: a decorated method that is never called, or cannot be, or whose definition is not listed |
 * | `INVALID_CHANNEL` | every call that takes a channel's name; `ChannelDefinition.of()` |
 * | `UNKNOWN_CHANNEL` | the same calls: a name of a definition that is not listed, or any that matches none with `strictChannels` |
 * | `INVALID_EVENT` | `publish()`: a field that cannot be sent, or a type that the channel does not have |
 * | `INVALID_DATA` | `publish()`: data that the event's schema refuses; its issues are the `cause` |
 * | `RESERVED_TYPE` | `publish()`, `defineChannel()`: a type that only the package sends |
 * | `ID_NOT_ALLOWED` | `publish()`: an id where the hub makes them |
 * | `NOT_SERIALIZABLE` | `publish()`, `@Publish()`, streams with `@SseSnapshot()`: data or a state that has no JSON form |
 * | `EVENT_TOO_LARGE` | `publish()`, streams with `@SseSnapshot()`: more than `maxEventBytes` |
 * | `CHANNEL_COMPLETED` | `publish()` after `complete()` |
 * | `SOURCE_TOO_FAST` | `pipe()`, `@Publish()`: too many items of an Observable wait to be published |
 * | `PIPE_ABANDONED` | `pipe()`: nobody listened for `abandonAfter` |
 * | `PIPE_LOST` | `pipe()`: the process was away for so long that another instance took it for dead and told its listeners |
 * | `TOO_MANY_CHANNELS` | `stream()`: more channels than one response takes; `publish()`: more than one event takes |
 * | `TOO_MANY_EVENTS` | `publishMany()`: more events than one call takes |
 * | `HUB_FULL` | `publish()`, `complete()` and streams: `limits.channels` is reached |
 * | `PUBLISH_REJECTED` | `publish()`: the backplane did not store the event and never will, or too many calls wait for others |
 * | `PUBLISH_UNCERTAIN` | `publish()`: the event was sent to the backplane, and no answer came in time |
 * | `BACKPLANE_AWAY` | every other call that needs the backplane, while it cannot be reached |
 * | `BACKPLANE_FAILED` | the start-up: the backplane cannot be used as it is configured |
 * | `HUB_CLOSED` | every call after the application was closed |
 */
export type SseErrorCode =
  | 'MODULE_MISSING'
  | 'INVALID_OPTIONS'
  | 'DUPLICATE_DEFINITION'
  | 'INVALID_HANDLER'
  | 'INVALID_CHANNEL'
  | 'UNKNOWN_CHANNEL'
  | 'INVALID_EVENT'
  | 'INVALID_DATA'
  | 'RESERVED_TYPE'
  | 'ID_NOT_ALLOWED'
  | 'NOT_SERIALIZABLE'
  | 'EVENT_TOO_LARGE'
  | 'CHANNEL_COMPLETED'
  | 'SOURCE_TOO_FAST'
  | 'PIPE_ABANDONED'
  | 'PIPE_LOST'
  | 'TOO_MANY_CHANNELS'
  | 'TOO_MANY_EVENTS'
  | 'HUB_FULL'
  | 'PUBLISH_REJECTED'
  | 'PUBLISH_UNCERTAIN'
  | 'BACKPLANE_AWAY'
  | 'BACKPLANE_FAILED'
  | 'HUB_CLOSED';

/** The one error class of this package. */
export class SseError extends Error {
  override readonly name = 'SseError';

  constructor(
    readonly code: SseErrorCode,
    message: string,
    options?: ErrorOptions,
  ) {
    super(message, options);
  }
}

/** The rejection of every call once the application is closed. */
export const hubClosed = (): SseError => new SseError('HUB_CLOSED', 'The application was closed.');

/** The rejection of a publish to a completed channel. */
export const channelCompleted = (channel: string): SseError =>
  new SseError(
    'CHANNEL_COMPLETED',
    `The channel "${channel}" was completed. Publish to another, or wait until its ttl is over.`,
  );

/** @param what `name`, or `pattern` */
export const invalidChannel = (what: string, text: unknown, fault: string): SseError =>
  new SseError('INVALID_CHANNEL', `The channel ${what} ${JSON.stringify(text)} ${fault}.`);

/** @param field of an event, `id` for instance */
export const invalidEvent = (field: string, rule: string): SseError =>
  new SseError('INVALID_EVENT', `An event's ${field} ${rule}.`);

/** The rejection of one channel too many. */
export const tooManyChannels = (count: number): SseError =>
  new SseError(
    'HUB_FULL',
    `There are ${count} channels, which is limits.channels. Raise it, or shorten the channels' ttl.`,
  );

/** The calls of a backplane, as far as their errors differ. */
export type BackplaneCall = 'publish' | 'other';

/** The call of a backplane had no effect and never will have one. */
export const notSent = (call: BackplaneCall, why: string, options?: ErrorOptions): SseError =>
  call === 'publish'
    ? new SseError('PUBLISH_REJECTED', `${why} The event was not stored. Publish it again later.`, options)
    : new SseError('BACKPLANE_AWAY', `${why} Try again later.`, options);

/** The call of a backplane was sent, and no answer came. */
export const noAnswer = (call: BackplaneCall, why: string): SseError =>
  call === 'publish'
    ? new SseError(
        'PUBLISH_UNCERTAIN',
        `${why} The event may have been stored. Publish it again with the same publishId: it is stored once.`,
      )
    : new SseError('BACKPLANE_AWAY', `${why} Try again later.`);

/** The code of a thrown value; `other` for one that is not of this package. */
export const codeOf = (cause: unknown): SseErrorCode | 'other' =>
  cause instanceof SseError ? cause.code : 'other';

/** The message of a thrown value, which may be anything. */
export const reasonOf = (cause: unknown): string => (cause instanceof Error ? cause.message : String(cause));
