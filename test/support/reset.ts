// Ends a socket with a RST and no FIN before it, as a crashed host or a firewall does.

import type { Socket } from 'node:net'

/**
 * Bytes and the reset right behind them reach a node process as bytes and an orderly end, because libuv sees both at
 * once. This much later, in ms, they reach it as what they are.
 */
const APART = 5

/** Resets once what was written has been taken in at the other end. */
export async function resetAfterBytes(socket: Socket): Promise<void> {
  await new Promise((resolve) => setTimeout(resolve, APART))
  reset(socket)
}

/**
 * `resetAndDestroy` says goodbye in good order first, so that the peer sees an end and not a reset. The flag is what
 * it leaves for `destroy`; fake-server.test.ts notices when a version of node does not know it any more.
 */
export function reset(socket: Socket): void {
  // A unix socket cannot be reset, and neither can one whose goodbye is on its way: node would lose it, still open.
  const saysGoodbye = socket.writableEnded && !socket.writableFinished
  if (socket.remoteAddress !== undefined && !saysGoodbye) Reflect.set(socket, 'resetAndClosing', true)
  socket.destroy()
}
