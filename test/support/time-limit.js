// The time limit of each test is that of its project; Jest itself knows one for all projects only.
import { jest } from '@jest/globals';

jest.setTimeout(globalThis.SECONDS_PER_TEST * 1000);
