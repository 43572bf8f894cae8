import {
  Activity,
  createElement,
  Fragment,
  StrictMode,
  useState,
  version,
  type ReactElement,
  type ReactNode,
} from 'react';
import { createRoot, hydrateRoot, type Root } from 'react-dom/client';
import { connectChannels } from '../../../src/sse/client/index.js';
import { SseProvider, useConnectionState, usePresence, useSse } from '../../../src/sse/react/index.js';
import { page, Room, RoomView, type RoomProps } from './room.js';

/** What the page is asked to show. */
export interface Shown {
  readonly url?: string;
  readonly user?: string;
  /** The page makes the client. */
  readonly own?: boolean;
  readonly rooms?: readonly RoomProps[];
  readonly members?: string;
  readonly mode?: 'visible' | 'hidden';
  /** A route, and the types of its events that are counted. */
  readonly route?: { readonly url: string; readonly types: readonly string[] };
}

/** React 18 has no `<Activity>`. */
const hideable = (Activity as typeof Activity | undefined) ?? Fragment;

const record = { heard: [] as string[], renders: 0, frames: 0, complaints: [] as string[] };
let root: Root | undefined;

function State(): ReactElement {
  return createElement('p', { id: 'state' }, useConnectionState().kind);
}

function Members({ room }: { readonly room: string }): ReactElement {
  const members = usePresence(Room, { room });
  return createElement('p', { id: 'members' }, members.map(({ user }) => user).join(' '));
}

function Counter({ url, types }: NonNullable<Shown['route']>): ReactElement {
  const [count, setCount] = useState(0);
  const [at] = useState(() => Date.now());
  const handlers = types.map((type) => [type, () => setCount((before) => before + 1)]);
  const state = useSse(url, Object.fromEntries(handlers) as object, { headers: { 'x-at': String(at) } });
  record.renders++;
  return createElement('p', { id: 'count', title: state.kind }, count);
}

function view({ rooms = [], members, mode = 'visible', route }: Shown): ReactNode[] {
  const shown = rooms.map((room) => {
    const hear = (said: number): number => record.heard.push(`${room.label ?? room.id}:${said}`);
    const rendered = (): number => record.renders++;
    return createElement(RoomView, { key: room.id, ...room, hear, rendered });
  });
  return [
    createElement(State, { key: 'state' }),
    members !== undefined && createElement(Members, { key: 'members', room: members }),
    createElement(hideable, {
      key: 'activity',
      ...(hideable === Activity && { mode }),
      children: [shown, route && createElement(Counter, { key: 'route', ...route })],
    }),
  ];
}

const inPage = {
  record,
  version,
  show(shown: Shown): void {
    root ??= createRoot(document.body);
    const { url = '/events', user, own } = shown;
    const options = user === undefined ? {} : { headers: { 'x-user': user } };
    const provider = own ? { client: connectChannels(url, options) } : { url, options };
    root.render(createElement(StrictMode, null, createElement(SseProvider, provider, view(shown))));
  },
  hydrate(props: RoomProps): void {
    root = hydrateRoot(document.querySelector('#root') as Element, page('/events', props), {
      onRecoverableError: (error) => record.complaints.push(String(error)),
    });
  },
  unmount(): void {
    root?.unmount();
  },
  countFrames(): void {
    record.frames++;
    requestAnimationFrame(() => inPage.countFrames());
  },
  async until(isSo: () => boolean, patience: number): Promise<unknown> {
    const end = Date.now() + patience;
    while (!isSo()) {
      if (Date.now() > end) throw new Error(`Not so: ${String(isSo)}, but ${document.body.innerHTML}`);
      await new Promise((next) => setTimeout(next, 10));
    }
    return record;
  },
};

Object.assign(globalThis, { inPage });
export type InPage = typeof inPage;
