// What must hold in every run, one sentence each, and the first thing found that does not.

export const LAWS = {
  I1: 'a call settles exactly once',
  I2: 'a reply settles the command it answers, and no other',
  I3: 'the slots of a connection are the commands on its wire that are not answered',
  I4: 'a lent connection has one owner, and no more are lent than may be',
  I5: 'there are never more connections than allowed',
  I6: 'nobody waits while what it waits for is free or could be made',
  I7: 'who came first is served first',
  I8: 'after the end there is no timer, no socket and nobody who waits',
  I9: 'what a caller is told about a failed command is true',
  I10: 'every gauge is the difference of its counters',
  I11: 'nothing is written to a connection that has ended',
  I12: 'every wait ends by its deadline, and once all faults are gone the pool is whole again',
  order: 'commands with the same key take effect in the order of their calls',
  session: 'what a lease did to its session is never seen by the next holder',
  once: 'a write that may have been applied is not sent again',
  sound: 'the code throws nothing of its own and ends no connection for a protocol that nobody broke',
} as const

export type Law = keyof typeof LAWS

export interface Violation {
  readonly law: Law
  /** What was seen. */
  readonly details: string
}

/** Notes what breaks a law. It must not throw there: the code under test would catch it. */
export class Findings {
  first: Violation | undefined

  report(law: Law, details: string): void {
    this.first ??= { law, details }
  }
}
