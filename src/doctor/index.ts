import { ConfigError, loadConfig, type Config } from '../config/index.ts'
import { checkDatabase } from './database.ts'
import { checkDisks } from './disks.ts'
import { checkEngine } from './engine.ts'
import { problem, reasonOf, type Finding } from './finding.ts'
import { checkFolders } from './folders.ts'
import { checkPort } from './port.ts'
import { checkTools } from './tools.ts'

export type { Finding } from './finding.ts'

/**
 * Looks at everything that the daemon needs, beside one that runs or without, and changes nothing. `env`: the settings that
 * the daemon is started with. Never rejects: what cannot be looked at is a finding.
 */
export async function runDoctor(env: Readonly<Record<string, string | undefined>>): Promise<readonly Finding[]> {
  const config = readConfig(env)
  if (!('dirs' in config)) return config
  const { tools, findings: ofTools } = await checkTools(config)
  const findings = [
    checkFolders(config),
    checkDisks(config),
    checkDatabase(config),
    checkPort(config),
    ...(tools === null ? [] : [checkEngine(config, tools)]),
  ].map((checking) =>
    checking.catch((error: unknown) => [problem('doctor', reasonOf(error), 'Report this as a fault')]),
  )
  return [...ofTools, ...(await Promise.all(findings)).flat()]
}

function readConfig(env: Readonly<Record<string, string | undefined>>): Config | readonly Finding[] {
  try {
    return loadConfig(env)
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error
    const [, ...lines] = error.message.split('\n')
    return lines.map((line) => problem('settings', line.trim(), 'Correct it; the settings are explained in README.md'))
  }
}

/** Whether nothing keeps the daemon from working. */
export const isHealthy = (findings: readonly Finding[]): boolean => findings.every(({ level }) => level !== 'problem')

const MARKS = { ok: 'ok     ', warning: 'warning', problem: 'PROBLEM' } as const

/** The findings for people: a line each, and one more for what to do. */
export function describeFindings(findings: readonly Finding[]): string {
  const width = Math.max(...findings.map(({ about }) => about.length))
  const lines = findings.flatMap(({ about, level, text, mend }) => {
    const indent = ' '.repeat(MARKS[level].length + width + 3)
    return [`${MARKS[level]} ${about.padEnd(width)}  ${text}`, ...(mend === null ? [] : [`${indent}→ ${mend}`])]
  })
  const count = (level: Finding['level']) => findings.filter((finding) => finding.level === level).length
  return `${lines.join('\n')}\n\n${count('problem')} problems, ${count('warning')} warnings\n`
}
