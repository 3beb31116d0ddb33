// Owns an EventEmitter whose events have types, and how listeners are called. Knows no event.

import { EventEmitter } from 'node:events'

/** The names of events with what their listeners are called with. */
type EventsOf<Events> = { [Name in keyof Events]: unknown[] }

export class TypedEmitter<Events extends EventsOf<Events>> extends EventEmitter {
  override on<Name extends keyof Events & string>(event: Name, listener: (...args: Events[Name]) => void): this {
    return super.on(event, listener)
  }

  override once<Name extends keyof Events & string>(event: Name, listener: (...args: Events[Name]) => void): this {
    return super.once(event, listener)
  }

  override off<Name extends keyof Events & string>(event: Name, listener: (...args: Events[Name]) => void): this {
    return super.off(event, listener)
  }

  override emit<Name extends keyof Events & string>(event: Name, ...args: Events[Name]): boolean {
    return super.emit(event, ...args)
  }
}

/** A listener that throws stops neither us nor the others; its error ends as an uncaught one all the same. */
export function callSafely(call: () => unknown): void {
  try {
    call()
  } catch (error) {
    process.nextTick(() => {
      throw error
    })
  }
}
