import process from 'node:process'
import { parseArgs, type ParseArgsOptionsConfig } from 'node:util'
import { wrongUsage } from './failure.ts'

/** Where a command writes, and what it is told beside its arguments. */
export type Terminal = Readonly<{
  out: (text: string) => void
  err: (text: string) => void
  /** Whether lines can be drawn anew on `err`. */
  isTty: boolean
  columns: () => number
  env: Readonly<Record<string, string | undefined>>
  /** Aborted when the person at the terminal has had enough. */
  signal: AbortSignal
}>

/** One thing that `ytdlpd` can do. */
export type Command = Readonly<{
  /** How it is called, behind `ytdlpd`. */
  usage: string
  summary: string
  /** Its options, a line each. */
  help: readonly string[]
  /** Resolves to the exit code. Throws CliError. */
  run: (args: readonly string[], terminal: Terminal) => Promise<number>
}>

/** What the help of operators' commands ends with. */
export const BY_ENVIRONMENT = 'Its settings are the environment, as the daemon’s are.'

/** Refuses what stands behind the last argument that a command knows. */
export function requireNothing(positionals: readonly string[]): void {
  if (positionals[0] !== undefined) throw wrongUsage(`${JSON.stringify(positionals[0])} is one too many`)
}

/** Arguments by the rules of `node:util`; throws CliError naming the first that does not fit. */
export function parse<O extends ParseArgsOptionsConfig>(args: readonly string[], options: O) {
  try {
    return parseArgs({ args: [...args], options, allowPositionals: true, strict: true })
  } catch (error) {
    if (!(error instanceof TypeError && 'code' in error && String(error.code).startsWith('ERR_PARSE_ARGS'))) throw error
    throw wrongUsage(error.message.split('. To specify')[0] ?? error.message)
  }
}

// eslint-disable-next-line no-control-regex -- control characters are what is looked for
const STEERING = /[\u0000-\u001f\u007f-\u009f\u2028\u2029\u202a-\u202e]/g

/** Text of others without what would steer the terminal. */
export const plain = (text: string): string => text.replace(STEERING, ' ')

/** The terminal that this program runs in. */
export function openTerminal(signal: AbortSignal): Terminal {
  return {
    out: (text) => void process.stdout.write(text),
    err: (text) => void process.stderr.write(text),
    isTty: process.stderr.isTTY,
    columns: () => process.stderr.columns,
    env: process.env,
    signal,
  }
}
