/** A time (milliseconds since the epoch) as answers and messages show it. */
export const isoTime = (at: number): string => new Date(at).toISOString()

/** As `isoTime`; null stays null. */
export const isoTimeOrNull = (at: number | null): string | null => (at === null ? null : isoTime(at))

/** The day (UTC) of a time: `YYYY-MM-DD`. */
export const isoDay = (at: number): string => isoTime(at).slice(0, 10)
