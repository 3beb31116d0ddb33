// Owns one formula: how long to wait before the next attempt. Pure; the random source is passed in.

/**
 * Exponential backoff with full jitter.
 * https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/
 *
 * @param failures failures in a row so far, at least 1
 * @param shortest ceiling after the first failure, in ms
 * @param longest ceiling, in ms
 * @param random a number in [0, 1)
 * @returns a delay in ms, between 1 and the ceiling
 */
export function backoff(failures: number, shortest: number, longest: number, random: number): number {
  const ceiling = Math.min(longest, shortest * 2 ** Math.min(failures - 1, 30))
  return Math.max(1, ceiling * random)
}
