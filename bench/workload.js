// Owns what is asked of the server: keys, values and their order, equal for every contender. Does no I/O.

export const KEYS = 1_000
export const VALUE_BYTES = 64

export const keys = Array.from({ length: KEYS }, (_, i) => `key:${String(i).padStart(4, '0')}`)

/** Each key has a value of its own, so that a reply given to the wrong caller is seen. */
export const values = keys.map((key) => `${key}=`.padEnd(VALUE_BYTES, 'x'))

/**
 * Numbers in [0, 1) that are the same in each process (mulberry32).
 * @param {number} seed
 */
export function randomFrom(seed) {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let t = Math.imul(state ^ (state >>> 15), 1 | state)
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
    return ((t ^ (t >>> 14)) >>> 0) / 4_294_967_296
  }
}

const ORDER_MASK = 0xffff
const random = randomFrom(1)
const order = Uint16Array.from({ length: ORDER_MASK + 1 }, () => Math.floor(random() * KEYS))
let position = 0

/** Index of the key that the next call uses: random, from a table so that it costs next to nothing. */
export function nextKey() {
  position = (position + 1) & ORDER_MASK
  return /** @type {number} */ (order[position])
}
