// Bare sockets that do wrong, most of them at event 7. No system of the bench: its test wants to see it found out.
import { bareSockets, eventText } from './bare-sockets.js';
import { serve } from './serve.js';

const faults = {
  loses: () => '',
  doubles: (data) => eventText(data) + eventText(data),
  changes: (data) => eventText({ ...data, text: 'something else' }),
  dies: () => process.exit(1),
};
const [, , , name] = process.argv;
if (name === 'wraps') serve(bareSockets((data) => eventText({ payload: data })));
else if (name === 'compresses nothing') serve(bareSockets(eventText, 'Content-Encoding: gzip\r\n'));
else serve(bareSockets((data) => (data.seq === 7 ? faults[name](data) : eventText(data))));
