// Every place where a password could show, tried one after the other under the eyes of a scanner. Judges nothing.

import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { ConnectionPool, Redis, type RedisOptions } from '../../src/index.js'
import { CANARY, type Scanner } from './canary.js'
import { FakeServer } from './fake-server.js'
import type { RedisProcess } from './redis-process.js'

type Arguments = [url: string, options?: RedisOptions] | [options: RedisOptions]

/** The same login in every way in which it can be given. */
export function logins(port: number): Arguments[] {
  const host = '127.0.0.1'
  const escaped = encodeURIComponent(CANARY)
  return [
    [`redis://:${escaped}@${host}:${port}`],
    [`redis://default:${escaped}@${host}:${port}/0?maxConnections=2`],
    [`redis://${host}:${port}`, { password: CANARY }],
    [{ host, port, password: CANARY }],
    [{ host, port, username: 'default', password: CANARY, name: 'pool', leakThreshold: 60_000 }],
    [{ host, port, password: () => CANARY }],
    [{ host, port, password: async () => CANARY }],
    [{ host, port, credentials: () => ({ username: 'default', password: CANARY }) }],
    [{ host, port, tls: false, url: undefined, password: CANARY, clientInfo: false }],
  ]
}

const make = (args: Arguments): Redis => Reflect.construct(Redis, args)

/** All that a program can hold of the library. */
function lookAtHandles(redis: Redis, scanner: Scanner, when: string): void {
  const shown = {
    redis,
    pool: redis.pool,
    options: redis.pool.options,
    stats: redis.pool.stats(),
    view: redis.withTypeMapping({}),
    transaction: redis.multi().sendCommand(['CONFIG', 'GET', 'port']),
  }
  for (const [name, value] of Object.entries(shown)) scanner.look(value, `${name} ${when}`)
}

function listen(redis: Redis, scanner: Scanner): void {
  for (const event of ['connect', 'close', 'connectError', 'release', 'leak', 'end'] as const) {
    redis.on(event, (...args: unknown[]) => {
      for (const each of args) scanner.look(each, `the event ${event}`)
    })
  }
}

/** A handle that works, from before its first dial to after its end. */
export async function lookAtLife(args: Arguments, scanner: Scanner): Promise<void> {
  const redis = make(args)
  listen(redis, scanner)
  lookAtHandles(redis, scanner, 'before the first dial')
  await redis.ping()
  const lease = await redis.lease({ label: 'held' })
  scanner.look(lease, 'a lease')
  scanner.look(lease.multi(), 'a transaction of a lease')
  lookAtHandles(redis, scanner, 'in use')
  lease.release()
  await scanner.failure(() => lease.get('key'), 'a lease after its release')
  await redis.close()
  lookAtHandles(redis, scanner, 'after its end')
  await scanner.failure(() => redis.get('key'), 'a handle after its end')
}

/** Commands that carry a secret among their arguments; most of them fail. */
export function secretCommands(port: number): string[][] {
  const migrate = ['MIGRATE', '127.0.0.1', String(port), 'nokey', '0', '100']
  return [
    ['AUTH', CANARY],
    ['AUTH', 'default', `${CANARY}-wrong`],
    ['auth', 'nobody', CANARY],
    ['HELLO', '3', 'AUTH', 'default', `${CANARY}-wrong`],
    ['HELLO', '9', 'AUTH', 'default', CANARY],
    ['ACL', 'SETUSER', 'app', `>${CANARY}`, 'nonsense'],
    ['ACL', 'SETUSER', 'app', `<${CANARY}-not-there`],
    ['ACL', 'SETUSER', 'app', `#${CANARY}`],
    ['ACL', 'SETUSER', 'app', `!${CANARY}`],
    ['CONFIG', 'SET', 'requirepass', CANARY, 'nonsense'],
    ['CONFIG', 'SET', 'masterauth', CANARY, 'maxmemory', CANARY],
    ['CONFIG', 'SET', 'nonsense', CANARY],
    [...migrate, 'AUTH', CANARY, 'NONSENSE'],
    [...migrate, 'AUTH2', 'default', CANARY, 'NONSENSE'],
    ['NOSUCHCOMMAND', CANARY],
    ['SET', 'key', CANARY, 'NONSENSE'],
    ['GETEX', CANARY, 'NONSENSE'],
  ]
}

