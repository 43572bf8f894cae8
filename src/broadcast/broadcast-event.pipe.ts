import { BadRequestException, Injectable, type PipeTransform } from '@nestjs/common';
import type { BroadcastEvent } from './broadcast-event.js';

/** The type of each field of a request's body; `data` may be any JSON value. */
const FIELDS: Readonly<Record<keyof BroadcastEvent, 'string' | 'number' | 'any'>> = {
  type: 'string',
  id: 'string',
  data: 'any',
  retry: 'number',
};

/** Bounds of `retry` in milliseconds: clients must neither storm the server nor stay away. */
const RETRY = { least: 500, most: 60_000 };

/**
 * Checks the shape of a request's body. The hub checks the contents of the fields, and its refusal becomes a
 * response ({@link SseErrorFilter}).
 */
@Injectable()
export class BroadcastEventPipe implements PipeTransform<unknown, BroadcastEvent> {
  transform(body: unknown): BroadcastEvent {
    if (typeof body !== 'object' || body === null || Array.isArray(body)) {
      throw new BadRequestException('the body must be a JSON object: { type?, id?, data, retry? }');
    }
    if (!Object.hasOwn(body, 'data')) throw new BadRequestException('data is missing');

    for (const [field, value] of Object.entries(body)) {
      if (!Object.hasOwn(FIELDS, field)) {
        throw new BadRequestException(`there is no field "${field}": ${Object.keys(FIELDS).join(', ')}`);
      }
      const expected = FIELDS[field as keyof BroadcastEvent];
      if (expected !== 'any' && typeof value !== expected) {
        throw new BadRequestException(`${field} must be a ${expected}`);
      }
    }
    const event = body as BroadcastEvent;
    const { retry } = event;
    if (retry !== undefined && (retry < RETRY.least || retry > RETRY.most))
      throw new BadRequestException(`retry must be from ${RETRY.least} to ${RETRY.most} milliseconds`);
    return event;
  }
}
