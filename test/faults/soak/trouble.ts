// What a fault of a soak is: it begins, and it has ended when its promise settles. Brings about none.

import type { FaultProxy } from '../../support/fault-proxy.js'
import type { Random } from '../../support/random.js'
import type { Stage } from './stage.js'

export interface Trouble {
  /** Begins with the group of the matrix that it belongs to. */
  readonly name: string
  /** Only a client that proves its replies can bear it. */
  readonly proven?: boolean
  readonly run: Run
}

/** Whom a fault hits, and the chance it is left to. */
export interface Hit {
  readonly stage: Stage
  readonly proxy: FaultProxy
  readonly random: Random
}

/** Hurts one of the ways, or the server and so all of them; leaves both as they were. */
export type Run = (hit: Hit) => Promise<void>