/** The arguments of commands, through all handles: refused by us, refused by the server, lost, and in a transaction. */
export async function lookAtArguments(redis: Redis, port: number, scanner: Scanner): Promise<void> {
  listen(redis, scanner)
  for (const command of secretCommands(port)) {
    const what = command.slice(0, 2).join(' ').replace(CANARY, '…')
    const settled = (call: Promise<unknown>): Promise<unknown> => call.catch((error: unknown) => error)
    scanner.look(await settled(redis.sendCommand(command)), `${what} on the shared handle`)
    scanner.look(await settled(runMulti(() => redis.multi().ping().sendCommand(command).exec())), `${what} in MULTI`)
    scanner.look(await settled(runMulti(() => redis.multi().sendCommand(command).execAsPipeline())), `${what} piped`)
    const lease = await redis.lease()
    const call = settled(lease.sendCommand(command))
    lookAtHandles(redis, scanner, `while ${what} is in flight`)
    scanner.look(lease, `a lease while ${what} is in flight`)
    scanner.look(await call, `${what} on a lease`)
    scanner.look(
      await settled(runMulti(() => lease.multi().sendCommand(command).exec())),
      `${what} in MULTI on a lease`,
    )
    lease.release()
  }
}

/** Adding a command may throw at once. */
async function runMulti(run: () => Promise<unknown>): Promise<unknown> {
  return run()
}

/** Logins that fail, at every step of the handshake and in every way. Gives how many were tried. */
export async function lookAtFailedLogins(scanner: Scanner): Promise<number> {
  const says: ((args: string[]) => string | Buffer)[] = [
    () => '-ERR no\r\n',
    () => '@\r\n',
    () => '',
    (args) => `-WRONGPASS you said ${args.join(' ')}\r\n`,
    (args) => `-ERR unknown command '${args[0]}', with args beginning with: '${args.slice(1).join("' '")}' \r\n`,
    (args) => `+${args.join(' ')}\r\n`,
    () => '*33000000\r\n$1\r\nx',
  ]
  let tried = 0
  for (const step of ['HELLO', 'AUTH', 'SELECT', 'CLIENT', 'PING']) {
    for (const say of says) {
      await using server = await FakeServer.start()
      if (step === 'AUTH') server.expect('HELLO').raw('-NOPROTO\r\n').always()
      server
        .expect(step)
        .do((connection, args) => connection.send(say(args)))
        .fin()
        .always()
      const options = {
        username: 'app',
        password: CANARY,
        database: 1,
        clientName: 'me',
        acquireTimeout: 40,
        backoffMin: 20,
      }
      const redis = new Redis(server.url, options)
      listen(redis, scanner)
      await scanner.failure(() => redis.get('key'), `${step} failed`)
      await scanner.failure(() => redis.lease(), `${step} failed, for a lease`)
      lookAtHandles(redis, scanner, `after ${step} failed`)
      redis.destroy()
      tried++
    }
  }
  return tried
}

