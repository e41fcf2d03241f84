import { plain, type Terminal } from './command.ts'

const BAR = 24
const PLAIN_STEP = 10

/** How far something is. */
export type Step = Readonly<{
  what: string
  /** 0 to 100; null = unknown. */
  percent: number | null
  /** Bytes a second. */
  speed?: number | null
  /** Seconds. */
  eta?: number | null
}>

/** Shows how far something is: one line that is drawn anew on a terminal, a line now and then elsewhere. */
export class ProgressLine {
  readonly #terminal: Terminal
  #last = ''
  #drawn = false

  constructor(terminal: Terminal) {
    this.#terminal = terminal
  }

  show(step: Step): void {
    if (this.#terminal.isTty) return this.#draw(barOf(step))
    const tenth = step.percent === null ? '' : ` ${Math.floor(step.percent / PLAIN_STEP) * PLAIN_STEP} %`
    const line = `${plain(step.what)}${tenth}`
    if (line !== this.#last) this.#terminal.err(`${line}\n`)
    this.#last = line
  }

  /** Leaves the line to what comes next. */
  end(): void {
    if (this.#drawn) this.#terminal.err('\r\u001b[K')
    this.#drawn = false
    this.#last = ''
  }

  #draw(line: string): void {
    this.#drawn = true
    this.#terminal.err(`\r\u001b[K${line.slice(0, Math.max(20, this.#terminal.columns() - 1))}`)
  }
}

function barOf({ what, percent, speed = null, eta = null }: Step): string {
  const done = Math.round((BAR * (percent ?? 0)) / 100)
  const bar =
    percent === null ? '' : `[${'#'.repeat(done)}${'-'.repeat(BAR - done)}] ${percent.toFixed(0).padStart(3)} %`
  const parts = [
    bar,
    plain(what),
    speed === null ? '' : `${bytesOf(speed)}/s`,
    eta === null ? '' : `${clock(eta)} left`,
  ]
  return parts.filter((part) => part !== '').join('  ')
}

const UNITS = ['B', 'KiB', 'MiB', 'GiB', 'TiB'] as const

/** A size for people. */
export function bytesOf(bytes: number): string {
  const power = bytes < 1 ? 0 : Math.min(UNITS.length - 1, Math.floor(Math.log2(bytes) / 10))
  const value = bytes / 2 ** (10 * power)
  return `${power === 0 ? value.toFixed(0) : value.toFixed(1)} ${UNITS[power] ?? ''}`
}

function clock(seconds: number): string {
  const whole = Math.max(0, Math.round(seconds))
  const [hours, minutes] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60]
  const rest = String(whole % 60).padStart(2, '0')
  return hours > 0 ? `${hours}:${String(minutes).padStart(2, '0')}:${rest}` : `${minutes}:${rest}`
}
