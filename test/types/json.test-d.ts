// Compile-time promises: checked by `npm run types`, never run.
import type { UIMessageChunk } from 'ai';
import { z } from 'zod';
import { defineChannel, type } from '../../src/sse/index.js';
import type { EventsOf, InputsOf, SseHub } from '../../src/sse/index.js';
import { isOf, same } from './expect-type.js';

type Brand = string & { readonly __brand: 'OrderId' };

interface Order {
  readonly id: Brand;
  readonly state: 'open' | 'closed';
  readonly note?: string;
  readonly tags: readonly string[];
  readonly parent: Order | null;
  readonly by: { name: string } | undefined;
}

interface Visit {
  readonly at: Date;
  readonly left?: Date;
  readonly by: { seen: Date[] };
  readonly onEnd: () => void;
  readonly size: bigint | undefined;
  readonly pair: [Date, number];
  readonly maybe: string | (() => string);
  readonly holes: (string | undefined)[];
  readonly counts: Map<string, number>;
}

class Money {
  constructor(readonly amount: number) {}
  plus(other: Money): Money {
    return new Money(this.amount + other.amount);
  }
}

interface Tree {
  readonly at: Date;
  readonly children: readonly Tree[];
}

const Shop = defineChannel('shop', {
  events: {
    order: type<Order>(),
    visit: type<Visit>(),
    at: type<Date>(),
    money: type<Money>(),
    checked: z.object({ at: z.coerce.date(), by: z.string().optional() }),
    tree: type<Tree>(),
    open: type<unknown>(),
    none: type<undefined>(),
    days: type<Record<string, Date>>(),
    size: type<bigint>(),
  },
});
const shop = Shop.of();
type Read = EventsOf<typeof shop>;

export function whatJsonDoesNotChangeStaysTheVeryType(): void {
  same<Read['order'], Order>(true);
  same<Read['order']['id'], Brand>(true);
  same<Read['open'], unknown>(true);
  same<Read['none'], undefined>(true);
}

export function whatItChangesIsReadAsJsonMakesIt(): void {
  same<
    Read['visit'],
    {
      readonly at: string;
      readonly left?: string;
      readonly by: { seen: string[] };
      readonly size: undefined;
      readonly pair: [string, number];
      readonly maybe: string | undefined;
      readonly holes: (string | null)[];
      readonly counts: Record<string, never>;
    }
  >(true);
  same<Read['at'], string>(true);
  same<Read['money'], { readonly amount: number }>(true);
  same<Read['days'], { [day: string]: string }>(true);
  same<Read['size'], never>(true);
  same<Read['checked'], { at: string; by?: string | undefined }>(true);
  same<Read['tree']['children'][number]['at'], string>(true);
}

export async function whatIsPublishedIsAsItIsWritten(hub: SseHub, visit: Visit): Promise<void> {
  same<InputsOf<typeof shop>['visit'], Visit>(true);
  await hub.publish(shop, { type: 'visit', data: visit });
  await hub.publish(shop, { type: 'at', data: new Date() });
  // @ts-expect-error: a string is what is read
  await hub.publish(shop, { type: 'at', data: '2026-11-28' });
  hub.stream(shop).subscribe((event) => {
    if (event.type === 'at') isOf<string>()(event.data, true);
    // @ts-expect-error: it was a Date where it was published
    if (event.type === 'visit') event.data.at.getTime();
  });
}

/** JSON that refers to itself, as a library may have it. */
type Nested = string | Nested[] | { [key: string]: Nested | undefined };
interface Part {
  readonly kind: 'data';
  readonly metadata?: Record<string, Nested>;
}
const parts = defineChannel('parts', {
  events: { part: type<Part>(), chunk: type<UIMessageChunk>() },
}).of();

export function jsonStaysAsItIs(hub: SseHub): void {
  same<EventsOf<typeof parts>['part'], Part>(true);
  hub.stream(parts).subscribe((event) => {
    if (event.type === 'chunk' && event.data.type === 'text-delta') isOf<string>()(event.data.delta, true);
  });
}
