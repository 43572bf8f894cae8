// This package as it comes, as one of several instances: on the backplane that its arguments name.
import { backplaneOf } from '../backplanes/backplane-of.js';
import { serveHub } from './hub-app.js';

const [, , , name, address] = process.argv;
await serveHub({ backplane: await backplaneOf(name, address) });
