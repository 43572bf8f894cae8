// Compile-time promises: checked by `npm run types`, never run.
import { type as ark } from 'arktype';
import * as v from 'valibot';
import { z } from 'zod';
import { defineChannel, type } from '../../src/sse/index.js';
import type { EventsOf, InputsOf, SseHub } from '../../src/sse/index.js';
import { isOf, same } from './expect-type.js';

const Mixed = defineChannel('mixed/:id', {
  events: {
    message: z.object({ text: z.string(), tone: z.string().default('calm') }),
    count: v.pipe(v.string(), v.transform(Number)),
    seen: ark({ by: 'string' }),
    note: z.string().optional(),
    left: type<{ readonly who: string }>(),
  },
});
const mixed = Mixed.of({ id: 1 });

export function whatArrivesIsWhatTheSchemasGiveOut(hub: SseHub): void {
  same<
    EventsOf<typeof mixed>,
    {
      readonly message: { text: string; tone: string };
      readonly count: number;
      readonly seen: { by: string };
      readonly note: string | undefined;
      readonly left: { readonly who: string };
    }
  >(true);
  hub.stream(mixed).subscribe((event) => {
    if (event.type === 'count') isOf<number>()(event.data, true);
    if (event.type === 'message') isOf<string>()(event.data.tone, true);
  });
}

export async function whatIsPublishedIsWhatTheSchemasTake(hub: SseHub): Promise<void> {
  same<InputsOf<typeof mixed>['message'], { text: string; tone?: string | undefined }>(true);
  await hub.publish(mixed, { data: { text: 'a' } });
  await hub.publish(mixed, { type: 'message', data: { text: 'a', tone: 'b' } });
  await hub.publish(mixed, { type: 'count', data: '7' });
  await hub.publish(mixed, { type: 'seen', data: { by: 'a' } });
  await hub.publish(mixed, { type: 'note' });
  await hub.publish(mixed, { type: 'left', data: { who: 'a' } });
  // @ts-expect-error: the schema takes a string, although it gives out a number
  await hub.publish(mixed, { type: 'count', data: 7 });
  // @ts-expect-error: the text is missing
  await hub.publish(mixed, { data: { tone: 'b' } });
  // @ts-expect-error: there is no such event
  await hub.publish(mixed, { type: 'gone' });
}

export function aKeyIsOfWhatArrives(): void {
  defineChannel('keyed', {
    events: { price: z.object({ symbol: z.string(), price: z.coerce.number() }) },
    slow: { latest: (event) => isOf<number>()(event.data.price, true) },
  });
  // @ts-expect-error: it is neither a schema nor made by type<…>()
  defineChannel('wrong', { events: { message: { parse: (value: unknown) => value } } });
}
