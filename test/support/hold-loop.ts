/** Holds the event loop for some milliseconds: for the process it is as if it were frozen. */
export function holdLoop(milliseconds: number): void {
  const until = performance.now() + milliseconds;
  while (performance.now() < until);
}