/** Options and URLs that are wrong, with the secret wherever one could be misplaced. */
export async function lookAtWrongOptions(scanner: Scanner): Promise<number> {
  const escaped = encodeURIComponent(CANARY)
  const wrong: unknown[][] = [
    ...[`redis://user:${CANARY}@host:99999`, `redsi://:${escaped}@host`, `redis://user:${escaped}@host/x`].map(
      (url) => [url],
    ),
    ...[`redis://user:${CANARY}`, `//${CANARY}@host`, CANARY, `redis://host?password=${escaped}`].map((url) => [url]),
    ...[`redis://host?${escaped}=1`, `redis://host#${CANARY}`, `redis://:${CANARY}%zz@host`].map((url) => [url]),
    [new URL(`redis://user:${escaped}@host/x`)],
    [{ password: CANARY, credentials: () => ({}) }],
    [{ pasword: CANARY }],
    [{ [CANARY]: 1 }],
    [{ password: { secret: CANARY } }],
    [{ password: Buffer.from(CANARY) }],
    [{ username: CANARY }],
    [{ tls: CANARY }],
    [{ host: `user:${CANARY}@host` }],
    [{ maxConnections: CANARY, password: CANARY }],
    [{ pool: { password: CANARY } }],
    [`redis://:${escaped}@host`, { url: `redis://:${escaped}@host` }],
  ]
  for (const args of wrong) {
    for (const Class of [Redis, ConnectionPool]) {
      await scanner.failure(() => Reflect.construct(Class, args), `a wrong option of ${Class.name}`)
    }
  }
  return wrong.length * 2
}

/** What node:tls is given, good or bad: the passphrase of a key, and the key. */
export async function lookAtTls(port: number, key: string, scanner: Scanner): Promise<void> {
  const secrets = [
    { passphrase: CANARY },
    { passphrase: CANARY, key, cert: 'no certificate' },
    { key: CANARY, cert: CANARY },
    { pfx: Buffer.from(CANARY), passphrase: CANARY },
    { passphrase: CANARY, minVersion: 'TLSv9' },
    { passphrase: CANARY, ca: 5 },
  ]
  for (const tls of secrets) {
    const redis: Redis = Reflect.construct(Redis, [
      { port, tls, connectTimeout: 300, acquireTimeout: 300, backoffMin: 100 },
    ])
    listen(redis, scanner)
    lookAtHandles(redis, scanner, 'with a passphrase')
    await scanner.failure(() => redis.get('key'), 'TLS that fails')
    redis.destroy()
  }
}

/** A pool that is exhausted while its holders carry secrets, and calls that run out of time or are aborted. */
export async function lookAtExhaustion(server: RedisProcess, scanner: Scanner): Promise<void> {
  const redis = new Redis(server.url, { maxConnections: 1, acquireTimeout: 50, maxWaiting: 1, leakThreshold: 20 })
  listen(redis, scanner)
  const lease = await redis.lease()
  await server.cli('CLIENT', 'PAUSE', '300', 'ALL')
  const held = lease.sendCommand(['AUTH', 'default', CANARY]).catch((error: unknown) => error)
  const waiting = scanner.failure(() => redis.lease(), 'an exhausted pool')
  await scanner.failure(() => redis.get('key'), 'a full queue')
  await waiting
  scanner.look(await held, 'AUTH that had to wait')
  const timed = redis.withCommandOptions({ timeout: 20 })
  lease.release()
  await scanner.failure(() => redis.withAbortSignal(AbortSignal.abort()).sendCommand(['SET', 'k', CANARY]), 'an abort')
  await server.cli('CLIENT', 'PAUSE', '150', 'ALL')
  await scanner.failure(() => timed.sendCommand(['SET', 'key', CANARY]), 'a timeout')
  await server.cli('CLIENT', 'UNPAUSE')
  redis.destroy()
}

const CHILD = fileURLToPath(new URL('./secret-child.js', import.meta.url))
export const WAYS_TO_CRASH = ['rejection', 'event', 'url', 'thrown handle', 'trace'] as const

/** What a process prints that ends by an uncaught error. */
export async function crash(url: string, way: (typeof WAYS_TO_CRASH)[number] | 'planted'): Promise<string> {
  const child = spawn(process.execPath, [CHILD, url, way], { env: { ...process.env, SECRET: CANARY } })
  let printed = ''
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (text: string) => {
      printed += text
    })
  }
  const [code] = await once(child, 'close')
  if (code === 0) throw new Error(`it should have ended badly: ${way}`)
  return printed
}
