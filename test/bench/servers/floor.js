// What the others are compared with.
import { bareSockets, eachEvent, eventText } from './bare-sockets.js';
import { serve } from './serve.js';

const system = bareSockets(eventText);
serve(process.argv[3] === 'each event' ? eachEvent(system) : system);
