import type { StandardSchemaV1 } from '@standard-schema/spec';
import { jsonOrText } from '../protocol/event-stream.js';
import { guarded } from './environment.js';
import type { ClientOptions } from './options.js';

/** A definition of channels, as `defineChannel()` makes it. */
export interface CheckedBy {
  readonly schemas?: ReadonlyMap<string, StandardSchemaV1 | undefined> | undefined;
  matches(channel: string): boolean;
}

/** An event whose data is not what its schema takes. */
export interface InvalidEvent {
  readonly type: string;
  readonly data: unknown;
  /** Undefined where the client does not know it: with `connect()`. */
  readonly channel: string | undefined;
  readonly issues: readonly StandardSchemaV1.Issue[];
}

/**
 * Makes a `parse` that checks data by the schemas of definitions: for a client whose server may have been deployed before it, or
 * after it. An event that is not what its schema takes is passed over, and the client goes on.
 *
 * Data is only checked, and arrives as it came: it already is what the schema of the publisher has made of it. So a schema that
 * does not take its own output in JSON form, such as one that makes a number of a text, cannot be used here. Types that have no schema
 * are not checked.
 *
 * @param definitions one or several. A client that has named its channels takes the one that matches the channel, another the first
 * that has a schema for the type
 * @param onInvalid hears of events that are passed over. @defaultValue they are reported as what a listener throws
 * @returns the option `parse`, which throws for a schema that is asynchronous
 */
export function checked(
  definitions: CheckedBy | readonly CheckedBy[],
  onInvalid: (event: InvalidEvent) => void = report,
): NonNullable<ClientOptions['parse']> {
  const all = [definitions].flat() as readonly CheckedBy[];
  const schemaOf = (type: string, channel: string | undefined): StandardSchemaV1 | undefined => {
    const some = channel === undefined ? all : all.filter((one) => one.matches(channel));
    return some.map(({ schemas }) => schemas?.get(type)).find((schema) => schema !== undefined);
  };
  return (text, type, channel) => {
    const data = jsonOrText(text);
    const result = schemaOf(type, channel)?.['~standard'].validate(data);
    if (result && 'then' in result)
      throw new Error(`The schema of "${type}" is asynchronous. Arriving events are checked at once.`);
    const issues = result?.issues;
    if (!issues) return data;
    guarded(() => onInvalid({ type, data, channel, issues }));
    return undefined;
  };
}

function report({ type, issues }: InvalidEvent): never {
  const [{ message } = { message: '' }] = issues;
  throw new Error(`An event of the type "${type}" is not what its schema takes: ${message}`, {
    cause: issues,
  });
}
