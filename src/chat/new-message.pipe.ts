import { BadRequestException, Injectable, type PipeTransform } from '@nestjs/common';
import type { NewChatMessage } from './chat-message.js';

/** The longest that each field may be, in UTF-16 code units, as `maxlength` counts them in the page. */
const LONGEST = { from: 40, text: 2_000 } as const satisfies Record<keyof NewChatMessage, number>;

/** Makes a message of a request's body, without the white space around name and text. */
@Injectable()
export class NewMessagePipe implements PipeTransform<unknown, NewChatMessage> {
  transform(body: unknown): NewChatMessage {
    return { from: readField(body, 'from'), text: readField(body, 'text') };
  }
}

function readField(body: unknown, field: keyof NewChatMessage): string {
  const value = (body as Partial<Record<string, unknown>> | undefined)?.[field];
  if (value === undefined) throw new BadRequestException(`${field} is missing`);
  if (typeof value !== 'string') throw new BadRequestException(`${field} must be a string`);

  const trimmed = value.trim();
  if (trimmed === '') throw new BadRequestException(`${field} must not be empty`);
  if (trimmed.length > LONGEST[field]) {
    throw new BadRequestException(`${field} must not be longer than ${LONGEST[field]} characters`);
  }
  return trimmed;
}
