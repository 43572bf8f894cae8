'use client';

export { SseProvider } from './provider.js';
export { useChannel, useConnectionState, usePresence, useSse } from './hooks.js';

export type { SseProviderProps } from './provider.js';
export type { ChannelUse, ChannelView } from './channel-store.js';
export type { Handlers } from './stream-store.js';
export type { ChannelMember, ChannelState, ConnectionState } from '../client/index.js';
