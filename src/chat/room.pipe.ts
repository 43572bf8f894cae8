import { BadRequestException, Injectable, type PipeTransform } from '@nestjs/common';

/** Accepts only names that read well in a link. */
@Injectable()
export class RoomPipe implements PipeTransform<string, string> {
  transform(room: string): string {
    if (!/^[\w-]{1,64}$/.test(room)) {
      throw new BadRequestException('room must be 1 to 64 letters, digits, "-" or "_"');
    }
    return room;
  }
}
