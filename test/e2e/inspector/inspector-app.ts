import { Injectable } from '@nestjs/common';
import { filter } from 'rxjs';
import { AuthorizeChannel, type BackplaneFactory, type ChannelAccess } from '../../../src/sse/index.js';
import { SseInspectorModule, type SseInspectorOptions } from '../../../src/sse/inspector/index.js';
import type { AdapterName } from '../../support/adapters.js';
import { listen } from '../../support/open-stream.js';
import { startSseApp, type Route, type SseApp } from '../../support/sse-app.js';
import type { TestStream } from '../../../src/sse/testing/index.js';

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
};

export interface InspectedOptions {
  readonly inspector?: Partial<SseInspectorOptions>;
  readonly backplane?: BackplaneFactory;
  readonly adapter?: AdapterName;
}

/** An application with an inspector at `/inspector`. The user is in the header `x-user`. */
export async function startInspected(options: InspectedOptions = {}): Promise<Inspected> {
  const { inspector, backplane, adapter } = options;
  const app = await startSseApp({
    routes,
    providers: [SecretAccess],
    imports: [SseInspectorModule.forRoot({ path: 'inspector', guards: 'none', ...inspector })],
    sse: {
      history: { count: 10 },
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

  async get<Answer = unknown>(path: string, query: Readonly<Record<string, string>> = {}): Promise<Answer> {
    const response = await fetch(`${this.url}/inspector/api/${path}?${new URLSearchParams(query)}`);
    if (response.status !== 200) throw new Error(`${response.status}: ${await response.text()}`);
    return (await response.json()) as Answer;
  }

  explain(event: string, query: Readonly<Record<string, string>>): Promise<ExplainAnswer> {
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
