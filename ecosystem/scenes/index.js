// Owns the list of scenes, in the order in which they run.

import * as flexible from './flexible.js'
import * as keyv from './keyv.js'
import * as limits from './limits.js'
import * as queue from './queue.js'
import * as sessions from './sessions.js'
import * as sockets from './sockets.js'

/**
 * @typedef {object} Stage
 * @property {import('../../bench/server.js').Server} server
 * @property {(options?: Record<string, unknown>) => Promise<any>} open  a connected handle, destroyed after the scene
 * @property {(end: () => unknown) => void} defer  runs after the scene, last one first
 *
 * @typedef {object} Scene
 * @property {string} name
 * @property {readonly string[]} packages
 * @property {(stage: Stage) => Promise<string>} run  what was done; throws when a result is wrong
 */

/** @type {readonly Scene[]} */
export const SCENES = [sessions, limits, flexible, keyv, sockets, queue]
