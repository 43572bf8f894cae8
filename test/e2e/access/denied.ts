/** What a `denied` event says. */
export const denied = (channel: string, reason = 'forbidden'): object => ({
  type: 'denied',
  id: undefined,
  data: JSON.stringify({ channel, reason }),
});
