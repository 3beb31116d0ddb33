// Owns the shape of an advice: what size a pool should have, why, and the figures behind it. Only types.

export interface AdviceOptions {
  /** The wait for a connection that is acceptable, in ms. Default 5. */
  readonly targetWait?: number | undefined
  /** For which share of those who borrow: above 0, and at most 1 - 2 / 16,384, about 0.9998. Default 0.99. */
  readonly percentile?: number | undefined
}

/** What waits would be like with another number of connections. */
export interface SizeForecast {
  readonly maxConnections: number
  /** The wait at the percentile that was asked for, in ms; null where the line would grow for ever. */
  readonly wait: number | null
  /** Which share of those who borrow would wait longer than `targetWait`, from 0 to 1. */
  readonly longer: number
}

/** Another option that should be changed. */
export interface OptionAdvice {
  readonly option: string
  readonly current: number
  readonly advised: number
  readonly because: string
}

/** The figures behind an advice. Durations in milliseconds. */
export interface AdviceEvidence {
  /** How long was measured. */
  readonly window: number
  /** Borrowings in that time. */
  readonly borrowings: number
  /** Of those who give their connection back: how many came in a second, and how long they held it. */
  readonly arrivalsPerSecond: number
  readonly meanHold: number
  /** Connections held by them on average, by Little's law: arrivals per ms times the mean hold. */
  readonly meanHeld: number
  /** Connections held for good: by who listens, by parked consumers, and by whoever does not give back. */
  readonly staying: number
  /** The most that were held and wanted at once. */
  readonly peakDemand: number
  /** Connections that are not lent: those that commands share, or the one kept for them. */
  readonly shared: number
  readonly targetWait: number
  readonly percentile: number
  /** What was calculated, for sizes around the advised one. */
  readonly sizes: readonly SizeForecast[]
  /** What the server allows, where it could be asked. */
  readonly server?: { readonly maxClients: number; readonly connected: number; readonly ours: number }
}

export interface Advice {
  /** How many the pool should have. */
  readonly maxConnections: number
  /** How many it has. */
  readonly current: number
  /** `right`: as advised, or so little above it that a change is not worth it (one connection, or a tenth). */
  readonly verdict: 'right' | 'too-small' | 'larger-than-needed' | 'not-enough-seen'
  /** One sentence. */
  readonly because: string
  readonly options: readonly OptionAdvice[]
  readonly evidence: AdviceEvidence
  /** What would change the advice, a sentence each. */
  readonly wouldChange: readonly string[]
}
