import { BadRequestException } from '@nestjs/common';

/** The longest that a name may be, in UTF-16 code units, as `maxlength` counts them in the page. */
export const LONGEST_NAME = 40;

/**
 * Returns a field of a request, trimmed.
 *
 * @param longest UTF-16 code units
 * @throws BadRequestException that names the field
 */
export function textField(fields: unknown, field: string, longest: number): string {
  const value = (fields as Partial<Record<string, unknown>> | undefined)?.[field];
  if (value === undefined) throw new BadRequestException(`${field} is missing`);
  if (typeof value !== 'string') throw new BadRequestException(`${field} must be a string`);

  const trimmed = value.trim();
  if (trimmed === '') throw new BadRequestException(`${field} must not be empty`);
  if (trimmed.length > longest) {
    throw new BadRequestException(`${field} must not be longer than ${longest} characters`);
  }
  return trimmed;
}

/** The schema of a body with such fields. */
export const textFields = (...fields: string[]) => ({
  type: 'object',
  properties: Object.fromEntries(fields.map((field) => [field, { type: 'string' }])),
  required: fields,
});
