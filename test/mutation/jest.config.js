// The suite as `run.js` runs it on its copy.
import { resolve } from 'node:path';
import config from '../../jest.config.js';

const rootDir = resolve(import.meta.dirname, '../..');
const after = ['<rootDir>/test/mutation/reached.js'];

export default {
  rootDir,
  reporters: ['default', '<rootDir>/test/mutation/first-failure.js'],
  testSequencer: '<rootDir>/test/mutation/quickest-first.js',
  projects: config.projects
    .filter(({ displayName }) => ['unit', 'e2e', 'contract'].includes(displayName))
    .map((project) => ({
      ...project,
      rootDir,
      setupFilesAfterEnv: [...project.setupFilesAfterEnv, ...after],
    })),
};
