/** What a `denied` event says. */
export const denied = (channel: string, reason = 'forbidden'): object => ({
  type: 'denied',
  id: undefined,
  text: JSON.stringify({ channel, reason }),
});
