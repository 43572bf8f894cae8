import { Injectable } from '@nestjs/common';
import { filter } from 'rxjs';
import {
  AuthorizeChannel,
  defineChannel,
  SseModule,
  type BackplaneFactory,
  type ChannelAccess,
} from '../../../src/sse/index.js';
import { SseInspectorModule, type SseInspectorOptions } from '../../../src/sse/inspector/index.js';
import type { AdapterName } from '../../support/adapters.js';
import { eventually } from '../../support/eventually.js';
import { listen } from '../../support/open-stream.js';
import { startSseApp, type Route, type SseApp } from '../../support/sse-app.js';
import type { TestStream } from '../../../src/sse/testing/index.js';

const Room = defineChannel('rooms/:id', { history: { count: 5 } });
const Typing = defineChannel('typing', { history: 0, presence: true, slow: { latest: () => '' } });

/** Nobody but Ada may read the secrets. */
@Injectable()
class SecretAccess {
  @AuthorizeChannel('secrets')
  maySee({ user }: ChannelAccess): boolean {
    return user === 'ada';
  }
}

const routes: Readonly<Record<string, Route>> = {
  news: (hub) => hub.stream('news'),
  alerts: (hub) => hub.stream('news', { types: ['alert'] }),
  even: (hub) => hub.stream('news', { filter: ({ data }) => Number(data) % 2 === 0 }),
  dropped: (hub) => hub.stream('news').pipe(filter(() => false)),
  evens: (hub) => hub.stream('news').pipe(filter(({ data }) => Number(data) % 2 === 0)),
  secrets: (hub) => hub.stream('secrets'),
  both: (hub) => hub.stream(['news', 'secrets']),
  opening: () => new Promise<never>(() => undefined),
  any: (hub, { query }) => hub.stream(query['channels']!.split(',')),
};

export interface InspectedOptions {
  readonly inspector?: Partial<SseInspectorOptions>;
  readonly backplane?: BackplaneFactory;
  readonly adapter?: AdapterName;
  /** Events that a channel keeps, if no definition says otherwise. */
  readonly history?: number;
}

/** An application with an inspector at `/inspector`. The user is in the header `x-user`. */
export async function startInspected(options: InspectedOptions = {}): Promise<Inspected> {
  const { inspector, backplane, adapter, history = 10 } = options;
  const app = await startSseApp({
    routes,
    providers: [SecretAccess],
    imports: [
      SseModule.forFeature([Room, Typing]),
      SseInspectorModule.forRoot({ path: 'inspector', guards: 'none', ...inspector }),
    ],
    sse: {
      history: { count: history },
      identify: ({ headers }: { headers: Record<string, string | undefined> }) =>
        headers['x-user'] === undefined ? undefined : { user: headers['x-user'] },
      ...(backplane && { backplane }),
    },
    ...(adapter && { adapter }),
  });
  return new Inspected(app);
}

/** What an explanation says, as JSON has it. */
export interface ExplainAnswer {
  readonly sentence: string;
  readonly event: { readonly state: string; readonly offset: number; readonly data?: string };
  readonly verdicts: readonly {
    readonly outcome: string;
    readonly sentence: string;
    readonly user?: string;
    readonly connection: string;
    readonly instance: string;
  }[];
}

type Query = Readonly<Record<string, string>>;

export class Inspected {
  readonly hub: SseApp['hub'];
  readonly url: string;

  constructor(readonly started: SseApp) {
    this.hub = started.hub;
    this.url = started.url;
  }

  /** Opens a stream as a user. */
  stream(path: string, user: string, lastEventId?: string): Promise<TestStream> {
    const headers = { 'x-user': user };
    return listen(`${this.url}/${path}`, { headers, ...(lastEventId !== undefined && { lastEventId }) });
  }

  /** Asks for JSON. An answer without an instance that was too busy for a second is no answer yet. */
  async get<Answer = unknown>(path: string, query: Query = {}): Promise<Answer> {
    let answer: unknown;
    await eventually(async () => {
      answer = await this.getOnce(path, query);
      return (answer as { fault?: string }).fault === undefined;
    });
    return answer as Answer;
  }

  async getOnce<Answer = unknown>(path: string, query: Query = {}): Promise<Answer> {
    const response = await fetch(`${this.url}/inspector/api/${path}?${new URLSearchParams(query)}`);
    if (response.status !== 200) throw new Error(`${response.status}: ${await response.text()}`);
    return (await response.json()) as Answer;
  }

  explain(event: string, query: Query): Promise<ExplainAnswer> {
    return this.get('explain', { event, ...query });
  }

  post(path: string, body: unknown, type = 'application/json'): Promise<Response> {
    const text = typeof body === 'string' ? body : JSON.stringify(body);
    return fetch(`${this.url}/inspector/api/${path}`, {
      method: 'POST',
      headers: { 'content-type': type },
      body: text,
    });
  }
}
