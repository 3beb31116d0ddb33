// Speaks HTTP as text over a socket, so that a test can say what no client library would, and reads the answer.

import { connect } from 'node:net'

export interface RawAnswer {
  readonly status: number
  /** By lower-case name. */
  readonly headers: ReadonlyMap<string, string>
  readonly body: string
}

const WITHIN = 10_000

/** Sends the text and gives the first answer; the server may close the socket or leave it open. */
export function rawRequest(port: number, text: string): Promise<RawAnswer> {
  return new Promise((resolve, reject) => {
    const socket = connect({ port, host: '127.0.0.1' })
    let heard = ''
    const timer = setTimeout(
      () => finish(new Error(`no whole answer within ${WITHIN} ms: ${heard.slice(0, 200)}`)),
      WITHIN,
    )
    const finish = (error?: Error): void => {
      clearTimeout(timer)
      socket.destroy()
      const answer = read(heard, true)
      if (answer !== undefined) resolve(answer)
      else reject(error ?? new Error(`no answer: ${heard.slice(0, 200)}`))
    }
    socket.setEncoding('utf8')
    socket.on('data', (part: string) => {
      heard += part
      if (read(heard, false) !== undefined) finish()
    })
    socket.on('error', finish)
    socket.on('close', () => finish())
    socket.write(text)
  })
}

/** A request with these lines of its head; what is undefined is left out. */
export function head(line: string, headers: Readonly<Record<string, string | undefined>>): string {
  const lines = Object.entries(headers).flatMap(([name, value]) => (value === undefined ? [] : [`${name}: ${value}`]))
  return `${[`${line} HTTP/1.1`, ...lines].join('\r\n')}\r\n\r\n`
}

function read(heard: string, isAll: boolean): RawAnswer | undefined {
  const end = heard.indexOf('\r\n\r\n')
  if (end < 0) return undefined
  const [first = '', ...lines] = heard.slice(0, end).split('\r\n')
  const headers = new Map(
    lines.map((line) => {
      const at = line.indexOf(':')
      return [line.slice(0, at).toLowerCase(), line.slice(at + 1).trim()] as const
    }),
  )
  const body = heard.slice(end + 4)
  const length = Number(headers.get('content-length') ?? 0)
  if (!isAll && Buffer.byteLength(body) < length && !headers.has('transfer-encoding')) return undefined
  return { status: Number(first.split(' ')[1]), headers, body }
}
