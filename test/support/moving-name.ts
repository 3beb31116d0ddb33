// A host name of this process alone that leads where a test wants it to, and leads elsewhere from one moment to the
// next, as after a change of DNS. Every other name is looked up as ever.

import dns from 'node:dns'

/** Reserved for tests: nobody answers for it. */
const NAME = 'redis.test'

type Callback = (...answer: readonly unknown[]) => void

/** `node:net` takes `lookup` from the module at each connect, so that is where the name is known. */
export class MovingName implements Disposable {
  readonly name = NAME
  /** How often it was looked up. */
  lookups = 0
  readonly #original = dns.lookup
  #address: string

  constructor(address: string) {
    this.#address = address
    const lookup = (name: unknown, options: unknown, callback: unknown): void => {
      if (name === NAME && isCallback(callback)) this.#answer(options, callback)
      else Reflect.apply(this.#original, dns, [name, options, callback])
    }
    Object.assign(dns, { lookup })
  }

  moveTo(address: string): void {
    this.#address = address
  }

  [Symbol.dispose](): void {
    Object.assign(dns, { lookup: this.#original })
  }

  #answer(options: unknown, callback: Callback): void {
    this.lookups++
    const address = this.#address
    const wantsAll = typeof options === 'object' && options !== null && Reflect.get(options, 'all') === true
    const answer = wantsAll ? [null, [{ address, family: 4 }]] : [null, address, 4]
    process.nextTick(() => callback(...answer))
  }
}

function isCallback(value: unknown): value is Callback {
  return typeof value === 'function'
}
