// Bare sockets that do wrong at event 7. No system of the bench: its test wants to see it found out.
import { bareSockets, eventText } from './bare-sockets.js';
import { serve } from './serve.js';

const faults = {
  loses: () => '',
  doubles: (data) => eventText(data) + eventText(data),
  changes: (data) => eventText({ ...data, text: 'something else' }),
  dies: () => process.exit(1),
};
const fault = faults[process.argv[3]];

serve(bareSockets((data) => (data.seq === 7 ? fault(data) : eventText(data))));
