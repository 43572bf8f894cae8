// The entry `nestjs-sse-hub/swagger`: the streams of an application in its OpenAPI document, and in one of AsyncAPI.
export { addSse } from './add-sse.js';
export { ApiSse } from './api-sse.decorator.js';
export {
  asyncApiDocument,
  type AsyncApiDocument,
  type AsyncApiInfo,
  type AsyncApiOptions,
} from './async-api.js';
