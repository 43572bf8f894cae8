// Compile-time promises: checked by `npm run types`, never run.
import { connect, type ConnectionState, type ReceivedEvent } from '../../src/sse/client/index.js';
import { defineChannel, type, type EventsOf } from '../../src/sse/index.js';
import { isOf } from './expect-type.js';

interface Price {
  readonly symbol: string;
  readonly at: Date;
}

const Quotes = defineChannel('quotes/:symbol', { events: { price: type<Price>(), message: type<string>() } });
const quotes = Quotes.of({ symbol: 'ACME' });

export async function aClientHasTheEventsOfADefinition(): Promise<void> {
  const client = connect<EventsOf<typeof quotes>>(`/events/${quotes}`);
  client.on('price', (data, event) => {
    // As JSON has it.
    isOf<{ readonly symbol: string; readonly at: string }>()(data, true);
    const { id }: ReceivedEvent<'price'> = event;
    isOf<string>()(id, true);
  });
  // @ts-expect-error -- no such event
  client.on('trade', () => undefined);
  for await (const event of client) {
    if (event.type === 'message') isOf<string>()(event.data, true);
    else isOf<'price'>()(event.type, true);
  }
}

export function anyEventsAreThereWithoutTypes(): void {
  connect('/events').on('anything', (data) => {
    data.is.anything();
  });
}

export function statesAreToldApart(state: ConnectionState): void {
  if (state.kind === 'reconnecting') isOf<number>()(state.at, true);
  if (state.kind === 'closed' && state.reason === 'refused') isOf<number>()(state.status, true);
}
