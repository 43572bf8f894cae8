import {
  Body,
  Controller,
  Get,
  Header,
  HttpCode,
  Inject,
  NotFoundException,
  Param,
  Post,
  SetMetadata,
  UseGuards,
  type CanActivate,
  type ExecutionContext,
} from '@nestjs/common';
import { Reflector } from '@nestjs/core';
import { describe, expect, it } from '@jest/globals';
import { of, type Observable } from 'rxjs';
import { Publish, Sse, SseHub, type SseEvent } from '../../../src/sse/index.js';
import { adapters } from '../../support/adapters.js';
import { startSseApp } from '../../support/sse-app.js';
import { listen } from '../../support/open-stream.js';

interface Order {
  readonly id: number;
  readonly note: string;
}

const kept = async (hub: SseHub, channel: string): Promise<unknown[]> =>
  (await hub.history(channel)).events.map(({ data }) => data as unknown);

/** Lets in who has the key, to methods that are for clerks. */
class KeyGuard implements CanActivate {
  canActivate(context: ExecutionContext): boolean {
    const { headers } = context.switchToHttp().getRequest<{ headers: Record<string, string> }>();
    return headers.key === 'right' && new Reflector().get('role', context.getHandler()) === 'clerk';
  }
}

@Controller('orders')
class OrdersController {
  constructor(@Inject(SseHub) private readonly hub: SseHub) {}

  @Post(':id')
  @HttpCode(202)
  @UseGuards(KeyGuard)
  @Publish('orders/:id', { type: 'placed' })
  @SetMetadata('role', 'clerk')
  @Header('x-order', 'yes')
  async place(@Param('id') id: string, @Body() body: { note: string }): Promise<Order> {
    if (body.note === 'bad') throw new NotFoundException('no such order');
    return { id: Number(id), note: body.note };
  }

  @Sse(':id/events')
  events(@Param('id') id: string): Observable<SseEvent> {
    return this.hub.stream(`orders/${id}`);
  }

  @Get('ticks')
  @Publish('ticks')
  ticks(): Observable<number> {
    return of(1, 2);
  }

  @Sse('published')
  @Publish('published')
  published(): Observable<{ data: number }> {
    return of({ data: 1 });
  }
}

describe.each(adapters)('a decorated route on %s', (adapter) => {
  const post = async (url: string, note: string, key = 'right'): Promise<Response> =>
    fetch(`${url}/orders/7`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', key },
      body: JSON.stringify({ note }),
    });

  it('answers what it returns, when that is published, with all that other decorators say', async () => {
    const { url } = await startSseApp({ adapter, controllers: [OrdersController] });
    const client = await listen(`${url}/orders/7/events`);
    const response = await post(url, 'now');
    expect([response.status, response.headers.get('x-order')]).toEqual([202, 'yes']);
    expect(await response.json()).toEqual({ id: 7, note: 'now' });
    expect(await client.next()).toMatchObject({ type: 'placed', text: '{"id":7,"note":"now"}' });
  });

  it('publishes nothing that a guard keeps out, nor what it throws', async () => {
    const { url, hub } = await startSseApp({ adapter, controllers: [OrdersController] });
    expect((await post(url, 'now', 'wrong')).status).toBe(403);
    expect((await post(url, 'bad')).status).toBe(404);
    expect(hub.stats().published).toBe(0);
  });

  it('may return an Observable, and may be an @Sse() route', async () => {
    const { url, hub } = await startSseApp({ adapter, controllers: [OrdersController] });
    expect(await (await fetch(`${url}/orders/ticks`)).text()).toBe('2');
    expect(await kept(hub, 'ticks')).toEqual([1, 2]);
    const client = await listen(`${url}/orders/published`);
    expect((await client.rest()).map(({ text }) => text)).toEqual(['1']);
    expect(await kept(hub, 'published')).toEqual([{ data: 1 }]);
  });
});
