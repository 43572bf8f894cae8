import { BadRequestException, type PipeTransform } from '@nestjs/common';

/** Reads a text, trimmed. */
export class TextPipe implements PipeTransform<unknown, string> {
  /** @param longest in UTF-16 code units, as `maxlength` counts them in the page */
  constructor(
    private readonly name: string,
    private readonly longest: number,
  ) {}

  transform(value: unknown): string {
    const text = typeof value === 'string' ? value.trim() : '';
    if (text !== '' && text.length <= this.longest) return text;
    throw new BadRequestException(`${this.name} must be a text of 1 to ${this.longest} characters`);
  }
}
