// What the others are compared with.
import { bareSockets, eventText } from './bare-sockets.js';
import { serve } from './serve.js';

serve(bareSockets(eventText));
