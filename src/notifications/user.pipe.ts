import { BadRequestException, Injectable, type PipeTransform } from '@nestjs/common';
import { Inbox } from './notifications.channels.js';
import { TextPipe } from './text.pipe.js';

/** Reads the name of a user, which has an inbox. */
@Injectable()
export class UserPipe implements PipeTransform<unknown, string> {
  private readonly text = new TextPipe('user', 40);

  transform(value: unknown): string {
    const user = this.text.transform(value);
    try {
      Inbox.of({ user });
    } catch (cause) {
      throw new BadRequestException('user must be shorter: its letters take more than one byte', { cause });
    }
    return user;
  }
}
