// What respool promises in trouble, in words, and which rows of the matrix stand behind each promise. Proves nothing.

export interface Promised {
  readonly title: string
  readonly text: string
  /** Ids of rows. */
  readonly rows: readonly string[]
}

export const PROMISES: readonly Promised[] = [
  {
    title: 'A reply goes to the call that it answers, or to nobody',
    text: 'Each command that was written keeps its place until its reply has come, whether or not its caller still waits. When the stream of replies is in doubt, the connection ends.',
    rows: ['A1', 'A3', 'B5', 'B6', 'E1', 'E2', 'E3'],
  },
  {
    title: 'Giving up on a call harms no other',
    text: 'A deadline or an aborted signal ends the wait of one caller. Its reply is read and dropped when it comes, and the calls before and after it get their own.',
    rows: ['B5', 'B6'],
  },
  {
    title: 'Every call settles, and by its deadline',
    text: 'A server that is stopped, gone, silent or slow costs a caller the time it was willing to wait and a moment more. A queue that is full refuses at once.',
    rows: ['A7', 'B1', 'B3', 'B4', 'B10', 'F10'],
  },
  {
    title: 'No write is repeated behind your back, and errors tell what happened',
    text: '`not-sent` and `rejected` mean that the command was not applied. `ambiguous` means that its reply was lost: it may have been applied, once or not at all. A write that was acknowledged is there.',
    rows: ['A1', 'A2', 'A6', 'A11', 'B2'],
  },
  {
    title: 'A connection that is lent out comes back clean, or not at all',
    text: 'Whatever a holder did to its session, the next one starts from a fresh one; a lease that is given back twice, or used after that, harms nobody.',
    rows: ['F3', 'F5'],
  },
  {
    title: 'There are never more connections than allowed, and never a storm of them',
    text: 'Those that are being made and those that end count as well. A server that is down, full or unwilling meets a few attempts a second.',
    rows: ['A6', 'B4', 'C1', 'C7', 'F6', 'F7'],
  },
  {
    title: 'A hostile server cannot crash or bloat the process',
    text: 'Nothing is allocated because a header says so, nesting and lengths have limits, and bytes that are not RESP end their connection.',
    rows: ['E4', 'E5', 'E6', 'E11'],
  },
  {
    title: 'No secret is shown',
    text: 'Passwords are in no error, no event, no dump and no output, whatever goes wrong.',
    rows: ['H1'],
  },
  {
    title: 'It is back a moment after the fault is over',
    text: 'A connection that ended is replaced without being asked; while a server is away, attempts are few, and the pause between them is at most `backoffMax`.',
    rows: ['A1', 'A4', 'A5', 'A6', 'B1', 'B4', 'C5'],
  },
]
