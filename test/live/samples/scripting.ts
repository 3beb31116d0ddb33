// Samples of scripts, functions and messages.

import { createHash } from 'node:crypto'
import { call, raw, type Sample } from './sample.js'

const SCRIPT = 'return {KEYS[1],ARGV[1],1.5,false,{1,"two"}}'
const SHA1 = createHash('sha1').update(SCRIPT).digest('hex')
const WITH = { keys: ['k'], arguments: ['a'] }
const LOADED = { setUp: [`SCRIPT FLUSH`, `SCRIPT LOAD ${SCRIPT.replace('return ', 'return\t')}`] }
const OWN = createHash('sha1').update(SCRIPT.replace('return ', 'return\t')).digest('hex')
const CODE = `#!lua name=lib\nredis.register_function{function_name='f',callback=function(k,a)return\ta[1]end,flags={'no-writes'}}`
const LIB = { setUp: ['FUNCTION FLUSH', `FUNCTION LOAD ${CODE.replace('lua name', 'lua\tname')}`] }
const NONE = { setUp: ['FUNCTION FLUSH'] }

export const SCRIPTING: readonly Sample[] = [
  call('EVAL', [SCRIPT, WITH]),
  call('EVAL', ['return redis.error_reply("MINE is the word")']),
  call('EVAL', ['return redis.call("NOSUCH")']),
  call('EVAL', ['redis.setresp(3) return {map={a=1},double=2.5}']),
  call('EVAL_RO', [SCRIPT, WITH]),
  call('EVAL_RO', ['return redis.call("SET", "a", "b")']),
  call('EVALSHA', [OWN, WITH], LOADED),
  call('EVALSHA', ['f'.repeat(40), WITH]),
  call('EVALSHA_RO', [OWN, WITH], LOADED),
  call('SCRIPT_DEBUG', ['NO'], { onLease: true, why: 'it is about one connection' }),
  call('SCRIPT_EXISTS', [[SHA1, OWN]], LOADED),
  call('SCRIPT_FLUSH', ['SYNC']),
  call('SCRIPT_KILL'),
  call('SCRIPT_LOAD', [SCRIPT]),
  raw('SCRIPT HELP'),
  call('FCALL', ['f', WITH], LIB),
  call('FCALL', ['none', WITH], NONE),
  call('FCALL_RO', ['f', WITH], LIB),
  call('FUNCTION_DELETE', ['lib'], LIB),
  call('FUNCTION_DELETE', ['none'], NONE),
  call('FUNCTION_DUMP', [], LIB),
  call('FUNCTION_FLUSH', ['SYNC']),
  call('FUNCTION_KILL'),
  call('FUNCTION_LIST', [], LIB),
  call('FUNCTION_LIST', [{ LIBRARYNAME: 'none' }], LIB),
  call('FUNCTION_LIST_WITHCODE', [], LIB),
  call('FUNCTION_LOAD', [CODE], NONE),
  call('FUNCTION_LOAD', [CODE, { REPLACE: true }], LIB),
  call('FUNCTION_LOAD', ['no code']),
  call('FUNCTION_RESTORE', ['no dump', { mode: 'FLUSH' }]),
  call('FUNCTION_STATS', [], LIB),
  raw('FUNCTION HELP'),
  call('PUBLISH', ['channel', 'message']),
  call('SPUBLISH', ['channel', 'message']),
  call('PUBSUB_CHANNELS'),
  call('PUBSUB_NUMPAT'),
  call('PUBSUB_NUMSUB', [['a', 'b']]),
  call('PUBSUB_SHARDCHANNELS'),
  call('PUBSUB_SHARDNUMSUB', [['a']]),
  raw('PUBSUB HELP'),
]
