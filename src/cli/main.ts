import process from 'node:process'
import { VERSION } from '../version.ts'
import { openTerminal, type Command, type Terminal } from './command.ts'
import { CliError, wrongUsage } from './failure.ts'

/** By their first word. Each is loaded when it is called: the engine need not be read to save a file. */
const COMMANDS: Readonly<Record<string, () => Promise<Command>>> = {
  start: async () => (await import('./operator.ts')).startCommand,
  get: async () => (await import('./get.ts')).getCommand,
  key: async () => (await import('./key.ts')).keyCommand,
  doctor: async () => (await import('./doctor.ts')).doctorCommand,
  backup: async () => (await import('./operator.ts')).backupCommand,
  restore: async () => (await import('./operator.ts')).restoreCommand,
}

/** Errors whose message is written for whoever looks after the daemon, by name: their modules need not be read. */
const FOR_PEOPLE = ['CliError', 'ConfigError', 'DatabaseError', 'SealError']

/** As shells have it for a program that was interrupted. */
const INTERRUPTED = 130

async function main(args: readonly string[]): Promise<number> {
  const [word = '--help', ...rest] = args
  const stop = new AbortController()
  const terminal = openTerminal(stop.signal)
  const command = Object.hasOwn(COMMANDS, word) ? await COMMANDS[word]?.() : undefined
  if (isAskedForHelp(word, rest)) {
    terminal.out(command ? helpOf(command) : await overview())
    return 0
  }
  if (word === '--version') {
    terminal.out(`${VERSION}\n`)
    return 0
  }
  // The daemon has its own way to stop.
  if (word !== 'start') for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => stop.abort())
  try {
    if (!command) throw wrongUsage(`there is no command ${JSON.stringify(word)}`)
    return await command.run(rest, terminal)
  } catch (error) {
    return tell(error, command, terminal)
  }
}

const isAskedForHelp = (word: string, rest: readonly string[]): boolean => {
  const end = rest.indexOf('--')
  const options = end < 0 ? rest : rest.slice(0, end)
  return (
    word === '--help' || word === '-h' || word === 'help' || options.some((one) => one === '--help' || one === '-h')
  )
}

/** Says what went wrong, to people; returns the exit code. */
function tell(error: unknown, command: Command | undefined, { err, signal }: Terminal): number {
  if (signal.aborted) return INTERRUPTED
  if (!(error instanceof Error) || !FOR_PEOPLE.includes(error.name)) throw error
  err(`ytdlpd: ${error.message}\n`)
  const exitCode = error instanceof CliError ? error.exitCode : 1
  if (exitCode === 2) err(`usage: ytdlpd ${command?.usage ?? 'COMMAND'}; more with --help\n`)
  return exitCode
}

const helpOf = ({ usage, summary, help }: Command): string =>
  [
    `usage: ytdlpd ${usage}`,
    '',
    `${summary.charAt(0).toUpperCase()}${summary.slice(1)}.`,
    '',
    ...help.map((line) => `  ${line}`),
    '',
  ].join('\n')

async function overview(): Promise<string> {
  const all = await Promise.all(Object.values(COMMANDS).map((load) => load()))
  const width = Math.max(...all.map(({ usage }) => usage.length))
  const lines = all.map(({ usage, summary }) => `  ${usage.padEnd(width)}  ${summary}`)
  return [
    'usage: ytdlpd COMMAND',
    '',
    ...lines,
    '',
    '`ytdlpd COMMAND --help` says more; `ytdlpd --version` which one this is.',
    '',
  ].join('\n')
}

process.exitCode = await main(process.argv.slice(2))
