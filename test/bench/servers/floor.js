// What the others are compared with.
import { eventText, serveBareSockets } from './bare-sockets.js';

serveBareSockets(eventText);
