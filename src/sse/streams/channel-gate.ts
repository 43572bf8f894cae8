import type { StreamReader } from './stream-reader.js';

/** Decides which channels a client may stream: the seam for authorisation. Asked once per channel, never per event. */
export interface ChannelGate {
  /**
   * Asks whether a reader may have a channel.
   *
   * @param decided is called later. A callback and no Promise: a grant takes effect in the same call, so that no revocation
   * comes in between
   * @returns false where nobody is to be asked: the channel is open, and `decided` is never called
   */
  ask(channel: string, reader: StreamReader, decided: (isGranted: boolean) => void): boolean;
  /**
   * Tells the client that it does not get a channel. Called after `decided(false)` by a stream that still wants the
   * channel.
   */
  denied(channel: string): void;
}
