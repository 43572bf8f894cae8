import { HttpException } from '@nestjs/common';
import { BaseExceptionFilter } from '@nestjs/core';
import { STATUS_CODES } from 'node:http';

/** Nest's own, which knows what may be said of an error. */
const filter = new BaseExceptionFilter();

/** What a client may know of an error, by the rules of Nest's exception filter. */
export function errorMessage(error: unknown): string {
  if (error instanceof HttpException) {
    return error.getResponse() instanceof Error
      ? (STATUS_CODES[error.getStatus()] ?? 'Error')
      : error.message;
  }
  return filter.isHttpError(error) ? filter.getHttpErrorMessage(error) : 'Internal server error';
}
