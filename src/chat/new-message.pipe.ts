import { Injectable, type PipeTransform } from '@nestjs/common';
import type { NewChatMessage } from './chat-message.js';
import { LONGEST_NAME, textField } from './text-field.js';

/** In UTF-16 code units, as `maxlength` counts them in the page. */
const LONGEST_TEXT = 2_000;

/** Reads a message from a request's body; name and text are trimmed. */
@Injectable()
export class NewMessagePipe implements PipeTransform<unknown, NewChatMessage> {
  transform(body: unknown): NewChatMessage {
    return { from: textField(body, 'from', LONGEST_NAME), text: textField(body, 'text', LONGEST_TEXT) };
  }
}
