/** What a look at one thing came to. */
export type Finding = Readonly<{
  /** What was looked at, one word. */
  about: string
  level: 'ok' | 'warning' | 'problem'
  /** What is so. */
  text: string
  /** What to do about it, a command where one does it; null when nothing is to be done. */
  mend: string | null
}>

export const ok = (about: string, text: string): Finding => ({ about, level: 'ok', text, mend: null })

/** Works, but not as well as it could. */
export const warning = (about: string, text: string, mend: string): Finding => ({ about, level: 'warning', text, mend })

/** Keeps the daemon from working. */
export const problem = (about: string, text: string, mend: string): Finding => ({ about, level: 'problem', text, mend })

/** The text of an error. */
export const reasonOf = (error: unknown): string => (error instanceof Error ? error.message : String(error))
