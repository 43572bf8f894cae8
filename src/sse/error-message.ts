import { HttpException } from '@nestjs/common';
import { BaseExceptionFilter } from '@nestjs/core';
import { STATUS_CODES } from 'node:http';

/** Nest's own filter, which decides how much of an error a client may see. */
const filter = new BaseExceptionFilter();

/** The message of an error that a client may see, by the rules of Nest's exception filter. */
export function errorMessage(error: unknown): string {
  if (error instanceof HttpException) {
    return error.getResponse() instanceof Error
      ? (STATUS_CODES[error.getStatus()] ?? 'Error')
      : error.message;
  }
  return filter.isHttpError(error) ? filter.getHttpErrorMessage(error) : 'Internal server error';
}
