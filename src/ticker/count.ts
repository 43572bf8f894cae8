import * as z from 'zod';

/** The data of a counter event. */
export const Count = z.object({
  num: z.int().describe('One more than in the event before, the same for everybody.'),
  message: z.iso.datetime().describe('Time of the count.'),
});

export type Count = z.output<typeof Count>;
