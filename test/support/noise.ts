// Owns what tests of the wall clock allow a burdened machine. That deadlines are exact is shown in virtual time.

/** Added to the latest moment at which something may happen, in ms. */
export const NOISE = 100
