import { channelNameFault, uriDecoded } from '../protocol/channel-name.js';
import { invalidChannel, SseError } from '../sse.errors.js';

type ParamNames<Pattern extends string> = Pattern extends `${infer Segment}/${infer Rest}`
  ? ParamNames<Segment> | ParamNames<Rest>
  : Pattern extends `:${infer Name}`
    ? Name
    : never;

/** The parameters of a pattern, to fill it with; one without parameters takes none. */
export type ChannelParams<Pattern extends string> = [ParamNames<Pattern>] extends [never]
  ? []
  : [params: { readonly [Name in ParamNames<Pattern>]: string | number }];

/** The parameters of a pattern, as they are read from a name. */
export type MatchedParams<Pattern extends string> = string extends Pattern
  ? Readonly<Record<string, string>>
  : { readonly [Name in ParamNames<Pattern>]: string };

/** A name, as a pattern reads it. */
export interface PatternMatch {
  /** The value of each parameter, decoded; as it is where it was not encoded. */
  readonly params: Readonly<Record<string, string>>;
  /**
   * Whether the name writes every parameter as `encodeURIComponent()` does. `orders/a` and `orders/%61` are
   * two channels with the same decoded parameters, and only the first is canonical.
   */
  readonly isCanonical: boolean;
}

/** Segments separated by `/`; one that begins with `:` is a parameter, which stands for one segment. */
export class ChannelPattern {
  readonly segments: readonly string[];

  /** @throws SseError `INVALID_CHANNEL` */
  constructor(readonly text: string) {
    const fault = channelNameFault(text) ?? wildcardFault(text);
    if (fault) throw invalidChannel('pattern', text, fault);
    this.segments = text.split('/');
    const { params } = this;
    if (params.some((param) => !/^\w+$/.test(param)) || new Set(params).size < params.length) {
      throw new SseError(
        'INVALID_CHANNEL',
        `The parameters of the channel pattern "${text}" need distinct names of letters, digits and underscores.`,
      );
    }
  }

  /** The names of its parameters. */
  get params(): string[] {
    return this.segments.filter(isParam).map((segment) => segment.slice(1));
  }

  matches(name: string): boolean {
    const segments = name.split('/');
    return (
      segments.length === this.segments.length &&
      this.segments.every((segment, i) => isParam(segment) || segment === segments[i])
    );
  }

  /** Whether a name may match both patterns. */
  overlaps({ segments }: ChannelPattern): boolean {
    return (
      segments.length === this.segments.length &&
      this.segments.every((own, i) => isParam(own) || isParam(segments[i] as string) || own === segments[i])
    );
  }

  /**
   * The name that has these parameters, each percent-encoded.
   *
   * @throws SseError `INVALID_CHANNEL`
   */
  fill(params: Readonly<Record<string, unknown>>): string {
    const name = this.segments
      .map((segment) => (isParam(segment) ? this.#encode(segment.slice(1), params) : segment))
      .join('/');
    const fault = channelNameFault(name);
    if (fault) throw invalidChannel('name', name, fault);
    return name;
  }

  /** The parameters of a name; undefined if it does not match. */
  match(name: string): PatternMatch | undefined {
    if (!this.matches(name)) return undefined;
    const params: [name: string, value: string][] = [];
    let isCanonical = true;
    for (const [i, segment] of name.split('/').entries()) {
      const own = this.segments[i] as string;
      if (!isParam(own)) continue;
      const value = decoded(segment);
      if (value === undefined) isCanonical = false;
      params.push([own.slice(1), value ?? segment]);
    }
    // Frozen, as all handlers that are asked about a channel share them.
    return { params: Object.freeze(Object.fromEntries(params)), isCanonical };
  }

  #encode(param: string, values: Readonly<Record<string, unknown>>): string {
    const value = values[param];
    if ((typeof value !== 'string' && typeof value !== 'number') || value === '') {
      throw new SseError(
        'INVALID_CHANNEL',
        `The parameter "${param}" of the channel "${this.text}" is ${value === '' ? 'empty' : typeof value}. Give it a string of at least one character, or a number.`,
      );
    }
    try {
      return encodeURIComponent(value);
    } catch {
      throw new SseError(
        'INVALID_CHANNEL',
        `The parameter "${param}" of the channel "${this.text}" has half of a surrogate pair in it.`,
      );
    }
  }
}

/** Stars and braces mean something elsewhere; here they would stand for themselves, and match nothing. */
const WILDCARD = /[*{}]|^[+#>]$/;

function wildcardFault(pattern: string): string | undefined {
  const found = pattern.split('/').find((segment) => !isParam(segment) && WILDCARD.test(segment));
  if (found === undefined) return undefined;
  return `has the segment ${found}. A parameter is written :name, and stands for one whole segment; give a pattern for each number of segments`;
}

/** A pattern without the names of its parameters: equal for two patterns that match the same channels. */
export const shapeOf = (pattern: string): string => pattern.replaceAll(/(?<=^|\/):\w+/g, ':');

const isParam = (segment: string): boolean => segment.startsWith(':');

/** The value that `encodeURIComponent()` writes as this segment; undefined where it would write it otherwise. */
function decoded(segment: string): string | undefined {
  const value = uriDecoded(segment);
  return value !== undefined && encodeURIComponent(value) === segment ? value : undefined;
}
