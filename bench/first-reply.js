// Owns one measurement in a new process: from before a client is imported to its first reply. Prints it as JSON.
import { contender } from './contenders.js'
import { keys, values } from './workload.js'

const [id = '', url = ''] = process.argv.slice(2)
const client = contender(id)
const before = performance.now()
const session = await client.connect(url)
if (!('get' in session)) throw new Error(`${id} has no get`)
const reply = await session.get(keys[0] ?? '')
const after = performance.now()
if (reply !== values[0]) throw new Error(`${id} answered ${reply}`)
console.log(JSON.stringify({ imported: after - before, started: after }))
process.exit()
