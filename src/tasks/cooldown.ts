/** Most hosts that are remembered; the one whose last strike is longest ago is forgotten first. */
const MAX_HOSTS = 10_000

/** Hosts that asked to be left alone, and until when. One blocked host holds back its own tasks only. */
export class Cooldowns {
  readonly #hosts = new Map<string, { until: number; strikes: number }>()

  /** `lengthOf` gets the number of strikes before this one; a longer rest that is already running stays. */
  strike(host: string, now: number, lengthOf: (strikes: number) => number): void {
    const known = this.#hosts.get(host)
    const strikes = known?.strikes ?? 0
    const length = lengthOf(strikes)
    if (length <= 0) return
    this.#hosts.delete(host)
    this.#hosts.set(host, { until: Math.max(known?.until ?? 0, now + length), strikes: strikes + 1 })
    const [oldest] = this.#hosts.keys()
    if (this.#hosts.size > MAX_HOSTS && oldest !== undefined) this.#hosts.delete(oldest)
  }

  /** A success: the host is well again. */
  clear(host: string): void {
    this.#hosts.delete(host)
  }

  /** Whether a host has not been well since its last strike. */
  has(host: string): boolean {
    return this.#hosts.has(host)
  }

  /** The hosts that are left alone at `now`. */
  blocked(now: number): string[] {
    return [...this.#hosts].filter(([, { until }]) => until > now).map(([host]) => host)
  }

  /** When the next of them may be asked again; null when none is left alone. */
  nextEnd(now: number): number | null {
    const ends = [...this.#hosts.values()].map(({ until }) => until).filter((until) => until > now)
    return ends.length === 0 ? null : Math.min(...ends)
  }
}
