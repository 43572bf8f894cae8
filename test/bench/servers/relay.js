// What an instance does at least: what a bare client of the server is told goes to bare sockets.
import { openBare } from '../backplanes/bare.js';
import { bareSockets } from './bare-sockets.js';
import { serve } from './serve.js';

const [, , , name, address] = process.argv;
const bare = await openBare(name, address);
const system = bareSockets((text) => `data: ${text}\n\n`);
await bare.subscribe((text) => {
  system.publish(text);
  system.endTurn();
});
serve(system);
