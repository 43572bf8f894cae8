import { Injectable, type PipeTransform } from '@nestjs/common';
import type { Typing } from './chat.channels.js';
import { LONGEST_NAME, textField } from './text-field.js';

@Injectable()
export class TypingPipe implements PipeTransform<unknown, Typing> {
  transform(body: unknown): Typing {
    return { from: textField(body, 'from', LONGEST_NAME) };
  }
}
