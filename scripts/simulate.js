// `npm run simulate:soak`: compile, then run the simulation for as long as asked. Its words go to
// test/simulation/soak.ts.

import { compile, enter, run } from './harness.js'

enter('npm run simulate:soak')
await compile('npm run simulate:soak', { dist: false })
process.exit(await run(process.execPath, ['build/test/simulation/soak.js', ...process.argv.slice(2)]))
