import { createElement as h, StrictMode } from 'react';
import { createRoot } from 'react-dom/client';
import { useChat } from '@ai-sdk/react';
import { DefaultChatTransport } from 'ai';

/*
 * A chat as an application writes it, in StrictMode. ai.spec.ts bundles it. It shows the state of the hook, and remembers
 * what must never be: an answer that is cut and taken for the whole.
 */

const LAST_WORD = 'end.';
const query = new URLSearchParams(location.search);
const id = query.get('chat') ?? 'c';
const api = query.get('api') ?? '/chat';

const record = { cut: [] as string[], stopped: false, resumed: [] as number[] };

/** Notes how the GET of `resume` was answered. */
const noting: typeof fetch = async (...args) => {
  const response = await fetch(...args);
  if (args[1]?.method === 'GET') record.resumed.push(response.status);
  return response;
};

function Chat() {
  const transport = new DefaultChatTransport({ api, fetch: noting });
  const { messages, status, error, sendMessage, stop } = useChat({ id, transport, resume: true });
  const answer = messages.findLast(({ role }) => role === 'assistant');
  const text = (answer?.parts ?? []).map((part) => (part.type === 'text' ? part.text : '')).join('');
  if (status === 'ready' && text !== '' && !text.endsWith(LAST_WORD) && !record.stopped)
    record.cut.push(text);
  const send = () => void sendMessage({ text: 'Hello?' });
  const stopAll = () => {
    record.stopped = true;
    void fetch(`${api}/${id}/stop`, { method: 'POST' });
    void stop();
  };
  return h(
    'main',
    null,
    h('output', { id: 'status' }, status),
    h('p', { id: 'answer' }, text),
    h('p', { id: 'error' }, error?.message ?? ''),
    h('button', { id: 'send', onClick: send }, 'Send'),
    h('button', { id: 'stop', onClick: stopAll }, 'Stop'),
  );
}

Object.assign(window, { record });
createRoot(document.body.appendChild(document.createElement('div'))).render(h(StrictMode, null, h(Chat)));
