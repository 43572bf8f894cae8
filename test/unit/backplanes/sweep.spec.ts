import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { Sweep } from '../../../src/sse/backplanes/common/sweep.js';

let sweep: Sweep<number>;
let items: number[];
let visits: number;

/** How often the items are visited in so many milliseconds. */
async function visitsIn(milliseconds: number): Promise<number> {
  visits = 0;
  await jest.advanceTimersByTimeAsync(milliseconds);
  return visits;
}

beforeEach(() => {
  jest.useFakeTimers();
  items = [];
  sweep = new Sweep(
    () => items.values(),
    () => {
      visits++;
      return undefined;
    },
    (item) => item,
  );
});

afterEach(() => {
  sweep.stop();
  jest.useRealTimers();
});

/** An item lasts as many milliseconds as it says. */
function add(item: number): void {
  items.push(item);
  sweep.within(item);
}

describe('a sweep', () => {
  it('keeps the pace of the item with the shortest time', async () => {
    add(400_000);
    expect(await visitsIn(60_000)).toBe(2);
    add(4_000);
    expect(await visitsIn(60_000)).toBe(60);
    add(8_000);
    expect(await visitsIn(60_000)).toBe(60);
  });

  it('slows down when no item needs the pace any more, and keeps that of the others', async () => {
    add(40_000);
    add(400);
    expect(await visitsIn(10_000)).toBe(100);
    items.pop();
    await jest.advanceTimersByTimeAsync(60_000);
    expect(await visitsIn(60_000)).toBe(6);
  });

  it('waits for an item that was announced', async () => {
    sweep.within(4_000);
    await jest.advanceTimersByTimeAsync(3_500);
    items.push(4_000);
    await jest.advanceTimersByTimeAsync(4_000);
    expect(await visitsIn(60_000)).toBe(60);
  });

  it('sets its pace by the items that it finds', async () => {
    items.push(4_000);
    sweep.soon();
    expect(await visitsIn(60_000)).toBe(1 + 60);
  });

  it('ends', async () => {
    add(4_000);
    sweep.stop();
    expect(await visitsIn(60_000)).toBe(0);
  });
});
