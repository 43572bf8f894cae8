import { isAbsolute, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { AbstractHttpAdapter } from '@nestjs/core';
import { ExpressAdapter } from '@nestjs/platform-express';

export type AdapterName = 'express' | 'fastify' | 'node';

const makers: Partial<Record<AdapterName, () => AbstractHttpAdapter | Promise<AbstractHttpAdapter>>> = {
  express: () => new ExpressAdapter(),
  // Most tests run on Express alone, and need not load it.
  fastify: async () => new (await import('@nestjs/platform-fastify')).FastifyAdapter(),
  ...(await nodeAdapter()),
};

/** The adapters that the suite runs on: those of Nest that are installed. */
export const adapters = Object.keys(makers) as readonly AdapterName[];

export async function makeAdapter(name: AdapterName): Promise<AbstractHttpAdapter> {
  const make = makers[name];
  if (!make) throw new Error(`Set NEST_PLATFORM_NODE to run on the adapter "${name}".`);
  return make();
}

/**
 * Nest's `NodeAdapter` is not in every registry, so it is no dependency of this package: the variable
 * NEST_PLATFORM_NODE names its package, or the path of its entry. Without the variable it is left out;
 * with one that cannot be imported the suite fails.
 */
async function nodeAdapter(): Promise<typeof makers> {
  const where = process.env['NEST_PLATFORM_NODE'];
  if (!where) return {};
  const isPath = isAbsolute(where) || where.startsWith('.');
  const entry = isPath ? pathToFileURL(resolve(where)).href : where;
  const { NodeAdapter } = (await import(entry)) as { NodeAdapter: new () => AbstractHttpAdapter };
  return { node: () => new NodeAdapter() };
}
