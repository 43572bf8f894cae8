/**
 * Answers of language models that clients find again: after a reload, in another tab, on another instance.
 *
 * The guide: README.md beside this file.
 */
export { aiSdkRun, type AiSdkRequest } from './ai-sdk-run.js';
export { agUi, aiSdk, openAi, type FormatEvent, type ModelFormat, type RunFailure } from './formats.js';
export { ModelRunChannel, ModelRuns, type ModelRun, type Parts } from './model-runs.js';
export { ModelRunsModule } from './model-runs.module.js';
