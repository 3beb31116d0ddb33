// What the pools of all rows have in common, so that their figures can be compared. A row may say otherwise.

export const SETTINGS = {
  maxConnections: 4,
  connectTimeout: 1_000,
  commandTimeout: 500,
  socketTimeout: 1_000,
  acquireTimeout: 1_000,
  backoffMin: 10,
  backoffMax: 200,
} as const

/** Replacements that follow one another sooner are paced: each change is to be one by itself, in ms. */
export const CALM = 2 * SETTINGS.backoffMax + 50
