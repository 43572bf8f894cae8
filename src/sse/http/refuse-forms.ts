import { UnsupportedMediaTypeException } from '@nestjs/common';
import type { Exchange } from './exchange.js';

/** Against CSRF: browsers send forms to another origin without a preflight, but not JSON. */
export function refuseForms({ request }: Exchange): void {
  const [type = ''] = (request.headers['content-type'] ?? '').split(';', 1);
  if (!/^application\/([\w.-]+\+)?json$/i.test(type.trim()))
    throw new UnsupportedMediaTypeException('Send JSON, as application/json.');
}
