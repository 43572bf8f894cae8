import { BadRequestException, Injectable, type PipeTransform } from '@nestjs/common';

/** In UTF-16 code units, as `maxlength` counts them in the page. */
const LONGEST = 200;

/** Reads a question, trimmed. */
@Injectable()
export class QuestionPipe implements PipeTransform<unknown, string> {
  transform(value: unknown): string {
    const question = typeof value === 'string' ? value.trim() : '';
    if (question !== '' && question.length <= LONGEST) return question;
    throw new BadRequestException(`question must be a text of 1 to ${LONGEST} characters`);
  }
}
