/**
 * Calls back once a time is over and everything that had arrived by then was read. A process that was frozen, or whose
 * event loop was held, runs its timers before it reads its sockets: an answer that lies there would pass for missing.
 *
 * @param timer whether the process stays alive for it
 * @returns cancels that
 */
export function atDeadline(
  milliseconds: number,
  late: () => void,
  timer: 'ref' | 'unref' = 'ref',
): () => void {
  let reading: NodeJS.Immediate | undefined;
  // The event loop reads sockets between a timer and the immediate that it sets.
  const timeout = setTimeout(() => (reading = setImmediate(late)), milliseconds)[timer]();
  return () => {
    clearTimeout(timeout);
    clearImmediate(reading);
  };
}
