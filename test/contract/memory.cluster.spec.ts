import { MemoryBus, MemoryCluster } from '../../src/sse/backplanes/memory/memory.cluster.js';
import { describeCluster } from './cluster.contract.js';

describeCluster(
  'memory',
  () => {
    const bus = new MemoryBus();
    return { join: async () => ({ cluster: new MemoryCluster(bus) }) };
  },
  { beCutOff: false },
);
