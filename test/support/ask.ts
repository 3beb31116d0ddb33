// Asks a server something over a raw socket, with the tests' own RESP.

import { connect, type Socket } from 'node:net'
import { encodeCommand, toText, type Wire, WireReader } from './resp.js'

const ASK_WITHIN = 5_000

/** What `cli` gives: bulk and simple strings as text. */
export type CliReply = string | number | boolean | null | CliReply[] | { [key: string]: CliReply }

/** One command on a connection of its own to a server without TLS and password. */
export async function ask(url: string, ...command: string[]): Promise<CliReply> {
  const { hostname, port } = new URL(url)
  return (await askAll(connect({ host: hostname, port: Number(port) }), [command])).at(0) ?? null
}

/** Sends the commands over a fresh socket and destroys it; an error reply rejects. */
export function askAll(socket: Socket, commands: readonly (readonly string[])[]): Promise<CliReply[]> {
  return new Promise((resolve, reject) => {
    const reader = new WireReader()
    const replies: Wire[] = []
    const finish = (error: Error | undefined) => {
      clearTimeout(timer)
      socket.destroy()
      if (error) reject(error)
      else resolve(replies.map(plain))
    }
    const timer = setTimeout(() => finish(new Error(`redis-server gave no reply within ${ASK_WITHIN} ms`)), ASK_WITHIN)
    socket.on('error', finish)
    socket.on('close', () => finish(new Error('redis-server closed the connection')))
    socket.on('data', (chunk) => {
      reader.push(chunk)
      for (let frame = reader.next(); frame; frame = reader.next()) {
        if (frame.value instanceof Error) return finish(frame.value)
        replies.push(frame.value)
      }
      if (replies.length === commands.length) finish(undefined)
    })
    socket.write(Buffer.concat(commands.map((command) => encodeCommand(command))))
  })
}

function plain(value: Wire): CliReply {
  if (Array.isArray(value)) return value.map(plain)
  if (value instanceof Map) return Object.fromEntries([...value].map(([key, item]) => [toText(key), plain(item)]))
  if (value === null || typeof value === 'number' || typeof value === 'boolean') return value
  return toText(value)
}
