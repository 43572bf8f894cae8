import { connect, type SseClient } from '../../client/index.js';

/** Beside this script, wherever the inspector is mounted. */
const API = new URL('api/', import.meta.url);

const addressOf = (path: string, query: Readonly<Record<string, string | number | undefined>>): URL => {
  const url = new URL(path, API);
  for (const [name, value] of Object.entries(query))
    if (value !== undefined && value !== '') url.searchParams.set(name, String(value));
  return url;
};

/** @throws Error with the message of the server */
async function answer(url: URL, init: RequestInit = {}): Promise<unknown> {
  const response = await fetch(url, { credentials: 'same-origin', ...init });
  const text = await response.text();
  if (response.ok) return text === '' ? undefined : JSON.parse(text);
  throw new Error(messageIn(text) ?? `The server answers ${response.status}.`);
}

function messageIn(text: string): string | undefined {
  try {
    const { message } = JSON.parse(text) as { message?: unknown };
    return typeof message === 'string' ? message : undefined;
  } catch {
    return undefined;
  }
}

export const get = <Answer>(
  path: string,
  query: Readonly<Record<string, string | number | undefined>> = {},
  signal?: AbortSignal,
): Promise<Answer> => answer(addressOf(path, query), signal ? { signal } : {}) as Promise<Answer>;

export const post = <Answer>(path: string, body: unknown): Promise<Answer> =>
  answer(addressOf(path, {}), {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(body),
  }) as Promise<Answer>;

export const remove = (path: string): Promise<unknown> => answer(addressOf(path, {}), { method: 'DELETE' });

/** A stream of the inspector, by the package's own client. */
export const stream = <Events extends Record<string, unknown>>(
  path: string,
  query: Readonly<Record<string, string>> = {},
): SseClient<Events> => connect<Events>(addressOf(path, query));
