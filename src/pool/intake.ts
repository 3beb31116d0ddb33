// Owns how a call comes in: its tally, its signal and its deadline, before anybody decides where it goes. Knows no
// connection.

import type { Clock } from '../base/clock.js'
import type { Request } from '../connection/request.js'
import { Tallies } from '../connection/tally.js'

export class Intake {
  readonly tallies: Tallies
  readonly #clock: Clock

  constructor(clock: Clock) {
    this.#clock = clock
    this.tallies = new Tallies(clock)
  }

  /** For a request and those behind it; false when its signal was aborted already and it has failed. */
  admit(first: Request): boolean {
    for (let request: Request | undefined = first; request !== undefined; request = request.next) this.#admit(request)
    return first.state !== 'settled'
  }

  #admit(request: Request): void {
    const { signal, timeout } = request
    // A transaction is one call: that of its EXEC.
    if (request.isCall && (request.unit === undefined || request.next === undefined)) {
      request.tally = this.tallies.of(request.args[0])
      request.tally.calls++
    }
    if (signal === undefined && timeout === 0) return
    const now = this.#clock.now()
    request.startedAt = now
    // The time a command asks the server to block for comes on top; waiting for a connection does not.
    if (timeout > 0) request.deadline = now + timeout + request.blocksFor
    if (signal?.aborted) request.fail(signal.reason)
    else if (signal !== undefined) request.arm(signal)
  }
}
