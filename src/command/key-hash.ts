// Hashes a key to choose where its commands go. It knows neither lanes nor cluster slots: those have a hash of their
// own (CRC16), this one only has to be fast and well mixed.

/** Stands for the hash of a command without a key. */
export const NO_KEY = -1

// FNV-1a's prime and basis: http://www.isthe.com/chongo/tech/comp/fnv/
const PRIME = 0x01000193
const BASIS = 0x811c9dc5

// Up to this length reading characters wins. Beyond, one copy does: on text that was joined from pieces, reading a
// character can cost ten times as much.
const SHORT = 24
const scratch = Buffer.allocUnsafeSlow(1024)
const BYTES_PER_CHARACTER = 3

/** An unsigned 31-bit hash of all bytes; the same for a string and for the Buffer of its UTF-8 bytes. */
export function hashOf(key: string | Buffer): number {
  if (typeof key !== 'string') return hashOfBytes(key, key.length)
  if (key.length > SHORT) return hashOfText(key)
  let hash = BASIS | 0
  for (let index = 0; index < key.length; index++) {
    const code = key.charCodeAt(index)
    if (code > 127) return hashOfText(key)
    hash = Math.imul(hash ^ code, PRIME)
  }
  return mixed(hash)
}

function hashOfText(key: string): number {
  if (key.length * BYTES_PER_CHARACTER <= scratch.length) return hashOfBytes(scratch, scratch.write(key))
  const bytes = Buffer.from(key)
  return hashOfBytes(bytes, bytes.length)
}

function hashOfBytes(bytes: Buffer, length: number): number {
  let hash = BASIS | 0
  for (let index = 0; index < length; index++) hash = Math.imul(hash ^ bytes[index]!, PRIME)
  return mixed(hash)
}

// FNV moves differences upwards only, so its lowest bit is no more than a parity: callers take the hash modulo a small
// number. Two rounds of murmur3's finalizer spread every bit: https://github.com/aappleby/smhasher
function mixed(hash: number): number {
  let mix = hash ^ (hash >>> 16)
  mix = Math.imul(mix, 0x85ebca6b)
  mix ^= mix >>> 13
  mix = Math.imul(mix, 0xc2b2ae35)
  return (mix ^ (mix >>> 16)) >>> 1
}
