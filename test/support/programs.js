// @ts-check
// The programs that some tests need beside Node: where they are, and how to get them.
import { accessSync, constants } from 'node:fs';
import { delimiter, join } from 'node:path';

/** @typedef {{ names: string[], variable: string, debianPackage: string }} Program */

const table = {
  chromium: {
    names: ['chromium', 'chromium-browser', 'google-chrome'],
    variable: 'CHROMIUM_PATH',
    debianPackage: 'chromium',
  },
  'firefox-esr': {
    names: ['firefox-esr', 'firefox'],
    variable: 'FIREFOX_PATH',
    debianPackage: 'firefox-esr',
  },
  WebKitWebDriver: {
    names: ['WebKitWebDriver'],
    variable: 'WEBKIT_WEBDRIVER_PATH',
    debianPackage: 'webkit2gtk-driver',
  },
  Xvfb: { names: ['Xvfb'], variable: 'XVFB_PATH', debianPackage: 'xvfb' },
  curl: { names: ['curl'], variable: 'CURL_PATH', debianPackage: 'curl' },
  'nats-server': { names: ['nats-server'], variable: 'NATS_SERVER_PATH', debianPackage: 'nats-server' },
  'redis-server': { names: ['redis-server'], variable: 'REDIS_SERVER_PATH', debianPackage: 'redis-server' },
  prlimit: { names: ['prlimit'], variable: 'PRLIMIT_PATH', debianPackage: 'util-linux' },
  nginx: { names: ['nginx'], variable: 'NGINX_PATH', debianPackage: 'nginx' },
  haproxy: { names: ['haproxy'], variable: 'HAPROXY_PATH', debianPackage: 'haproxy' },
  caddy: { names: ['caddy'], variable: 'CADDY_PATH', debianPackage: 'caddy' },
  // Without the scripts that would start it as a service.
  apache2: { names: ['apache2', 'httpd'], variable: 'APACHE_PATH', debianPackage: 'apache2-bin' },
  varnishd: { names: ['varnishd'], variable: 'VARNISHD_PATH', debianPackage: 'varnish' },
};

/** @typedef {keyof typeof table} ProgramName */
/** @type {Record<ProgramName, Program>} */
export const programs = table;

/** @param {string} path */
function isExecutable(path) {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

/**
 * The path of a program: what its environment variable says, else the first of its names on the PATH.
 * @param {ProgramName} name
 * @returns {string | undefined}
 */
export function findProgram(name) {
  const { names, variable } = programs[name];
  const chosen = process.env[variable];
  if (chosen) return isExecutable(chosen) ? chosen : undefined;
  const folders = [...(process.env.PATH ?? '').split(delimiter), '/usr/sbin'];
  return names.flatMap((file) => folders.map((folder) => join(folder, file))).find(isExecutable);
}

/**
 * What a person does to get a program.
 * @param {ProgramName} name
 */
export function howToGet(name) {
  const { variable, debianPackage } = programs[name];
  return `install it (Debian: apt-get install ${debianPackage}) or set ${variable} to its path`;
}

/**
 * The path of a program that a test cannot do without, on any machine.
 * @param {ProgramName} name
 * @returns {string}
 */
export function requireProgram(name) {
  const path = findProgram(name);
  if (path === undefined) throw new Error(`${name} is missing: ${howToGet(name)}`);
  return path;
}
