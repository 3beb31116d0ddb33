// Reads the text format of Prometheus 0.0.4 and lets nothing pass that a scraper might refuse, nor what it would take
// and misread: every rule of the format, and those of counters and histograms.
// https://prometheus.io/docs/instrumenting/exposition_formats/

export interface Sample {
  readonly name: string
  readonly labels: Readonly<Record<string, string>>
  readonly value: number
}

export interface Family {
  readonly name: string
  readonly type: string
  readonly help: string
  readonly samples: readonly Sample[]
}

const NAME = /^[a-zA-Z_:][a-zA-Z0-9_:]*/
const LABEL = /^[a-zA-Z_][a-zA-Z0-9_]*/
const NUMBER = /^(?:[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?|[+-]?Inf|NaN)$/
const TYPES = ['counter', 'gauge', 'histogram', 'summary', 'untyped']

interface Open {
  name: string
  type: string | undefined
  help: string | undefined
  samples: Sample[]
}

export function parsePrometheus(text: string): Map<string, Family> {
  if (!text.endsWith('\n')) throw new Error('the last line has no end')
  const families = new Map<string, Family>()
  const seen = new Set<string>()
  let open: Open | undefined
  const close = (): void => {
    if (open === undefined) return
    families.set(open.name, checkedFamily(open))
    open = undefined
  }
  const enter = (name: string): Open => {
    if (open?.name === name) return open
    close()
    if (families.has(name)) throw new Error(`${name} is not in one piece`)
    open = { name, type: undefined, help: undefined, samples: [] }
    return open
  }
  for (const line of text.slice(0, -1).split('\n')) {
    if (line === '') continue
    const [, keyword, name = '', rest = ''] = /^# (HELP|TYPE) (\S+) (.*)$/.exec(line) ?? []
    if (keyword === undefined) {
      if (line.startsWith('#')) throw new Error(`not a comment of ours: ${line}`)
      const sample = readSample(line)
      const key = JSON.stringify([sample.name, Object.entries(sample.labels).sort()])
      if (seen.has(key)) throw new Error(`twice: ${line}`)
      seen.add(key)
      if (open === undefined || familyOf(sample.name, open.type) !== open.name) throw new Error(`out of place: ${line}`)
      open.samples.push(sample)
      continue
    }
    if (NAME.exec(name)?.[0] !== name) throw new Error(`no name: ${line}`)
    const family = enter(name)
    if (family.samples.length > 0) throw new Error(`behind its samples: ${line}`)
    if (keyword === 'HELP') {
      if (family.help !== undefined) throw new Error(`a second one: ${line}`)
      family.help = unescaped(rest, /\\[\\n]/)
    } else {
      if (family.type !== undefined || !TYPES.includes(rest)) throw new Error(`no type, or a second one: ${line}`)
      family.type = rest
    }
  }
  close()
  return families
}

function familyOf(name: string, type: string | undefined): string {
  return type === 'histogram' ? name.replace(/_(?:bucket|sum|count)$/, '') : name
}

function readSample(line: string): Sample {
  const name = NAME.exec(line)?.[0] ?? ''
  if (name === '') throw new Error(`no name: ${line}`)
  let rest = line.slice(name.length)
  const labels: Record<string, string> = {}
  if (rest.startsWith('{')) {
    rest = rest.slice(1)
    while (!rest.startsWith('}')) {
      const label = LABEL.exec(rest)?.[0] ?? ''
      const quoted = /^="((?:[^"\\]|\\.)*)"(,|(?=\}))/.exec(rest.slice(label.length))
      if (label === '' || label.startsWith('__') || quoted === null) throw new Error(`no label at ${rest} in ${line}`)
      if (Object.hasOwn(labels, label)) throw new Error(`${label} twice in ${line}`)
      Object.defineProperty(labels, label, { value: unescaped(quoted[1] ?? '', /\\[\\n"]/), enumerable: true })
      rest = rest.slice(label.length + quoted[0].length)
    }
    rest = rest.slice(1)
  }
  const number = rest.slice(1)
  if (!rest.startsWith(' ') || !NUMBER.test(number)) throw new Error(`no number: ${line}`)
  return { name, labels, value: numberOf(number) }
}

const numberOf = (text: string): number => Number(text.replace('Inf', 'Infinity'))

/** Only those escapes that the format has; any other backslash is a mistake. */
function unescaped(text: string, legal: RegExp): string {
  return text.replace(/\\(.?)/g, (sequence, char: string) => {
    if (!legal.test(sequence)) throw new Error(`no escape: ${sequence} in ${text}`)
    return char === 'n' ? '\n' : char
  })
}

function checkedFamily({ name, type, help, samples }: Open): Family {
  if (type === undefined || help === undefined || help === '') throw new Error(`${name} has no type, or no help`)
  if (samples.some(({ value }) => Number.isNaN(value))) throw new Error(`${name} has a value that is no number`)
  if (type === 'counter' && !name.endsWith('_total')) throw new Error(`${name} is a counter and does not end in _total`)
  if (type !== 'counter' && name.endsWith('_total')) throw new Error(`${name} ends in _total and is no counter`)
  if (type === 'counter' && samples.some(({ value }) => value < 0)) throw new Error(`${name} is below 0`)
  if (type === 'histogram') checkHistograms(name, samples)
  return { name, type, help, samples }
}

function checkHistograms(name: string, samples: readonly Sample[]): void {
  const groups = new Map<string, Sample[]>()
  for (const sample of samples) {
    const { le: _, ...labels } = sample.labels
    const key = JSON.stringify(Object.entries(labels).sort())
    groups.set(key, [...(groups.get(key) ?? []), sample])
  }
  for (const [key, group] of groups) {
    const buckets = group.filter((sample) => sample.name === `${name}_bucket`)
    const bounds = buckets.map(({ labels }) => numberOf(labels.le ?? 'NaN'))
    const rest = group.filter((sample) => sample.name !== `${name}_bucket`).map((sample) => sample.name)
    if (rest.join() !== `${name}_sum,${name}_count`) throw new Error(`${name}${key} has ${rest.join()}`)
    if (bounds.at(-1) !== Number.POSITIVE_INFINITY) throw new Error(`${name}${key} has no bucket for all`)
    buckets.forEach(({ value }, index) => {
      const before = index - 1
      const isAscending = index === 0 || (bounds[index] ?? 0) > (bounds[before] ?? 0)
      if (!isAscending || value < (buckets[before]?.value ?? 0)) throw new Error(`${name}${key} does not ascend`)
    })
    const count = group.find((sample) => sample.name === `${name}_count`)
    if (buckets.at(-1)?.value !== count?.value) throw new Error(`${name}${key} does not add up`)
  }
}
