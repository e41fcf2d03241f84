import { describeFindings, isHealthy, runDoctor } from '../doctor/index.ts'
import { BY_ENVIRONMENT, parse, requireNothing, type Command } from './command.ts'

/** `ytdlpd doctor`: what is wrong, and how to mend it. */
export const doctorCommand: Command = {
  usage: 'doctor [--json]',
  summary: 'say what is wrong with this installation and how to mend it',
  help: ['--json  for programs', BY_ENVIRONMENT],
  async run(args, { out, env }) {
    const { values, positionals } = parse(args, { json: { type: 'boolean' } })
    requireNothing(positionals)
    const findings = await runDoctor(env)
    out(values.json === true ? `${JSON.stringify(findings, null, 2)}\n` : describeFindings(findings))
    return isHealthy(findings) ? 0 : 1
  },
}
