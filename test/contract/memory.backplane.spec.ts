import { MemoryBackplane } from '../../src/sse/backplanes/memory/memory.backplane.js';
import { moduleSettings } from '../../src/sse/sse.settings.js';
import { describeBackplane } from './backplane.contract.js';

describeBackplane('memory', () => ({ backplane: new MemoryBackplane(moduleSettings().limits) }));
