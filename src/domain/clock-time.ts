/** Seconds of a time as people write it, "SS", "MM:SS" or "HH:MM:SS", each with a fraction or without; null for anything else. */
export function secondsOf(text: string): number | null {
  if (!/^\d{1,6}(:[0-5]?\d){0,2}(\.\d{1,6})?$/.test(text.trim())) return null
  return text
    .trim()
    .split(':')
    .reduce((total, part) => total * 60 + Number(part), 0)
}

/** To the millisecond: what every tool can read, and what no clock knows better. */
export const toMilliseconds = (seconds: number): number => Math.round(seconds * 1000) / 1000
