/** Why a command did not do what it was told; the message is for whoever typed it. Anything else that is thrown is a fault. */
export class CliError extends Error {
  override readonly name = 'CliError'
  /** 1: it failed; 2: it was not understood. */
  readonly exitCode: 1 | 2

  constructor(message: string, options: ErrorOptions & { exitCode?: 1 | 2 } = {}) {
    super(message, options)
    this.exitCode = options.exitCode ?? 1
  }
}

export const wrongUsage = (message: string): CliError => new CliError(message, { exitCode: 2 })
