import { Catch, HttpException, HttpStatus, type ArgumentsHost } from '@nestjs/common';
import { BaseExceptionFilter } from '@nestjs/core';
import { SseError, type SseErrorCode } from '../sse/index.js';

/** Errors that the client caused. Any other is the server's fault and stays a 500. */
const STATUS: Partial<Record<SseErrorCode, HttpStatus>> = {
  INVALID_EVENT: HttpStatus.BAD_REQUEST,
  RESERVED_TYPE: HttpStatus.BAD_REQUEST,
  NOT_SERIALIZABLE: HttpStatus.BAD_REQUEST,
  EVENT_TOO_LARGE: HttpStatus.PAYLOAD_TOO_LARGE,
};

/** Maps a refusal of the hub to a status; the message is the hub's own. */
@Catch(SseError)
export class SseErrorFilter extends BaseExceptionFilter {
  override catch(error: SseError, host: ArgumentsHost): void {
    const status = STATUS[error.code];
    super.catch(status === undefined ? error : toHttp(error, status), host);
  }
}

function toHttp(error: SseError, statusCode: HttpStatus): HttpException {
  return new HttpException({ statusCode, error: error.code, message: error.message }, statusCode, {
    cause: error,
  });
}
