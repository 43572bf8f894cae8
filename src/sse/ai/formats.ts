import type { PlainStream } from '../http/sse-route.metadata.js';

/** An event of a format: its data is a part, as JSON, or a text. */
export interface FormatEvent {
  readonly data: string | object;
}

/** A run that cannot be given to its end: a `PipeFailure` or a `StreamFailure`. */
export interface RunFailure {
  readonly reason: string;
  /** A text for the client. */
  readonly message: string;
}

/** The form in which clients of language models expect a stream. */
export interface ModelFormat {
  /** The option `plain` of routes that stream runs. */
  readonly plain: PlainStream & {
    /** Makes the last event of a run that cannot be given to its end. */
    readonly error: (failure: RunFailure) => FormatEvent;
  };
  /** The event after the last part of a run that has come to its own end. */
  readonly done?: FormatEvent;
  /** The last event of a run that was stopped. */
  readonly stopped: FormatEvent;
}

const DONE: FormatEvent = { data: '[DONE]' };

/** The UI message stream of the AI SDK (`ai` 5 and newer): for `useChat`. */
export const aiSdk: ModelFormat = {
  plain: {
    headers: { 'x-vercel-ai-ui-message-stream': 'v1' },
    error: ({ message }) => ({ data: { type: 'error', errorText: message } }),
  },
  done: DONE,
  stopped: { data: { type: 'abort' } },
};

const openAiError = ({ message, reason }: RunFailure): FormatEvent => ({
  data: { error: { message, type: 'server_error', param: null, code: reason } },
});

const STOPPED: RunFailure = { reason: 'stopped', message: 'Stopped' };

/** Chunks of OpenAI's chat completions, and of compatible servers. */
export const openAi: ModelFormat = {
  plain: { error: openAiError },
  done: DONE,
  stopped: openAiError(STOPPED),
};

const runError = ({ message, reason }: RunFailure): FormatEvent => ({
  data: { type: 'RUN_ERROR', message, code: reason },
});

/** Events of AG-UI. */
export const agUi: ModelFormat = { plain: { error: runError }, stopped: runError(STOPPED) };
