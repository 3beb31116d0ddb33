// Owns what an advice is given: what was measured, asked for and learned. Only types.

import type { Load } from './load.js'
import type { ResolvedPoolOptions } from './options.js'
import type { ClientCounts } from './server-limits.js'

export interface AdviceFacts {
  readonly load: Load
  readonly settings: Pick<ResolvedPoolOptions, 'acquireTimeout' | 'commandTimeout' | 'pipelining'>
  readonly maxConnections: number
  readonly minConnections: number
  /** Lanes that commands ask for; 0 where none was sent, or in a classic pool. */
  readonly lanes: number
  /** The most that were held and wanted at once since the pool was made. */
  readonly peakDemand: number
  /** How often a lane was full or late, of how many commands. */
  readonly fullLanes: number
  readonly turnedLate: number
  readonly sent: number
  readonly server: { readonly state: 'unasked' | 'known' | 'refused'; readonly counts: ClientCounts | undefined }
}

/** What would be needed in other circumstances. */
export interface OtherSizes {
  readonly twiceTheHold: number
  readonly patient: { readonly targetWait: number; readonly maxConnections: number }
}
