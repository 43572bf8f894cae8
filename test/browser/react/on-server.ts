import { renderToString } from 'react-dom/server';
import { page, type RoomProps } from './room.js';

export const render = (props: RoomProps): string => renderToString(page('/events', props));
