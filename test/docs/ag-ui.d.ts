// What the guide to language models uses of `@ag-ui/client` 1.0, for the type check of its blocks.
declare module '@ag-ui/client' {
  export interface RunAgentInput {
    threadId: string;
  }
  export class HttpAgent {
    constructor(config: { url: string; threadId?: string });
    url: string;
    headers: Record<string, string>;
    protected connect(input: RunAgentInput): unknown;
    connectAgent(): Promise<unknown>;
    runAgent(): Promise<unknown>;
  }
  export const runHttpRequest: (request: () => Promise<Response>) => unknown;
  export const transformHttpEventStream: (events: unknown) => unknown;
}
